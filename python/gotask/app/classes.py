"""What a class that is sent as a map takes: the fields of a dataclass, TypedDict, NamedTuple or pydantic model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .annotations import ANY, Type, hints, is_required, read
from .parameters import MISSING, VAR_KEYWORD, VAR_POSITIONAL, parameters_of


class Field(NamedTuple):
    """name: the key on the wire. default: MISSING where there is none, or where `make_default` makes it."""

    name: str
    type: Type
    required: bool
    default: object = MISSING
    make_default: Callable[[], Any] | None = None


def fields_of(type: Type) -> list[Field]:
    """Of a type of one of these kinds, in their order."""
    return list(_FIELDS[type.kind](type.cls))


def _dataclass(cls: Any) -> Iterator[Field]:
    """What its constructor takes: that may have been written by hand."""
    known = hints(cls)
    for parameter in parameters_of(cls.__init__, True).all:
        if parameter.kind not in (VAR_POSITIONAL, VAR_KEYWORD):
            name = parameter.name
            type = read(*known[name]) if name in known else parameter.type
            made = getattr(cls.__dataclass_fields__.get(name), "default_factory", None)
            make = made if callable(made) else None
            default = MISSING if make is not None else parameter.default
            yield Field(name, type, parameter.required, default, make)


def _typed_dict(cls: Any) -> Iterator[Field]:
    for name, (annotation, names) in hints(cls).items():
        required = is_required(annotation, names, name in cls.__required_keys__)
        yield Field(name, read(annotation, names), required)


def _named_tuple(cls: Any) -> Iterator[Field]:
    known = hints(cls)
    for name in cls._fields:
        default = cls._field_defaults.get(name, MISSING)
        yield Field(name, read(*known[name]) if name in known else ANY, default is MISSING, default)


def _model(cls: Any) -> Iterator[Field]:
    """Of pydantic 2, or else of pydantic 1."""
    if hasattr(cls, "model_fields"):
        for name, field in cls.model_fields.items():
            alias = field.validation_alias or field.alias
            required = field.is_required()
            default = MISSING if required or field.default_factory is not None else field.default
            annotated = read(field.annotation)
            yield Field(
                alias if isinstance(alias, str) else name, annotated, required, default, field.default_factory
            )
        return
    for field in cls.__fields__.values():
        required = bool(field.required)
        default = MISSING if required or field.default_factory is not None else field.default
        yield Field(field.alias, read(field.annotation), required, default, field.default_factory)


_FIELDS: dict[str, Callable[[Any], Iterator[Field]]] = {
    "dataclass": _dataclass,
    "typed_dict": _typed_dict,
    "named_tuple": _named_tuple,
    "model": _model,
}
