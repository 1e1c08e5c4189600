"""How a payload becomes the arguments of a method.

A payload is the first argument, whole. Only where that can't be enough, because more is required, a list is
spread over the positions and a map over the names. `Args` say positions and names exactly. Whatever does
not fit is refused here, before the method is called, so that a TypeError out of the call is always the
method's own. Then each argument is converted to what its annotation says (`convert`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentMismatch
from .misfit import Misfit
from .parameters import (
    KEYWORD_ONLY,
    POSITIONAL_ONLY,
    POSITIONAL_OR_KEYWORD,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Parameter,
    Parameters,
)

if TYPE_CHECKING:
    from .convert import Fit

Function = Callable[..., Any]
Invoke = Callable[[Any], Any]
Refuse = Callable[[str, Exception, Any], ArgumentMismatch]


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
        "_fits_at",
        "_fits",
        "_fit_more",
        "_fit_named",
    )

    def __init__(self, parameters: Parameters, signature: Callable[[], str], convert: bool) -> None:
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
        # The parameters that convert what they are given.
        fits = list(_fits(parameters)) if convert else []
        at = {name: index for index, name in enumerate(self._positional)}
        self._fits_at = [(at[p.name], p.name, fit) for p, fit in fits if p.kind < VAR_POSITIONAL]
        self._fits = {p.name: fit for p, fit in fits if p.kind in (POSITIONAL_OR_KEYWORD, KEYWORD_ONLY)}
        self._fit_more = next(((p.name, fit) for p, fit in fits if p.kind == VAR_POSITIONAL), None)
        self._fit_named = next((fit for p, fit in fits if p.kind == VAR_KEYWORD), None)

    def invoker(self, call: Function) -> Invoke:
        """`invoke(payload)`, for a plain payload. For one required argument it is `call` itself: no cost."""
        required = self._low + len(self._required_named)
        if self._high and required == self._low <= 1:
            invoke: Invoke = call
            if self._positional:
                for _, name, fit in self._fits_at[:1]:
                    if name == self._positional[0]:
                        invoke = _fitting(call, fit, name, self._misfit)
            elif self._fit_more is not None:
                invoke = _fitting(call, self._fit_more[1], f"{self._fit_more[0]}[0]", self._misfit)
            return invoke if required else _optional(call, invoke)
        if not self._high and self._named and required <= 1:
            name = (self._required_named or self._named)[0]
            invoke = _by_name(call, name)
            if name in self._fits:
                invoke = _fitting(invoke, self._fits[name], name, self._misfit)
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

    def _call(self, call: Function, positional: list[Any], named: dict[str, Any]) -> Any:
        reason = self.mismatch(positional, named)
        if reason is not None:
            raise self._error(reason)
        if positional:
            self._convert_positions(positional)
        if named:
            self._convert_names(named)
        return call(*positional, **named)

    def _convert_positions(self, values: list[Any]) -> None:
        """In place: the list has been made for this call, as the map below."""
        count = len(values)
        for at, name, fit in self._fits_at:
            if at < count and type(values[at]) not in fit.exact:
                values[at] = self._convert(name, fit, values[at])
        if self._fit_more is not None:
            name, fit = self._fit_more
            first = len(self._positional)
            for at in range(first, count):
                if type(values[at]) not in fit.exact:
                    values[at] = self._convert(f"{name}[{at - first}]", fit, values[at])

    def _convert_names(self, values: dict[str, Any]) -> None:
        if not self._fits and self._fit_named is None:
            return
        for name, value in values.items():
            is_more = (
                name in self._only_positional or name not in self._positional and name not in self._named
            )
            fit = self._fit_named if is_more else self._fits.get(name)
            if fit is not None and type(value) not in fit.exact:
                values[name] = self._convert(name, fit, value)

    def _convert(self, name: str, fit: Fit, value: Any) -> Any:
        try:
            return fit.convert(value)
        except _MISFITS as reason:
            raise self._misfit(name, reason, None) from None

    def _spreading(self, call: Function, required: int) -> Invoke:
        def invoke(payload: Any) -> Any:
            if type(payload) is list:
                return self._call(call, payload, {})
            if type(payload) is dict:
                return self._call(call, [], payload)
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

    def _misfit(self, name: str, error: Exception, payload: Any) -> ArgumentMismatch:
        """payload: of which the argument is all."""
        signature = self._signature()
        path, reason = name, "it is nested too deep"
        if isinstance(error, Misfit):
            path, reason = name + error.path, error.reason
        if path == name and type(payload) in (list, dict) and self._high + len(self._named) > 1:
            reason += "; to give several arguments, send Args"
        message = f"{signature.partition('(')[0]}(): argument {path}: {reason}"
        return ArgumentMismatch(message, {"signature": signature, "argument": path})

    def _error(self, reason: str) -> ArgumentMismatch:
        signature = self._signature()
        if self._implicit not in ("", "self", "cls"):
            reason += f" (its first parameter, {self._implicit}, is the object: self is missing)"
        return ArgumentMismatch(f"{signature} can't be called like this: {reason}", {"signature": signature})


def _fits(parameters: Parameters) -> Iterator[tuple[Parameter, Fit]]:
    from .convert import fit_of  # only now: a worker whose methods have no annotations does without

    for parameter in parameters.all:
        fit = fit_of(parameter)
        if fit is not None:
            yield parameter, fit


_MISFITS = (Misfit, RecursionError)


def _fitting(call: Invoke, fit: Fit, name: str, refuse: Refuse) -> Invoke:
    exact, convert = fit.exact, fit.convert

    def invoke(payload: Any) -> Any:
        if type(payload) not in exact:
            try:
                payload = convert(payload)
            except _MISFITS as reason:
                raise refuse(name, reason, payload) from None
        return call(payload)

    return invoke


def _optional(call: Function, invoke: Invoke) -> Invoke:
    def invoke_optional(payload: Any) -> Any:
        return call() if payload is None else invoke(payload)

    return invoke_optional


def _by_name(call: Function, name: str) -> Invoke:
    def invoke(payload: Any) -> Any:
        return call(**{name: payload})

    return invoke
