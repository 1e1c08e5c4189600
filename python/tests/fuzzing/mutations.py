"""Frames, and what may become of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgpack

from gotask.wire import frames as wire
from gotask.wire.exchange import ANSWER, CALL, CREDIT, END, ITEMS, PROGRESS

VECTORS = json.loads(
    (Path(__file__).parents[3] / "tests" / "vectors" / "frames.json").read_text(encoding="utf-8")
)
GOLDEN: list[bytes] = [bytes.fromhex(vector["hex"]) for vector in VECTORS["valid"]]

#: Numbers at which something begins or ends.
EDGES = (
    0,
    1,
    2,
    3,
    127,
    128,
    255,
    256,
    2**16 - 1,
    2**16,
    2**26,
    2**26 + 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
)


class Result(NamedTuple):
    """What a part has found. `findings`: crashes, hangs and contradictions, each with its case."""

    cases: int
    findings: list[str]


def frame(random: random.Random) -> bytes:
    """A valid one: a golden vector, or made up."""
    if random.random() < 0.3:
        return random.choice(GOLDEN)
    flags = random.choice((wire.MSGPACK, wire.JSON, wire.RAW, wire.CONTROL, wire.ERROR | wire.JSON))
    size = random.choice((0, 1, 10, 100, 100, 1000, 70_000 if random.random() < 0.1 else 5))
    options = [random.choice(EDGES) for _ in range(random.choice((0, 1, 2, 2, 3, 4, 6, 10)))]
    return wire.encode(flags, options, random.randbytes(size), random.choice((0, 0, 0, 1, 2, 4, 8)))


def mutated(random: random.Random, data: bytes) -> bytes:
    """The bytes with one to four things done to them."""
    for _ in range(random.randint(1, 4)):
        data = random.choice(_MUTATIONS)(random, data)
    return data


def with_checksum(data: bytes, offset: int = 0) -> bytes:
    """With the right checksum in the header at that place, so that what else is wrong in it is looked at."""
    start = data[offset : offset + 6]
    return data[: offset + 6] + crc32(start).to_bytes(4, "little") + data[offset + 10 :]


def pieces(random: random.Random, data: bytes) -> list[bytes]:
    """The bytes as they might arrive."""
    found, offset = [], 0
    most = random.choice((1, 3, 50, len(data) + 1)) if len(data) < 2000 else random.choice((500, len(data)))
    while offset < len(data):
        size = random.randint(1, most)
        found.append(data[offset : offset + size])
        offset += size
    return found


def call(sequence: int, method: bytes, body: bytes, flags: int = wire.MSGPACK, *more: int) -> bytes:
    return wire.encode(flags, (sequence, len(method), *more), method + body)


def session(random: random.Random) -> list[bytes]:
    """The frames of a caller: mostly Hello, calls with and without options, control frames."""
    frames = []
    if random.random() < 0.8:
        frames.append(call(1, b"GoTask.Hello", b'{"protocol": 1}', wire.JSON))
    sequences = [random.choice((*range(2, 12), *EDGES)) for _ in range(random.randint(1, 6))]
    for sequence in sequences:
        method = random.choice(_METHODS)
        value = random.choice((1, "x", b"y" * 100, [1, [2, {"a": None}]], bytes(random.choice((5, 70_000)))))
        codec = random.choice((wire.MSGPACK, wire.MSGPACK, wire.JSON, wire.RAW))
        body = msgpack.packb(value) if codec == wire.MSGPACK else b'["x"]'
        options: tuple[int, ...] = random.choice(((), (random.choice(EDGES), random.randint(0, 31))))
        if options and random.random() < 0.4:
            headers = random.choice((b"", b'{"a": "b"}', b"[", b"h" * 8193))
            options += random.choice((len(headers), len(headers), *EDGES)), random.choice(EDGES)
            body = headers + body
        frames.append(call(sequence, method, body, codec, *options))
        if random.random() < 0.3:
            stream = random.choice((wire.STOP, wire.PING, wire.PONG, wire.STREAM, wire.STOP | wire.PING))
            payload = random.randbytes(random.choice((0, 0, 10, 256, 257)))
            frames.append(wire.encode(wire.CONTROL, (random.choice((sequence, *EDGES)),), payload, stream))
        while random.random() < 0.5:
            frames.append(_message(random, random.choice(sequences)))
    return frames


def _message(random: random.Random, sequence: int) -> bytes:
    """Within that call: mostly one that a caller may send at some time."""
    kind = random.choice((CREDIT, ITEMS, END, ANSWER, random.choice((PROGRESS, CALL, *EDGES))))
    body = random.choice(
        (b"", b"\x91\x01", b"\xc1", b'{"code": "remote_error", "message": "no"}', bytes(70_000))
    )
    flags = random.choice((wire.MSGPACK, wire.MSGPACK, wire.JSON, wire.JSON | wire.ERROR, wire.RAW))
    return wire.encode(flags, (sequence, kind, random.choice((1, 1, 2, *EDGES))), body, wire.STREAM)


_METHODS = (
    b"App.echo",
    b"App.headers",
    b"App.hi",
    b"App.wait",
    b"App.rows",
    b"App.async_rows",
    b"App.converse",
    b"App.async_converse",
    b"App.async_echo",
    b"App.nothing",
    b"App.wrong_name",
    b"GoTask.Ping",
    b"GoTask.Status",
    b"GoTask.Methods",
    b"GoTask.Hello",
    b"",
)


def _flip(random: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    index = random.randrange(len(data))
    return data[:index] + bytes((data[index] ^ 1 << random.randrange(8),)) + data[index + 1 :]


def _replace(random: random.Random, data: bytes) -> bytes:
    index = random.randrange(len(data) + 1)
    return data[:index] + random.randbytes(random.randint(1, 8)) + data[index + random.randint(0, 8) :]


def _cut(random: random.Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(random: random.Random, data: bytes) -> bytes:
    index = random.randrange(len(data) + 1)
    return data[:index] + data[index : index + random.randint(1, 40)] * 2 + data[index:]


def _drop(random: random.Random, data: bytes) -> bytes:
    index = random.randrange(len(data) + 1)
    return data[:index] + data[index + random.randint(1, 12) :]


def _field(random: random.Random, data: bytes) -> bytes:
    """A field of the first header, or an option, made something else, and the checksum right for it."""
    if len(data) < 12:
        return data
    where = random.choice((0, 1, 2, 10, 12, 16, 20, 24))
    if where in (0, 1, 10):
        data = data[:where] + bytes((random.randrange(256),)) + data[where + 1 :]
    else:
        data = data[:where] + random.choice(EDGES).to_bytes(4, "little") + data[where + 4 :]
    return with_checksum(data)


_MUTATIONS = (_flip, _replace, _cut, _repeat, _drop, _field, _field)
