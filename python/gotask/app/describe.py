"""The answer to `GoTask.Describe`: what each method takes and gives, for whoever writes code from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import cleandoc
from pathlib import PurePath
from types import FunctionType
from typing import Any
from uuid import UUID

from .annotations import Type, each_class
from .classes import fields_of
from .parameters import Parameters

_KINDS = ("positional_only", "positional", "variadic", "named_only", "variadic_named")

# A default of more elements, or one that is nested deeper, is not told.
_MAX_ELEMENTS = 100
_MAX_DEPTH = 8


def describe(methods: Iterable[tuple[dict[str, Any], Any, Parameters]]) -> dict[str, Any]:
    """methods: of each the beginning of its description, its function, and what that takes. docs/protocol.md has the form."""
    classes: dict[str, dict[str, Any]] = {}
    waiting: list[Type] = []

    def tree(type: Type) -> dict[str, Any]:
        waiting.extend(each_class(type))
        return _tree(type)

    described = []
    for start, function, parameters in methods:
        taken = [
            {"kind": _KINDS[each.kind], **_entry(each.name, tree(each.type), each.required, each.default)}
            for each in parameters.all
        ]
        returns = tree(parameters.return_type)
        described.append({**start, "doc": _doc(function), "parameters": taken, "returns": returns})
    while waiting:
        type = waiting.pop()
        name = _name(type)
        if name not in classes:
            classes[name] = _class(type, tree)
    return {"methods": described, "classes": classes}


def _tree(type: Type) -> dict[str, Any]:
    kind, of = type.kind, [_tree(each) for each in type.of] if type.kind != "literal" else []
    if kind == "list":
        return {"list": of[0]}
    if kind == "iterator":
        return {"iterator": of[0]}
    if kind in ("tuple", "map", "union"):
        return {kind: of}
    if kind == "literal":
        return {"literal": [value for each in type.of for value in _plain_if_any(each)]}
    if type in each_class(type):
        return {"class": _name(type)}
    return {"type": kind}


def _name(type: Type) -> str:
    return f"{type.cls.__module__}.{type.cls.__qualname__}"


def _class(type: Type, tree: Callable[[Type], dict[str, Any]]) -> dict[str, Any]:
    cls = type.cls
    described = {"kind": type.kind, "name": cls.__name__, "doc": _doc(cls)}
    if type.kind == "enum":
        cases = [
            {"name": name, "value": value}
            for name, case in cls.__members__.items()
            for value in _plain_if_any(case)
        ]
        return {**described, "cases": cases}
    entries = []
    for field in fields_of(type):
        make = field.make_default
        default = make() if make is list or make is dict or make is set else field.default
        entries.append(_entry(field.name, tree(field.type), field.required, default))
    return {**described, "fields": entries}


def _entry(name: str, type: dict[str, Any], required: bool, default: object) -> dict[str, Any]:
    entry = {"name": name, "required": required, "type": type}
    for value in _plain_if_any(default):
        entry["default"] = value
    return entry


def _plain_if_any(value: object) -> list[Any]:
    """The plain value; nothing where there is none."""
    try:
        return [_plain(value)]
    except Exception:  # it is not JSON's, or its own code has raised
        return []


def _plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it, in the form in which a caller sends it. ValueError: there is none."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and value - value == 0:  # finite
        return value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (Decimal, UUID, PurePath)):
        return str(value)
    if depth < _MAX_DEPTH:
        if is_dataclass(value) and not isinstance(value, type):
            value = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        if isinstance(value, (list, tuple, set, frozenset)) and len(value) <= _MAX_ELEMENTS:
            return [_plain(each, depth + 1) for each in value]
        if isinstance(value, dict) and len(value) <= _MAX_ELEMENTS and all(type(key) is str for key in value):
            return {key: _plain(each, depth + 1) for key, each in value.items()}
    raise ValueError


def _doc(target: Any) -> str:
    """Its docstring without the indentation; empty where it has none of its own."""
    doc = target.__doc__ if isinstance(target, (FunctionType, type)) else None
    if not isinstance(doc, str) or isinstance(target, type) and _is_generated(doc, target):
        return ""
    return cleandoc(doc)


def _is_generated(doc: str, cls: type) -> bool:
    """Whether a dataclass, a NamedTuple or an Enum has it because it has none of its own."""
    return doc.startswith(f"{cls.__name__}(") or doc == "An enumeration."
