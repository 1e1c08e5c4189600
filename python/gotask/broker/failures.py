"""The last calls that failed, for people: GoTask.Failures."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from ..errors import RemoteError, from_body

# Failures that are kept, and of those of one second so many: a flood of them costs next to nothing.
MOST: Final = 100
A_SECOND: Final = 10

# Characters of a message and of a traceback that are kept; of more, the end.
MAX_MESSAGE: Final = 2048
MAX_TRACEBACK: Final = 16 * 1024


class Failures:
    """The errors that workers sent, and those that the broker answered itself; the newest is the last one."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._second = 0
        self._count = 0

    def has_room(self) -> bool:
        """Whether one more is kept of this second: to be asked before each add(), so that of a flood nothing is decoded."""
        now = int(time.time())
        if now != self._second:
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= A_SECOND

    def add(self, method: str, body: bytes, pid: int, seconds: float) -> None:
        """An error reply with that body. pid: of the worker; 0: none had the call. seconds: from the call to its error."""
        error = from_body(body)
        kind, traceback = "", (error.data or {}).get("stack", "")
        if isinstance(error, RemoteError):
            kind, traceback = error.type, error.traceback
        self._kept.append(
            {
                "time": time.time(),
                "method": method,
                "code": error.code,
                "type": kind,
                "message": error.message[:MAX_MESSAGE],
                "traceback": str(traceback)[-MAX_TRACEBACK:],
                "pid": pid,
                "seconds": seconds,
            }
        )

    def told(self) -> list[dict[str, Any]]:
        """Newest first."""
        return list(reversed(self._kept))
