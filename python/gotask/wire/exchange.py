"""Messages within a call: what caller and worker send each other between the call and its outcome. See docs/protocol.md."""

from __future__ import annotations

from struct import Struct
from typing import Final

from .frames import HEADER_SIZE, MSGPACK, RAW, STREAM, Buffer, encode_header

# The kinds of messages, the second of a message's three options: sequence, kind, number.
CREDIT: Final = 1  # from who receives elements: `number` bytes more may be sent
ITEMS: Final = 2  # an array of `number` elements
END: Final = 3  # the caller's input has ended
ANSWER: Final = 4  # the caller's answer to the call back of that number
PROGRESS: Final = 5  # [fraction or None, text, data]
CALL: Final = 6  # a call back: [name, positional, named]

# Bytes of elements that may be under way in one direction before their receiver has given credit.
WINDOW: Final = 256 * 1024

# Bytes of elements that a receiver has consumed when it gives credit: not for each message.
CREDIT_STEP: Final = WINDOW // 4

# Bytes of elements in one message, unless a single one is larger.
MAX_ITEMS: Final = 32 * 1024


def head(codec: int, sequence: int, kind: int, number: int, size: int) -> bytes:
    """Header and options of a message whose body has `size` bytes."""
    return encode_header(codec, (sequence, kind, number), size, STREAM)


def codec_of(call: int) -> int:
    """The codec of the messages of a call with that codec: RAW has no arrays."""
    return MSGPACK if call == RAW else call


def array_head(count: int) -> bytes:
    """What stands before `count` encoded elements in a MessagePack array."""
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2, "big") if count < 0x10000 else b"\xdd" + count.to_bytes(4, "big")


_OPTIONS: Final = Struct("<III")
MESSAGE_HEAD: Final = HEADER_SIZE + _OPTIONS.size


def message_options(frame: Buffer) -> tuple[int, int, int]:
    """Sequence, kind and number of a message that is known to be one."""
    sequence, kind, number = _OPTIONS.unpack_from(frame, HEADER_SIZE)
    return sequence, kind, number
