"""What values become that a codec has no form of its own for: `docs/results.md` lists them.

Called for such values alone, so plain ones cost nothing. Classes of other packages are known by their names: none is imported
for it, and the application may have modules of the same names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence, Set, ValuesView
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from ..errors import class_name
from . import arrays

Encoder = Callable[[Any], Any]
T = TypeVar("T")

# Encoders may lead to one another, so many times.
_MAX_STEPS = 16

# Classes whose encoder is remembered.
_MAX_CLASSES = 4096

# What every codec has a form for, so that nothing is ever asked about it or its subclasses.
_NATIVE = (str, int, float, bytes, bytearray, memoryview, list, tuple, dict, type(None))


def encoder(cls: type[T], function: Callable[[T], Any]) -> None:
    """Says what is sent in place of the instances of a class and of its subclasses.

        gotask.encoder(ObjectId, str)

    What `function` returns is encoded in its turn. What it raises fails the call with `invalid_result`. Raises TypeError for a
    class whose instances are sent as the text, number, list or map that they are.
    """
    if not isinstance(cls, type) or not callable(function):
        raise TypeError(f"encoder() takes a class and a function, not {cls!r} and {function!r}")
    if issubclass(cls, _NATIVE) or cls is datetime:
        raise TypeError(
            f"instances of {class_name(cls)} are sent as they are: encoder() is for classes that MessagePack has no form for"
        )
    _encoders[cls] = function
    _found.clear()


def convert(value: Any) -> Any:
    """What is sent in place of `value`. Only within it there may be more to convert.

    `value` itself if nothing is known of its class, or it need not be converted. Raises what an encoder raises.
    """
    for _ in range(_MAX_STEPS):
        cls = type(value)
        sent = (_found.get(cls) or _find(cls))(value)
        if sent is value:
            return value
        value = sent
    raise TypeError(f"its encoders do not end: after {_MAX_STEPS} of them it is a {class_name(type(value))}")


def finite(value: Any) -> Any:
    """A copy of `value` with None in place of each NaN and infinity, which JSON can't hold.

    Looks into whatever is sent as a list or a map; an array becomes a list.
    """
    value = convert(value)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return finite(arrays.to_list(value)) if arrays.is_array(value) else value


# By class. The last ones are asked in vain for most, so what was found is kept.
_encoders: dict[type, Encoder] = {}
_found: dict[type, Encoder] = {}


def _find(cls: type) -> Encoder:
    found = _look_up(cls)
    if len(_found) < _MAX_CLASSES:
        _found[cls] = found
    return found


def _look_up(cls: type) -> Encoder:
    for base in cls.__mro__:
        package, _, name = class_name(base).rpartition(".")
        found = _encoders.get(base) or _BY_NAME.get(f"{package.partition('.')[0]}.{name}")
        if found is not None:
            return found
    for attribute, encode in _BY_ATTRIBUTE.items():
        # What only the metaclass has does not count, nor what __getattr__ makes up.
        if any(attribute in vars(base) for base in cls.__mro__):
            return encode
    for kind, encode in _BY_KIND:
        if issubclass(cls, kind) and not issubclass(cls, _NATIVE):
            return encode
    return _itself


def _itself(value: Any) -> Any:
    return value


def _datetime(value: datetime) -> Any:
    """Without a time zone it is text: to guess one would shift it by hours."""
    if value.tzinfo is None:
        return value.isoformat()
    # Of its subclasses, such as that of pandas, msgpack knows nothing.
    return value if type(value) is datetime else datetime.combine(value.date(), value.timetz())


def _decimal(value: Any) -> str:
    """Without an exponent, which PHP's bcmath does not read, unless there would be hundreds of zeros."""
    return format(value, "f") if value.is_finite() and abs(value.as_tuple().exponent) < 400 else str(value)


def _scalar(value: Any) -> Any:
    """Of numpy. Nanoseconds become microseconds, which is what Python's types hold."""
    kind = value.dtype.kind
    return (value.astype(f"{kind}8[us]") if kind in "mM" and _is_finer(value.dtype) else value).item()


def _is_finer(dtype: Any) -> bool:
    unit = sys.modules["numpy"].datetime_data(dtype)[0]
    return unit not in ("Y", "M", "W", "D", "h", "m", "s", "ms")


def _array(value: Any) -> Any:
    """Of numpy. One of numbers or booleans stays an array, which the codec sends as such."""
    kind = value.dtype.kind
    if value.ndim == 0:
        return _scalar(value[()]) if kind != "O" else value.item()
    if kind in "mM" and _is_finer(value.dtype):
        value = value.astype(f"{kind}8[us]")
    # A list has None where a masked array has nothing, and where a time is none.
    return value if arrays.is_numeric(value) else value.tolist()


def _records(frame: Any) -> list[dict[Any, Any]]:
    names = _labels(frame.columns, "columns", ".to_numpy()")
    columns = [_known(frame.iloc[:, at]) for at in range(len(names))]
    return [dict(zip(names, row)) for row in zip(*columns)]


def _series(series: Any) -> dict[Any, Any]:
    return dict(zip(_labels(series.index, "index", ".tolist(), or .reset_index()"), _known(series)))


def _labels(index: Any, what: str, instead: str) -> list[Any]:
    if index.nlevels > 1 or not index.is_unique:
        raise ValueError(
            f"its {what} can't be the keys of a map, being of several levels or not unique: send {instead} of it"
        )
    return [label if type(label) is str else convert(label) for label in _known(index)]


def _known(values: Any) -> list[Any]:
    """Of a Series, an Index, or another array of pandas. What is missing is None, as in pandas' own to_json()."""
    missing = values.isna()
    listed: list[Any] = values.tolist()
    return [None if gone else value for value, gone in zip(listed, missing)] if missing.any() else listed


def _model(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value.dict()  # pydantic 2, or 1


def _dataclass(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in sys.modules["dataclasses"].fields(value)}


def _attrs(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in value.__attrs_attrs__}


def _none(value: Any) -> None:
    return None


# By the package and the name of the class, or of the first base that is listed: which module it is in changes with versions.
_BY_NAME: dict[str, Encoder] = {
    "enum.Enum": lambda value: value.value,
    "pandas.NaTType": _none,
    "pandas.NAType": _none,
    "datetime.datetime": _datetime,
    "datetime.date": date.isoformat,
    "datetime.time": lambda value: value.isoformat(),
    "datetime.timedelta": timedelta.total_seconds,
    "decimal.Decimal": _decimal,
    "uuid.UUID": str,
    "ipaddress._IPAddressBase": str,
    "collections.UserString": str,
    "numpy.generic": _scalar,
    "numpy.ndarray": _array,
    "array.array": lambda value: value.tolist(),
    "pandas.DataFrame": _records,
    "pandas.Series": _series,
    "pandas.Index": _known,
    "pandas.ExtensionArray": _known,
    "pandas.Interval": str,
    "pandas.Period": str,
    "pydantic.BaseModel": _model,
    "sqlite3.Row": dict,
    "asyncpg.Record": dict,
}
_BY_ATTRIBUTE: dict[str, Encoder] = {
    "__dataclass_fields__": _dataclass,
    "__attrs_attrs__": _attrs,
    "__fspath__": os.fspath,
}
_BY_KIND: tuple[tuple[type, Encoder], ...] = (
    (Mapping, dict),
    (Set, list),
    (Sequence, list),
    (ValuesView, list),
)
