"""Frames that the broker answers with itself: errors, and that a notification has been accepted."""

from __future__ import annotations

from ..errors import GoTaskError, Overloaded, PayloadTooLarge
from ..options import option
from ..wire.exchange import ANSWER
from ..wire.frames import CODECS, ERROR, JSON, MSGPACK, STREAM, encode


def error_frame(sequence: int, method: bytes, flags: int, error: GoTaskError, structured: bool) -> bytes:
    """An error reply to a call with those flags; as text unless the peer understands `structured` ones."""
    if structured:
        flags, body = JSON, error.body()
    else:
        flags, body = flags & CODECS, str(error).encode("utf-8", "replace")
    return encode(flags | ERROR, (sequence, len(method)), method + body)


def answer_frame(sequence: int, number: int, error: GoTaskError) -> bytes:
    """Refuses a call back of a worker's, as its caller would."""
    return encode(JSON | ERROR, (sequence, ANSWER, number), error.body(), STREAM)


def accepted_frame(sequence: int, method: bytes, flags: int) -> bytes:
    """The reply to a notification with those flags: nothing, in its codec."""
    codec = flags & CODECS
    body = b"null" if codec == JSON else b"\xc0" if codec == MSGPACK else b""
    return encode(codec, (sequence, len(method)), method + body)


def too_large(size: int, limit: int) -> GoTaskError:
    """Why a call of so many bytes, `limit` being the most that is allowed, was not taken."""
    if size <= limit:
        return Overloaded(
            f"the broker has no memory or no descriptor left for a call of {size} bytes (ulimit -n); it has not run"
        )
    return PayloadTooLarge(
        f"a call of {size} bytes is above the limit of {limit}: send less, or raise the limit"
        f" ({option('--max-payload')} of the worker)"
    )


def unread(size: int, waiting: int) -> GoTaskError:
    """Why a result of so many bytes was dropped, `waiting` being how many its caller has still to read."""
    return PayloadTooLarge(
        f"the method has run, but its result of {size} bytes was dropped: the caller has {waiting} bytes of results still to"
        " read; read them as they come, or make fewer such calls at a time"
    )
