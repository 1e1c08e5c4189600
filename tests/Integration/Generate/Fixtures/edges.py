"""What is hard to write in PHP: names that it reserves or that are alike, text that would end a comment, odd forms."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Dict, FrozenSet, List, Literal, NamedTuple, Optional, Set, Tuple, TypedDict, Union

import gotask


class Color(Enum):
    RED = "red"
    CLASS = "class"
    ROSE = RED
    GRÜN = "grün"


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Level(int, Enum):
    LOW = 1
    HIGH = 2


@dataclass
class Box:
    """A box. */ exit(1); /*

    @return never
    """

    width: float
    color: Color = Color.RED
    inner: Optional["Box"] = None
    made: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=timezone.utc))


class Outer:
    @dataclass
    class Box:
        boxes: List[Box] = field(default_factory=list)


@dataclass
class Images:
    """Has the name of a service."""


@dataclass
class Circle:
    radius: float


@dataclass
class Round:
    radius: float


@dataclass
class Made:
    name: str
    kind: Literal["made"] = "made"


class Gone(TypedDict):
    kind: Literal["gone"]
    name: str


class Pair(NamedTuple):
    color: Color
    box: Box


class Tree(TypedDict, total=False):
    value: int
    below: List["Tree"]


Odd = TypedDict(
    "Odd",
    {"content-type": str, "2x": int, "it's": bool, "*/ $x": str, 'a"b': int, "class": str, "new\nline": int},
)


@gotask.service(name="Images")
class Service:
    def print(self, this: int, max_width: int = 1, maxWidth: int = 2, **kwargs: Color) -> List[Any]:
        return [this, max_width, maxWidth, {name: color.value for name, color in kwargs.items()}]

    def größe_der_welt(self, größe: float = 1) -> float:
        """Ende */ exit(1); /* <?php
        @return never
        {@see exit} $x ${x} \\
        """
        return größe * 2

    def only(self, a: int, b: object = object(), /, *rest: int, c: int, d: Any = object()) -> List[Any]:
        return [a, type(b) is object, rest, c, type(d) is object]

    def defaults(
        self,
        color: Color = Color.GRÜN,
        box: Box = Box(2.5, Color.CLASS),
        number: int = None,  # type: ignore[assignment]
        *,
        day: datetime = datetime(2026, 1, 31),
    ) -> List[Any]:
        return [color.value, box.width, box.color.value, number, day.day]

    def all(self, *args: int, **kwargs: str) -> List[Any]:
        return [args, kwargs]

    def literal(
        self, value: Literal["*/", "it's", "$x", 1, True, None]
    ) -> Literal["*/", "it's", "$x", 1, True, None]:
        return value

    def mixed(self, value: Mixed) -> Mixed:
        return value

    def odd(self, value: Odd) -> Odd:
        return value

    def tree(self, value: Tree) -> Tree:
        return value

    def nothing(self, value: Images = Images()) -> Images:
        return value

    def outer(self, value: Outer.Box) -> Outer.Box:
        return value

    def one_of(self, value: Union[Box, int, None]) -> Union[Box, int, None]:
        return value

    def either(self, value: Union[Box, Circle]) -> Union[Box, Circle]:
        return value

    def events(self, value: List[Union[Made, Gone, None]]) -> List[Union[Made, Gone, None]]:
        return value

    def alike(self, value: int) -> Union[Circle, Round]:
        return Round(value)

    def nested(
        self, value: Dict[str, List[Optional[Tuple[Box, Color]]]]
    ) -> Dict[str, List[Optional[Tuple[Box, Color]]]]:
        return value

    def pairs(self, value: List[Pair]) -> List[Pair]:
        return value

    def keys(self, value: Dict[Color, int]) -> Dict[Color, int]:
        return value

    def sets(
        self, a: Set[int], b: FrozenSet[Level], c: "deque[Decimal]"
    ) -> Tuple[Set[int], FrozenSet[Level], "deque[Decimal]"]:
        return a, b, c

    def data(self, value: bytes, more: List[bytes], text: Union[bytes, str]) -> List[str]:
        return [type(each).__name__ for each in (value, *more, text)]


@gotask.service(name="List")
class Reserved:
    def list(self, match: int = 1) -> None:
        pass


@gotask.service(name="shop.args")
class Dotted:
    def class_(self, function: str) -> str:
        return function


def functions() -> str:
    return "a function"


gotask.register(functions)
gotask.register(lambda x: x, "args")
