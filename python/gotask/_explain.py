"""What in a value can't be encoded, where it is, and what to do. Imported once encoding has failed."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from ._codec import MAX_DEPTH

_ADVICE: tuple[tuple[type, str], ...] = (
    (Enum, "send its .value"),
    (Set, "make it a list"),
    (datetime, "it has no time zone: give it one, as in datetime.now(timezone.utc)"),
    (date, "send .isoformat(), or a datetime with a time zone"),
    (time, "send .isoformat()"),
    (timedelta, "send .total_seconds()"),
    (Decimal, "send float() or str() of it"),
    (UUID, "send str() of it"),
    (Coroutine, "declare the method with `async def`, or await it"),
    (Generator, "streams are not supported: make it a list"),
    (AsyncGenerator, "streams are not supported: gather it in a list"),
    (Iterator, "make it a list"),
    (BaseException, "raise it instead, or send str() of it"),
)


def kind(value: object) -> str:
    """`a set`, `an int`, `a numpy.ndarray`."""
    cls = type(value)
    if cls is bytes:
        return "bytes"
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


def explain(value: Any, root: str, codec: str) -> str | None:
    """The first thing, in the order of encoding, that `codec` ("MessagePack" or "JSON") can't hold; or None.

    Not recursive, so that a value nested in itself ends with a message and not with the stack.
    """
    reason = _reason(value, codec)
    if reason is not None:
        return f"{root} {reason}"
    # The containers around the place where we are, what is left of each, and the key by which we went on.
    around: list[tuple[Any, Iterator[tuple[Any, Any]]]] = []
    keys: list[Any] = []
    if _is_container(value):
        around.append((value, _children(value)))
    while around:
        container, children = around[-1]
        for key, child in children:
            if isinstance(container, dict):
                reason = _key_reason(key, codec)
                if reason is not None:
                    return f"{_path(root, keys)} has a key that {reason}"
            reason = _reason(child, codec)
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
    return isinstance(value, (list, tuple, dict))


def _children(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items() if isinstance(container, dict) else enumerate(container))


def _key_reason(key: Any, codec: str) -> str | None:
    if not isinstance(key, (str, int, float, bytes, type(None))):
        return f"is {kind(key)}, which {codec} can't hold as a key: make it a str"
    return _reason(key, codec)


def _path(root: str, keys: list[Any]) -> str:
    """`result["a"][3]`; its middle left out where it is long."""
    shown = [f"[{_shown(key)}]" for key in keys]
    if len(shown) > 20:
        shown[10:-10] = ["…"]
    return root + "".join(shown)


def _reason(item: Any, codec: str) -> str | None:
    if item is None or isinstance(item, (bool, list, tuple, dict)):
        return None
    if isinstance(item, int):
        if codec == "JSON" or -(2**63) <= item < 2**64:
            return None
        return "is an int of more than 64 bits: send str() of it"
    if isinstance(item, float):
        if codec == "MessagePack" or math.isfinite(item):
            return None
        return f"is {item}, which JSON can't hold: send None, or use MessagePack"
    if isinstance(item, str):
        return None if _is_text(item) else "is a str with lone surrogates, which UTF-8 can't hold: send bytes"
    if isinstance(item, (bytes, bytearray, memoryview)):
        if codec == "JSON":
            return f"is {kind(item)}, which JSON can't hold: use MessagePack, or base64"
        if isinstance(item, memoryview) and not item.c_contiguous:
            return "is a memoryview that is not contiguous: send bytes() of it"
        return None
    if isinstance(item, datetime) and item.tzinfo is not None:
        return None
    return f"is {kind(item)}, which {codec} can't hold{_advice(item)}"


def _advice(item: object) -> str:
    module = type(item).__module__.partition(".")[0]
    if module in ("numpy", "torch"):
        return ": send .tolist()"
    if module == "pandas":
        return ": send .to_dict() or .tolist()"
    for cls, advice in _ADVICE:
        if isinstance(item, cls):
            return f": {advice}"
    if hasattr(item, "__dataclass_fields__"):
        return ": send dataclasses.asdict() of it"
    if callable(item):
        return ""
    return ": send a dict of its fields"


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
    return repr(key)
