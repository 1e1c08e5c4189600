"""What methods return in Python, by a name."""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
import pathlib
import types
import uuid

import gotask

try:
    import numpy
    import pandas
except ImportError:
    numpy = pandas = None


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    total: decimal.Decimal
    made: datetime.datetime
    lines: tuple


class ObjectId:
    def __str__(self):
        return "65f0c0ffee"


gotask.encoder(ObjectId, str)

UTC = datetime.timezone.utc
TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)
ID = uuid.UUID(int=1)

VALUES = {
    "decimal": decimal.Decimal("1.10"),
    "date": TIME.date(),
    "time": TIME.time(),
    "datetime": TIME,
    "naive datetime": TIME.replace(tzinfo=None),
    "timedelta": datetime.timedelta(seconds=1.5),
    "uuid": ID,
    "enum": Colour.RED,
    "set": {1},
    "deque": collections.deque([1, 2]),
    "view": {"a": 1}.keys(),
    "range": range(3),
    "mapping": types.MappingProxyType({"a": 1}),
    "keys": {TIME.date(): 1, ID: 2, TIME: 3, Colour.RED: 4},
    "dataclass": Order(ID, decimal.Decimal("9.90"), TIME, (1, 2)),
    "path": pathlib.Path("/tmp/x"),
    "address": ipaddress.ip_address("127.0.0.1"),
    "encoder": ObjectId(),
    "nan": [math.nan, math.inf],
    "finite": gotask.finite([math.nan, 1.5]),
}
if numpy is not None:
    VALUES |= {
        "numpy scalars": [
            numpy.int64(3),
            numpy.float32(1.5),
            numpy.bool_(True),
            numpy.datetime64("2026-01-02"),
            numpy.datetime64("NaT"),
        ],
        "Timestamp": [pandas.Timestamp(TIME), pandas.Timestamp("2026-01-02"), pandas.NaT, pandas.NA],
        "Series": pandas.Series([1.5, None]),
        "Series with an index": pandas.Series({"x": 1}),
        "DataFrame": pandas.DataFrame({"name": ["a", None], "price": [1.5, float("nan")]}),
    }


@gotask.register
class Values:
    def get(self, name: str):
        return VALUES[name]

    def scaled(self, array: "numpy.ndarray", factor: float):
        assert isinstance(array, numpy.ndarray), type(array)
        return array * factor

    async def later(self, array):
        return {"twice": array * 2}

    def columns(self, rows: int):
        frame = pandas.DataFrame({"id": range(rows), "price": 1.5, "name": "x"})
        return {name: frame[name].to_numpy() for name in frame}

    def echo(self, value):
        return value

    def has_numpy(self) -> bool:
        return numpy is not None
