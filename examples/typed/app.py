"""A small shop: each kind of annotation that PHP gets a type for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID, uuid4

import gotask


class Status(Enum):
    """What has become of an order."""

    OPEN = "open"
    SENT = "sent"


class Priority(int, Enum):
    LOW = 1
    HIGH = 2


@dataclass
class Item:
    """Some pieces of one article."""

    sku: str
    price: Decimal
    quantity: int = 1
    tags: list[str] = field(default_factory=list)


class Place(TypedDict):
    street: str
    city: str


class Address(Place, total=False):
    note: str


class Point(NamedTuple):
    latitude: float
    longitude: float


@dataclass
class Order:
    id: UUID
    items: list[Item]
    address: Address
    placed_at: datetime
    status: Status = Status.OPEN
    priority: Priority = Priority.LOW
    replaces: "Order | None" = None


@gotask.service
class Orders:
    """Orders of the shop."""

    def total(self, items: list[Item], *, discount: Decimal = Decimal("0.00")) -> Decimal:
        """What the items cost together.

        Rounded to cents; the discount is taken off once.
        """
        return sum((item.price * item.quantity for item in items), Decimal()) - discount

    def place(
        self,
        items: list[Item],
        address: Address,
        priority: Priority = Priority.LOW,
        replaces: Order | None = None,
    ) -> Order:
        """Places an order."""
        return Order(
            uuid4(), items, address, datetime.now(timezone.utc), priority=priority, replaces=replaces
        )

    def find(self, id: UUID, among: list[Order]) -> Order | None:
        return next((order for order in among if order.id == id), None)

    def by_city(self, orders: list[Order]) -> dict[str, list[Order]]:
        cities: dict[str, list[Order]] = {}
        for order in orders:
            cities.setdefault(order.address["city"], []).append(order)
        return cities

    def advance(self, status: Status) -> Status:
        return Status.SENT

    def label(self, order: Order, encoding: Literal["utf-8", "ascii"] = "utf-8") -> bytes:
        return f"{order.address['street']}, {order.address['city']}".encode(encoding, "replace")

    def due(self, day: date, within: timedelta = timedelta(days=1), at: time | None = None) -> datetime:
        """When an order of that day has to be sent."""
        return datetime.combine(day, at or time(12), timezone.utc) + within

    def age(self, since: datetime, until: datetime | None = None) -> timedelta:
        return (until or datetime.now(timezone.utc)) - since

    def way(self, start: Point, *stops: Point) -> list[Point]:
        return [start, *stops]

    def box(self, sizes: list[tuple[int, int, int]]) -> tuple[int, int, int]:
        """The smallest box in which they stand side by side."""
        return sum(size[0] for size in sizes), max(size[1] for size in sizes), max(size[2] for size in sizes)

    def search(self, text: str, limit: int | None = None, **filters: str | int | bool) -> dict[str, Any]:
        return {"text": text, "limit": limit, "filters": filters}

    def archive(self, folder: Path = Path("orders")) -> Path:
        return folder / "archive.zip"

    def rows(self, count: int) -> Iterator[Item]:
        """Items, one after the other."""
        for number in range(count):
            yield Item(f"A{number}", Decimal(number))

    async def watch(self, every: float = 0.01) -> AsyncIterator[Status]:
        for status in Status:
            await asyncio.sleep(every)
            yield status

    def clear(self) -> None:
        pass


@gotask.register
async def exchange_rate(currency: str, day: date | None = None) -> float:
    """What a euro costs."""
    await asyncio.sleep(0)
    return 1.25
