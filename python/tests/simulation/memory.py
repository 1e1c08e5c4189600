"""Memory that processes share, simulated: descriptors are numbers of this world, and its pages are local."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any, ClassVar

from gotask.ipc.segment import SegmentPool
from gotask.wire.frames import Buffer

from .ledger import Violation


class Memory:
    """All segments of one world, by descriptor. Each process that has one counts; nobody has what is gone."""

    def __init__(self) -> None:
        self._next = 100
        self.pages: dict[int, bytearray] = {}
        self.holders: dict[int, dict[str, int]] = {}  # of each descriptor: who has it, how often
        self.is_full = False
        self.users: dict[int, Any] = {}  # which worker reads or writes a call's memory now

    def create(self, size: int) -> int:
        if self.is_full:
            raise OSError(errno.ENOMEM, "no memory, for this moment")
        self._next += 1
        self.pages[self._next] = bytearray(max(size, 1))
        return self._next


class LocalSegment:
    """Stands in for `ipc.segment.Segment`, in this process alone."""

    memory: ClassVar[Memory]

    def __init__(self, size: int, fd: int | None = None) -> None:
        self.home: Any = None
        self.is_given = fd is not None
        self.fd = self.memory.create(size) if fd is None else fd
        self.size = size
        self._page = self.memory.pages[self.fd]

    @property
    def view(self) -> memoryview:
        return memoryview(self._page)[: self.size]

    def write(self, parts: Iterable[Buffer]) -> int:
        data = b"".join(bytes(part) for part in parts)
        self._page[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self.home is not None:
            self.home.give_back(self)
        elif self.fd >= 0:
            self.destroy()

    def destroy(self) -> None:
        if not self.is_given or self.home is not None:
            self.memory.pages.pop(self.fd, None)
        self.fd = -1


class WatchedPool(SegmentPool):
    """The broker's pool of segments. What it hands out, or takes back, must be nobody else's."""

    kernels: list[Any]

    def __init__(self, later: Any) -> None:
        super().__init__(later)
        self.kernels = []

    def take(self, size: int) -> Any:
        segment = super().take(size)
        self._must_be_free(segment.fd, "is handed to the next call")
        return segment

    def give_back(self, segment: Any) -> None:
        self._must_be_free(segment.fd, "is given back")
        super().give_back(segment)

    def _must_be_free(self, fd: int, what: str) -> None:
        if fd < 0:
            return
        for kernel in self.kernels:
            if any(descriptor == fd for _, descriptor in kernel.messages):
                raise Violation(f"memory {fd} {what} while a message in the kernel has it")
        user = LocalSegment.memory.users.get(fd)
        if user is not None and user.alive:
            raise Violation(f"memory {fd} {what} while {user} has it")
