"""How single values become what an annotation asks for: numbers, text, times. docs/types.md has the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from .annotations import Type
from .misfit import Misfit, misfit, shown

Convert = Callable[[Any], Any]

# Digits of a number in text; above it Python itself refuses an int.
_MAX_DIGITS = 4300

# Choices that a message lists.
_MAX_CHOICES = 10


def converter(wanted: Type) -> Convert:
    """For a type of one of these kinds; it is given whatever is not exactly of that type, and raises Misfit."""
    make = _MAKERS.get(wanted.kind)
    return make(wanted.cls) if make is not None else _CONVERTERS[wanted.kind]


def _to_bool(value: Any) -> bool:
    found = None
    if type(value) is str:
        found = _BOOLS.get(value.strip().lower())
    elif type(value) in (int, float) and value in (0, 1):
        found = value == 1
    if found is None:
        raise misfit(value, "bool", 'true or false, 1 or 0, or as forms have it "on" or "off"')
    return found


_BOOLS = {"true": True, "1": True, "on": True, "yes": True}
_BOOLS |= {"false": False, "0": False, "off": False, "no": False}


def _to_int(value: Any) -> int:
    if type(value) is str:
        text = value.strip()
        digits = text[1:] if text.startswith(("-", "+")) else text
        if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS:
            return int(text)
    elif type(value) is float and value.is_integer() or type(value) is bool:
        return int(value)
    raise misfit(value, "int", "a whole number such as 64")


# A number in text, as PHP, JSON and forms write it: neither NaN nor infinite, and no underscores.
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?"


def _is_number(text: str) -> bool:
    return len(text) <= _MAX_DIGITS and re.fullmatch(_NUMBER, text, re.ASCII) is not None


def _is_finite(number: float) -> bool:
    return number - number == 0


def _to_float(value: Any) -> float:
    try:
        if type(value) in (int, bool):
            return float(value)
        if type(value) is str and _is_number(value.strip()):
            found = float(value)
            if _is_finite(found):
                return found
    except OverflowError:
        pass
    raise misfit(value, "float", "a number such as 1.5")


def _to_str(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Misfit("its bytes are no UTF-8, so it is no str; annotate bytes to take them") from None
    raise misfit(value, "str", "text")


def _to_bytes(value: Any) -> bytes:
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass")
    raise misfit(value, "bytes", "a string")


def _to_null(value: Any) -> None:
    raise misfit(value, "None", "null")


# ISO 8601 as PHP, browsers and databases write it, the same in all versions of Python.
_DATE = r"(\d{4}-\d\d-\d\d)"
_TIME = r"(\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,12}))?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?"


def _clock(time: str, seconds: str | None, fraction: str | None, offset: str | None) -> str:
    """The groups of _TIME as every `fromisoformat` understands them."""
    text = time + (seconds or "")
    if fraction:
        text += f".{fraction[:6]:0<6}"
    if offset:
        digits = offset.replace(":", "").upper()
        text += "+00:00" if digits == "Z" else f"{digits[:3]}:{digits[3:] or '00'}"
    return text


def _read_datetime(cls: Any, text: str) -> Any:
    """ValueError: it is none."""
    found = re.fullmatch(f"{_DATE}(?:[T ]{_TIME})?", text.strip(), re.ASCII | re.IGNORECASE)
    if found is None:
        raise ValueError
    day, *clock = found.groups()
    return cls.fromisoformat(f"{day}T{_clock(*clock)}" if clock[0] else day)


def _make_to_datetime(cls: Any) -> Convert:
    from datetime import timezone

    def convert(value: Any) -> Any:
        try:
            if type(value) is str:
                return _read_datetime(cls, value)
            if type(value) in (int, float):
                return cls.fromtimestamp(value, timezone.utc)
        except (ValueError, OverflowError, OSError):
            pass
        raise misfit(value, "datetime", 'a time, or text such as "2024-02-29T13:45:00+01:00"')

    return convert


def _make_to_date(cls: Any) -> Convert:
    from datetime import datetime, time

    def convert(value: Any) -> Any:
        try:
            moment = _read_datetime(datetime, value) if type(value) is str else value
            # In UTC another day's midnight is no midnight, so such a time is refused and never a day off.
            if isinstance(moment, datetime) and moment.time() == time():
                return cls(moment.year, moment.month, moment.day)
        except ValueError:
            pass
        raise misfit(value, "date", 'text such as "2024-02-29"')

    return convert


def _make_to_time(cls: Any) -> Convert:
    def convert(value: Any) -> Any:
        try:
            found = (
                re.fullmatch(_TIME, value.strip(), re.ASCII | re.IGNORECASE) if type(value) is str else None
            )
            if found is not None:
                return cls.fromisoformat(_clock(*found.groups()))
        except ValueError:
            pass
        raise misfit(value, "time", 'text such as "13:45:00"')

    return convert


# Months and years are missing: they have no length.
_DURATION = r"([+-]?)P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?"


def _make_to_timedelta(cls: Any) -> Convert:
    def read(text: str) -> Any:
        found = re.fullmatch(_DURATION, text, re.ASCII) if len(text) < _MAX_DIGITS else None
        if found is None:
            return cls(seconds=_to_float(text))
        sign, weeks, days, hours, minutes, seconds = (part or "0" for part in found.groups())
        length = cls(int(days), float(seconds.replace(",", ".")), 0, 0, int(minutes), int(hours), int(weeks))
        return -length if sign == "-" else length

    def convert(value: Any) -> Any:
        try:
            if type(value) is str:
                return read(value.strip())
            if type(value) in (int, float):
                return cls(seconds=value)
        except (ValueError, OverflowError, Misfit):
            pass
        raise misfit(value, "timedelta", 'seconds, or text such as "PT1H30M"')

    return convert


def _make_to_decimal(cls: Any) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is int:
            return cls(value)
        text = repr(value) if type(value) is float else value.strip() if type(value) is str else ""
        if not _is_number(text):
            raise misfit(value, "Decimal", 'a number, or text such as "19.90"')
        return cls(text)

    return convert


def _make_to_uuid(cls: Any) -> Convert:
    def convert(value: Any) -> Any:
        try:
            if type(value) is str:
                return cls(value.strip())
            if type(value) is bytes:
                return cls(bytes=value)
        except ValueError:
            pass
        raise misfit(value, "UUID", 'text such as "12345678-1234-5678-1234-567812345678"')

    return convert


def _make_to_path(cls: Any) -> Convert:
    def convert(value: Any) -> Any:
        # A path that is empty would be the working directory.
        text = value.decode("utf-8", "surrogateescape") if type(value) is bytes else value
        if type(text) is not str or not text or "\0" in text:
            raise misfit(value, cls.__name__, 'text such as "/tmp/a.csv"')
        return cls(text)

    return convert


_CONVERTERS: dict[str, Convert] = {
    **{"bool": _to_bool, "int": _to_int, "float": _to_float, "str": _to_str, "bytes": _to_bytes},
    "null": _to_null,
}
_MAKERS: dict[str, Callable[[Any], Convert]] = {
    **{"datetime": _make_to_datetime, "date": _make_to_date, "time": _make_to_time},
    **{"timedelta": _make_to_timedelta, "decimal": _make_to_decimal, "uuid": _make_to_uuid},
    "path": _make_to_path,
}


def choice(wanted: Type, strict: bool) -> Convert:
    """One of an Enum's values, or of those of a Literal. Unless `strict`, also one that becomes it as its own type would."""
    is_enum = wanted.kind == "enum"
    members, values = _members(wanted), choices(wanted)
    name = wanted.cls.__name__ if is_enum else "value that is allowed"
    known: dict[Any, Any] = {}
    for value, member in zip(values, members):
        try:
            known[type(value), value] = member
        except TypeError:  # an Enum's value that can't be a key; its class finds it below
            pass
    kinds = [kind for kind in _CHOICE_KINDS if any(type(each) is kind for each in values)]
    listed = ", ".join(shown(value) for value in values[:_MAX_CHOICES]) + ", …" * (len(values) > _MAX_CHOICES)

    def convert(value: Any) -> Any:
        try:
            return known[type(value), value]
        except (KeyError, TypeError):
            pass
        for kind in () if strict else kinds:
            try:
                return known[kind, _CONVERTERS[kind.__name__](value)]
            except (KeyError, Misfit):
                pass
        if is_enum and not strict:
            try:
                return wanted.cls(value)  # flags that are combined; an Enum's own `_missing_`
            except Exception:
                pass
        raise misfit(value, name, f"one of {listed}")

    return convert


def _members(wanted: Type) -> list[Any]:
    return list(wanted.cls.__members__.values()) if wanted.kind == "enum" else list(wanted.of)


def choices(wanted: Type) -> list[Any]:
    """The values, as they are sent, of an Enum or a Literal."""
    return [each.value if isinstance(each, Enum) else each for each in _members(wanted)]


_CHOICE_KINDS: tuple[type[Any], ...] = (str, int, float, bool)
