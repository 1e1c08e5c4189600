"""Which calls that were lost with their worker are made again: of idempotent methods, once, and only so many."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._queue import Call

# A call is made again once. More than that hides what is wrong from those who could mend it.
ATTEMPTS = 1

# A token bucket: each call of such a method adds RATIO, each repetition takes 1. So where everything fails, the load grows by
# a tenth and not by a factor. After Finagle's RetryBudget (https://twitter.github.io/finagle/guide/Clients.html).
RATIO = 0.1
FIRST = 10.0
MOST = 100.0


class Retries:
    """The budget of one broker."""

    def __init__(self) -> None:
        self._tokens = FIRST

    def earn(self) -> None:
        """A call of an idempotent method has come."""
        self._tokens = min(MOST, self._tokens + RATIO)

    def allow(self, call: Call) -> bool:
        """Whether a call that was lost with its worker is to be made again; if so, that is paid for."""
        route = call.route
        if (
            route is None
            or not route.idempotent
            or call.attempts >= ATTEMPTS
            or call.dropped
            and not call.notify
        ):
            return False
        if call.segment is not None:
            return False  # the dead worker may have begun to write its answer over the payload
        if 0 < call.deadline <= time.monotonic() or self._tokens < 1:
            return False
        self._tokens -= 1
        call.attempts += 1
        return True
