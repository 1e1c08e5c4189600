"""Anonymous memory that two processes can share: how a large payload travels between the broker and a worker."""

from __future__ import annotations

import mmap
import os
import sys

_LINUX = sys.platform == "linux"


class Segment:
    """`size` bytes that another process can map too: by `path` while this one holds it, or by its descriptor.

    On Linux a memfd: no file, no limit of /dev/shm's, gone with the last process that has it, however that ends.
    Elsewhere an unlinked temporary file. Pages are committed as they are touched, so a large declared size costs nothing.
    """

    __slots__ = ("size", "fd", "map", "view", "_file")

    def __init__(self, size: int, fd: int | None = None, path: str | None = None) -> None:
        self._file: str | None = None
        if path is not None:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        elif fd is None:
            fd = self._create(size)
        self.fd = fd
        self.size = size
        try:
            if os.fstat(fd).st_size < size:
                raise ValueError(f"a shared segment is shorter than the {size} bytes announced")
            self.map = mmap.mmap(fd, size)
        except BaseException:
            os.close(fd)
            raise
        self.view = memoryview(self.map)

    @property
    def path(self) -> str:
        """Where a process of the same user opens this segment, while this one has it open."""
        return self._file or f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self) -> None:
        """Lets go of the memory. Views that others still hold keep it until they are gone."""
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        if self._file is not None:
            os.unlink(self._file)
        try:
            self.view.release()
            self.map.close()
        except BufferError:
            pass  # a reader has a slice of it; the last one to go frees it

    def _create(self, size: int) -> int:
        if _LINUX:
            fd = os.memfd_create("gotask", os.MFD_CLOEXEC)
        else:
            import tempfile

            fd, self._file = tempfile.mkstemp(prefix="gotask-")
        os.ftruncate(fd, size)
        return fd
