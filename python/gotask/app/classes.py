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
    known = hints(cls)
    fields = cls.model_fields if hasattr(cls, "model_fields") else cls.__fields__
    for name, field in fields.items():
        alias = getattr(field, "validation_alias", None) or field.alias
        required = field.is_required() if hasattr(field, "is_required") else bool(field.required)
        default = MISSING if required or field.default_factory is not None else field.default
        type = read(*known[name]) if name in known else read(field.annotation)
        yield Field(alias if isinstance(alias, str) else name, type, required, default, field.default_factory)


_FIELDS: dict[str, Callable[[Any], Iterator[Field]]] = {
    "dataclass": _dataclass,
    "typed_dict": _typed_dict,
    "named_tuple": _named_tuple,
    "model": _model,
}
