"""Writing to a pipe whose reader may be slow, or never read at all: what does not fit is kept for a while, then dropped."""

from __future__ import annotations

import os
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

# Bytes that wait for a reader; what comes beyond is counted and dropped.
MAX_BACKLOG = 1024 * 1024


class Outlet:
    """Writes whole pieces to a descriptor and never blocks, once it knows the loop."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop: AbstractEventLoop | None = None
        self._backlog: deque[bytes] = deque()
        self._size = 0
        self._watching = False
        self._dropped = 0  # pieces

    def attach(self, loop: AbstractEventLoop) -> None:
        """From now on it does not wait for the reader."""
        self._loop = loop
        os.set_blocking(self._fd, False)

    def write(self, piece: bytes) -> None:
        if self._backlog:
            self._keep(piece)
            return
        rest = self._put(piece)
        if rest:
            self._keep(rest)

    def flush(self) -> None:
        """Writes what waits, as far as the reader takes it now."""
        while self._backlog:
            piece = self._backlog.popleft()
            self._size -= len(piece)
            rest = self._put(piece)
            if rest:
                self._backlog.appendleft(rest)
                self._size += len(rest)
                return
        if self._watching and self._loop is not None:
            self._loop.remove_writer(self._fd)
            self._watching = False

    def take_dropped(self) -> int:
        """How many pieces were dropped since it was asked last; 0 as long as there is no room to say so."""
        if self._size + 4096 > MAX_BACKLOG:
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _put(self, piece: bytes) -> bytes:
        """What could not be written now."""
        try:
            while piece:
                piece = piece[os.write(self._fd, piece) :]
        except (BlockingIOError, InterruptedError):
            return piece
        except OSError:
            pass  # nobody reads any more; the lifeline or a signal says when to end
        return b""

    def _keep(self, piece: bytes) -> None:
        if self._size + len(piece) > MAX_BACKLOG:
            self._dropped += 1
            return
        self._backlog.append(piece)
        self._size += len(piece)
        if not self._watching and self._loop is not None:
            self._loop.add_writer(self._fd, self.flush)
            self._watching = True
