"""Calls out of the messages of a shared queue."""

from __future__ import annotations

import errno
from struct import Struct
from typing import Final

from ..app.context import Job
from ..ipc.messages import ENTRY, SHARED
from ..ipc.segment import Segment
from ..wire.frames import CODECS

_HEAD: Final = Struct("<BBIIBBII")  # a call's header and its first two options
_SIZE: Final = Struct("<I")
_HEADERS_SIZE_AT: Final = 28  # the fifth option
_WORDS_WITH_HEADERS: Final = 9  # of a header with six options


class TakenJob(Job):
    """A call as a worker took it; `segment` holds its frame where that is large."""

    __slots__ = ("segment",)

    segment: Segment | None  # None where it is small


class HeadedJob(TakenJob):
    """One that has headers."""

    __slots__ = ("headers",)

    headers: bytes  # type: ignore[misc]  # of the class of all others it is an attribute


class NoPayload(Exception):
    """This process gets no descriptor or no room for a call's payload. `lasts`: nor for that of the next one."""

    lasts = False


def parse_job(message: bytes, fd: int) -> TakenJob:
    """The call in a message; a large one lies in `fd`. NoPayload: it can't be had."""
    number, deadline, size, flags = ENTRY.unpack_from(message)
    segment = _map(size, fd) if flags & SHARED else None
    raw, start = (message, ENTRY.size) if segment is None else (segment.view, 0)
    head, codec, _, _, _, _, sequence, length = _HEAD.unpack_from(raw, start)
    method_at = start + 4 * (head & 0x0F)
    body_at = method_at + length
    method = bytes(raw[method_at:body_at])
    if head & 0x0F < _WORDS_WITH_HEADERS:
        job = TakenJob(number, deadline, flags, codec & CODECS, sequence, method, raw[body_at : start + size])
    else:
        headers_at, body_at = body_at, body_at + int(_SIZE.unpack_from(raw, start + _HEADERS_SIZE_AT)[0])
        job = HeadedJob(
            number, deadline, flags, codec & CODECS, sequence, method, raw[body_at : start + size]
        )
        job.headers = bytes(raw[headers_at:body_at])
    job.segment = segment
    return job


def _map(size: int, fd: int) -> Segment:
    if fd < 0:
        missing = NoPayload("its worker has no descriptor left for its payload (ulimit -n)")
        missing.lasts = True
        raise missing
    segment = Segment(size, fd)
    try:
        segment.view
    except OSError as error:
        segment.close()
        failed = NoPayload(f"its worker has no room for its payload: {error}")
        failed.lasts = error.errno == errno.EMFILE
        raise failed from None
    return segment
