"""Writing to a pipe, a terminal or a socket whose reader may be slow, or never read: what does not fit waits; where too much
does, it is dropped and counted."""

from __future__ import annotations

import os
import select
import socket
import stat
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable

# Bytes that wait for a reader; what comes beyond is counted and dropped.
MAX_BACKLOG = 1024 * 1024

# Milliseconds that the reader gets at the end to take what waits.
_LAST_WAIT = 500


class NonBlockingWriter:
    """Writes whole pieces to a descriptor and never blocks, once it knows the loop.

    `notice(pieces, bytes)` makes the piece that says how much was dropped; it stands where that would have stood.
    """

    def __init__(self, fd: int, notice: Callable[[int, int], bytes]) -> None:
        self._fd = fd
        self._notice = notice
        self._socket: socket.socket | None = None
        self._is_own = False
        self._shared = False  # the descriptor's flags had to be changed, which others may share
        self._loop: AbstractEventLoop | None = None
        self._backlog: deque[bytes] = deque()
        self._size = 0
        self._watching = False
        self._dropped = 0  # pieces
        self._dropped_bytes = 0
        self._taken = 0  # bytes that the reader took
        self._given_up_at = -1

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the reader that its sources should wait, too. Not while the reader is given up."""
        return self._size > MAX_BACKLOG // 2 and self._taken != self._given_up_at

    @property
    def taken(self) -> int:
        """Bytes that the reader took so far."""
        return self._taken

    def give_up(self) -> None:
        """The reader is not waited for until it takes something."""
        self._given_up_at = self._taken

    def attach(self, loop: AbstractEventLoop) -> None:
        """From now on it does not wait for the reader."""
        self._loop = loop
        try:
            mode = os.fstat(self._fd).st_mode
        except OSError:
            return  # it is closed: nothing is written
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(self._fd))
        elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            try:
                # Opened anew: a terminal or pipe that a shell or PHP writes to as well must not become non-blocking for them.
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                self._fd = os.open(f"/proc/self/fd/{self._fd}", flags)
                self._is_own = True
            except OSError:
                self._shared = os.get_blocking(self._fd)
                os.set_blocking(self._fd, False)

    def write(self, piece: bytes) -> None:
        if self._dropped:
            self._say_dropped()
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
                break
            if not self._backlog and self._dropped:
                self._say_dropped()
        if not self._backlog:
            self._unwatch()

    def close(self) -> None:
        """Writes what waits, but for a reader that takes nothing for half a second. Nothing is written afterwards."""
        self._unwatch()  # the loop may go on for a while, and must not watch what is closed
        self._loop = None
        self.flush()
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._backlog and poll.poll(_LAST_WAIT):
            before = self._size
            self.flush()
            if self._size == before:
                break
        if self._shared:
            os.set_blocking(self._fd, True)
        if self._socket is not None:
            self._socket.close()
        if self._is_own:
            os.close(self._fd)
            self._fd = -1

    def _unwatch(self) -> None:
        if self._watching and self._loop is not None:
            self._loop.remove_writer(self._fd)
            self._watching = False

    def _say_dropped(self) -> None:
        """Once there is room to: what comes then follows."""
        notice = self._notice(self._dropped, self._dropped_bytes)
        if self._size + len(notice) <= MAX_BACKLOG // 2:
            self._dropped = self._dropped_bytes = 0
            self._keep(notice)

    def _put(self, piece: bytes) -> bytes:
        """What could not be written now."""
        try:
            while piece:
                if self._socket is not None:
                    written = self._socket.send(piece, socket.MSG_DONTWAIT)
                else:
                    written = os.write(self._fd, piece)
                piece = piece[written:]
                self._taken += written
        except (BlockingIOError, InterruptedError):
            return piece
        except OSError:
            pass  # nobody reads any more; the lifeline or a signal says when to end
        return b""

    def _keep(self, piece: bytes) -> None:
        if self._dropped or self._size + len(piece) > MAX_BACKLOG:
            self._dropped += 1
            self._dropped_bytes += len(piece)
            return
        self._backlog.append(piece)
        self._size += len(piece)
        if not self._watching and self._loop is not None:
            self._loop.add_writer(self._fd, self.flush)
            self._watching = True
