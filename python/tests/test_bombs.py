"""Small bodies that would unpack to much: refused before that is held, with an error that says so."""

from __future__ import annotations

import ast
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest

import gotask
from gotask.errors import InvalidRequest
from gotask.wire.codec import FEW, JSON, MSGPACK, _has_few, decode
from gotask.wire.json import MAX_ELEMENTS, SMALL

from .peer import PACKAGE

MIB = 1024 * 1024


def array(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big")


BOMBS: dict[str, Callable[[], bytes]] = {
    "an array that declares what is not there": lambda: array(2**32 - 1),
    "a map that declares what is not there": lambda: b"\xdf\xff\xff\xff\xff",
    "a string that declares what is not there": lambda: b"\xdb\xff\xff\xff\xff",
    "arrays in each other that all declare what is not there": lambda: array(MAX_ELEMENTS) * 1000
    + b"\xc0" * (60 * MIB),
    "an array of nils": lambda: array(64 * MIB - 5) + b"\xc0" * (64 * MIB - 5),
    "arrays of empty arrays": lambda: array(16)
    + (array(MAX_ELEMENTS // 2) + b"\x90" * (MAX_ELEMENTS // 2)) * 16,
    "arrays of empty maps": lambda: array(16)
    + (array(MAX_ELEMENTS // 2) + b"\x80" * (MAX_ELEMENTS // 2)) * 16,
    "arrays of one nil each": lambda: array(4 * MIB) + b"\x91\xc0" * (4 * MIB),
    "arrays in each other": lambda: b"\x91" * (2 * MIB) + b"\xc0",
    "few arrays in each other": lambda: b"\x91" * 2000 + b"\xc0",
    "a map of nils": lambda: b"\xdf" + (4 * MIB).to_bytes(4, "big") + b"\xc0\xc0" * (4 * MIB),
}
JSON_BOMBS: dict[str, Callable[[], bytes]] = {
    "a list of numbers": lambda: b"[" + b"0," * (6 * MIB) + b"0]",
    "lists": lambda: b"[" + b"[]," * (6 * MIB) + b"0]",
    "maps": lambda: b"[" + b"{}," * (6 * MIB) + b"0]",
    "lists in each other": lambda: b"[" * (2 * MIB),
    "lists in each other that end": lambda: b"[" * 3000 + b"]" * 3000,
    "an endless string of quotes": lambda: b'["' + b'\\"' * (2 * MIB) + b"," * (5 * MIB),
    "a number of many digits": lambda: b"9" * (2 * MIB),
}


def refusal(flag: int, body: bytes, limit: int = 1536 * MIB) -> str:
    """The error of a process that may have no more than `limit` bytes."""
    program = (
        f"import sys\nfrom gotask.wire.codec import decode\nfrom gotask.errors import InvalidRequest\n"
        f"try: decode({flag}, sys.stdin.buffer.read())\nexcept InvalidRequest as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=body,
        cwd=PACKAGE,
        capture_output=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert ended.returncode == 0, ended.stderr.decode()[-500:]
    assert b"MemoryError" not in ended.stdout, "it was tried"
    return ended.stdout.decode()


@pytest.mark.parametrize("name", BOMBS)
def test_messagepack_that_unpacks_to_too_much_is_refused(name: str) -> None:
    assert "the body is not the MessagePack" in refusal(MSGPACK, BOMBS[name]())


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_json_that_unpacks_to_too_much_is_refused(name: str) -> None:
    if name == "a number of many digits" and not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this version of Python bounds no digits")
    assert "the body is not the JSON" in refusal(JSON, JSON_BOMBS[name]())


def test_what_is_large_and_ordinary_is_decoded() -> None:
    floats = [float(index) for index in range(SMALL // 9 + 10)]
    assert decode(MSGPACK, msgpack.packb(floats)) == floats
    assert decode(JSON, json.dumps(floats).encode()) == floats
    blob = os.urandom(2 * MIB)
    assert decode(MSGPACK, msgpack.packb({"blob": blob, "n": [1, {"a": None}]})) == {
        "blob": blob,
        "n": [1, {"a": None}],
    }
    text = "a,b[{:" * MIB + '\\",'
    assert decode(JSON, json.dumps([text]).encode()) == [text]
    assert decode(MSGPACK, msgpack.packb(["x" * SMALL]) + b"") == ["x" * SMALL]
    # A string that is no UTF-8 in a large body.
    mixed = b"\x92\xa2\xff\xfe\xdb" + SMALL.to_bytes(4, "big") + b"y" * SMALL
    assert decode(MSGPACK, mixed) == [b"\xff\xfe", "y" * SMALL]


def test_only_a_whole_body_with_few_values_has_few() -> None:
    sizes = (0, 15, 16, 29, 32, 255, 256, 65535, 65536)
    values: list[object] = [
        *("x" * size for size in sizes),
        *(b"x" * size for size in sizes),
        *([0] * size for size in sizes),
        *(dict.fromkeys(range(size)) for size in sizes),
        *(sign * 2**bits for sign in (1, -1) for bits in (0, 5, 7, 8, 15, 16, 31, 32, 62)),
        *(msgpack.ExtType(5, b"x" * size) for size in (1, 2, 3, 4, 8, 16, 17, 255, 256, 65536)),
        *(None, True, False, 1.5, msgpack.Timestamp(1, 0), msgpack.Timestamp(2**40, 5)),
        *({"a": [1, {"b": [b"c" * 300, "d"]}]}, [[[]]], [{}, {}]),
    ]
    bodies = [msgpack.packb(value) for value in values]
    bodies.append(msgpack.packb(2.5, use_single_float=True))
    for value, body in zip([*values, 2.5], bodies):
        count = len(value) * (1 + isinstance(value, dict)) if isinstance(value, (list, dict)) else 0
        few = count < FEW - 2
        assert _has_few(body) == _has_few(b"\x92" + body + b"\xc0") == few, value
        assert not _has_few(body + b"\xc0")
        for end in {*range(min(12, len(body))), len(body) - 1}:
            assert not _has_few(body[:end]), value
    assert _has_few(b"\xdc\x00\x3f" + b"\xc0" * 63)
    assert not _has_few(b"\xdc\x00\x40" + b"\xc0" * 64)
    assert not _has_few(b"\xc1")
    assert not _has_few(b"\x91" * 100 + b"\xc0")


@pytest.mark.parametrize("code", [-128, -2, 0, 2, 127])
def test_no_extension_makes_an_object(code: int) -> None:
    body = b"\xd4" + code.to_bytes(1, "big", signed=True) + b"\x00"
    for each in (body, b"\x91" + body, b"\x92" + body + b"\xdb" + SMALL.to_bytes(4, "big") + b"y" * SMALL):
        with pytest.raises(InvalidRequest, match=f"extension type {code} is not understood"):
            decode(MSGPACK, each)


def test_nothing_here_makes_objects_of_foreign_bytes() -> None:
    """No pickle, marshal, shelve, eval or exec anywhere in the package."""
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "eval", "exec"}
    for path in Path(gotask.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = {node.func.id}
            else:
                continue
            assert not names & forbidden, f"{path.name}:{node.lineno}"
