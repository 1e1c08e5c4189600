"""Goridge v3 frames, without I/O and without a clock: bytes in, frames out.

The layout is in docs/protocol.md; tests/vectors/frames.json holds golden vectors for this module and for its PHP twin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final
from zlib import crc32

from ..errors import ProtocolError

VERSION: Final = 1

# Byte 1: the kind of frame and the codec of its body.
CONTROL: Final = 0x01
RAW: Final = 0x04
JSON: Final = 0x08
MSGPACK: Final = 0x10
GOB: Final = 0x20
ERROR: Final = 0x40
PROTO: Final = 0x80
CODECS: Final = RAW | JSON | GOB | MSGPACK | PROTO

# Byte 10.
STREAM: Final = 0x01
STOP: Final = 0x02
PING: Final = 0x04
PONG: Final = 0x08

# The fourth option of a call.
ARGS: Final = 0x01
NOTIFY: Final = 0x02
WANTS_ITEMS: Final = 0x04  # the reply is a stream of what the method yields
WANTS_PROGRESS: Final = 0x08
HAS_INPUT: Final = 0x10
EXCHANGES: Final = WANTS_ITEMS | WANTS_PROGRESS | HAS_INPUT  # what a caller has to be there for
DURABLE: Final = 0x20  # put where it survives every process here; the reply is its id
SPECIAL: Final = EXCHANGES | DURABLE

# How a worker runs a call. Not on the wire.
STRUCTURED: Final = 0x01  # the caller understands structured errors
EXACT: Final = 0x02  # the body is [positional, named]
TIMED: Final = 0x08  # the reply has a third option: the microseconds that the method took
SPECIAL_SHIFT: Final = 4  # where those of SPECIAL stand

# In that option: calls of this method never take the fast path.
SLOW: Final = 0x80000000

HEADER_SIZE: Final = 12
MAX_OPTIONS: Final = 10
MAX_PAYLOAD: Final = 64 * 1024 * 1024
MAX_METHOD: Final = 255
MAX_HEADERS: Final = 8192  # bytes
MAX_SEQUENCE: Final = 0x7FFFFFFF

# Bytes. A payload of this size or more is received straight into a buffer of its own.
LARGE: Final = 64 * 1024

Buffer = bytes | bytearray | memoryview

_START: Final = Struct("<BBI")
_HEADER: Final = Struct("<BBIIBB")
_CHECKED_HEADER: Final = Struct("<BBII")
_OPTIONS: Final = tuple(Struct(f"<{count}I") for count in range(MAX_OPTIONS + 1))


def encode(flags: int, options: Sequence[int], payload: bytes, stream: int = 0) -> bytes:
    """One frame. Each option is 0 … 2³²−1; at most ten of them."""
    return encode_header(flags, options, len(payload), stream) + payload


def encode_header(flags: int, options: Sequence[int], length: int, stream: int = 0) -> bytes:
    """Header and options of a frame whose payload has `length` bytes."""
    count = len(options)
    start = _START.pack(VERSION << 4 | 3 + count, flags, length)
    return b"".join(
        (start, crc32(start).to_bytes(4, "little"), bytes((stream, 0)), _OPTIONS[count].pack(*options))
    )


class Frame:
    """A whole frame: `raw` is all of it, the payload begins at `start`."""

    __slots__ = ("flags", "stream", "options", "raw", "start")

    def __init__(self, flags: int, stream: int, options: tuple[int, ...], raw: Buffer, start: int) -> None:
        self.flags = flags
        self.stream = stream
        self.options = options
        self.raw = raw
        self.start = start

    @property
    def payload(self) -> bytes:
        return bytes(memoryview(self.raw)[self.start :])

    def __repr__(self) -> str:
        size = len(self.raw) - self.start
        return f"Frame(flags={self.flags:#04x}, stream={self.stream:#04x}, options={self.options}, payload={size} B)"


class Oversized:
    """The header of a frame whose payload is skipped: it is above the limit, or there is no memory for it."""

    __slots__ = ("flags", "stream", "options", "length")

    def __init__(self, flags: int, stream: int, options: tuple[int, ...], length: int) -> None:
        self.flags = flags
        self.stream = stream
        self.options = options
        self.length = length


Event = Frame | Oversized


def parse(raw: Buffer) -> Frame:
    """The frame that `raw` holds, exactly. Its header has been verified before."""
    head, flags, _, _, stream, _ = _HEADER.unpack_from(raw)
    count = (head & 0x0F) - 3
    return Frame(flags, stream, _OPTIONS[count].unpack_from(raw, HEADER_SIZE), raw, HEADER_SIZE + 4 * count)


class Decoder:
    """Frames out of a stream that arrives in pieces of any size.

    It holds at most one frame. A large payload goes into a buffer of `allocate(size)`, which is called after the limit was
    checked and gives lazily committed memory (OSError: there is none). `receive_buffer()` is where the next bytes of it may be
    put without another copy; `received()` says how many were.

    `error` is set once the stream is beyond repair. The frames before the damage have been returned; close the connection.
    """

    __slots__ = (
        "_max_payload",
        "_allocate",
        "_partial",
        "_needed",
        "_skip",
        "_large",
        "_view",
        "_filled",
        "_between",
        "error",
    )

    def __init__(
        self,
        max_payload: int = MAX_PAYLOAD,
        allocate: Callable[[int], Buffer] = bytearray,
    ) -> None:
        self._max_payload = max_payload
        self._allocate = allocate
        self._partial = bytearray()  # the beginning of a small frame
        self._needed = HEADER_SIZE  # bytes that `_partial` has to have before it is parsed again
        self._skip = 0  # bytes of an oversized payload that are still to come
        self._large: Frame | None = None
        self._view: memoryview | None = None
        self._filled = 0
        self._between = True  # no frame is under way
        self.error: ProtocolError | None = None

    @property
    def idle(self) -> bool:
        """Whether the stream is between two frames."""
        return self._between

    @property
    def large(self) -> int:
        """Bytes of the frame under way, if its payload is a large one; else 0."""
        return 0 if self._view is None else len(self._view)

    @property
    def progress(self) -> int:
        """A number that changes whenever more of the frame under way arrives."""
        return self._filled + self._skip + len(self._partial)

    def feed(self, data: bytes) -> list[Event]:
        """The frames that `data` completes. Look at `error` afterwards."""
        if self._between:
            return self._parse(data)
        events: list[Event] = []
        if self.error is not None:
            return events
        if self._large is not None:
            data = self._fill(data, events)
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return events
            data = bytes(self._partial)
            self._partial = bytearray()
        if self._large is None and not self._skip:
            self._between = True
            events += self._parse(data)
        return events

    def receive_buffer(self) -> memoryview | None:
        """Where the rest of a large payload goes, or None when none is under way."""
        return None if self._view is None else self._view[self._filled :]

    def received(self, count: int) -> list[Event]:
        """`count` bytes were put into `receive_buffer()`."""
        self._filled += count
        events: list[Event] = []
        self._complete(events)
        return events

    def close(self) -> None:
        """Lets go of a large payload that will not be completed."""
        if self._view is not None and self._large is not None:
            self._view.release()
            if isinstance(self._large.raw, memoryview):
                self._large.raw.release()
        self._large = self._view = None
        self._between = False
        self.error = self.error or ProtocolError("the stream has ended")
        self._allocate = bytearray  # the other one may refer to the owner of this decoder

    def _parse(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        offset, end = 0, len(data)
        while end - offset >= HEADER_SIZE:
            start = data[offset : offset + _CHECKED]
            head = _heads.get(start)
            if head is None:
                try:
                    head = _verify(start)
                except ProtocolError as error:
                    self.error = error.with_traceback(None)  # it would keep the frames before it alive
                    self._between = False
                    return events
            flags, length, count = head
            begin = offset + HEADER_SIZE + 4 * count
            stop = begin + length
            if length < LARGE and length <= self._max_payload:
                if stop > end:
                    break
                options = _OPTIONS[count].unpack_from(data, offset + HEADER_SIZE)
                events.append(Frame(flags, data[offset + 10], options, data[offset:stop], begin - offset))
                offset = stop
                continue
            if begin > end:
                stop = begin
                break
            options = _OPTIONS[count].unpack_from(data, offset + HEADER_SIZE)
            raw = self._room(stop - offset) if length <= self._max_payload else None
            if raw is None:
                events.append(Oversized(flags, data[offset + 10], options, length))
                self._skip = max(0, stop - end)
            else:
                self._large = Frame(flags, data[offset + 10], options, raw, begin - offset)
                self._view = memoryview(raw)
                self._filled = 0
                self._fill(data[offset:stop], events)
            self._between = stop <= end
            offset = min(stop, end)
        else:
            stop = offset + HEADER_SIZE
        if offset < end:
            self._between = False
            self._needed = stop - offset
            self._partial += data[offset:]
        return events

    def _room(self, size: int) -> Buffer | None:
        try:
            return self._allocate(size)
        except OSError:
            return None

    def _fill(self, data: bytes, events: list[Event]) -> bytes:
        assert self._view is not None
        count = min(len(data), len(self._view) - self._filled)
        self._view[self._filled : self._filled + count] = data[:count]
        self._filled += count
        self._complete(events)
        return data[count:]

    def _complete(self, events: list[Event]) -> None:
        if self._view is not None and self._filled == len(self._view) and self._large is not None:
            self._view.release()
            events.append(self._large)
            self._large = self._view = None
            self._between = True


# Verified beginnings of headers, with flags, payload length and number of options. A peer's calls have few different ones, and
# looking one up takes a third of the time of verifying it.
_CHECKED: Final = 10
_MAX_HEADS: Final = 4096
_heads: Final[dict[bytes, tuple[int, int, int]]] = {}


def _verify(start: bytes) -> tuple[int, int, int]:
    """What the first ten bytes of a header say. ProtocolError: they are none."""
    head, flags, length, crc = _CHECKED_HEADER.unpack(start)
    words = head & 0x0F
    if head >> 4 != VERSION or not 3 <= words <= 3 + MAX_OPTIONS:
        raise ProtocolError(_describe(head))
    if crc32(start[:6]) != crc:
        raise ProtocolError("not a Goridge v3 frame: the header's checksum is wrong")
    if len(_heads) >= _MAX_HEADS:
        _heads.clear()
    _heads[start] = flags, length, words - 3
    return flags, length, words - 3


def _describe(head: int) -> str:
    if head >> 4 != VERSION:
        return f"not a Goridge v3 frame: version {head >> 4} where {VERSION} is expected"
    return (
        f"not a Goridge v3 frame: a header of {head & 0x0F} words where 3 to {3 + MAX_OPTIONS} are possible"
    )
