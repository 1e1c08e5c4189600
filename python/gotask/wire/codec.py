"""Values to bytes and back: MessagePack, JSON and RAW, as docs/protocol.md has it under 'Values'.

No class of the application is ever instantiated from data. What is plain goes through msgpack's and json's C code untouched,
and `wire.results` converts what these don't know. Only after that has failed is the value looked at (`wire.explain`), to name
what can't be encoded and where it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from msgpack import ExtType, OutOfData, Packer, Unpacker, unpackb

from ..errors import GoTaskError, InvalidRequest, InvalidResult
from . import arrays, json
from .arrays import ARRAY, LargeArray
from .json import MAX_ELEMENTS, SMALL, TOO_MANY
from .results import convert
from .strings import NOTE, unpack_mixed

Body = bytes | bytearray | memoryview

RAW, JSON, MSGPACK = 0x04, 0x08, 0x10

# A body of more than SMALL bytes that has at most FEW values is not counted: msgpack would copy all of it for that.
FEW = 64

# Bytes. A packer keeps the buffer of the largest value it has packed. One with a larger buffer than this is not kept.
KEEP_BUFFER = 256 * 1024

# Packers that are idle. One is taken out while it packs, so a thread gets another one, and so does an object whose own code
# (items() of a dict subclass) packs something while it is being packed.
_packers: list[Packer] = []

# The same for unpackers. One that has raised is not used again. Its buffer has the size of the largest body that it gets, so it
# stays in the processor's cache, and what a body declares is bounded by it, too.
_TINY = 1024
_unpackers: list[Unpacker] = []


def decode(flag: int, body: Body, error: type[GoTaskError] = InvalidRequest) -> Any:
    """The value in `body`. Raises `error`.

    An empty body is None (RAW: b""). A str that is not UTF-8 becomes bytes. MessagePack may nest 1024 deep
    (msgpack's own bound); no container in it may declare more elements than the body has bytes, nor may there
    be more of them than MAX_ELEMENTS: a single container is refused before it is allocated, many are once
    so many are complete.
    """
    if flag == RAW:
        return bytes(body)
    if not len(body):
        return None
    if flag == MSGPACK:
        if len(body) <= _TINY:
            try:
                unpacker = _unpackers.pop() if _unpackers else _tiny_unpacker()
                unpacker.feed(body)
                value = unpacker.unpack()
                if not unpacker.read_bytes(1):
                    _unpackers.append(unpacker)
                    return value
            except Exception:
                pass  # what is wrong is found below
        try:
            try:
                return _unpack(body)
            except UnicodeDecodeError:
                return unpack_mixed(lambda: _unpack(body, unicode_errors=NOTE))
        except Exception as failure:
            raise _undecodable("MessagePack", failure, error) from None
    if flag == JSON:
        try:
            return json.decode(str(body, "utf-8"))
        except Exception as failure:  # RecursionError of Python's own among them
            raise _undecodable("JSON", failure, error) from None
    raise error(f"no codec has the flag {flag:#04x}: send MessagePack (0x10), JSON (0x08) or RAW (0x04)")


def encode(flag: int, value: Any, root: str = "result", error: type[GoTaskError] = InvalidResult) -> bytes:
    """The bytes of `value`. Raises `error`, which says what can't be encoded and where: `result["a"][3]`."""
    try:
        return pack(flag, value, root, error)
    except LargeArray:
        return b"".join(_around_arrays(value, root, error))


def pack(flag: int, value: Any, root: str = "result", error: type[GoTaskError] = InvalidResult) -> bytes:
    """Like encode(), but raises LargeArray where the value holds one: then encode_parts() copies less."""
    if flag == MSGPACK:
        try:
            packer = _packers.pop()
        except IndexError:
            packer = Packer(datetime=True, default=_default)
        try:
            packed: bytes = packer.pack(value)
        except LargeArray:
            raise
        except Exception as failure:
            raise _unencodable(value, root, "MessagePack", failure, error) from None
        if len(packed) < KEEP_BUFFER:
            _packers.append(packer)
        return packed
    if flag == JSON:
        try:
            return json.encode(value).encode()
        except Exception as failure:
            raise _unencodable(value, root, "JSON", failure, error) from None
    if flag == RAW:
        if value is None:
            return b""
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        raise error(f"{root} is {_kind(value)}, which RAW can't hold: make it bytes")
    raise error(f"no codec has the flag {flag:#04x}")


def ending_with(flag: int, value: dict[str, Any], name: str, items: list[bytes]) -> bytes:
    """Like encode() of a map with one more entry, a list whose elements have been encoded one by one."""
    body = encode(flag, {**value, name: []})  # ends with the empty list
    if flag == JSON:
        return body[:-2] + b",".join(items) + b"]}"
    return b"".join((body[:-1], b"\xdd", len(items).to_bytes(4, "big"), *items))


def packer() -> Callable[[Any], bytes]:
    """Packs values one after the other, as encode() does. What it raises explains nothing, and then it is not used again."""
    pack: Callable[[Any], bytes] = Packer(datetime=True, default=_default).pack
    return pack


def encode_parts(flag: int, value: Any) -> list[bytes | memoryview]:
    """Like encode(), in pieces: a large array, and a large string that is alone or in a flat container, is not copied."""
    kind = type(value)
    if (kind is bytes or kind is str) and 0xFFFF < len(value) < 2**30 and (flag == MSGPACK or flag == RAW):
        try:
            data: bytes = value if kind is bytes else value.encode()
        except UnicodeEncodeError:
            return [pack(flag, value)]
        if flag == RAW:
            return [data]
        return [(b"\xc6" if kind is bytes else b"\xdb") + len(data).to_bytes(4, "big"), data]
    if flag == MSGPACK and (kind is dict or kind is list or kind is tuple) and len(value) < FEW:
        parts = _flat_parts(value)
        if parts is not None:
            return parts
    try:
        return [pack(flag, value)]
    except LargeArray:
        return _around_arrays(value)


def _around_arrays(
    value: Any, root: str = "result", error: type[GoTaskError] = InvalidResult
) -> list[bytes | memoryview]:
    """In MessagePack, its large arrays in pieces of their own."""
    found: list[tuple[bytes, memoryview]] = []
    # Stands for each of them, and can't be met in what else there is.
    mark = os.urandom(16)

    def default(value: Any) -> Any:
        value = convert(value)
        if not arrays.is_array(value):
            return value
        array = arrays.in_parts(value)
        if len(array[1]) < arrays.LARGE:
            return ExtType(ARRAY, b"".join(array))
        found.append(array)
        return ExtType(ARRAY, mark)

    try:
        rest: bytes = Packer(datetime=True, default=default).pack(value)
    except Exception as failure:
        raise _unencodable(value, root, "MessagePack", failure, error) from None
    between = rest.split(bytes((0xD8, ARRAY)) + mark)
    parts: list[bytes | memoryview] = []
    for before, (head, elements) in zip(between, found):
        size = len(head) + len(elements)
        parts += before + b"\xc9" + size.to_bytes(4, "big") + bytes((ARRAY,)) + head, elements
    return [*parts, between[-1]] if between[-1] else parts


_SCALARS = frozenset((bytes, str, int, float, bool, type(None)))


def _flat_parts(value: Any) -> list[bytes | memoryview] | None:
    """A container of fewer than FEW elements in pieces. None: it is not flat, or can't be encoded."""
    count = len(value)
    is_dict = type(value) is dict
    items = [each for item in value.items() for each in item] if is_dict else value
    small = bytearray()
    if count < 16:
        small.append((0x80 if is_dict else 0x90) + count)
    else:
        small += (b"\xde" if is_dict else b"\xdc") + count.to_bytes(2, "big")
    parts: list[bytes | memoryview] = []
    try:
        for item in items:
            if type(item) not in _SCALARS:
                return None
            piece = encode_parts(MSGPACK, item)
            small += piece[0]
            if len(piece) == 2:
                parts += bytes(small), piece[1]
                small.clear()
    except GoTaskError:
        return None  # encode() says what can't be encoded, and where
    if small:
        parts.append(bytes(small))
    return parts


# By a value's first byte: how many bytes hold its length, and how many bytes follow that the length does not count.
_COUNTED = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)},  # bin
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},  # ext
    **{0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},  # str
}
# How many bytes follow where that is fixed: nil, false, true, floats, integers, extensions.
_FIXED = {
    **{0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8},
    **{0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17},
}
# How many bytes hold a container's size, and how many values each of its elements has.
_CONTAINER = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _has_few(body: Body) -> bool:
    """Whether the body is complete and has at most FEW values: then its strings make it large."""
    offset, left = 0, 1
    end = len(body)
    for _ in range(FEW):
        if offset >= end:
            return False
        kind = body[offset]
        offset += 1
        left -= 1
        if kind in _COUNTED:
            width, more = _COUNTED[kind]
            offset += width + more + int.from_bytes(body[offset : offset + width], "big")
        elif kind in _FIXED:
            offset += _FIXED[kind]
        elif kind in _CONTAINER:
            width, each = _CONTAINER[kind]
            left += each * int.from_bytes(body[offset : offset + width], "big")
            offset += width
        elif 0x80 <= kind < 0x90:
            left += 2 * (kind & 0x0F)
        elif 0x90 <= kind < 0xA0:
            left += kind & 0x0F
        elif 0xA0 <= kind < 0xC0:
            offset += kind & 0x1F
        elif kind == 0xC1:
            return False
        if left > FEW:
            return False
        if not left:
            return offset == end
    return False


def _tiny_unpacker() -> Unpacker:
    return Unpacker(
        max_buffer_size=_TINY,
        max_ext_len=_TINY,
        strict_map_key=False,
        timestamp=3,
        ext_hook=_extension,
    )


def _unpack(body: Body, **options: Any) -> Any:
    """Counts the elements of a large body first. A small one can't have too many."""
    if len(body) <= SMALL or _has_few(body):
        # Lengths are bounded by the body's own: msgpack's default for unpackb.
        return unpackb(body, strict_map_key=False, timestamp=3, ext_hook=_extension, **options)
    check = Unpacker(None, max_buffer_size=len(body))
    check.feed(body)
    try:
        # msgpack allocates what a container declares before it looks whether that is there.
        check.skip()
    except OutOfData:
        raise ValueError("it ends before it is complete") from None
    left = MAX_ELEMENTS

    def count(container: Any) -> Any:
        nonlocal left
        left -= 1 + len(container) * (2 if type(container) is dict else 1)
        if left < 0:
            raise ValueError(TOO_MANY)
        return container

    return unpackb(
        body,
        strict_map_key=False,
        timestamp=3,
        ext_hook=_extension,
        max_array_len=MAX_ELEMENTS,
        max_map_len=MAX_ELEMENTS // 2,
        list_hook=count,
        object_hook=count,
        **options,
    )


def _extension(code: int, data: bytes) -> Any:
    if code == ARRAY:
        return arrays.decode(data)
    raise ValueError(
        f"extension type {code} is not understood (only timestamps, type -1, and arrays, type {ARRAY}, are)"
    )


def _default(value: Any) -> Any:
    """Called for what msgpack can't pack itself."""
    value = convert(value)
    if not arrays.is_array(value):
        return value
    if value.nbytes >= arrays.LARGE:
        raise LargeArray
    return ExtType(ARRAY, b"".join(arrays.in_parts(value)))


# What msgpack raises without a message.
_MSGPACK_FAILURES = {
    "StackError": "it is nested too deep",
    "FormatError": "it has a byte that begins nothing",
    "ExtraData": "it goes on after its end",
}


def _undecodable(codec: str, failure: Exception, error: type[GoTaskError]) -> GoTaskError:
    name = type(failure).__name__
    detail = _MSGPACK_FAILURES.get(name) or str(failure) or name
    return error(f"the body is not the {codec} it is declared to be: {detail}")


def _unencodable(
    value: Any, root: str, codec: str, failure: Exception, error: type[GoTaskError]
) -> GoTaskError:
    from .explain import explain

    try:
        reason = explain(value, root, codec)
    except Exception:  # the value's own code runs here, and may raise
        reason = None
    return error(reason or f"{root} can't be encoded as {codec}: {str(failure) or type(failure).__name__}")


def _kind(value: Any) -> str:
    from .explain import kind

    return kind(value)
