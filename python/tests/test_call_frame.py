"""What a frame must have to be a call."""

from __future__ import annotations

import pytest

from gotask.broker.call_frame import what_is_wrong
from gotask.wire.frames import (
    JSON,
    MAX_HEADERS,
    MAX_METHOD,
    MAX_SEQUENCE,
    MSGPACK,
    NOTIFY,
    WANTS_ITEMS,
    Decoder,
    Frame,
    encode,
)

BODY = b"App.hi{}"
FAST = 0x40000000


def frame(*options: int, codec: int = MSGPACK, body: bytes = BODY) -> Frame:
    (event,) = Decoder(1 << 20, lambda size: memoryview(bytearray(size))).feed(encode(codec, options, body))
    assert isinstance(event, Frame)
    return event


@pytest.mark.parametrize(
    "call",
    [
        frame(1, 6),
        frame(MAX_SEQUENCE, len(BODY), codec=JSON),
        frame(FAST | 1, 6),
        frame(1, 6, 1000, NOTIFY),
        frame(1, 6, 0, WANTS_ITEMS),
        frame(1, 6, 0, 0, 2, 7),
        frame(1, MAX_METHOD, body=b"x" * MAX_METHOD),
    ],
)
def test_a_call(call: Frame) -> None:
    assert what_is_wrong(call, True, False) == ""


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (frame(), "2, 4 or 6 options, not 0"),
        (frame(1, 6, 0), "not 3"),
        (frame(0, 6), "a sequence is within 1"),
        (frame(MAX_SEQUENCE + 1, 6), "a sequence is within 1"),
        (frame(1, 0), "a method name has 1 to"),
        (frame(1, len(BODY) + 1), "lies within the payload"),
        (frame(1, MAX_METHOD + 1, body=b"x" * 1000), f"{MAX_METHOD} bytes"),
        (frame(1, 6, 0, 0, 3, 0), "headers"),
        (frame(1, 6, 0, 0, MAX_HEADERS + 1, 0, body=b"x" * 2 * MAX_HEADERS), "headers"),
        (frame(1, 6, codec=MSGPACK | JSON), "exactly one of"),
        (frame(1, 6, codec=0), "exactly one of"),
        (frame(1, 6, 0, WANTS_ITEMS | NOTIFY), "waits, which NOTIFY does not"),
    ],
)
def test_no_call(call: Frame, why: str) -> None:
    assert why in what_is_wrong(call, True, False)


def test_what_depends_on_the_peer() -> None:
    assert "those of the fast socket" in what_is_wrong(frame(FAST | 1, 6), True, True)
    assert "has said Hello" in what_is_wrong(frame(1, 6, 0, WANTS_ITEMS), False, False)
    assert what_is_wrong(frame(1, 6, 1000, 0), False, False) == ""
