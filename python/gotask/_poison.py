"""Calls that kill workers: the same method with the same payload, having killed two, is refused for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ._errors import WorkerCrashed

if TYPE_CHECKING:
    from ._queue import Call

# A payload that killed so many workers is refused for REFUSAL seconds; each further one that it kills doubles that, up to
# LONGEST.
KILLS = 2
REFUSAL = 60.0
LONGEST = 3600.0

# Seconds after which a payload that has killed no further worker is forgotten, and how many are remembered.
MEMORY = 2 * LONGEST
MOST = 1024


class _Entry:
    __slots__ = ("kills", "at", "until", "data")

    def __init__(self) -> None:
        self.kills = 0
        self.at = 0.0
        self.until = 0.0
        self.data: dict[str, Any] = {}


class Poison:
    """`killed` notes a call that brought its worker to an end; `check` refuses what has done so too often.

    As long as no worker has died of a call, nothing is computed for any.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.has_victims = False

    def killed(self, call: Call, data: dict[str, Any]) -> None:
        """Notes that a call killed its worker; `data` of its error is shown to those that are refused."""
        self.has_victims = True
        key = _key(call)
        now = time.monotonic()
        entry = self._entries.get(key)
        if entry is None or now - entry.at > MEMORY:
            entry = self._entries[key] = _Entry()
        self._entries.move_to_end(key)
        entry.kills += 1
        entry.at = now
        entry.data = data
        if entry.kills >= KILLS:
            entry.until = now + min(LONGEST, REFUSAL * 2.0 ** (entry.kills - KILLS))
        if len(self._entries) > MOST:
            self._entries.popitem(last=False)

    def check(self, call: Call) -> None:
        """WorkerCrashed: this call would most likely kill one more worker; it has not run."""
        entry = self._entries.get(_key(call))
        if entry is None:
            return
        left = entry.until - time.monotonic()
        if left > 0:
            data = {**entry.data, "reason": "refused", "retry_after": round(left, 3)}
            raise WorkerCrashed(
                f"{call.name} with this very payload has killed {entry.kills} workers and is refused for {left:.0f} s;"
                " it has not run",
                data,
            )


def _key(call: Call) -> bytes:
    """Of method and payload."""
    return blake2b(memoryview(call.frame.raw)[call.frame.start :], digest_size=16).digest()
