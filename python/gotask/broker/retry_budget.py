"""How many calls of idempotent methods are made again: each once, and only so many."""

from __future__ import annotations

import time

from ..wire.frames import EXCHANGES
from .call import Call

# A call is made again once. More than that hides what is wrong from those who could mend it.
ATTEMPTS = 1

# A token bucket: each call of such a method adds RATIO, each repetition takes 1. So where everything fails, the load grows by
# a tenth and not by a factor. After Finagle's RetryBudget (https://twitter.github.io/finagle/guide/Clients.html).
RATIO = 0.1
FIRST = 10.0
MOST = 100.0


class RetryBudget:
    """Of one broker: calls of idempotent methods that were lost with their worker are made again once, and only so many."""

    def __init__(self) -> None:
        self._tokens = FIRST

    def earn(self) -> None:
        """A call of an idempotent method has come."""
        self._tokens = min(MOST, self._tokens + RATIO)

    def allow(self, call: Call) -> bool:
        """Whether a call that was lost with its worker is to be made again; if so, that is paid for."""
        route = call.route
        if route is None or not route.idempotent or call.attempts >= ATTEMPTS or not call.is_wanted:
            return False
        options = call.frame.options
        if call.exchange is not None or len(options) >= 4 and options[3] & EXCHANGES:
            return False  # its caller has seen something of it
        if call.segment is not None:
            return False  # the dead worker may have begun to write its answer over the payload
        if 0 < call.deadline <= time.monotonic() or self._tokens < 1:
            return False
        self._tokens -= 1
        return True
