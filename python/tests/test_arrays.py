"""Arrays: golden vectors shared with the PHP tests, and what must hold of numpy's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest

from gotask.errors import InvalidRequest, InvalidResult
from gotask.wire.codec import JSON, MSGPACK, decode, encode, encode_parts

numpy = pytest.importorskip("numpy")

VECTORS = json.loads((Path(__file__).parents[2] / "tests" / "vectors" / "arrays.json").read_text("utf-8"))


def named(group: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", [pytest.param(each, id=each["name"]) for each in VECTORS[group]])


@named("valid")
def test_vectors(vector: Any) -> None:
    body = bytes.fromhex(vector["hex"])
    array = decode(MSGPACK, body)
    assert array.dtype == vector["dtype"] and list(array.shape) == vector["shape"]
    assert array.tolist() == vector["values"]
    assert encode(MSGPACK, array) == body
    assert encode(MSGPACK, numpy.array(vector["values"], vector["dtype"]).reshape(vector["shape"])) == body


@named("invalid")
def test_invalid_vectors(vector: Any) -> None:
    with pytest.raises(InvalidRequest, match="an array|allowed dimension"):
        decode(MSGPACK, bytes.fromhex(vector["hex"]))


@named("valid")
def test_whatever_is_wrong_in_it_is_an_error_or_another_array(vector: Any) -> None:
    body = bytes.fromhex(vector["hex"])
    refused = 0
    for at in range(3 + 16 + 8 * len(vector["shape"])):
        for byte in (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF):
            try:
                decode(MSGPACK, body[:at] + bytes([byte]) + body[at + 1 :])
            except InvalidRequest:
                refused += 1
    assert refused > 5 * 8


def test_an_array_that_arrives_can_not_be_written_and_is_aligned() -> None:
    array = decode(MSGPACK, encode(MSGPACK, ["x", numpy.arange(5.0)]))[1]
    assert not array.flags.writeable and array.flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize(
    "source", ["ascending[::2]", "ascending.reshape(2, -1).T", "ascending[::-1]", "ascending.astype('>i4')"]
)
def test_any_order_in_memory_goes_row_by_row(source: str, size: int) -> None:
    array = eval(source, {"ascending": numpy.arange(2.0 * size)})
    sent = decode(MSGPACK, encode(MSGPACK, array))
    assert (sent == array).all() and sent.flags.c_contiguous and sent.dtype.isnative


def test_half_precision_goes_as_single() -> None:
    assert decode(MSGPACK, encode(MSGPACK, numpy.float16([1.5]))).dtype == "float32"


@pytest.mark.parametrize("dtype", ["complex128", "longdouble"])
def test_types_that_are_not_sent(dtype: str) -> None:
    for size in (1, 100_000):
        with pytest.raises(InvalidResult, match=r'result\["a"\] is a numpy.ndarray, .* use .astype\(\)'):
            encode(MSGPACK, {"a": numpy.zeros(size, dtype)})


def test_an_array_is_a_list_in_json() -> None:
    assert encode(JSON, {"a": numpy.array([[1, 2], [3, 4]])}) == b'{"a":[[1,2],[3,4]]}'
    with pytest.raises(InvalidResult, match=r'result\["a"\]\[1\] is nan'):
        encode(JSON, {"a": numpy.array([1, numpy.nan])})


def test_large_arrays_are_parts_of_their_own() -> None:
    large = numpy.arange(10_000.0)
    value = {"n": 1, "a": large, "b": [numpy.arange(3), large[:9_000], "end"], "c": b"x" * 70_000}
    parts = encode_parts(MSGPACK, value)
    assert b"".join(parts) == encode(MSGPACK, value)
    assert [type(part) for part in parts] == [bytes, memoryview, bytes, memoryview, bytes]
    assert numpy.shares_memory(numpy.frombuffer(parts[1]), large)
    sent = decode(MSGPACK, encode(MSGPACK, value))
    assert (sent["a"] == large).all() and (sent["b"][1] == large[:9_000]).all() and sent["b"][2] == "end"
    assert len(encode_parts(MSGPACK, large)[1]) == large.nbytes


def test_what_is_wrong_beside_a_large_array_is_said_as_ever() -> None:
    with pytest.raises(InvalidResult, match=r'result\["b"\] is an object'):
        encode_parts(MSGPACK, {"a": numpy.arange(10_000.0), "b": object()})


def test_a_packer_that_met_a_large_array_is_not_kept() -> None:
    for _ in range(3):
        encode(MSGPACK, [1, numpy.arange(10_000)])
        assert decode(MSGPACK, encode(MSGPACK, [1, 2])) == [1, 2]


def test_without_numpy_it_is_said_what_is_missing() -> None:
    body = encode(MSGPACK, numpy.arange(3)).hex()
    code = (
        "import sys; sys.modules['numpy'] = None\nfrom gotask.wire.codec import decode\n"
        f"try: decode(16, bytes.fromhex({body!r}))\nexcept Exception as error: print(error)"
    )
    root = Path(__file__).parents[1]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert "which needs numpy: pip install numpy" in shown.stdout, shown.stderr


def test_msgpack_sees_an_extension() -> None:
    assert msgpack.unpackb(encode(MSGPACK, numpy.int8([5]))).code == 1


def test_rows_without_elements_are_no_list_of_any_length() -> None:
    array = numpy.ndarray((2**40, 0), "u1", b"")
    assert decode(MSGPACK, encode(MSGPACK, array)).shape == array.shape
    with pytest.raises(InvalidResult, match="no elements, and too many rows"):
        encode(JSON, array)
    assert (
        encode(JSON, numpy.zeros((0, 2**40))) == b"[]" and encode(JSON, numpy.zeros((2, 0))) == b"[[],[]]"
    )
