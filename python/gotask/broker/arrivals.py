"""Room for large payloads that are arriving: their total is bounded, and none of them takes for ever."""

from __future__ import annotations

import time
from typing import Protocol

# Bytes that large payloads (of 64 KiB or more) may take together while they arrive, over all connections. A payload without
# room is not read, and waits at its sender. One that is larger than this arrives alone.
ROOM = 256 * 1024 * 1024

# Seconds without a byte in the middle of a frame, after which the connection is closed.
PATIENCE = 30.0

# Seconds of a large payload in all, after which its connection is closed if others wait for room.
WHOLE = 60.0


class Receiving(Protocol):
    """A connection that has a large payload to receive."""

    def regulate(self) -> None:
        """It may ask for room again."""


class Arrivals:
    """Who has room for a large payload, and who waits for it, first come first served."""

    def __init__(self) -> None:
        self._taken = 0
        self._arriving: dict[Receiving, tuple[int, float]] = {}  # bytes, and since when
        self._waiting: dict[Receiving, int] = {}

    def enter(self, connection: Receiving, size: int) -> bool:
        """Whether there is room. If not, the connection's `regulate` is called when it may ask again."""
        if next(iter(self._waiting), connection) is connection and self._fits(size):
            self._waiting.pop(connection, None)
            self._arriving[connection] = size, time.monotonic()
            self._taken += size
            return True
        self._waiting[connection] = size
        return False

    def leave(self, connection: Receiving) -> None:
        """Its payload has come, or will not come, or the connection reads nothing for now."""
        self._waiting.pop(connection, None)
        size, _ = self._arriving.pop(connection, (0, 0.0))
        self._taken -= size
        while self._waiting:
            first, size = next(iter(self._waiting.items()))
            if not self._fits(size):
                return
            first.regulate()
            if first in self._waiting:
                del self._waiting[first]  # it can't read at all now, and asks again once it can

    def is_late(self, connection: Receiving, now: float) -> bool:
        """Whether its payload has taken so long that the others have waited for it long enough."""
        if not self._waiting or connection not in self._arriving:
            return False
        return now - self._arriving[connection][1] > WHOLE

    def _fits(self, size: int) -> bool:
        return not self._arriving or self._taken + size <= ROOM
