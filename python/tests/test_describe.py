"""`GoTask.Describe`: parameters, results and classes as whoever writes code from them needs them."""

from __future__ import annotations

import collections
import enum
import json
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NewType, Optional, TypedDict
from uuid import UUID

import pytest

from gotask.app.describe import describe
from gotask.app.registry import Registry

from .peer import BrokerProcess, Peer

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import]  # noqa: F401


class Color(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"
    ROSE = RED


@dataclass
class Item:
    name: str
    price: Decimal = Decimal("1.50")
    color: Color = Color.RED
    tags: list[str] = field(default_factory=list)
    made: datetime = field(default_factory=datetime.now)


@dataclass
class Order:
    """An order.

    It has items.
    """

    items: list[Item]
    parent: Optional[Order] = None


class Options(TypedDict, total=False):
    width: typing.Annotated[int, "pixels"]


class Strict(Options):
    height: int


class Point(NamedTuple):
    x: float
    y: float = 0.0


UserId = NewType("UserId", int)


def described(*functions: Callable[..., Any]) -> dict[str, Any]:
    registry = Registry()
    for function in functions:
        registry.register(function, "f" if len(functions) == 1 else None)
    found = describe(registry.describe_fully())
    assert json.loads(json.dumps(found)) == found
    return found


def type_of(annotation: Any) -> Any:
    def function(a: Any) -> None:
        ...

    function.__annotations__["a"] = annotation
    return described(function)["methods"][0]["parameters"][0]["type"]


LISTS: list[Any] = [set, frozenset, collections.deque, Iterable]
INT, STR, UNKNOWN = {"type": "int"}, {"type": "str"}, {"type": "any"}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        *[(cls, {"type": cls.__name__.lower()}) for cls in (bool, int, float, str, bytes, UUID, Decimal)],
        *[(cls, {"type": cls.__name__.lower()}) for cls in (datetime, date, time, timedelta, Path)],
        (None, {"type": "null"}),
        *[(each, UNKNOWN) for each in (Any, object, "Missing", "Missing | int", "1 +", 7, complex, type)],
        *[(each, UNKNOWN) for each in (Callable[[int], str], typing.TypeVar("T"), enum.Enum)],
        *[(each, {"list": UNKNOWN}) for each in (list, typing.List, tuple, "Missing.Sequence", set)],
        (list[int], {"list": INT}),
        ("list[Missing]", {"list": UNKNOWN}),
        ("'list[int]'", {"list": INT}),
        *[(cls[int], {"list": INT}) for cls in LISTS],
        (tuple[int, ...], {"list": INT}),
        (tuple[int, str], {"tuple": [INT, STR]}),
        *[(cls, {"map": [UNKNOWN, UNKNOWN]}) for cls in (dict, typing.Dict, Mapping)],
        (dict[str, list[int]], {"map": [STR, {"list": INT}]}),
        (collections.Counter[str], {"map": [STR, INT]}),
        (Iterator[int], {"iterator": INT}),
        (int | None, {"union": [INT, {"type": "null"}]}),
        ("Optional[int | str]", {"union": [INT, STR, {"type": "null"}]}),
        (Literal["a", 1, None, b"x"], {"literal": ["a", 1, None]}),
        (UserId, INT),
        ("typing.Annotated[UserId, 'of a user']", INT),
        (Color, {"class": "tests.test_describe.Color"}),
        ("list[Order]", {"list": {"class": "tests.test_describe.Order"}}),
    ],
)
def test_types(annotation: Any, expected: Any) -> None:
    assert type_of(annotation) == expected


def test_parameters_and_results() -> None:
    def images(
        a: int,
        /,
        b: str = "x",
        *rest: float,
        color: Color = Color.BLUE,
        size: Point = Point(1.0),
        made: date = date(2024, 2, 29),
        how: Any = object(),
        **more: bytes,
    ) -> Iterator[Order | None]:
        """Makes images.

        Many of them.
            Indented.
        """
        yield None

    entry = described(images)["methods"][0]
    assert entry["name"] == "f" and entry["stream"] and not entry["async"]
    assert entry["doc"] == "Makes images.\n\nMany of them.\n    Indented."
    assert entry["returns"] == {
        "iterator": {"union": [{"class": "tests.test_describe.Order"}, {"type": "null"}]}
    }
    assert [(each["kind"], each["name"], each["required"]) for each in entry["parameters"]] == [
        ("positional_only", "a", True),
        ("positional", "b", False),
        ("variadic", "rest", False),
        ("named_only", "color", False),
        ("named_only", "size", False),
        ("named_only", "made", False),
        ("named_only", "how", False),
        ("variadic_named", "more", False),
    ]
    defaults = {each["name"]: each["default"] for each in entry["parameters"] if "default" in each}
    assert defaults == {"b": "x", "color": "blue", "size": [1.0, 0.0], "made": "2024-02-29"}


def test_async_methods_and_streams() -> None:
    async def fetch() -> int:
        return 1

    async def rows() -> AsyncIterator[int]:
        yield 1

    def plain(a, b=None):  # type: ignore[no-untyped-def]
        pass

    fetched, streamed, untyped = described(fetch, rows, plain)["methods"]
    assert (fetched["async"], fetched["stream"], fetched["returns"]) == (True, False, INT)
    assert (streamed["stream"], streamed["returns"]) == (True, {"iterator": INT})
    assert untyped["returns"] == UNKNOWN and untyped["doc"] == ""
    assert untyped["parameters"][1] == {
        **{"kind": "positional", "name": "b", "required": False, "type": UNKNOWN, "default": None}
    }


def test_classes() -> None:
    def function(order: Order, options: Strict, at: Point) -> Color:
        return Color.RED

    prefix = "tests.test_describe."
    classes = {name.removeprefix(prefix): entry for name, entry in described(function)["classes"].items()}
    assert set(classes) == {"Order", "Item", "Color", "Strict", "Point"}
    assert classes["Color"] == {
        "kind": "enum",
        "name": "Color",
        "doc": "What it looks like.",
        "cases": [
            {"name": "RED", "value": "red"},
            {"name": "BLUE", "value": "blue"},
            {"name": "ROSE", "value": "red"},
        ],
    }
    order = {"class": prefix + "Order"}
    assert classes["Order"] == {
        "kind": "dataclass",
        "name": "Order",
        "doc": "An order.\n\nIt has items.",
        "fields": [
            {"name": "items", "required": True, "type": {"list": {"class": prefix + "Item"}}},
            {
                "name": "parent",
                "required": False,
                "type": {"union": [order, {"type": "null"}]},
                "default": None,
            },
        ],
    }
    assert classes["Item"]["doc"] == ""
    assert {each["name"]: each.get("default") for each in classes["Item"]["fields"]} == {
        **{"name": None, "price": "1.50", "color": "red", "tags": [], "made": None}
    }
    assert classes["Strict"]["kind"] == "typed_dict"
    assert [(each["name"], each["required"]) for each in classes["Strict"]["fields"]] == [
        ("width", False),
        ("height", True),
    ]
    assert classes["Point"]["kind"] == "named_tuple"
    assert [each.get("default") for each in classes["Point"]["fields"]] == [None, 0.0]


APP = """
import gotask

class Only:
    async def hi(self, name: "str | None" = None) -> dict:
        return {}

gotask.register(Only)
"""


def test_an_app_of_async_methods_is_described_too(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "inspect.py").write_text("raise AssertionError('the application has a module of that name')")
    process = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/b.sock")
    process.wait_for("ready")
    assert process.address is not None
    peer = Peer(process.address)
    (method,) = peer.call("GoTask.Describe")["methods"]
    assert method["async"] and method["parameters"][0]["default"] is None
    peer.close()
    assert process.end() == 0
