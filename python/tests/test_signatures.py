"""The hash by which a caller sees that its code was generated from other signatures than the worker has."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import field, make_dataclass
from typing import Any, Literal, Optional, TypedDict

import pytest

from gotask.app.registry import Registry


def signatures(function: Any) -> str:
    registry = Registry()
    registry.register(function, "same")
    return registry.signatures()


def by(**annotations: Any) -> Any:
    def function(*values: Any, **named: Any) -> Any:
        ...

    function.__annotations__ = annotations
    return function


def record(*fields: Any) -> Any:
    return make_dataclass("Record", fields)


class Whole(TypedDict):
    a: int


class Partial(TypedDict, total=False):
    a: int


Partial.__qualname__ = Whole.__qualname__


def test_what_a_method_takes_and_gives_counts() -> None:
    def plain(width: Any) -> Any:
        ...

    def typed(width: int) -> Any:
        ...

    def optional(width: int = 1) -> Any:
        ...

    def other(width: int = 2) -> Any:
        ...

    def named(*, width: int = 2) -> Any:
        ...

    def gives(*, width: int = 2) -> str:
        return ""

    def streams(*, width: int = 2) -> Iterator[str]:
        yield ""

    functions = [plain, typed, optional, other, named, gives, streams]
    assert len({signatures(function) for function in functions}) == len(functions)


@pytest.mark.parametrize(
    "one, other",
    [
        (list[int], list[str]),
        (Literal["a"], Literal["b"]),
        (record(("width", int)), record(("width", float))),
        (record(("width", int)), record(("height", int))),
        (record(("width", int)), record(("width", int, 1))),
        (enum.Enum("Color", "RED"), enum.Enum("Color", "RED BLUE")),
        (Whole, Partial),
        (list[Whole], list[Partial]),
    ],
)
def test_what_is_in_a_type_counts(one: Any, other: Any) -> None:
    assert signatures(by(values=one)) == signatures(by(values=one)) != signatures(by(values=other))
    assert signatures(by(**{"return": one})) != signatures(by(**{"return": other}))


class Tree(TypedDict):
    below: Optional[list[Tree]]


def test_a_class_that_contains_itself() -> None:
    assert signatures(by(values=Tree)) != signatures(by(values=dict))


def test_a_docstring_does_not_count_and_neither_does_where_an_object_lies() -> None:
    def one(value: Any = object()) -> None:
        """One."""

    def other(value: Any = object()) -> None:
        """Another."""

    assert signatures(one) == signatures(other)
    assert signatures(by(values=record(("tags", list, field(default_factory=list))))) == signatures(
        by(values=record(("tags", list, field(default_factory=list))))
    )
