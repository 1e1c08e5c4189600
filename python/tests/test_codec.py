from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import enum
import fractions
import io
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, strategies as st

from gotask.errors import EncodeFailed, InvalidRequest, InvalidResult
from gotask.wire.codec import JSON, MSGPACK, RAW, decode, encode, encode_parts

UTC = datetime.timezone.utc

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=["Cs"]))
)
keys = st.text(st.characters(blacklist_categories=["Cs"])) | st.integers(-(2**63), 2**63 - 1)


#: Elements of a list or a map: with few of them trees grow deep, and hypothesis throws away few that have grown too large.
FEW = 4


def trees(leaves: Any, names: Any) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=FEW) | st.dictionaries(names, inner, max_size=FEW),
        max_leaves=20,
    )


# Msgpack without its C code reckons times in floats.
exact = msgpack.Packer.__module__ != "msgpack.fallback"
times = st.datetimes(timezones=st.just(UTC)).map(lambda time: time if exact else time.replace(microsecond=0))


@given(trees(scalars | st.binary() | times, keys))
def test_msgpack_round_trip(value: Any) -> None:
    assert decode(MSGPACK, encode(MSGPACK, value)) == value


finite = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))


@given(trees(finite, st.text(st.characters(blacklist_categories=["Cs"]))))
def test_json_round_trip(value: Any) -> None:
    assert decode(JSON, encode(JSON, value)) == value


@given(st.binary())
def test_raw_is_untouched(value: bytes) -> None:
    assert decode(RAW, encode(RAW, value)) == value == decode(RAW, memoryview(value))


@given(st.sampled_from([MSGPACK, JSON]), st.binary(max_size=100))
def test_any_bytes_decode_or_are_refused(flag: int, body: bytes) -> None:
    try:
        decode(flag, body)
    except InvalidRequest:
        pass


def test_an_empty_body_is_null() -> None:
    assert decode(MSGPACK, b"") is None and decode(JSON, b"") is None and decode(RAW, b"") == b""


def test_text_that_is_not_utf8_becomes_bytes() -> None:
    php = msgpack.packb(
        {b"t\xff": [b"\xff", b"text", {b"k": b"\xfe\x80"}], b"ok": b"\xc3\xa9", b"n": 1}, use_bin_type=False
    )
    assert decode(MSGPACK, php) == {b"t\xff": [b"\xff", "text", {"k": b"\xfe\x80"}], "ok": "é", "n": 1}
    assert decode(MSGPACK, msgpack.packb(b"\xff" * 70000, use_bin_type=False)) == b"\xff" * 70000


def test_bin_stays_bytes_beside_text_that_is_not_utf8() -> None:
    body = b"\x92" + msgpack.packb(b"\xff", use_bin_type=False) + msgpack.packb(b"text", use_bin_type=True)
    assert decode(MSGPACK, body) == [b"\xff", b"text"]


@given(trees(st.binary() | st.integers(0, 100), st.binary()))
def test_every_string_is_text_or_bytes(value: Any) -> None:
    def expected(item: Any) -> Any:
        if isinstance(item, bytes):
            try:
                return item.decode()
            except UnicodeDecodeError:
                return item
        if isinstance(item, list):
            return [expected(child) for child in item]
        if isinstance(item, dict):
            return {expected(key): expected(child) for key, child in item.items()}
        return item

    assert decode(MSGPACK, msgpack.packb(value, use_bin_type=False)) == expected(value)


def test_deep_and_bad_at_once() -> None:
    assert decode(MSGPACK, b"\x91" * 900 + b"\xa1\xff") is not None


def test_what_python_has_more_of() -> None:
    Point = collections.namedtuple("Point", "x y")

    class Level(enum.IntEnum):
        LOW = 1

    class Stamp(datetime.datetime):
        pass

    value = {"t": (1, 2), "p": Point(1, 2), "e": Level.LOW, "a": bytearray(b"x"), "m": memoryview(b"y")}
    assert decode(MSGPACK, encode(MSGPACK, value)) == {"t": [1, 2], "p": [1, 2], "e": 1, "a": b"x", "m": b"y"}
    stamp = Stamp(1960, 5, 4, 3, 2, 1, 5 if exact else 0, UTC)
    assert decode(MSGPACK, encode(MSGPACK, stamp)) == stamp
    assert encode(JSON, datetime.datetime(2026, 1, 2, tzinfo=UTC)) == b'"2026-01-02T00:00:00+00:00"'
    assert encode(RAW, None) == b"" and encode(RAW, "é") == "é".encode()
    assert encode(RAW, memoryview(b"abc")) == b"abc"


class Unknown:
    pass


def cycle() -> Any:
    value: Any = []
    value.append({"again": value})
    return value


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        (
            MSGPACK,
            {"a": [1, 2, 3, map(str, [])]},
            'result["a"][3] is a map, which MessagePack can\'t hold: send list',
        ),
        (JSON, {"a": [1, 2, 3, map(str, [])]}, 'result["a"][3] is a map, which JSON can\'t hold: send list'),
        (MSGPACK, {"a": (1, {2, 1j})}, r'result\["a"\]\[1\]\[\d\] is a complex'),
        (MSGPACK, [2**64], r"result\[0\] is an int of more than 64 bits"),
        (MSGPACK, -(2**63) - 1, "result is an int of more than 64 bits"),
        (JSON, {"a": float("nan")}, 'result\\["a"\\] is nan'),
        (JSON, float("-inf"), "result is -inf"),
        (JSON, [b"x"], "base64"),
        (MSGPACK, ["\ud800"], "lone surrogates"),
        (JSON, ["\ud800"], "lone surrogates"),
        (MSGPACK, cycle(), r'result\[0\]\["again"\] holds itself'),
        (JSON, cycle(), r'result\[0\]\["again"\] holds itself'),
        (MSGPACK, deep(600), "nested more than 512 deep"),
        (JSON, deep(5000), "nested more than 512 deep"),
        (MSGPACK, (i for i in "x"), "call it by stream()"),
        (MSGPACK, {"a": Unknown()}, 'result\\["a"\\] is an? .*Unknown.*send a dict'),
        (JSON, {(1, 2): 3}, "has a key that is a tuple"),
        (MSGPACK, {"x": len}, "builtin_function_or_method"),
        (MSGPACK, {"a": {1j: 1}}, 'result\\["a"\\] has a key that is a complex'),
        (RAW, 3, "make it bytes"),
        (0x20, 3, "no codec"),
    ],
)
def test_what_cannot_be_encoded(flag: int, value: Any, message: str) -> None:
    with pytest.raises(InvalidResult, match=message.replace('result["a"][3]', r'result\["a"\]\[3\]')):
        encode(flag, value)


@pytest.mark.parametrize("codec", [MSGPACK, JSON])
def test_depth(codec: int) -> None:
    value = deep(511)
    assert decode(codec, encode(codec, value)) == value
    wide: Any = [[[] for _ in range(1000)]]
    assert decode(codec, encode(codec, wide)) == wide
    with pytest.raises(InvalidResult, match="more than 512 deep"):
        encode(codec, deep(513))


def test_json_that_is_too_deep() -> None:
    assert decode(JSON, b"[" * 512 + b"]" * 512)
    with pytest.raises(InvalidRequest, match="nested more than 512 deep|recursion"):
        decode(JSON, b"[" * 513 + b"]" * 513)


def test_the_error_names_the_root_it_is_given() -> None:
    with pytest.raises(EncodeFailed, match=r"payload\[1\] is an object"):
        encode(MSGPACK, [0, object()], "payload", EncodeFailed)


class Fields:
    def __init__(self) -> None:
        self.a = 1


class Slotted:
    __slots__ = ("a",)


class Rows:
    def __iter__(self) -> Any:
        return iter([])


class Row:
    def keys(self) -> Any:
        return []

    def __getitem__(self, key: str) -> Any:
        return key


class Dynamic:
    def __getattr__(self, name: str) -> Any:
        return lambda: name


async def later() -> None:
    pass


def stream() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: map(str, []), "list()"),
        (lambda: zip([]), "list()"),
        (lambda: reversed([1]), "list()"),
        (Rows, "list()"),
        (stream, "call it by stream(), or send list()"),
        (Row, "dict()"),
        (lambda: fractions.Fraction(1), "float() or str()"),
        (lambda: 1j, ".real and .imag"),
        (io.BytesIO, "what its .read() gives"),
        (Fields, "a dict of its fields, or register what is sent in its place: gotask.encoder(Fields, …)"),
        (Slotted, "gotask.encoder(Slotted, …)"),
        (Dynamic, "gotask.encoder(Dynamic, …)"),
        (later, "or await it"),
        (object, None),
        (lambda: Fields, None),
        (lambda: len, None),
        (lambda: re.compile("x"), None),
    ],
)
def test_the_advice_fits_the_kind(make: Callable[[], Any], advice: str | None) -> None:
    value = make()
    with pytest.raises(InvalidResult) as caught:
        encode(MSGPACK, value)
    if asyncio.iscoroutine(value):
        value.close()
    message = caught.value.message
    assert message.endswith("can't hold") if advice is None else f"{advice} of it" in message + " of it"


def test_a_key_that_is_shown_is_bounded() -> None:
    with pytest.raises(InvalidResult, match="is an object") as caught:
        encode(MSGPACK, {b"x" * 100_000: object()})
    assert len(caught.value.message) < 200


def test_modules_of_the_application_do_not_get_into_the_explanation(tmp_path: pathlib.Path) -> None:
    for name in ("uuid", "decimal", "fractions", "dataclasses"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit\n")
    code = "from gotask.wire.codec import encode\ntry:\n    encode(16, [map(str, [])])\nexcept Exception as e:\n    print(e)"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{pathlib.Path(__file__).parents[1]}"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "send list() of it" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    ("flag", "body"),
    [
        (MSGPACK, b"\xdd\xff\xff\xff\xff"),
        (MSGPACK, b"\xdf\xff\xff\xff\xff" * 3),
        (MSGPACK, b"\xdb\xff\xff\xff\xff"),
        (MSGPACK, b"\x91" * 100_000),
        (MSGPACK, b"\xc1"),
        (MSGPACK, b"\x01\x02"),
        (MSGPACK, b"\xd4\x05a"),
        (MSGPACK, b"\xd7\xff" + b"\xff" * 8 + b"\xa1\xff"),
        (MSGPACK, b"\x81\x90\x01"),
        (MSGPACK, b"\x92\xa1\xff"),
        (JSON, b"NaN"),
        (JSON, b"[" * 100_000),
        (JSON, b"{"),
        (JSON, b"\xff"),
        (JSON, b"1 2"),
        (JSON, b"9" * 5000),
        (0x20, b"x"),
        (0x80, b"x"),
        (0x18, b"x"),
    ],
)
def test_what_cannot_be_decoded(flag: int, body: bytes) -> None:
    if body == b"9" * 5000 and not hasattr(__import__("sys"), "get_int_max_str_digits"):
        pytest.skip("this Python reads integers of any length")
    with pytest.raises(InvalidRequest) as caught:
        decode(flag, body)
    assert len(caught.value.message) < 300


def test_large_results_leave_no_buffer_behind() -> None:
    from gotask.wire import codec as module

    module._packers.clear()
    encode(MSGPACK, [b"x" * 1_000_000])
    assert module._packers == []
    encode(MSGPACK, b"x")
    assert len(module._packers) == 1


@pytest.mark.parametrize("size", [0, 255, 256, 65_535, 65_536, 1_000_000])
def test_parts_are_what_encode_gives(size: int) -> None:
    for flag in (MSGPACK, RAW):
        for value in (bytes(size), "é" * size):
            assert b"".join(encode_parts(flag, value)) == encode(flag, value)
    for value in (bytearray(size), "\ud800" * size):
        with contextlib.suppress(InvalidResult):
            assert b"".join(encode_parts(MSGPACK, value)) == encode(MSGPACK, value)


@pytest.mark.parametrize("count", [1, 15, 16, 63, 64])
@pytest.mark.parametrize("large", [b"x" * 65_536, "x" * 100_000, "é" * 65_536])
def test_parts_of_a_flat_container_are_what_encode_gives(count: int, large: Any) -> None:
    small = [None, True, 5, -1.5, "a", b"b", 2**63, "é", b"x" * 65_535] * 7
    values = [large, *small, "end"][:count]
    assert len(values) == count
    for value in (values, values[::-1], tuple(values), dict(enumerate(values)), {"a": large, large: 1}):
        parts = encode_parts(MSGPACK, value)
        assert b"".join(parts) == encode(MSGPACK, value)
        assert len(parts) > 1 or len(value) == 64
        if isinstance(large, bytes) and len(parts) > 1:
            assert any(part is large for part in parts)  # not a copy


@pytest.mark.parametrize(
    "other", [[1], {"a": 1}, datetime.datetime.now(datetime.timezone.utc), bytearray(b"x")]
)
def test_a_container_with_more_than_scalars_is_one_part(other: Any) -> None:
    value = [b"x" * 100_000, other]
    assert encode_parts(MSGPACK, value) == [encode(MSGPACK, value)]


@pytest.mark.parametrize("other", [2**64, "\ud800", object()])
def test_what_is_wrong_in_a_flat_container_is_said_as_ever(other: Any) -> None:
    with pytest.raises(InvalidResult, match=r'result\["b"\]'):
        encode_parts(MSGPACK, {"a": b"x" * 100_000, "b": other})


def test_packing_within_packing() -> None:
    class Nosy(dict[str, Any]):
        def items(self) -> Any:
            encode(MSGPACK, ["something", "else"])
            return super().items()

    assert decode(MSGPACK, encode(MSGPACK, [1, Nosy(a=1), 2])) == [1, {"a": 1}, 2]


def test_code_of_the_value_that_raises() -> None:
    class Sour(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("sour")

    with pytest.raises(InvalidResult, match="sour"):
        encode(MSGPACK, [Sour(a=1)])


def test_threads() -> None:
    value = {"a": [os.urandom(5) for _ in range(50)]}
    php = msgpack.packb(value, use_bin_type=False)
    expected = decode(MSGPACK, php)
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(200):
            if decode(MSGPACK, encode(MSGPACK, value)) != value or decode(MSGPACK, php) != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
