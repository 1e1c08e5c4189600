"""JSON, within the bounds that hold for every body."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, NoReturn

from .arrays import is_array, to_list
from .results import convert

# How deep containers may be nested.
MAX_DEPTH = 512

# Elements of a body (a map's entry counts twice). Each takes a byte there and up to a hundred in memory. A body of at most
# SMALL bytes can't have too many, so nothing is counted.
MAX_ELEMENTS = 4 * 1024 * 1024
SMALL = 1024 * 1024

TOO_MANY = f"it has more than {MAX_ELEMENTS} elements: send them in several calls, or as bytes"

# Python's own limit depends on its version and on how much of the stack is in use.
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def decode(text: str) -> Any:
    """The value. The exception says why there is none: no JSON, or out of bounds."""
    if len(text) > SMALL:
        _refuse_many(text)
    value = _decoder()(text)
    if _may_be_deep(text) and _is_deep(value):
        raise RecursionError(_TOO_DEEP)
    return value


def encode(value: Any) -> str:
    """The text. The exception says why JSON can't hold the value."""
    text: str = _encoder()(value)
    if _may_be_deep(text) and _is_deep(value):
        raise RecursionError(_TOO_DEEP)
    return text


# Made when the first JSON comes: most workers never see any.
@cache
def _decoder() -> Any:
    from json import JSONDecoder

    return JSONDecoder(parse_constant=_refuse_constant).decode


@cache
def _encoder() -> Any:
    from json import JSONEncoder

    return JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        check_circular=False,  # the recursion limit ends a cycle
        separators=(",", ":"),
        default=_default,
    ).encode


def _default(value: Any) -> Any:
    """Called for what Python's encoder does not know. A time is text, an array a list."""
    sent = convert(value)
    if isinstance(sent, datetime):
        return sent.isoformat()
    if is_array(sent):
        return to_list(sent)
    if sent is value:
        raise TypeError("no such type in JSON")
    return sent


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _refuse_many(source: str) -> None:
    """Counts the marks outside of strings: an element has a comma before it, a container a bracket, an entry a colon."""
    marks = ",[{:"
    if sum(map(source.count, marks)) > MAX_ELEMENTS:
        import re

        # The expression matches whatever begins with a quote, so it never backtracks.
        bare = re.sub(r'"(?:[^"\\]+|\\.?)*"?', "", source, flags=re.DOTALL)
        if sum(map(bare.count, marks)) > MAX_ELEMENTS:
            raise ValueError(TOO_MANY)


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
