"""Shared memory: what is kept for the next large call is bounded, and what can't be had costs nothing."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gotask.ipc.segment import KEEP_BYTES, KEEP_COUNT, Segment, SegmentPool


def test_what_comes_back_is_kept_up_to_a_number_of_descriptors() -> None:
    def later(seconds: float, callback: Callable[[], None]) -> None:
        pass

    pool = SegmentPool(later)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3 * KEEP_COUNT):
        pool.adopt(Segment(64 * 1024)).close()
    assert len(os.listdir("/proc/self/fd")) == before + KEEP_COUNT
    pool.clear()
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_was_let_go_of_is_not_kept_when_it_comes_back_again() -> None:
    pool = SegmentPool(lambda seconds, callback: None)
    segments = [pool.take(64 * 1024) for _ in range(KEEP_COUNT + 1)]
    for segment in segments:
        segment.close()
    assert segments[0].fd < 0
    segments[0].close()
    assert all(pool.take(64 * 1024).fd >= 0 for _ in range(KEEP_COUNT + 1))
    pool.clear()


def test_one_that_is_larger_than_what_is_kept_waits_for_a_call_that_it_fits() -> None:
    pool = SegmentPool(lambda seconds, callback: None)
    large = pool.take(2 * KEEP_BYTES)
    large.close()
    assert pool.take(2 * KEEP_BYTES - 4096) is large
    other = pool.take(2 * KEEP_BYTES)
    for segment in (other, large):
        segment.close()
    assert (large.fd >= 0, other.fd >= 0) == (True, False)
    pool.take(64 * 1024)
    assert large.fd < 0
    (large := pool.take(2 * KEEP_BYTES)).close()
    pool.adopt(Segment(64 * 1024))
    assert large.fd < 0
    pool.clear()


def test_nothing_is_kept_for_long() -> None:
    timers: list[Callable[[], None]] = []
    pool = SegmentPool(lambda seconds, callback: timers.append(callback))
    segments = [pool.take(64 * 1024), pool.take(2 * KEEP_BYTES)]
    for segment in segments:
        segment.close()
    timers.pop()()  # they were used within the last second
    timers.pop()()
    assert [segment.fd for segment in segments] == [-1, -1] and not timers


def test_where_there_is_no_room_no_descriptor_is_left() -> None:
    before = os.listdir("/proc/self/fd")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(OSError):
            Segment(64 * 1024)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.EPERM])
def test_where_there_is_no_memfd_it_is_a_file_without_a_name(
    refusal: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another system, under an old kernel, in a sandbox that forbids it."""

    def refused(*_: object) -> int:
        raise OSError(refusal, "no memfd")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if refusal is None:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    else:
        monkeypatch.setattr(os, "memfd_create", refused)
    segment = Segment(64 * 1024)
    assert segment.write([b"abc"]) == 3 and bytes(segment.view[:4]) == b"abc\0"
    assert os.readlink(f"/proc/self/fd/{segment.fd}").startswith(str(tmp_path)) and not list(
        tmp_path.iterdir()
    )
    segment.destroy()
