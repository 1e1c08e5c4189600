"""What a peer has still to read: replies that its transport has not taken yet."""

from __future__ import annotations

from collections import deque
from typing import Final

from ..ipc.segment import Segment
from ..wire.frames import Buffer

# What is handed to the transport at a time, as a copy: small enough that copying takes no fresh memory, and that little is
# held by the transport; a segment is free for the next call once all of it has been handed over.
WRITE_SIZE: Final = 120 * 1024


# So many large replies stay in the memory that they came in. Each holds a descriptor, of which a process often has no more than
# a thousand: what a peer has unread beyond is copied, up to so many bytes each.
MOST_SEGMENTS: Final = 8
COPIED: Final = 4 * 1024 * 1024


class SendBuffer:
    """First in, first out, in pieces of WRITE_SIZE at most. `size`: bytes that are left."""

    __slots__ = ("size", "_parts", "_segments")

    def __init__(self) -> None:
        self.size = 0
        self._parts: deque[tuple[memoryview, Segment | None]] = deque()
        self._segments = 0

    def put(self, data: Buffer, segment: Segment | None) -> None:
        """`segment`: what `data` lies in, to be closed when all of it has been taken."""
        if segment is not None and self._segments >= MOST_SEGMENTS and len(data) <= COPIED:
            data = bytes(data)
            segment.close()
            segment = None
        self._segments += segment is not None
        self._parts.append((memoryview(data), segment))
        self.size += len(data)

    def take(self) -> bytes:
        """The next piece; there must be one."""
        view, segment = self._parts[0]
        piece = bytes(view[:WRITE_SIZE])
        self.size -= len(piece)
        if len(view) > WRITE_SIZE:
            self._parts[0] = (view[WRITE_SIZE:], segment)
            view.release()
        else:
            self._drop()
        return piece

    def clear(self) -> None:
        """Lets go of everything."""
        while self._parts:
            self._drop()
        self.size = 0

    def _drop(self) -> None:
        _, segment = self._parts.popleft()
        if segment is not None:
            self._segments -= 1
            segment.close()
