"""Arguments become what annotations say: what each takes, what each refuses and how that is said (docs/types.md)."""

from __future__ import annotations

import collections
import enum
import importlib
import json
import math
import re
import sys
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st

import gotask
from gotask.app.convert import fit_of
from gotask.app.parameters import MISSING, POSITIONAL_OR_KEYWORD, Parameter
from gotask.app.registry import Method, Registry
from gotask.errors import ArgumentMismatch

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import]  # noqa: F401


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Lenient(enum.Enum):
    YES = "yes"

    @classmethod
    def _missing_(cls, value: object) -> Lenient | None:
        return cls.YES if value == "YES" else None


@dataclass
class Item:
    name: str
    price: float
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    items: list[Item]
    parent: Optional[Order] = None
    color: Color = Color.RED


@dataclass
class Checked:
    percent: int
    scale: InitVar[int] = 1
    fixed: int = field(default=7, init=False)

    def __post_init__(self, scale: int) -> None:
        self.percent *= scale
        if self.percent > 100:
            raise ValueError("percent is at most 100")
        if self.percent == 13:
            raise LookupError("a failure of its own")


class Partial(TypedDict, total=False):
    width: int
    height: int


class Named(Partial):
    name: typing.Annotated[str, "of it"]


class Point(NamedTuple):
    x: int
    y: int = 0


class Fish(TypedDict):
    fins: int


class Bird(TypedDict):
    wings: int


PAGE = Path(__file__).parents[2] / "docs" / "types.md"


class Custom:
    pass


UserId = NewType("UserId", int)
Json = Union[None, int, str, "list[Json]", "dict[str, Json]"]
NoneType = type(None)
A_UUID = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)
MIDNIGHT = datetime(2024, 2, 29, tzinfo=timezone.utc)


def taking(annotation: Any) -> Method:
    """f(a), with that annotation."""

    def f(a: Any) -> Any:
        return a

    f.__annotations__["a"] = annotation
    registry = Registry()
    registry.register(f)
    return registry.find("f")


def is_same(value: Any, expected: Any) -> bool:
    if type(value) is not type(expected):
        return False
    if isinstance(value, (list, tuple)):
        return len(value) == len(expected) and all(map(is_same, value, expected))
    if isinstance(value, dict):
        return is_same(list(value), list(expected)) and is_same(list(value.values()), list(expected.values()))
    return bool(value == expected)


# An annotation, what becomes of it, and the values that do.
TAKEN: list[tuple[Any, Any, list[Any]]] = [
    (int, 64, [64, "64", " 64 ", "+64", "064", 64.0]),
    (int, -5, ["-5"]),
    (int, 1, [True]),
    (int, 2**63, [2**63]),
    (int, 10**22, [1e22]),
    (float, 1.5, [1.5, "1.5", " 1.5", "15e-1", "+1.50"]),
    (float, 3.0, [3, "3", "3."]),
    (float, 1.0, [True]),
    (bool, True, [True, 1, 1.0, "1", "true", "TRUE", "on", " Yes "]),
    (bool, False, [False, 0, 0.0, "0", "false", "off", "no"]),
    (str, "é", ["é", "é".encode()]),
    (str, "", [""]),
    (str, "64", [64]),
    (bytes, "é".encode(), ["é", "é".encode()]),
    (bytes, b"\xff", [b"\xff"]),
    (bytes, b"\xed\xa0\x80", ["\ud800"]),
    (None, None, [None]),
    (datetime, NOON, [NOON, "2024-02-29T12:30:00Z", "2024-02-29 12:30+00:00", 1709209800, 1709209800.0]),
    (datetime, NOON, ["2024-02-29t12:30:00.000z", "2024-02-29T12:30:00 +00", "2024-02-29T12:30:00,0-0000"]),
    (datetime, NOON.replace(microsecond=123456), ["2024-02-29T12:30:00.1234567Z"]),
    (datetime, datetime(2024, 2, 29), ["2024-02-29", "2024-02-29T00:00"]),
    (datetime, datetime(1969, 12, 31, 23, 59, 58, 500_000, timezone.utc), [-1.5]),
    (date, date(2024, 2, 29), ["2024-02-29", MIDNIGHT, "2024-02-29T00:00:00Z"]),
    (time, time(13, 45), ["13:45", "13:45:00"]),
    (time, time(13, 45, 1, 500_000, timezone.utc), ["13:45:01.5Z"]),
    (timedelta, timedelta(seconds=90), [90, 90.0, "90", "PT1M30S", "PT90S", "+PT1M30,0S"]),
    (timedelta, -timedelta(days=1, hours=2), ["-P1DT2H"]),
    (timedelta, timedelta(14), ["P2W"]),
    (Decimal, Decimal("19.90"), ["19.90", " 19.90 "]),
    (Decimal, Decimal("0.1"), [0.1]),
    (Decimal, Decimal(5), [5]),
    (UUID, A_UUID, [str(A_UUID), str(A_UUID).upper(), A_UUID.hex, A_UUID.bytes]),
    (Path, Path("/tmp/a"), ["/tmp/a", b"/tmp/a"]),
    (Path, Path("/tmp/\udcff"), [b"/tmp/\xff"]),
    (PurePosixPath, PurePosixPath("a"), ["a"]),
    (Color, Color.RED, ["red"]),
    (Size, Size.LARGE, [2, "2", 2.0]),
    (Access, Access.READ | Access.WRITE, [3]),
    (Lenient, Lenient.YES, ["yes", "YES"]),
    (Literal["a", 1], "a", ["a"]),
    (Literal["a", 1], 1, [1, "1"]),
    (Literal["1"], "1", ["1", 1]),
    (Literal[True], True, [True, 1, "on"]),
    (Literal[None, "x"], None, [None]),
    (Literal[Color.RED], Color.RED, ["red"]),
    (list, [1, "a"], [[1, "a"]]),
    (list, [], [[], {}]),
    (list[int], [1, 2, 3], [["1", 2, 3.0], [1, 2, 3]]),
    (list[list[int]], [[1], []], [[["1"], {}]]),
    (list[Any], ["1"], [["1"]]),
    (typing.List[int], [1], [["1"]]),
    (Sequence[int], [1], [["1"]]),
    (Iterable[int], [1], [["1"]]),
    (set[int], {1, 2}, [["1", 1, 2]]),
    (set, set(), [[], {}]),
    (frozenset[str], frozenset("a"), [["a"]]),
    (collections.deque[int], collections.deque([1]), [["1"]]),
    (tuple, (1, "a"), [[1, "a"]]),
    (tuple[int, ...], (1, 2), [["1", "2"]]),
    (tuple[int, str], (1, "a"), [["1", "a"]]),
    (dict, {1: "a"}, [{1: "a"}]),
    (dict, {}, [{}, []]),
    (dict[str, int], {"1": 1}, [{"1": "1"}, {1: "1"}, {"1": 1}]),
    (Mapping[int, str], {1: "a"}, [{"1": "a"}]),
    (typing.Dict[int, Any], {1: 2}, [{"1": 2}]),
    (dict[date, int], {date(2024, 2, 29): 1}, [{"2024-02-29": 1}]),
    (collections.Counter[str], {"a": 1}, [{"a": "1"}]),
    (Item, Item("x", 1.5), [{"name": "x", "price": "1.5"}, {"name": "x", "price": 1.5, "tags": {}}]),
    (Order, Order([]), [{"items": []}, {"items": [], "parent": None}]),
    (
        Order,
        Order([Item("x", 2.0)], Order([]), Color.BLUE),
        [{"items": [{"name": "x", "price": 2}], "parent": {"items": []}, "color": "blue"}],
    ),
    (list[Item], [Item("x", 1.0)], [[{"name": "x", "price": 1}]]),
    (dict[str, Item], {"a": Item("x", 1.0)}, [{"a": {"name": "x", "price": 1}}]),
    (Checked, Checked(40), [{"percent": "20", "scale": "2"}]),
    (Partial, {}, [{}, []]),
    (Partial, {"width": 1}, [{"width": "1"}]),
    (Named, {"name": "x", "more": 1}, [{"name": "x", "more": 1}]),
    (Point, Point(1), [{"x": "1"}, ["1"]]),
    (Point, Point(1, 2), [["1", 2], {"x": 1, "y": "2"}]),
    # Unions: what fits exactly first, then what can be converted, in order.
    (Optional[int], None, [None]),
    (int | None, 64, [64, "64"]),
    (int | str, "64", ["64"]),
    (str | int, 64, [64]),
    (int | str, 64, [64, 64.0]),
    (float | int, 1.0, ["1"]),
    (int | float, 1.5, ["1.5"]),
    (bool | int, 1, [1]),
    (bool | str, "true", ["true"]),
    (str | UUID, str(A_UUID), [str(A_UUID)]),
    (int | UUID, A_UUID, [str(A_UUID)]),
    (Color | str, Color.RED, ["red"]),
    (Color | str, "green", ["green"]),
    (str | Color, "red", ["red"]),
    (Literal["x"] | int, 5, ["5"]),
    (list[int] | list[str], ["1"], [["1"]]),
    (list[int] | dict[str, int], {"a": 1}, [{"a": "1"}]),
    (list[int] | None, [], [{}]),
    (dict | list, [], [[]]),
    (Fish | Bird, {"wings": 2}, [{"wings": 2}, {"wings": "2"}]),
    (Point | Item, Item("x", 1.0), [{"name": "x", "price": "1"}]),
    (Item | dict, {"a": 1}, [{"a": 1}]),
    # The same in other words.
    (UserId, 5, ["5"]),
    (typing.Annotated[int, "pixels"], 5, ["5"]),
    ("'int'", 5, ["5"]),
    ("list[int]", [5], [["5"]]),
    ("Optional[Item]", Item("x", 1.0), [{"name": "x", "price": 1}]),
    ("Union[\n    int,\n    None]", 5, ["5"]),
    ("t.Optional[Missing.Sequence]", [], [{}]),
    (Json, {"a": [1, "x", None]}, [{"a": [1, "x", None]}]),
]

X = {"name": "x", "price": 1}

# An annotation, what its message says, where {} is the value, and values that are refused so.
REFUSED: list[tuple[Any, str, list[Any]]] = [
    (
        int,
        "a: {} is no int; send a whole number such as 64",
        ["x", "", " ", "64.5", "6 4", "1_000", "٣", "0x10"],
    ),
    (
        int,
        "a: {} is no int; send a whole number",
        [None, 64.5, math.nan, math.inf, [], {}, b"64", NOON, [64]],
    ),
    (int, '9…" is no int', ["9" * 5000]),
    (float, "a: {} is no float; send a number such as 1.5", ["", "x", "1,5", "nan", "inf", "1e999", "1_0"]),
    (float, "a: {} is no float; send a number such as 1.5", [None, [], b"1", {}]),
    (float, "is no float", [10**400]),
    (bool, "a: {} is no bool; send true or false, 1 or 0", ["", "x", 2, -1, 0.5, "2", None, [], {}]),
    (str, "a: {} is no str; send text", [None, [], ["x"], {}, 1.5, True, NOON]),
    (str, "a: its bytes are no UTF-8, so it is no str; annotate bytes to take them", [b"\xff"]),
    (bytes, "a: {} is no bytes; send a string", [None, [1], 5, {}, True]),
    (None, "a: {} is no None; send null", [0, "", [], False]),
    (
        datetime,
        'a: {} is no datetime; send a time, or text such as "2024-',
        ["", "x", "2024-02-30", "29.02.2024"],
    ),
    (datetime, "a: {} is no datetime", ["2024-02-29T25:00", "1709209800", None, True, [], math.nan, 1e20]),
    (date, 'a: {} is no date; send text such as "2024-02-29"', ["", "x", "2024-02-30", 5, None]),
    (date, "a: {} is no date", [NOON, "2024-02-29T12:30:00Z"]),
    (time, "a: {} is no time; send text", ["", "25:00", "x", 5, None, NOON]),
    (timedelta, "a: {} is no timedelta; send seconds, or text", ["", "P", "PT", "P1M", "P1Y", "x", "1:30"]),
    (timedelta, "a: {} is no timedelta", [None, True, [], math.nan, 1e30]),
    (Decimal, "a: {} is no Decimal; send a number, or text", ["", "x", "1,5", "nan", "1_0", "1e9999999"]),
    (Decimal, "a: {} is no Decimal", [None, math.inf, True, []]),
    (UUID, "a: {} is no UUID; send text", ["", "x", "1234", None, 5, b"x", []]),
    (Path, f"a: {{}} is no {Path.__name__}; send text", ["", None, 5, [], "a\0b", b""]),
    (Color, 'a: {} is no Color; send one of "red", "blue"', ["green", "", "RED", None, 1, [], {}, ["red"]]),
    (Size, "a: {} is no Size; send one of 1, 2", [3, "x", None, "1.0", 1.5]),
    (Literal["a", 1, None], 'is no value that is allowed; send one of "a", 1, null', ["b", 2, [], {}]),
    (list, "a: {} is no list; send a list", ["x", None, 5, b"x"]),
    (list[int], "a: {} is no list; send a list; in PHP array_values() makes one", [{"a": 1}, {1: 5}]),
    (list[int], 'a[1]: "x" is no int', [[1, "x"]]),
    (list[list[int]], "a[1][1]: null is no int", [[[], [1, None]]]),
    (set[int], 'a[0]: "x" is no int', [["x"]]),
    (set, "a: {} is no set; send a list", ["x", None]),
    (set, "a: lists and maps can't be elements of a set", [[[]], [{}]]),
    (tuple[int, str], "a: {} is no tuple; send a list of 2", [[1], [1, 2, 3], None, {}]),
    (tuple[int, str], 'a[0]: "x" is no int', [["x", "y"]]),
    (tuple[int, ...], 'a[1]: "x" is no int', [[1, "x"]]),
    (Iterable[int], "a: {} is no list", ["x", None, {"a": 1}, 5]),
    (dict, "a: {} is no dict; send a map", ["x", None, 5, [1]]),
    (dict[str, int], 'a.a: "x" is no int', [{"a": "x"}]),
    (dict[str, int], 'a["a b"]: "x" is no int', [{"a b": "x"}]),
    (dict[int, int], 'a[5]: "x" is no int', [{5: "x"}]),
    (dict[int, int], 'a: its key "x" is no int', [{"x": 5}]),
    (dict[Item, int], 'a: its key "x" is no Item', [{"x": 5}]),
    (Item, "a: {} is no Item; send a map: Item has name, price, tags", ["x", None, 5, [1], True]),
    (Item, "a.price: it is missing: Item has name, price, tags", [{"name": "x"}]),
    (Item, "a.name: it is missing", [[], {}]),
    (Item, "a.prize: there is no such field: Item has name, price, tags", [{**X, "prize": 2}]),
    (Item, "a[5]: there is no such field", [{**X, 5: 2}]),
    (Order, 'a.items[2].price: "x" is no float; send a number', [{"items": [X, X, {**X, "price": "x"}]}]),
    (Order, "a.parent.items: 5 is no list", [{"items": [], "parent": {"items": 5}}]),
    (Order, 'a.color: "green" is no Color', [{"items": [], "color": "green"}]),
    (Order, 'a.parent: "x" is no Order', [{"items": [], "parent": "x"}]),
    (Checked, "a: Checked refuses it: percent is at most 100", [{"percent": 101}]),
    (Checked, "a.fixed: there is no such field", [{"percent": 1, "fixed": 1}]),
    (Checked, 'a.scale: "x" is no int', [{"percent": 1, "scale": "x"}]),
    (Named, "a.name: it is missing", [{}, []]),
    (Named, "a.name: null is no str", [{"name": None}]),
    (Partial, 'a.width: "x" is no int', [{"width": "x"}]),
    (Partial, "a: {} is no Partial; send a map", ["x", None]),
    (Point, "a.x: it is missing", [[], {}]),
    (Point, "a: {} is no Point; send a map: Point has x, y", [[1, 2, 3], "x"]),
    (Point, 'a.x: "x" is no int', [["x"]]),
    (Point, "a.z: there is no such field", [{"z": 1}]),
    (Optional[int], 'a: "x" is no int', ["x"]),
    (Optional[Item], "a.price: it is missing", [{"name": "x"}]),
    (
        int | bool,
        'a: "x" is none of int | bool ("x" is no int; send a whole number such as 64. "x" is no',
        ["x"],
    ),
    (int | date, "a: {} is none of int | date", [None, "x", []]),
    (
        Fish | Bird,
        "a: a map is none of Fish | Bird (.fins: it is missing: Fish has fins. .wings:",
        [{"wings": "x"}],
    ),
    (list[int | date], 'a[1]: "x" is none of int | date', [[1, "x"]]),
    (UserId, "a: {} is no int", ["x"]),
    (typing.Annotated[int, "pixels"], "a: {} is no int", ["x"]),
    ("'int'", "a: {} is no int", ["x"]),
    ("Optional[int]", "a: {} is no int", ["x"]),
]


@pytest.mark.parametrize(
    ("annotation", "expected", "value"),
    [(annotation, expected, value) for annotation, expected, values in TAKEN for value in values],
)
def test_what_is_taken(annotation: Any, expected: Any, value: Any) -> None:
    found = taking(annotation).invoke(value)
    assert is_same(found, expected), found


@pytest.mark.parametrize(
    ("annotation", "message", "value"),
    [(annotation, message, value) for annotation, message, values in REFUSED for value in values],
)
def test_what_is_refused(annotation: Any, message: str, value: Any) -> None:
    named = {
        list: "a list",
        dict: "a map",
        bytes: "a string of bytes",
        NoneType: "null",
        datetime: "a value of type datetime",
    }
    quoted = f'"{value}"' if isinstance(value, str) else named.get(type(value), str(value).lower())
    method = taking(annotation)
    for invoke, payload in ((method.invoke, value), (method.invoke_exact, [[value], {}])):
        with pytest.raises(ArgumentMismatch) as caught:
            invoke(payload)
        error = caught.value
        assert error.data is not None and set(error.data) == {"signature", "argument"}
        assert error.message.startswith(f"f(): argument {error.data['argument']}: ")
        assert message.replace("{}", quoted.replace("\0", "�")) in error.message and len(error.message) < 500


def rows_of_the_page() -> list[tuple[str, bool, str]]:
    """An annotation, whether it takes a value, and that value as JSON: as the table of docs/types.md has them."""
    found = []
    for line in PAGE.read_text().split("### What becomes what")[1].split("\n#")[0].splitlines():
        cells = [re.findall("`([^`]+)`", cell) for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 3:
            found += [
                (annotation, is_taken, value)
                for annotation in cells[0]
                for is_taken, values in ((True, cells[1]), (False, cells[2]))
                for value in values
                if value != "DateTimeInterface"
            ]
    return found


@pytest.mark.parametrize(("annotation", "is_taken", "value"), rows_of_the_page())
def test_the_page_says_what_is_taken_and_refused(annotation: str, is_taken: bool, value: str) -> None:
    method = taking(annotation.replace("deque", "collections.deque"))
    try:
        method.invoke(json.loads(value))
        assert is_taken
    except ArgumentMismatch:
        assert not is_taken


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    monkeypatch.setattr(gotask, "register", registry.register)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "app_of_the_page.py").write_text(PAGE.read_text().split("```python\n")[1].split("```")[0])
    importlib.import_module("app_of_the_page")
    for _, step in registry.opening("", False):
        step()
    order: dict[str, Any] = {"items": [{"name": "Tea", "price": "4.50"}], "due": "2024-02-29"}
    total = registry.find("Shop.Total")
    assert total.invoke(order) == Decimal("4.5") and total.invoke_exact(
        [[order], {"discount": "10"}]
    ) == Decimal("4.05")
    order["items"][0]["price"] = "free"
    with pytest.raises(ArgumentMismatch) as caught:
        total.invoke(order)
    assert caught.value.message in PAGE.read_text()


def unknown() -> list[Any]:
    found: list[Any] = [
        "Missing",
        "list[Missing]",
        "Optional[Missing]",
        "Missing | int",
        "Missing.Thing[int]",
        "_Missing",
    ]
    found += [
        Any,
        object,
        Custom,
        complex,
        Callable[[int], int],
        type,
        typing.Type[int],
        typing.TypeVar("T"),
        memoryview,
    ]
    found += [
        Iterator[int],
        AsyncIterator[int],
        list[Any] | Any,
        "1 +",
        "",
        7,
        "1/0",
        typing.Generic,
        enum.Enum,
    ]
    return found


@pytest.mark.parametrize("annotation", unknown())
def test_what_is_not_known_is_not_checked(annotation: Any) -> None:
    for value in (None, 5, "x", [[1]], b"\xff") if annotation != "list[Missing]" else ([[1], "x"],):
        assert taking(annotation).invoke(value) is value


def test_an_array_becomes_a_list_where_that_is_annotated() -> None:
    numpy = pytest.importorskip("numpy", reason="python3-numpy is not installed")
    array = numpy.array([[1.0, 2.0], [3.0, 4.0]])
    assert taking(list[list[int]]).invoke(array) == [[1, 2], [3, 4]]
    assert taking(tuple[float, ...]).invoke(array[0]) == (1.0, 2.0)
    assert taking(numpy.ndarray).invoke(array) is array
    with pytest.raises(ArgumentMismatch, match=r"argument a\[1\]: a list is no float"):
        taking(list[Union[float, None]]).invoke(numpy.array([1.0, [2.0]], dtype=object))


def test_an_array_of_rows_without_elements_is_no_list_of_any_length() -> None:
    numpy = pytest.importorskip("numpy", reason="python3-numpy is not installed")
    with pytest.raises(ArgumentMismatch, match="no elements, and too many rows for a list"):
        taking(list).invoke(numpy.ndarray((2**40, 0), "u1", b""))


@dataclass
class Sum:
    left: Sum | Product | int
    kind: Literal["+"]


@dataclass
class Product:
    left: Sum | Product | int
    kind: Literal["*"]


@pytest.mark.parametrize("leaf", [1, "1", "x"], ids=["fits", "is converted", "does not fit"])
def test_unions_within_unions_take_a_time_that_grows_with_the_value_alone(leaf: object) -> None:
    value = leaf
    for _ in range(60):
        value = {"left": value, "kind": "*"}
    taker = taking(Union[Sum, Product])
    if leaf != "x":
        made = taker.invoke(value)
        for _ in range(60):
            assert type(made) is Product
            made = made.left
        assert made == 1
    else:
        with pytest.raises(ArgumentMismatch) as error:
            taker.invoke(value)
        assert len(str(error.value)) < 2000


def parameter(annotation: Any, default: object = MISSING) -> Parameter:
    return Parameter("a", POSITIONAL_OR_KEYWORD, default, annotation)


def test_a_parameter_without_annotation_has_no_converter() -> None:
    for annotation in (MISSING, Any, object, "Missing", Custom):
        assert fit_of(parameter(annotation)) is None


def test_what_fits_is_known_by_its_type_alone() -> None:
    for annotation, exact in (
        *[(cls, {cls}) for cls in (bool, int, float, str, bytes)],
        *[(int | None, {int, NoneType}), (list, {list}), (dict, {dict}), (int | list, {int, list})],
    ):
        fit = fit_of(parameter(annotation))
        assert fit is not None and fit.exact == exact


def test_lists_and_maps_that_fit_are_not_copied() -> None:
    for annotation, value in ((list[int], [1, 2]), (dict[str, int | None], {"a": 1, "b": None}), (list, [1])):
        assert taking(annotation).invoke(value) is value


def test_all_parameters_convert() -> None:
    def f(a: int, b: int = 2, *rest: int, c: int, d: Optional[int] = None, **more: float) -> Any:
        return (a, b, rest, c, d, more)

    def only(*, k: int = 3) -> Any:
        return k

    def many(*values: date) -> Any:
        return values

    registry = Registry()
    for function in (f, only, many):
        registry.register(function)
    invoke = registry.find("f").invoke_exact
    assert invoke([["1", "5", "6", "7"], {"c": "8", "x": "9", "d": "1"}]) == (1, 5, (6, 7), 8, 1, {"x": 9.0})
    assert registry.find("f").invoke({"a": "1", "c": "8"}) == (1, 2, (), 8, None, {})
    assert registry.find("only").invoke("5") == 5 and registry.find("only").invoke(None) == 3
    assert registry.find("many").invoke("2024-02-29") == (date(2024, 2, 29),)
    for body, path in (
        ([["x"], {"c": 1}], "a"),
        ([[1, None], {"c": 1}], "b"),
        ([[1, 2, 3, "x"], {"c": 1}], r"rest\[1\]"),
        ([[1], {"c": "x"}], "c"),
        ([[1], {"c": 1, "x": "y"}], "x"),
    ):
        with pytest.raises(ArgumentMismatch, match=rf"^f\(\): argument {path}: .* is no "):
            invoke(body)
    with pytest.raises(ArgumentMismatch, match=r"^only\(\): argument k: "):
        registry.find("only").invoke("x")
    with pytest.raises(ArgumentMismatch, match=r"^many\(\): argument values\[0\]: "):
        registry.find("many").invoke("x")


def test_names_that_only_kwargs_take_are_converted_as_theirs() -> None:
    def f(a: str, /, **more: int) -> Any:
        return (a, more)

    registry = Registry()
    registry.register(f)
    assert registry.find("f").invoke_exact([["x"], {"a": "5"}]) == ("x", {"a": 5})


def test_defaults_stay_as_they_are_and_none_is_taken_where_it_is_one() -> None:
    def f(a: int = None, b: int = "text", c: Color = "red") -> Any:  # type: ignore
        return (a, b, c)

    registry = Registry()
    registry.register(f)
    assert registry.find("f").invoke(None) == (None, "text", "red")
    assert registry.find("f").invoke_exact([[None], {"b": "1"}]) == (None, 1, "red")


def test_what_an_annotation_names_may_be_defined_later() -> None:
    names: dict[str, Any] = {}
    exec("def f(a: 'Later', b: 'Later' = None):\n    return a", names)
    registry = Registry()
    registry.register(names["f"])
    names["Later"] = Item
    assert registry.find("f").invoke(X) == Item("x", 1.0)


def test_a_method_that_wants_arguments_as_they_are_sent() -> None:
    from gotask.app.decorators import method

    @method(convert=False)
    def f(a: int, b: Item) -> Any:
        return (a, b)

    registry = Registry()
    registry.register(f)
    assert registry.find("f").invoke(["x", []]) == ("x", [])


class NewModel:
    """What is asked of a model of pydantic 2, which Debian may not have."""

    model_fields: dict[str, Any] = {}

    class Refused(ValueError):
        def errors(self) -> list[dict[str, Any]]:
            return [
                {"loc": ("items", 3, "price"), "msg": "Input should be a number"},
                {"loc": (), "msg": "more"},
            ]

    @classmethod
    def model_validate(cls, value: Any) -> Any:
        if value == "bad":
            raise cls.Refused
        return ("made of", value)


def test_a_model_of_pydantic_2_is_validated_by_it() -> None:
    assert taking(NewModel).invoke({"a": 1}) == ("made of", {"a": 1})
    with pytest.raises(
        ArgumentMismatch, match=r"argument a\.items\[3\]\.price: Input should be a number \(and 1 more\)"
    ):
        taking(NewModel).invoke("bad")


def test_a_failure_of_the_class_is_its_own() -> None:
    with pytest.raises(LookupError, match="a failure of its own"):
        taking(Checked).invoke({"percent": 13})


def test_what_is_nested_without_end_is_refused() -> None:
    value: dict[str, Any] = {"items": []}
    for _ in range(500):
        value = {"items": [], "parent": value}
    with pytest.raises(ArgumentMismatch, match="nested too deep"):
        taking(Order).invoke(value)


def test_long_values_are_shown_in_part() -> None:
    with pytest.raises(ArgumentMismatch) as caught:
        taking(dict[str, int]).invoke({"k" * 10_000 + "\n": "v" * 10_000 + "\x1b"})
    assert len(caught.value.message) < 200 and "\n" not in caught.value.message


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_is_sent_fits_or_is_refused(value: Any) -> None:
    for method in METHODS:
        try:
            method.invoke(value)
        except ArgumentMismatch as error:
            assert error.message.startswith("f(): argument a")


METHODS = [taking(annotation) for annotation, _, _ in TAKEN]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with Python 3.12")
def test_the_type_statement() -> None:
    names: dict[str, Any] = {}
    exec("type Width = int | None\ntype Tree = int | list[Tree]\ntype Of[T] = list[T]", names)
    assert taking(names["Width"]).invoke("5") == 5
    assert taking(names["Tree"]).invoke("5") == 5 and taking(names["Tree"]).invoke([[1]]) == [[1]]
    assert taking(names["Of"][int]).invoke({}) == []
    with pytest.raises(ArgumentMismatch):
        taking(names["Width"]).invoke("x")
