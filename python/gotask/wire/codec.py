"""Values to bytes and back: MessagePack, JSON and RAW, as docs/protocol.md has it under 'Values'.

No class is ever instantiated from data. What is plain goes through msgpack's and json's C code untouched.
Only after that has failed is the value looked at (`wire.explain`), to name what can't be encoded and where it is.
"""

from __future__ import annotations

import codecs
from _thread import get_ident
from typing import Any, NoReturn

from msgpack import OutOfData, Packer, Unpacker, unpackb

from ..errors import GoTaskError, InvalidRequest, InvalidResult

Body = bytes | bytearray | memoryview

RAW, JSON, MSGPACK = 0x04, 0x08, 0x10

# Of containers within each other.
MAX_DEPTH = 512

# Of elements in a body (a map's entry counts twice), each of which takes a byte there and up to a hundred here. In one that has
# no more bytes than SMALL none need to be counted.
MAX_ELEMENTS = 4 * 1024 * 1024
SMALL = 1024 * 1024

# Values that are looked for in a larger body before msgpack is asked to count them, which it does in a copy of its own.
FEW = 64

# A packer keeps the buffer of the largest value it has packed; one that has grown beyond this is let go.
KEEP_BUFFER = 256 * 1024

# Packers not in use. Taking one out makes packing safe in threads, and where an object's own code (items()
# of a dict subclass) packs something while it is being packed.
_packers: list[Packer] = []


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
        try:
            if len(body) > SMALL and not _has_few(body):
                return _unpack_large(body)
            # Lengths are bounded by the body's own: msgpack's default for unpackb.
            return unpackb(body, strict_map_key=False, timestamp=3, ext_hook=_refuse_extension)
        except UnicodeDecodeError:
            pass
        except Exception as failure:
            raise _undecodable("MessagePack", failure, error) from None
        return _unpack_mixed(body, error)
    if flag == JSON:
        try:
            source = str(body, "utf-8")
            if len(body) > SMALL:
                _refuse_many(source)
            value = _json_decoder()(source)
            if _may_be_deep(source) and _is_deep(value):
                raise RecursionError(_TOO_DEEP)
        except Exception as failure:  # RecursionError of Python's own among them
            raise _undecodable("JSON", failure, error) from None
        return value
    raise error(f"no codec has the flag {flag:#04x}: send MessagePack (0x10), JSON (0x08) or RAW (0x04)")


def encode(flag: int, value: Any, root: str = "result", error: type[GoTaskError] = InvalidResult) -> bytes:
    """The bytes of `value`. Raises `error`, which says what can't be encoded and where: `result["a"][3]`."""
    if flag == MSGPACK:
        try:
            packer = _packers.pop()
        except IndexError:
            packer = Packer(datetime=True, default=_default)
        try:
            packed: bytes = packer.pack(value)
        except Exception as failure:
            raise _unencodable(value, root, "MessagePack", failure, error) from None
        if len(packed) < KEEP_BUFFER:
            _packers.append(packer)
        return packed
    if flag == JSON:
        try:
            text: str = _json_encoder()(value)
            if _may_be_deep(text) and _is_deep(value):
                raise RecursionError(_TOO_DEEP)
            return text.encode()
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


def encode_parts(flag: int, value: Any) -> list[bytes]:
    """What `encode` gives, in pieces: a large string, alone or in a flat container, is not copied to be put behind others."""
    kind = type(value)
    if (kind is bytes or kind is str) and 0xFFFF < len(value) < 2**30 and (flag == MSGPACK or flag == RAW):
        try:
            data: bytes = value if kind is bytes else value.encode()
        except UnicodeEncodeError:
            return [encode(flag, value)]
        if flag == RAW:
            return [data]
        return [(b"\xc6" if kind is bytes else b"\xdb") + len(data).to_bytes(4, "big"), data]
    if flag == MSGPACK and (kind is dict or kind is list or kind is tuple) and len(value) < FEW:
        parts = _flat_parts(value)
        if parts is not None:
            return parts
    return [encode(flag, value)]


_SCALARS = frozenset((bytes, str, int, float, bool, type(None)))


def _flat_parts(value: Any) -> list[bytes] | None:
    """A container of less than FEW elements in pieces. None: it is not flat, or can't be encoded."""
    count = len(value)
    is_dict = type(value) is dict
    items = [each for item in value.items() for each in item] if is_dict else value
    small = bytearray()
    if count < 16:
        small.append((0x80 if is_dict else 0x90) + count)
    else:
        small += (b"\xde" if is_dict else b"\xdc") + count.to_bytes(2, "big")
    parts: list[bytes] = []
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
        return None  # the whole of it is to be looked at, to say where
    if small:
        parts.append(bytes(small))
    return parts


# How many bytes after a value's first one say how long it is, and how many bytes follow whatever that says.
_COUNTED = {
    **{0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0)},  # bin
    **{0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)},  # ext
    **{0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)},  # str
}
# How many bytes follow, if always as many: nil, false, true, floats, integers, extensions.
_FIXED = {
    **{0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8},
    **{0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17},
}
# How many bytes say how many values a container has, and how many there are for each.
_CONTAINER = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _has_few(body: Body) -> bool:
    """Whether it is whole and has no more than FEW values, as a body that is large for its strings has."""
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


def _unpack_large(body: Body, **options: Any) -> Any:
    """With its elements counted: in a small body there are no more than it has bytes."""
    check = Unpacker(None, max_buffer_size=len(body))
    check.feed(body)
    try:
        # What a container declares is there: msgpack allocates it all before it looks.
        check.skip()
    except OutOfData:
        raise ValueError("it ends before it is complete") from None
    left = MAX_ELEMENTS

    def count(container: Any) -> Any:
        nonlocal left
        left -= 1 + len(container) * (2 if type(container) is dict else 1)
        if left < 0:
            raise ValueError(_TOO_MANY)
        return container

    return unpackb(
        body,
        strict_map_key=False,
        timestamp=3,
        ext_hook=_refuse_extension,
        max_array_len=MAX_ELEMENTS,
        max_map_len=MAX_ELEMENTS // 2,
        list_hook=count,
        object_hook=count,
        **options,
    )


_TOO_MANY = f"it has more than {MAX_ELEMENTS} elements: send them in several calls, or as bytes"


def _refuse_many(source: str) -> None:
    """Each element but the first of a container has a comma before it, and each container a bracket."""
    marks = ",[{:"
    if sum(map(source.count, marks)) > MAX_ELEMENTS:
        import re

        # It matches whatever begins with a quote, so that it never goes back.
        bare = re.sub(r'"(?:[^"\\]+|\\.?)*"?', "", source, flags=re.DOTALL)
        if sum(map(bare.count, marks)) > MAX_ELEMENTS:
            raise ValueError(_TOO_MANY)


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} is not understood (only timestamps, type -1, are)")


def _default(value: Any) -> Any:
    """For what msgpack can't pack itself: a subclass of datetime (pandas has one) goes as a datetime."""
    from datetime import datetime

    if isinstance(value, datetime) and type(value) is not datetime and value.tzinfo is not None:
        return datetime.combine(value.date(), value.timetz())
    raise TypeError("no such type in MessagePack")


# PHP's strings may hold anything, and MessagePack's str is supposed to be UTF-8. Decoding with raw=True would
# lose which were bin, and surrogateescape is slow on large ones. So at the first bad byte of a string this
# error handler notes the whole of it, and ends the text with a mark by which it is found again: its index
# between two lone surrogates, which no UTF-8 decodes to.
_MARK = "\udc80"
_bad: dict[int, list[bytes]] = {}  # by thread


def _note(failure: UnicodeError) -> tuple[str, int]:
    assert isinstance(failure, UnicodeDecodeError)
    noted = _bad[get_ident()]
    noted.append(failure.object)
    return f"{_MARK}{len(noted) - 1}{_MARK}", len(failure.object)


codecs.register_error("gotask.note", _note)


def _unpack_mixed(body: Body, error: type[GoTaskError]) -> Any:
    noted = _bad[get_ident()] = []
    try:
        if len(body) > SMALL and not _has_few(body):
            value = _unpack_large(body, unicode_errors="gotask.note")
        else:
            value = unpackb(
                body,
                strict_map_key=False,
                timestamp=3,
                ext_hook=_refuse_extension,
                unicode_errors="gotask.note",
            )
    except Exception as failure:
        raise _undecodable("MessagePack", failure, error) from None
    finally:
        del _bad[get_ident()]
    root = [value]
    containers: list[Any] = [root]
    while containers:  # not recursive: msgpack nests deeper than Python's stack may
        container = containers.pop()
        if type(container) is dict:
            for key in container:
                if type(key) is str and key[-1:] == _MARK:
                    break
            else:
                key = None
            if key is not None:
                items = [(_restore(key, noted), item) for key, item in container.items()]
                container.clear()
                container.update(items)
            pairs: Any = container.items()
        else:
            pairs = enumerate(container)
        for key, item in pairs:
            kind = type(item)
            if kind is str:
                if item[-1:] == _MARK:
                    container[key] = _restore(item, noted)
            elif kind is list or kind is dict:
                containers.append(item)
    return root[0]


def _restore(text: Any, noted: list[bytes]) -> Any:
    if type(text) is str and text[-1:] == _MARK:
        return noted[int(text[text.index(_MARK) + 1 : -1])]
    return text


# json is imported when the first JSON comes: most workers never see any.
_decoder: Any = None
_encoder: Any = None


def _json_decoder() -> Any:
    global _decoder
    if _decoder is None:
        from json import JSONDecoder

        _decoder = JSONDecoder(parse_constant=_refuse_constant).decode
    return _decoder


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


# Python's own limit depends on its version and on how much of the stack is in use.
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_DEPTH


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [child for child in item.values() if isinstance(child, _CONTAINERS)]
            elif isinstance(item, (list, tuple)):
                inner += [child for child in item if isinstance(child, _CONTAINERS)]
        if not inner:
            return False
        level = inner
    return True


_CONTAINERS = (list, tuple, dict)


def _json_encoder() -> Any:
    global _encoder
    if _encoder is None:
        from json import JSONEncoder

        _encoder = JSONEncoder(
            ensure_ascii=False,
            allow_nan=False,
            check_circular=False,  # the recursion limit ends a cycle
            separators=(",", ":"),
            default=_json_default,
        ).encode
    return _encoder


def _json_default(value: Any) -> str:
    from datetime import datetime

    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    raise TypeError("no such type in JSON")


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
