"""How an argument becomes what its annotation says: a converter for each parameter, made once.

Conversion is lax for single values, as those of HTTP forms are text. docs/types.md has the rules. What fits already is left as
it is and costs a look at its type.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import Any

from ..wire import arrays
from . import scalars
from .annotations import SCALARS, Type
from .classes import fields_of
from .misfit import Misfit, misfit, shown, step
from .parameters import Parameter
from .scalars import Convert

_NULL = frozenset((type(None),))
_NOTHING: frozenset[type] = frozenset()

# Fields that a message names.
_MAX_NAMES = 10

# Characters of the reason why a value is none of a union's members.
_MAX_REASON = 500


class Fit:
    """exact: types of values that need nothing. convert: for values of all others; raises Misfit. name: for messages."""

    __slots__ = ("name", "exact", "convert")

    def __init__(self, name: str, exact: frozenset[type], convert: Convert) -> None:
        self.name = name
        self.exact = exact
        self.convert = convert


def fit_of(parameter: Parameter) -> Fit | None:
    """None: the parameter takes anything."""
    fit = _fit(parameter.type, False)
    if fit is not None and parameter.default is None:
        # `width: int = None` takes what it has by default.
        return Fit(fit.name, fit.exact | _NULL, fit.convert)
    return fit


def _fit(wanted: Type, strict: bool) -> Fit | None:
    """strict: single values have their type already. A union prefers a member that a value fits so."""
    make = _FITS.get(wanted.kind)
    return make(wanted, strict) if make is not None else None


def _scalar(wanted: Type, strict: bool) -> Fit:
    kind = wanted.kind
    name = "None" if kind == "null" else wanted.cls.__name__
    exact = _NULL if kind == "null" else frozenset((wanted.cls,))
    return Fit(name, exact, _refuse if strict else scalars.converter(wanted))


def _refuse(value: Any) -> Any:
    raise Misfit("")  # nobody reads it: what is lax is tried, too


def _choice(wanted: Type, strict: bool) -> Fit:
    name = wanted.cls.__name__ if wanted.kind == "enum" else "Literal"
    return Fit(name, _NOTHING, scalars.choice(wanted, strict))


def _list(wanted: Type, strict: bool) -> Fit:
    inner = _fit(wanted.of[0], strict)
    make = wanted.cls
    name = make.__name__

    def convert(value: Any) -> Any:
        if type(value) is not list:
            value = _to_list(value, name, strict)
        if inner is not None and not inner.exact.issuperset(map(type, value)):
            value = _each(value, inner)
        if make is list:
            return value
        try:
            return make(value)
        except TypeError:
            raise Misfit(f"lists and maps can't be elements of a {name}") from None

    return Fit(name, frozenset((list,)) if inner is None and make is list else _NOTHING, convert)


def _each(values: list[Any], inner: Fit) -> list[Any]:
    exact, convert = inner.exact, inner.convert
    made: list[Any] = []
    try:
        for value in values:
            made.append(value if type(value) in exact else convert(value))
    except Misfit as reason:
        raise reason.below(len(made))
    return made


def _to_list(value: Any, name: str, strict: bool) -> Any:
    if not strict and type(value) is dict and not value:
        return []  # PHP has one array for both
    if not strict and arrays.is_array(value):
        try:
            return arrays.to_list(value)
        except ValueError as error:
            raise Misfit(str(error)) from None
    hint = "a list; in PHP array_values() makes one" if type(value) is dict else "a list"
    raise misfit(value, name, hint)


def _tuple(wanted: Type, strict: bool) -> Fit:
    fits = [_fit(each, strict) for each in wanted.of]

    def convert(value: Any) -> Any:
        if type(value) is not list or len(value) != len(fits):
            raise misfit(value, "tuple", f"a list of {len(fits)}")
        return tuple([_convert_at(fit, each, at) for at, (fit, each) in enumerate(zip(fits, value))])

    return Fit("tuple", _NOTHING, convert)


def _convert_at(fit: Fit | None, value: Any, key: object) -> Any:
    if fit is None or type(value) in fit.exact:
        return value
    try:
        return fit.convert(value)
    except Misfit as reason:
        raise reason.below(key)


def _map(wanted: Type, strict: bool) -> Fit:
    keys, values = (_fit(each, strict) for each in wanted.of)

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            return _empty_map(value, "dict", "a map", strict)
        if (keys is None or keys.exact.issuperset(map(type, value))) and (
            values is None or values.exact.issuperset(map(type, value.values()))
        ):
            return value
        return {_key(keys, key): _convert_at(values, each, key) for key, each in value.items()}

    is_any = keys is None and values is None
    return Fit("dict", frozenset((dict,)) if is_any else _NOTHING, convert)


def _key(fit: Fit | None, key: Any) -> Any:
    if fit is None or type(key) in fit.exact:
        return key
    try:
        made = fit.convert(key)
        hash(made)
    except Misfit as reason:
        raise Misfit(f"its key {reason.reason}") from None
    except TypeError:
        raise Misfit(f"a {fit.name} can't be the key of a map") from None
    return made


def _empty_map(value: Any, name: str, hint: str, strict: bool) -> dict[str, Any]:
    if type(value) is list and not value and not strict:
        return {}
    raise misfit(value, name, hint)


def _union(wanted: Type, strict: bool) -> Fit | None:
    fits = [fit for each in wanted.of if (fit := _fit(each, strict)) is not None]
    if len(fits) < len(wanted.of):
        return None  # a member takes anything
    exact, chosen = _NOTHING, _NOTHING
    for each, fit in zip(wanted.of, fits):
        exact |= fit.exact - chosen  # in `Color | str` a str may be one of the values of Color
        if each.kind in ("enum", "literal"):
            chosen |= {type(value) for value in scalars.choices(each)}
    others = [fit for fit in fits if fit.exact is not _NULL]
    if len(others) == 1:
        return Fit(others[0].name, exact, others[0].convert)
    tried = others if strict else [*filter(None, (_fit(each, True) for each in wanted.of)), *others]
    name = " | ".join(fit.name for fit in fits)

    def convert(value: Any) -> Any:
        reasons = {}
        for fit in tried:
            if type(value) in fit.exact:
                return value
            try:
                return fit.convert(value)
            except Misfit as reason:
                why = f"{reason.path}: {reason.reason}" if reason.path else reason.reason
                reasons[fit.name] = why if len(why) <= _MAX_REASON else f"{why[: _MAX_REASON - 1]}…"
        raise Misfit(f"{shown(value)} is none of {name} ({'. '.join(reasons.values())})")

    return Fit(name, exact, _once(convert))


class _Tried(local):
    """What became of lists and maps while one argument is converted: each with its result, or why there is none."""

    results: dict[tuple[int, Convert], tuple[Any, Any, Misfit | None]] | None = None


_tried = _Tried()


def _once(convert: Convert) -> Convert:
    """Tries each list or map once. What lies within a member that contains the union would be tried again for each other
    member, and so the times would be multiplied at each level.
    """

    def convert_once(value: Any) -> Any:
        if type(value) is not dict and type(value) is not list:
            return convert(value)
        results = _tried.results
        if results is None:
            _tried.results = {}
            try:
                return convert(value)
            finally:
                _tried.results = None
        key = id(value), convert  # the value is kept as well, so no other one has its number
        if key not in results:
            try:
                results[key] = value, convert(value), None
            except Misfit as reason:
                results[key] = value, None, Misfit(reason.reason, reason.path)
        _, made, misfit = results[key]
        if misfit is not None:
            raise Misfit(misfit.reason, misfit.path)
        return made

    return convert_once


_SCALARS = {*SCALARS.values(), "null", "path"}


class _Fields:
    """Makes an object out of the map of its fields. These are read when the first one comes, as a class may contain itself."""

    def __init__(self, wanted: Type, strict: bool) -> None:
        self._wanted = wanted
        self._strict = strict
        self._fields: dict[str, tuple[bool, Fit | None]] = {}
        self._is_read = False

    def convert(self, value: Any) -> Any:
        cls = self._wanted.cls
        if not self._is_read:
            for field in fields_of(self._wanted):
                self._fields[field.name] = field.required, _fit(field.type, self._strict)
            self._is_read = True
        if type(value) is not dict:
            if type(value) is cls:
                return value
            value = self._map(value)
        made = {name: self._convert(name, each) for name, each in value.items()}
        for name, (required, _) in self._fields.items():
            if required and name not in made:
                raise Misfit(f"it is missing: {self._says()}", step(name))
        return made if self._wanted.kind == "typed_dict" else _make(cls, lambda: cls(**made))

    def _map(self, value: Any) -> dict[str, Any]:
        if self._wanted.kind == "named_tuple" and type(value) is list and 0 < len(value) <= len(self._fields):
            return dict(zip(self._fields, value))
        return _empty_map(value, self._wanted.cls.__name__, f"a map: {self._says()}", self._strict)

    def _convert(self, name: Any, value: Any) -> Any:
        if name in self._fields:
            return _convert_at(self._fields[name][1], value, name)
        if self._wanted.kind == "typed_dict":
            return value
        raise Misfit(f"there is no such field: {self._says()}", step(name))

    def _says(self) -> str:
        names = [name for name in self._fields][:_MAX_NAMES]
        more = ", …" * (len(self._fields) > _MAX_NAMES)
        return f"{self._wanted.cls.__name__} has {', '.join(names) or 'none'}{more}"


_made: dict[tuple[str, Any, bool], Fit] = {}


def _class(wanted: Type, strict: bool) -> Fit:
    """One for each class, so that it can be found within itself."""
    key = wanted.kind, wanted.cls, strict
    fit = _made.get(key)
    if fit is None:
        fit = _made[key] = Fit(wanted.cls.__name__, _NOTHING, _Fields(wanted, strict).convert)
    return fit


def _model(wanted: Type, strict: bool) -> Fit:
    """pydantic validates its models itself."""
    cls = wanted.cls
    validate = cls.model_validate if hasattr(cls, "model_validate") else cls.parse_obj
    return Fit(cls.__name__, _NOTHING, lambda value: _make(cls, lambda: validate(value)))


def _make(cls: Any, make: Callable[[], Any]) -> Any:
    """Misfit: the class's own code refuses what it is given. Whatever else that raises is its failure."""
    try:
        return make()
    except (ValueError, AssertionError) as error:
        errors = getattr(error, "errors", None)
        if not callable(errors):
            raise Misfit(f"{cls.__name__} refuses it: {error}") from error
        # pydantic's: each with the place and the reason.
        first, *more = errors()
        path = "".join(step(key) for key in first["loc"] if key != "__root__")
        also = f" (and {len(more)} more)" if more else ""
        raise Misfit(f"{first['msg']}{also}", path) from error


_FITS: dict[str, Callable[[Type, bool], Fit | None]] = {
    **{kind: _scalar for kind in _SCALARS},
    **{"enum": _choice, "literal": _choice},
    **{"list": _list, "tuple": _tuple, "map": _map, "union": _union},
    **{"dataclass": _class, "typed_dict": _class, "named_tuple": _class, "model": _model},
}
