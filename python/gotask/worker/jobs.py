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


class TakenJob(Job):
    """A call as a worker took it; `segment` holds its frame where that is large."""

    __slots__ = ("segment",)

    segment: Segment | None  # None where it is small


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
    job = TakenJob(number, deadline, flags, codec & CODECS, sequence, method, raw[body_at : start + size])
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
