"""Anonymous memory that two processes can share: how a large payload travels between the broker and a worker."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Iterable

from ..wire.frames import Buffer

# Committing a page costs more than copying it, so a segment that came back is kept for the next large call: for so many
# seconds, at most so many bytes in all, and so many segments, since each has a descriptor. A single larger one is kept, too,
# until a call comes that it does not fit.
KEEP_SECONDS = 1.0
KEEP_BYTES = 128 * 1024 * 1024
KEEP_COUNT = 32


class Segment:
    """`size` bytes that another process can map, too, once it has the descriptor. fd: one that another process has sent.

    On Linux it is a memfd: no file, and not bounded by /dev/shm. Where there is none it is a temporary file without a name.
    Either is gone with the last process that has it. Pages are committed when they are touched, so a large declared size
    costs nothing.
    """

    __slots__ = ("size", "fd", "_map", "_view", "home")

    def __init__(self, size: int, fd: int | None = None) -> None:
        self._map: mmap.mmap | None = None
        self._view: memoryview | None = None
        self.home: SegmentPool | None = None  # which it comes back to
        self.fd = _create(size) if fd is None else fd
        self.size = size

    @property
    def view(self) -> memoryview:
        """Its bytes, mapped at the first use."""
        if self._view is None:
            if os.fstat(self.fd).st_size < self.size:
                raise ValueError(f"a shared segment is shorter than the {self.size} bytes announced")
            self._map = mmap.mmap(self.fd, self.size)
            self._view = memoryview(self._map)
        return self._view

    def write(self, parts: Iterable[Buffer]) -> int:
        """Puts the parts at its beginning, one behind the other; returns how many bytes they are."""
        offset = 0
        for part in parts:
            view = memoryview(part).cast("B")
            while view:
                written = os.pwrite(self.fd, view, offset)  # so it need not be mapped here
                offset += written
                view = view[written:]
        return offset

    def close(self) -> None:
        """Gives it back to its pool, or frees it."""
        if self.home is not None:
            self.home.give_back(self)
        elif self.fd >= 0:
            self.destroy()

    def destroy(self) -> None:
        """Frees the memory. Views that others still hold keep it until they are gone."""
        os.close(self.fd)
        self.fd = -1
        if self._view is not None and self._map is not None:
            self._view.release()
            try:
                self._map.close()
            except BufferError:
                pass  # a reader still has a slice, whose end frees it
            self._view = self._map = None


def _create(size: int) -> int:
    try:
        fd = os.memfd_create("gotask", os.MFD_CLOEXEC)
    except (AttributeError, OSError) as error:  # another system, an old kernel, or a sandbox that forbids it
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise  # there is no descriptor for a file, either
        import tempfile

        fd, path = tempfile.mkstemp(prefix="gotask-")
        os.unlink(path)
    try:
        os.ftruncate(fd, size)
    except OSError:
        os.close(fd)
        raise
    return fd


class SegmentPool:
    """Segments for arriving payloads. Those that come back are kept for a moment.

    `later(seconds, callback)` is the loop's: nothing is kept beyond KEEP_SECONDS after the last large call.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._later = later
        self._kept: list[Segment] = []
        self._used = False
        self._timer = False

    def take(self, size: int) -> Segment:
        """A segment of at least `size` bytes; what is in it is undefined."""
        for index, segment in enumerate(self._kept):
            if size <= segment.size <= max(2 * size, 1024 * 1024):
                self._used = True
                return self._kept.pop(index)
        self._shrink(0)
        segment = Segment(size)
        segment.home = self
        return segment

    def adopt(self, segment: Segment) -> Segment:
        """A segment that a worker has made comes back to this pool, too."""
        self._shrink(0)
        segment.home = self
        return segment

    def give_back(self, segment: Segment) -> None:
        if segment.fd < 0 or segment in self._kept:
            return
        self._kept.append(segment)
        self._used = True
        self._shrink(1)
        if not self._timer:
            self._timer = True
            self._later(KEEP_SECONDS, self._tidy)

    def _shrink(self, least: int) -> None:
        """Frees the oldest ones until the others may be kept, or are no more than `least`."""
        kept = self._kept
        while len(kept) > least and (
            len(kept) > KEEP_COUNT or sum(segment.size for segment in kept) > KEEP_BYTES
        ):
            kept.pop(0).destroy()

    def clear(self) -> None:
        for segment in self._kept:
            segment.destroy()
        self._kept.clear()

    def _tidy(self) -> None:
        self._timer = False
        if not self._used:
            self.clear()
        elif self._kept:
            self._timer = True
            self._later(KEEP_SECONDS, self._tidy)
        self._used = False
