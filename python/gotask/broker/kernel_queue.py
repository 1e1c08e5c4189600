"""The kernel's part of a shared queue: a socket pair that keeps message boundaries, from whose one end all workers receive."""

from __future__ import annotations

import errno
import fcntl
import socket
import termios
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Final

from ..ipc.messages import ENTRY, MESSAGE_SIZE, MESSAGES

# Seconds until the next attempt where the kernel has no room for a descriptor under way: those of all processes of this user
# that nobody has received yet may be no more than RLIMIT_NOFILE (unix(7), ETOOMANYREFS).
FULL_PAUSE: Final = 0.01
_FULL: Final = (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)

SEND_BUFFER: Final = 1024 * 1024  # bytes


class KernelQueue:
    """Keeps what was sent until a worker takes it. `on_room` is called when it takes messages again after it took none."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._waits_for_room = False
        self.on_room: Callable[[], None] = lambda: None
        self._sender, self.receiver = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self._sender.setblocking(False)
        self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def send(self, message: bytes, descriptor: int = -1) -> bool:
        """Takes a message, and a descriptor with it unless that is -1. False: there is no room; `on_room` will be called."""
        try:
            if descriptor < 0:
                self._sender.send(message)
            else:
                socket.send_fds(self._sender, [message], [descriptor])
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._sender, self._has_room)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._loop.call_later(FULL_PAUSE, self._has_room)
        else:
            return True
        self._waits_for_room = True
        return False

    @property
    def is_empty(self) -> bool:
        """Whether workers have taken all that was sent, also after end()."""
        return fcntl.ioctl(self.receiver, termios.FIONREAD, b"\0\0\0\0") == b"\0\0\0\0"

    def clear(self) -> list[int]:
        """Drops all that no worker has taken; returns the numbers of these calls."""
        numbers = []
        try:
            while message := self.receiver.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT):
                numbers.append(int(ENTRY.unpack_from(message)[0]))
        except OSError:
            pass
        return numbers

    def end(self) -> None:
        """No more messages: each worker sees the end once it has emptied the queue."""
        self._stop_waiting()
        self._sender.close()

    def close(self) -> None:
        self.end()
        self.receiver.close()

    @property
    def is_closed(self) -> bool:
        return self.receiver.fileno() < 0

    def _has_room(self) -> None:
        if self._waits_for_room:
            self._stop_waiting()
            self.on_room()

    def _stop_waiting(self) -> None:
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.remove_writer(self._sender)
