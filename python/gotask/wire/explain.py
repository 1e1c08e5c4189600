"""What in a value can't be encoded, where it is, and what to do. Imported once encoding has failed."""

from __future__ import annotations

import math

# None of fractions and so on: the application may have modules of those names.
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any

from ..errors import class_name
from .arrays import in_parts, is_array, to_list
from .json import MAX_DEPTH
from .results import convert

_LIST = "send list() of it"
_TEXT = "send str() of it"

# By the name of the class, or of the first base that is listed.
_BY_NAME = {
    "fractions.Fraction": "send float() or str() of it",
    "complex": "send its .real and .imag",
    "bson.objectid.ObjectId": _TEXT,
    "bson.decimal128.Decimal128": _TEXT,
    "BaseException": "raise it instead, or send str() of it",
    "_io._IOBase": "send what its .read() gives",
    "io.IOBase": "send what its .read() gives",
}
_BY_KIND: tuple[tuple[type, str], ...] = (
    (Coroutine, "declare the method with `async def`, or await it"),
    (Awaitable, "await it"),
    (Generator, "call it by stream(), or send list() of it"),
    (AsyncGenerator, "call it by stream(), or gather it in a list"),
    (AsyncIterator, "call it by stream(), or gather it in a list"),
)
# Methods of other packages' classes. Those that the object has are advised.
_METHODS = ("to_dict", "to_dicts", "tolist", "to_pandas")


def kind(value: object) -> str:
    """`a set`, `an int`, `a numpy.ndarray`."""
    cls = type(value)
    if cls is bytes:
        return "bytes"
    name = class_name(cls)
    return f"{'an' if name[:1].lower() in ('a', 'e', 'i', 'o') else 'a'} {name}"


def explain(value: Any, root: str, codec: str) -> str | None:
    """What `codec` ("MessagePack" or "JSON") can't hold first, in the order of encoding; None: nothing was found.

    Not recursive, so that a value nested in itself ends with a message and not with the stack.
    """
    value, reason = _sent(value, codec)
    if reason is not None:
        return f"{root} {reason}"
    # The containers around the current place and the iterators over them; `keys` leads from the root to that place.
    around: list[tuple[Any, Iterator[tuple[Any, Any]]]] = []
    keys: list[Any] = []
    if _is_container(value):
        around.append((value, _children(value)))
    while around:
        container, children = around[-1]
        for key, child in children:
            if issubclass(type(container), dict):
                reason = _key_reason(key, codec)
                if reason is not None:
                    return f"{_path(root, keys)} has a key that {reason}"
            child, reason = _sent(child, codec)
            if reason is not None:
                return f"{_path(root, [*keys, key])} {reason}"
            if _is_container(child):
                keys.append(key)
                if any(child is outer for outer, _ in around):
                    return f"{_path(root, keys)} holds itself"
                if len(around) == MAX_DEPTH:
                    return f"{root} is nested more than {MAX_DEPTH} deep"
                around.append((child, _children(child)))
                break
        else:
            around.pop()
            if keys:
                keys.pop()
    return None


def _is_container(value: Any) -> bool:
    # By the real class, here and below: an object's `__class__` may say anything, or raise.
    return issubclass(type(value), (list, tuple, dict))


def _children(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items() if issubclass(type(container), dict) else enumerate(container))


def _sent(value: Any, codec: str) -> tuple[Any, str | None]:
    """What is sent in its place, and why that can't be encoded."""
    try:
        sent = convert(value)
        if is_array(sent):
            if codec == "JSON":
                return to_list(sent), None
            in_parts(sent)
            return sent, None
    except Exception as failure:  # an encoder's
        return value, f"is {kind(value)}, which can't be sent: {str(failure) or type(failure).__name__}"
    return sent, _reason(sent, codec)


def _key_reason(key: Any, codec: str) -> str | None:
    if codec == "MessagePack":
        key, reason = _sent(key, codec)
        if reason is not None:
            return reason
        if "datetime.datetime" in map(class_name, type(key).__mro__):
            return None
    if not issubclass(type(key), (str, int, float, bytes, type(None))):
        return f"is {kind(key)}, which {codec} can't hold as a key: make it a str"
    return _reason(key, codec)


def _path(root: str, keys: list[Any]) -> str:
    """`result["a"][3]`. The middle of a long one is left out."""
    shown = [f"[{_shown(key)}]" for key in keys]
    if len(shown) > 20:
        shown[10:-10] = ["…"]
    return root + "".join(shown)


def _reason(item: Any, codec: str) -> str | None:
    cls = type(item)
    if item is None or issubclass(cls, (bool, list, tuple, dict)):
        return None
    if issubclass(cls, int):
        if codec == "JSON" or -(2**63) <= item < 2**64:
            return None
        return "is an int of more than 64 bits: send str() of it"
    if issubclass(cls, float):
        if codec == "MessagePack" or math.isfinite(item):
            return None
        return f"is {item}, which JSON can't hold: send None, or gotask.finite() of all of it"
    if issubclass(cls, str):
        return None if _is_text(item) else "is a str with lone surrogates, which UTF-8 can't hold: send bytes"
    if issubclass(cls, (bytes, bytearray, memoryview)):
        if codec == "JSON":
            return f"is {kind(item)}, which JSON can't hold: use MessagePack, or base64"
        if cls is memoryview and not item.c_contiguous:
            return "is a memoryview that is not contiguous: send bytes() of it"
        return None
    if "datetime.datetime" in map(class_name, cls.__mro__) and item.tzinfo is not None:
        return None
    advice = _advice(cls)
    return f"is {kind(item)}, which {codec} can't hold{advice and ': ' + advice}"


def _advice(cls: type) -> str:
    for base in cls.__mro__:
        advice = _BY_NAME.get(class_name(base))
        if advice is not None:
            return advice + (_or_encoder(cls) if advice is _TEXT else "")
    methods = [f".{name}()" for name in _METHODS if _has(cls, name)]
    if methods:
        return f"send {' or '.join(methods)}{_or_encoder(cls)}"
    for abstract, advice in _BY_KIND:
        if issubclass(cls, abstract):
            return advice
    if _has(cls, "keys") and _has(cls, "__getitem__"):
        return "send dict() of it"
    if issubclass(cls, type) or _has(cls, "__call__"):
        return ""
    if issubclass(cls, Iterable):
        return _LIST
    has_fields = _has(cls, "__dict__") or any(vars(base).get("__slots__") for base in cls.__mro__)
    return f"send a dict of its fields{_or_encoder(cls)}" if has_fields else ""


def _or_encoder(cls: type) -> str:
    return f", or register what is sent in its place: gotask.encoder({cls.__name__}, …)"


def _has(cls: type, name: str) -> bool:
    """Whether instances have it. What only the metaclass has does not count."""
    return any(name in vars(base) for base in cls.__mro__)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(key: object) -> str:
    if isinstance(key, str):
        shown = key if len(key) <= 60 else key[:60] + "…"
        return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    shown = repr(key)
    return shown if len(shown) <= 60 else shown[:60] + "…"
