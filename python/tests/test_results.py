"""What methods return arrives sensibly, without hand-written code."""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import math
import os
import pathlib
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import gotask
from gotask.errors import InvalidResult
from gotask.wire import results
from gotask.wire.codec import JSON, MSGPACK, decode, encode

UTC = dt.timezone.utc


class Colour(enum.Enum):
    RED = "red"
    PRICE = decimal.Decimal("1.50")


class Level(enum.IntEnum):
    LOW = 1


class Mode(str, enum.Enum):
    FAST = "fast"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: int
    when: dt.date
    inner: Point | None = None


class Pair(NamedTuple):
    a: int
    b: dt.date


def pydantic_model(method: str) -> type:
    """As far as it is looked at: pydantic 1 has dict(), 2 has model_dump()."""
    model = type("BaseModel", (), {method: lambda self: {"id": uuid.UUID(int=1)}})
    model.__module__ = "pydantic.main"
    return type("User", (model,), {})


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("0E-8"), "0.00000000"),
        (decimal.Decimal("1E+2"), "100"),
        (decimal.Decimal("1E+9999"), "1E+9999"),
        (decimal.Decimal("NaN"), "NaN"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4, 5), "03:04:05"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (dt.timedelta(minutes=1, milliseconds=500), 60.5),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Colour.PRICE, "1.50"),
        (Level.LOW, 1),
        (Mode.FAST, "fast"),
        (Rights.READ | Rights.WRITE, 3),
        ({1}, [1]),
        (frozenset([1]), [1]),
        (collections.deque([1, 2]), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.items(), [["a", 1]]),
        (range(3), [0, 1, 2]),
        (collections.UserList([1]), [1]),
        (collections.UserString("x"), "x"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (collections.UserDict(a=1), {"a": 1}),
        (collections.ChainMap({"a": 1}), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (array.array("i", [1, 2]), [1, 2]),
        (pathlib.Path("/tmp/x"), "/tmp/x"),
        (ipaddress.ip_address("127.0.0.1"), "127.0.0.1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (Pair(1, dt.date(2026, 1, 2)), [1, "2026-01-02"]),
        (
            Point(1, dt.date(2026, 1, 2), Point(2, dt.date(2026, 1, 3))),
            {"x": 1, "when": "2026-01-02", "inner": {"x": 2, "when": "2026-01-03", "inner": None}},
        ),
        (pydantic_model("dict")(), {"id": "00000000-0000-0000-0000-000000000001"}),
        (pydantic_model("model_dump")(), {"id": "00000000-0000-0000-0000-000000000001"}),
    ],
)
def test_what_python_has(value: Any, sent: Any) -> None:
    assert decode(MSGPACK, encode(MSGPACK, [value])) == [sent]
    assert decode(JSON, encode(JSON, {"a": value})) == {"a": sent}


def test_a_model_of_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("User", id=(uuid.UUID, ...), born=(dt.date, ...))
    user = model(id=uuid.UUID(int=1), born=dt.date(2026, 1, 2))
    sent = {"id": "00000000-0000-0000-0000-000000000001", "born": "2026-01-02"}
    assert decode(MSGPACK, encode(MSGPACK, [user])) == [sent]


def test_a_class_of_attrs() -> None:
    attr = pytest.importorskip("attr")
    made = attr.make_class("Made", ["at", "inner"])
    value = made(dt.date(2026, 1, 2), made(1, None))
    assert decode(MSGPACK, encode(MSGPACK, value)) == {"at": "2026-01-02", "inner": {"at": 1, "inner": None}}


def test_rows_of_a_database() -> None:
    sqlite3 = pytest.importorskip("sqlite3")
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT 1 AS id, 'x' AS name").fetchall()
    assert decode(MSGPACK, encode(MSGPACK, rows)) == [{"id": 1, "name": "x"}]


def test_keys_of_a_map() -> None:
    value = {dt.date(2026, 1, 2): 1, uuid.UUID(int=1): 2, Colour.RED: 3, Level.LOW: 4}
    sent = {"2026-01-02": 1, "00000000-0000-0000-0000-000000000001": 2, "red": 3, 1: 4}
    assert decode(MSGPACK, encode(MSGPACK, value)) == sent


numpy_values = [
    ("int64(2**62)", 2**62),
    ("uint64(2**64 - 1)", 2**64 - 1),
    ("int8(-1)", -1),
    ("float32(1.5)", 1.5),
    ("float64(1.5)", 1.5),
    ("bool_(True)", True),
    ("str_('x')", "x"),
    ("datetime64('2026-01-02T03:04:05.123456789')", "2026-01-02T03:04:05.123456"),
    ("datetime64('2026-01-02')", "2026-01-02"),
    ("datetime64('NaT')", None),
    ("timedelta64(1500, 'ms')", 1.5),
    ("timedelta64(1500, 'ns')", 1e-06),
    ("array(['a', 'b'])", ["a", "b"]),
    ("array([1, None, 'x'], dtype=object)", [1, None, "x"]),
    ("array(['2026-01-02', 'NaT'], dtype='datetime64[ns]')", ["2026-01-02T00:00:00", None]),
    ("array([1500], dtype='timedelta64[ms]')", [1.5]),
    ("array(5)", 5),
    ("array('2026-01-02', dtype='datetime64[ns]')", "2026-01-02T00:00:00"),
    ("ma.array([1, 2], mask=[False, True])", [1, None]),
]


@pytest.mark.parametrize(("source", "sent"), numpy_values)
def test_numpy(source: str, sent: Any) -> None:
    numpy = pytest.importorskip("numpy")
    value = eval(f"numpy.{source}", {"numpy": numpy})
    assert decode(MSGPACK, encode(MSGPACK, {"a": value})) == {"a": sent}
    assert decode(JSON, encode(JSON, {"a": value})) == {"a": sent}


pandas_values: list[tuple[str, Any]] = [
    ("Timestamp('2026-01-02')", "2026-01-02T00:00:00"),
    ("NaT", None),
    ("NA", None),
    ("Timedelta('90s')", 90.0),
    ("Interval(0, 1)", "(0, 1]"),
    ("Period('2026-01')", "2026-01"),
    ("Index([1, 2])", [1, 2]),
    ("DatetimeIndex(['2026-01-02', None])", ["2026-01-02T00:00:00", None]),
    ("Categorical(['a', None])", ["a", None]),
    ("Series({'x': 1.5, 'y': None})", {"x": 1.5, "y": None}),
    (
        "Series([1, 2], index=DatetimeIndex(['2026-01-01', '2026-01-02']))",
        {"2026-01-01T00:00:00": 1, "2026-01-02T00:00:00": 2},
    ),
    ("DataFrame()", []),
    ("DataFrame({'a': [1, 2], 'b': ['x', None]})", [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
    (
        "DataFrame({'t': to_datetime(['2026-01-02', None]), 'f': [1.5, float('nan')]})",
        [{"t": "2026-01-02T00:00:00", "f": 1.5}, {"t": None, "f": None}],
    ),
    (
        "DataFrame({'i': array([1, None]), 'c': Categorical(['u', 'v'])})",
        [{"i": 1, "c": "u"}, {"i": None, "c": "v"}],
    ),
]


@pytest.mark.parametrize(("source", "sent"), pandas_values)
def test_pandas(source: str, sent: Any) -> None:
    pandas = pytest.importorskip("pandas")
    value = eval(source, vars(pandas))
    assert decode(MSGPACK, encode(MSGPACK, {"a": value})) == {"a": sent}
    assert decode(JSON, encode(JSON, {"a": value})) == {"a": sent}


def test_an_aware_timestamp_is_a_time() -> None:
    pandas = pytest.importorskip("pandas")
    time = dt.datetime(2026, 1, 2, 3, 4, 5, 250_000, UTC)
    assert decode(MSGPACK, encode(MSGPACK, pandas.Timestamp(time))) == time
    assert encode(JSON, pandas.Timestamp(time)) == b'"2026-01-02T03:04:05.250000+00:00"'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "Series([1, 2], index=[0, 0])",
            r'result\["a"\] is a pandas.*Series, which can.t be sent: its index .* send .tolist\(\)',
        ),
        ("DataFrame([[1, 2]], columns=['x', 'x'])", r'result\["a"\] is a pandas.*DataFrame, .*its columns'),
    ],
)
def test_labels_that_would_lose_values_are_refused(source: str, message: str) -> None:
    pandas = pytest.importorskip("pandas")
    for codec in MSGPACK, JSON:
        with pytest.raises(InvalidResult, match=message):
            encode(codec, {"a": eval(source, vars(pandas))})


class ObjectId:
    def __init__(self, text: str = "65f0") -> None:
        self.text = text


class SubId(ObjectId):
    pass


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    before = dict(results._encoders)
    yield gotask.encoder
    results._encoders.clear()
    results._encoders.update(before)
    results._found.clear()


def test_an_encoder_for_a_class_of_others(registered: Callable[..., None]) -> None:
    with pytest.raises(InvalidResult, match=r"gotask.encoder\(ObjectId, …\)"):
        encode(MSGPACK, ObjectId())
    registered(ObjectId, lambda value: {"$oid": value.text, "made": dt.date(2026, 1, 2)})
    for codec in MSGPACK, JSON:
        sent = {"$oid": "65f0", "made": "2026-01-02"}
        assert decode(codec, encode(codec, [ObjectId(), SubId()])) == [sent, sent]
    registered(ObjectId, lambda value: value.text)
    assert decode(MSGPACK, encode(MSGPACK, {ObjectId(): ObjectId()})) == {"65f0": "65f0"}


def test_an_encoder_in_place_of_ours(registered: Callable[..., None]) -> None:
    assert decode(MSGPACK, encode(MSGPACK, decimal.Decimal("1.5"))) == "1.5"
    registered(decimal.Decimal, float)
    assert decode(MSGPACK, encode(MSGPACK, decimal.Decimal("1.5"))) == 1.5


def test_an_encoder_that_fails(registered: Callable[..., None]) -> None:
    registered(ObjectId, lambda value: value.nothing)
    with pytest.raises(
        InvalidResult, match=r"result\[1\] is a .*ObjectId, which can't be sent: .*no attribute 'nothing'"
    ):
        encode(MSGPACK, [0, ObjectId()])


@pytest.mark.parametrize("codec", [MSGPACK, JSON])
def test_encoders_that_do_not_end(registered: Callable[..., None], codec: int) -> None:
    registered(ObjectId, lambda value: ObjectId())
    with pytest.raises(InvalidResult, match="its encoders do not end"):
        encode(codec, {"a": ObjectId()})
    registered(ObjectId, lambda value: [value])
    with pytest.raises(InvalidResult, match="nested more than 512 deep"):
        encode(codec, ObjectId())


@pytest.mark.parametrize("cls", [int, bool, Level, Mode, Pair, collections.OrderedDict, dt.datetime])
def test_an_encoder_that_would_never_be_asked(registered: Callable[..., None], cls: type) -> None:
    with pytest.raises(TypeError, match="are sent as they are"):
        registered(cls, str)


def test_an_encoder_that_is_none(registered: Callable[..., None]) -> None:
    for wrong in ((ObjectId, "str"), ("ObjectId", str)):
        with pytest.raises(TypeError, match="takes a class and a function"):
            registered(*wrong)


def test_nan_is_kept_in_messagepack_and_refused_in_json_with_what_to_do() -> None:
    sent = decode(MSGPACK, encode(MSGPACK, [math.nan, math.inf]))
    assert math.isnan(sent[0]) and sent[1] == math.inf
    with pytest.raises(InvalidResult, match=r'result\["a"\]\[1\] is nan, .*gotask.finite\(\)'):
        encode(JSON, {"a": [1.0, math.nan]})


def test_finite() -> None:
    value = {"a": (math.nan, 1.5, "x", True, None), "b": {-math.inf}, "p": Point(1, dt.date(2026, 1, 2))}
    expected = {
        "a": [None, 1.5, "x", True, None],
        "b": [None],
        "p": {"x": 1, "when": "2026-01-02", "inner": None},
    }
    assert gotask.finite(value) == expected


def test_finite_of_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    assert gotask.finite([numpy.array([[1.5, math.nan], [math.inf, 2]])]) == [[[1.5, None], [None, 2.0]]]
    assert gotask.finite(numpy.float64("nan")) is None


def test_a_view_of_memory_is_bytes() -> None:
    assert decode(MSGPACK, encode(MSGPACK, memoryview(b"x"))) == b"x"
    with pytest.raises(InvalidResult, match="base64"):
        encode(JSON, memoryview(b"x"))


def test_the_environment_is_a_map() -> None:
    assert decode(MSGPACK, encode(MSGPACK, os.environ)) == dict(os.environ)
