"""A short hash of what methods take and give, by which callers see that code was generated from other ones.

Every worker computes it when it starts, so this imports nothing that is not there already, as `describe` does, which tells the
same in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from .annotations import Type, each_class
from .classes import fields_of
from .parameters import Parameters

# Types of defaults that count with their value. Others may show their address, and then be another one in each process.
_PLAIN = (type(None), bool, int, float, str, bytes)


def signatures(methods: Iterable[tuple[str, bool, Parameters]]) -> str:
    """Eight hexadecimal digits. methods: of each its name, whether it is a stream, and what it takes."""
    classes: dict[Any, Any] = {}

    def told(type: Type) -> Any:
        for each in each_class(type):
            if each.cls not in classes:
                classes[each.cls] = None  # it may contain itself
                classes[each.cls] = each.cls.__qualname__, *_fields(each, told)
        if type.cls in classes:
            return type.kind, type.cls.__qualname__
        of = map(_constant, type.of) if type.kind == "literal" else map(told, type.of)
        return type.kind, *of

    found = [
        (name, is_stream, *_taken(parameters, told), told(parameters.return_type))
        for name, is_stream, parameters in methods
    ]
    return f"{crc32(repr((found, list(classes.values()))).encode('utf-8', 'backslashreplace')):08x}"


def _taken(parameters: Parameters, told: Any) -> list[Any]:
    return [
        (each.name, each.kind, each.required, _constant(each.default), told(each.type))
        for each in parameters.all
    ]


def _fields(type: Type, told: Any) -> list[Any]:
    if type.kind == "enum":
        return [(name, _constant(case.value)) for name, case in type.cls.__members__.items()]
    try:
        return [
            (each.name, each.required, _constant(each.default), told(each.type)) for each in fields_of(type)
        ]
    except Exception:  # a class may have its own ideas of its attributes
        return []


def _constant(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    name = getattr(value, "name", None)
    return type(value).__qualname__, name if type(name) is str else ""
