"""pydantic's models as annotations: pydantic validates them, and its errors say where in the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gotask.app.describe import describe
from gotask.app.registry import Method, Registry
from gotask.errors import ArgumentMismatch

pydantic = pytest.importorskip("pydantic", reason="python3-pydantic is not installed")


class Line(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    price: float


class Invoice(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """What is to be paid."""

    lines: list[Line]
    currency: str = pydantic.Field("EUR", alias="cur", max_length=3)
    notes: list[str] = pydantic.Field(default_factory=list)


@pydantic.dataclasses.dataclass
class Range:
    low: int
    high: int = pydantic.Field(10, le=10)


def taking(function: Callable[..., Any]) -> Method:
    registry = Registry()
    registry.register(function, "f")
    return registry.find("f")


def invoice(a: Invoice) -> Any:
    return a


def lines(a: list[Line]) -> Any:
    return a


def either(a: Line | int | None) -> Any:
    return a


def within(a: Range) -> Any:
    return a


def test_models_are_made() -> None:
    made = taking(invoice).invoke({"lines": [{"price": "1.5"}], "cur": "USD"})
    assert type(made) is Invoice and (made.lines, made.currency) == ([Line(price=1.5)], "USD")
    assert taking(lines).invoke([{"price": 1}]) == [Line(price=1)]
    assert taking(either).invoke({"price": 1}) == Line(price=1) and taking(either).invoke("5") == 5
    assert taking(within).invoke({"low": "1"}).low == 1


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (invoice, {"lines": [{"price": 1}, {"price": "x"}]}, r"argument a\.lines\[1\]\.price: .* valid"),
        (invoice, {"lines": 5, "cur": "12345"}, r"argument a\.lines: .* \(and 1 more\)"),
        (invoice, "x", "argument a: "),
        (lines, [{}], r"argument a\[0\]\.price: .*required"),
        (either, {"price": "x"}, r"a map is none of Line \| int \| None \(\.price: "),
        (within, {"low": "x"}, 'argument a.low: "x" is no int'),
        (within, {"low": 1, "high": 11}, "argument a.high: .* 10"),
    ],
)
def test_errors_are_named_by_their_place(function: Callable[..., Any], value: Any, message: str) -> None:
    with pytest.raises(ArgumentMismatch, match=message):
        taking(function).invoke(value)


def test_a_model_is_described() -> None:
    registry = Registry()
    registry.register(invoice)
    classes = describe(registry.describe_fully())["classes"]
    model = classes[f"{__name__}.Invoice"]
    assert (model["kind"], model["doc"]) == ("model", "What is to be paid.")
    assert model["fields"] == [
        {"name": "lines", "required": True, "type": {"list": {"class": f"{__name__}.Line"}}},
        {"name": "cur", "required": False, "type": {"type": "str"}, "default": "EUR"},
        {"name": "notes", "required": False, "type": {"list": {"type": "str"}}, "default": []},
    ]
    assert f"{__name__}.Line" in classes
