"""Frames: golden vectors shared with the PHP tests, and what must hold however the bytes arrive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gotask.wire import frames as wire
from gotask.wire.frames import Decoder, Frame, Oversized, encode, parse

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "tests" / "vectors" / "frames.json").read_text("utf-8")
)

frames = st.builds(
    encode,
    st.sampled_from([wire.MSGPACK, wire.JSON, wire.RAW, wire.RAW | wire.ERROR, wire.CONTROL]),
    st.lists(st.integers(0, 2**32 - 1), max_size=wire.MAX_OPTIONS),
    st.binary(max_size=300),
    st.integers(0, 15),
)


def seen(events: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (type(event).__name__, event.flags, event.stream, event.options, getattr(event, "payload", None))
        for event in events
    ]


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: str(vector["name"]))
def test_a_valid_vector_is_encoded_and_decoded(vector: dict[str, Any]) -> None:
    raw, payload = bytes.fromhex(vector["hex"]), bytes.fromhex(vector["payload_hex"])
    assert encode(vector["flags"], vector["options"], payload, vector["stream"]) == raw
    (frame,) = Decoder().feed(raw)
    assert isinstance(frame, Frame)
    assert (frame.flags, frame.stream, list(frame.options), frame.payload) == (
        vector["flags"],
        vector["stream"],
        vector["options"],
        payload,
    )
    assert seen([parse(raw)]) == seen([frame])


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: str(vector["name"]))
def test_an_invalid_vector_is_refused_or_waits_for_more(vector: dict[str, Any]) -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(vector["hex"])) == []
    if vector["error"] == "truncated":
        assert decoder.error is None
        assert decoder.idle == (vector["hex"] == "")
    else:
        word = {"version": "version", "crc": "checksum", "header": "words"}[vector["error"]]
        assert decoder.error is not None and word in str(decoder.error)


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 40), max_size=40), st.integers(20, 400))
def test_the_pieces_in_which_bytes_arrive_make_no_difference(
    raw_frames: list[bytes], cuts: list[int], limit: int
) -> None:
    data = b"".join(raw_frames)
    whole = Decoder(limit)
    expected = seen(whole.feed(data))
    assert whole.idle
    pieces = Decoder(limit)
    events: list[Any] = []
    offset = 0
    for cut in [*cuts, len(data)]:
        events += pieces.feed(data[offset : offset + cut])
        offset += cut
    assert seen(events) == expected
    single = Decoder(limit)
    assert [item for byte in data for item in seen(single.feed(bytes((byte,))))] == expected


@given(st.lists(frames, max_size=3), st.binary(min_size=1, max_size=64))
def test_damage_is_found_at_once_and_what_came_before_it_is_given(
    raw_frames: list[bytes], garbage: bytes
) -> None:
    data = b"".join(raw_frames) + b"\xff" + garbage.ljust(20, b"\0")
    decoder = Decoder()
    assert len(decoder.feed(data)) == len(raw_frames)
    assert decoder.error is not None
    assert decoder.feed(encode(wire.JSON, (1, 0), b"")) == []


@given(st.binary(max_size=200))
def test_garbage_never_raises(data: bytes) -> None:
    Decoder().feed(data)


def test_a_payload_above_the_limit_is_skipped_and_the_next_frame_is_read() -> None:
    decoder = Decoder(max_payload=100)
    big = encode(wire.JSON, (7, 0), b"x" * 101)
    events = decoder.feed(big[:50]) + decoder.feed(big[50:] + encode(wire.JSON, (8, 0), b"y" * 100))
    oversized, frame = events
    assert isinstance(oversized, Oversized)
    assert (oversized.options, oversized.length) == ((7, 0), 101)
    assert isinstance(frame, Frame) and frame.options == (8, 0)


@pytest.mark.parametrize("direct", [False, True])
def test_a_large_payload_goes_into_the_buffer_it_is_given(direct: bool) -> None:
    asked: list[int] = []

    def allocate(size: int) -> bytearray:
        asked.append(size)
        return bytearray(size)

    payload = bytes(range(256)) * 1024
    raw = encode(wire.RAW, (1, 0), payload)
    decoder = Decoder(allocate=allocate)
    assert decoder.receive_buffer() is None
    events = decoder.feed(raw[:1000])
    assert asked == [len(raw)]
    if direct:
        buffer = decoder.receive_buffer()
        assert buffer is not None and len(buffer) == len(raw) - 1000
        buffer[:] = raw[1000:]
        events += decoder.received(len(raw) - 1000)
        events += decoder.feed(encode(wire.RAW, (2, 0), b""))
    else:
        events += decoder.feed(raw[1000:] + encode(wire.RAW, (2, 0), b""))
    first, second = events
    assert isinstance(first, Frame) and first.payload == payload and second.options == (2, 0)
    assert decoder.receive_buffer() is None and decoder.idle


def test_memory_is_not_asked_for_before_the_limit_is_checked() -> None:
    def allocate(size: int) -> bytearray:
        raise AssertionError("asked for memory")

    decoder = Decoder(max_payload=1024, allocate=allocate)
    header = wire.encode_header(wire.RAW, (1, 0), 2**32 - 1)
    (event,) = decoder.feed(header)
    assert isinstance(event, Oversized)


def test_a_payload_for_which_there_is_no_room_is_skipped_and_the_next_frame_is_read() -> None:
    def allocate(size: int) -> bytearray:
        raise OSError("no descriptor left")

    decoder = Decoder(allocate=allocate)
    data = encode(wire.RAW, (7, 0), bytes(wire.LARGE)) + encode(wire.RAW, (8, 0), b"x")
    oversized, frame = [event for part in (data[:5000], data[5000:]) for event in decoder.feed(part)]
    assert isinstance(oversized, Oversized) and oversized.options == (7, 0)
    assert isinstance(frame, Frame) and frame.options == (8, 0)


def test_a_byte_at_a_time_costs_time_in_proportion_to_the_bytes() -> None:
    payload = b"x" * (wire.LARGE - 1)
    decoder = Decoder()
    count = 0
    for byte in encode(wire.RAW, (1, 0), payload):
        count += len(decoder.feed(bytes((byte,))))
    assert count == 1
