"""What a frame must have to be a call, as docs/protocol.md says. Nothing but the frame is looked at."""

from __future__ import annotations

from ..ipc.messages import FAST_BIT
from ..wire.frames import (
    CODECS,
    JSON,
    MAX_HEADERS,
    MAX_METHOD,
    MAX_SEQUENCE,
    MSGPACK,
    NOTIFY,
    RAW,
    SPECIAL,
    Frame,
)


def what_is_wrong(frame: Frame, is_structured: bool, has_fast: bool) -> str:
    """Why it is no call; empty: it is one. is_structured: the peer has said Hello; has_fast: it has a fast socket."""
    options = frame.options
    count = len(options)
    if count != 2 and count != 4 and count != 6:
        return f"a call has 2, 4 or 6 options, not {count}"
    sequence, length = options[0], options[1]
    if not 0 < sequence <= MAX_SEQUENCE:
        return f"a sequence is within 1 … {MAX_SEQUENCE}"
    if sequence & FAST_BIT and has_fast:
        return "sequences from 0x40000000 are those of the fast socket"
    left = len(frame.raw) - frame.start - length
    if not 0 < length <= MAX_METHOD or left < 0:
        return f"a method name has 1 to {MAX_METHOD} bytes, and lies within the payload"
    if count == 6 and (options[4] > MAX_HEADERS or options[4] > left):
        return f"a call's headers have at most {MAX_HEADERS} bytes, and lie within the payload"
    codec = frame.flags & CODECS
    if codec != MSGPACK and codec != JSON and codec != RAW:
        return "the codec is to be exactly one of MessagePack, JSON, RAW"
    if count >= 4 and options[3] & SPECIAL and (options[3] & NOTIFY or not is_structured):
        return "items, progress, input and durability need a caller that has said Hello and waits, which NOTIFY does not"
    return ""
