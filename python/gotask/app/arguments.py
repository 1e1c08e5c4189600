"""How a payload becomes the arguments of a method.

A payload is the first argument, whole. Only where that can't be enough, because more is required, a list is
spread over the positions and a map over the names. `Args` say positions and names exactly. Whatever does
not fit is refused here, before the method is called, so that a TypeError out of the call is always the
method's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ArgumentMismatch
from .parameters import KEYWORD_ONLY, POSITIONAL_ONLY, VAR_KEYWORD, VAR_POSITIONAL, Parameters

Function = Callable[..., Any]
Invoke = Callable[[Any], Any]
Fit = Callable[[Any], Any]


class Arguments:
    """What a method takes, and the ways to call it with a payload."""

    __slots__ = (
        "_signature",
        "_positional",
        "_only_positional",
        "_low",
        "_high",
        "_named",
        "_required_named",
        "_any_named",
        "_implicit",
        "_fits",
        "_fits_at",
        "_fits_more",
    )

    def __init__(self, parameters: Parameters, signature: Callable[[], str]) -> None:
        self._signature = signature
        positional = [p for p in parameters.all if p.kind < VAR_POSITIONAL]
        keyword = [p for p in parameters.all if p.kind == KEYWORD_ONLY]
        kinds = {p.kind for p in parameters.all}
        self._positional = tuple(p.name for p in positional)
        self._only_positional = frozenset(p.name for p in positional if p.kind == POSITIONAL_ONLY)
        self._low = sum(p.required for p in positional)
        self._high = 2**32 if VAR_POSITIONAL in kinds else len(positional)
        self._named = tuple(p.name for p in keyword)
        self._required_named = tuple(p.name for p in keyword if p.required)
        self._any_named = VAR_KEYWORD in kinds
        self._implicit = parameters.implicit
        fits = {p.name: _FITS[p.shape] for p in parameters.all if p.shape}
        self._fits = {p.name: fits[p.name] for p in keyword if p.name in fits}
        self._fits |= {
            p.name: fits[p.name] for p in positional if p.name in fits and p.kind != POSITIONAL_ONLY
        }
        self._fits_at = {at: fits[p.name] for at, p in enumerate(positional) if p.name in fits}
        self._fits_more = {
            p.kind: fits[p.name] for p in parameters.all if p.kind in _VARIABLE and p.name in fits
        }

    def invoker(self, call: Function) -> Invoke:
        """`invoke(payload)`, for a plain payload. For one required argument it is `call` itself: no cost."""
        required = self._low + len(self._required_named)
        if self._high and required == self._low <= 1:
            fit = self._fits_at.get(0) if self._positional else self._fits_more.get(VAR_POSITIONAL)
            invoke: Invoke = call
            if fit is not None:
                invoke = _fitting(call, fit)
            return invoke if required else _optional(call, invoke)
        if not self._high and self._named and required <= 1:
            name = (self._required_named or self._named)[0]
            invoke = _by_name(call, name, self._fits.get(name, _as_it_is))
            return invoke if required else _optional(call, invoke)
        if required or self._any_named:
            return self._spreading(call, required)
        return self._without(call)

    def exact_invoker(self, call: Function) -> Invoke:
        """`invoke_exact(payload)`: calls with the decoded body of `Args`, which is `[positional, named]`."""

        def invoke_exact(payload: Any) -> Any:
            if type(payload) is list and len(payload) == 2:
                positional, named = payload
                # An empty map of PHP may arrive as an empty list.
                if type(positional) is list and (type(named) is dict or named == []):
                    return self._call(call, positional, named or {})
            raise self._error("the body of exact arguments must be [list of positions, map of names]")

        return invoke_exact

    def mismatch(self, positional: Sequence[Any], named: Mapping[Any, Any]) -> str | None:
        """What does not fit, or None."""
        count = len(positional)
        if not named and self._low <= count <= self._high and not self._required_named:
            return None
        if count > self._high:
            return f"{count} positional arguments are too many"
        by_position = self._positional[:count]
        for name in named:
            if type(name) is not str:
                return f"{name!r} is no name of an argument"
            if name in by_position and name not in self._only_positional:
                return f"{name} is given twice"
            if name in self._only_positional or name == self._implicit:
                if name == self._implicit or not self._any_named:
                    return f"{name} can't be given by name"
            elif name not in self._positional and name not in self._named and not self._any_named:
                return f"there is no argument {name}"
        missing = [
            name
            for name in self._positional[count : self._low]
            if name not in named or name in self._only_positional
        ]
        missing += [name for name in self._required_named if name not in named]
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else None

    def _call(self, call: Function, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
        reason = self.mismatch(positional, named)
        if reason is not None:
            raise self._error(reason)
        if self._fits_at or self._fits or self._fits_more:
            positional = [self._fit_at(at)(value) for at, value in enumerate(positional)]
            named = {name: self._fit_named(name)(value) for name, value in named.items()}
        return call(*positional, **named)

    def _fit_at(self, index: int) -> Fit:
        if index >= len(self._positional):
            return self._fits_more.get(VAR_POSITIONAL, _as_it_is)
        return self._fits_at.get(index, _as_it_is)

    def _fit_named(self, name: str) -> Fit:
        if name in self._named or (name in self._positional and name not in self._only_positional):
            return self._fits.get(name, _as_it_is)
        return self._fits_more.get(VAR_KEYWORD, _as_it_is)

    def _spreading(self, call: Function, required: int) -> Invoke:
        def invoke(payload: Any) -> Any:
            if type(payload) is list:
                return self._call(call, payload, {})
            if type(payload) is dict:
                return self._call(call, (), payload)
            if payload is None and not required:
                return call()
            given = "null" if payload is None else f"one {type(payload).__name__}"
            raise self._error(f"it takes a list of positions or a map of names, and was given {given}")

        return invoke

    def _without(self, call: Function) -> Invoke:
        def invoke(payload: Any) -> Any:
            if payload is None:
                return call()
            raise self._error(f"it takes no argument, and was given one {type(payload).__name__}")

        return invoke

    def _error(self, reason: str) -> ArgumentMismatch:
        signature = self._signature()
        if self._implicit not in ("", "self", "cls"):
            reason += f" (its first parameter, {self._implicit}, is the object: self is missing)"
        return ArgumentMismatch(f"{signature} can't be called like this: {reason}", {"signature": signature})


_VARIABLE = (VAR_POSITIONAL, VAR_KEYWORD)


def _as_it_is(value: Any) -> Any:
    return value


def _as_bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass") if type(value) is str else value


def _as_dict(value: Any) -> Any:
    return {} if type(value) is list and not value else value


def _as_list(value: Any) -> Any:
    return [] if type(value) is dict and not value else value


# Fits a value to the annotation of its parameter. A string of PHP is text or bytes, and its empty array a list or a map.
_FITS = {"bytes": _as_bytes, "dict": _as_dict, "list": _as_list}


def _fitting(call: Function, fit: Fit) -> Invoke:
    def invoke(payload: Any) -> Any:
        return call(fit(payload))

    return invoke


def _optional(call: Function, invoke: Invoke) -> Invoke:
    def invoke_optional(payload: Any) -> Any:
        return call() if payload is None else invoke(payload)

    return invoke_optional


def _by_name(call: Function, name: str, fit: Fit) -> Invoke:
    def invoke(payload: Any) -> Any:
        return call(**{name: fit(payload)})

    return invoke
