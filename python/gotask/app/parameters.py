"""The parameters of a callable and its signature as text.

Functions are read from their code object. `inspect`, which costs a starting worker 10 ms and 2 MiB, is
imported only for what is none: C functions, partial objects, callable instances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from .annotations import ANY, Type, annotations_of, read

# The numbers of inspect.Parameter's kinds.
POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)

_CO_VARARGS, _CO_VARKEYWORDS, _CO_GENERATOR, _CO_COROUTINE = 0x04, 0x08, 0x20, 0x80
_CO_ASYNC_GENERATOR = 0x200

_MAX_DEFAULT = 60
_MAX_ANNOTATION = 1000
_NONE = type(None)


class _Missing:
    """Stands for a default or an annotation that is not given."""


MISSING = _Missing()


class Parameter(NamedTuple):
    """One parameter, with `inspect`'s meaning of its attributes."""

    name: str
    kind: int
    default: object
    annotation: object
    names: Mapping[str, Any] = {}  # what an annotation in text may refer to

    @property
    def required(self) -> bool:
        return self.default is MISSING and self.kind not in (VAR_POSITIONAL, VAR_KEYWORD)

    @property
    def type(self) -> Type:
        return ANY if self.annotation is MISSING else read(self.annotation, self.names)

    def __str__(self) -> str:
        text = {VAR_POSITIONAL: "*", VAR_KEYWORD: "**"}.get(self.kind, "") + self.name
        annotated = self.annotation is not MISSING
        if annotated:
            text += f": {_annotation(self.annotation)}"
        if self.default is not MISSING:
            text += (" = " if annotated else "=") + _default(self.default)
        return text


class Parameters:
    """`all` but the implicit first one of a method, whose name is `implicit` (empty where there is none)."""

    __slots__ = ("all", "implicit", "returns", "_names")

    def __init__(
        self, all: list[Parameter], returns: object, bound: bool, names: Mapping[str, Any] = {}
    ) -> None:
        self.returns = returns
        self._names = names
        self.implicit = ""
        self.all = all
        if bound and all and all[0].kind < VAR_POSITIONAL:
            self.all = all[1:]
            self.implicit = all[0].name if all[0].kind == POSITIONAL_OR_KEYWORD else ""

    @property
    def return_type(self) -> Type:
        return ANY if self.returns is MISSING else read(self.returns, self._names)

    def __str__(self) -> str:
        shown: list[str] = []
        last = -1
        for parameter in self.all:
            if last == POSITIONAL_ONLY != parameter.kind:
                shown.append("/")
            if parameter.kind == KEYWORD_ONLY and last not in (VAR_POSITIONAL, KEYWORD_ONLY):
                shown.append("*")
            shown.append(str(parameter))
            last = parameter.kind
        if last == POSITIONAL_ONLY:
            shown.append("/")
        returns = "" if self.returns is MISSING else f" -> {_annotation(self.returns)}"
        return f"({', '.join(shown)}){returns}"


def parameters_of(function: Callable[..., Any], bound: bool) -> Parameters:
    """bound: the first parameter is the instance or the class, which no caller gives."""
    inner: Any = function
    for _ in range(100):  # functools.wraps of a decorator names the function behind it
        if hasattr(inner, "__signature__") or not hasattr(inner, "__wrapped__"):
            break
        inner = inner.__wrapped__
    if type(inner) is MethodType:
        inner, bound = inner.__func__, True
    if type(inner) is FunctionType and not hasattr(inner, "__signature__"):
        return _from_code(inner, bound)
    return _from_inspect(function, bound)


def is_async(function: Any) -> bool:
    """Whether a call gives a coroutine or an async generator, as far as the callable says so."""
    function = _innermost(function)
    marked = hasattr(function, "_is_coroutine_mark") or hasattr(function, "_is_coroutine")
    return marked or bool(_flags(function) & (_CO_COROUTINE | _CO_ASYNC_GENERATOR))


def is_generator(function: Any) -> bool:
    """Whether a call gives a generator, async or not."""
    return bool(_flags(_innermost(function)) & (_CO_GENERATOR | _CO_ASYNC_GENERATOR))


def _innermost(function: Any) -> Any:
    """The function that runs, behind methods, partial objects and `__call__`."""
    for _ in range(100):
        if type(function) is MethodType:
            function = function.__func__
        elif (
            not hasattr(function, "__code__") and hasattr(function, "func") and hasattr(function, "keywords")
        ):
            function = function.func
        else:
            break
    if not hasattr(function, "__code__"):
        function = getattr(type(function), "__call__", function)
    return function


def _flags(function: Any) -> int:
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return flags if isinstance(flags, int) else 0


def _from_code(function: Any, bound: bool) -> Parameters:
    code = function.__code__
    annotations = annotations_of(function)
    names_there = function.__globals__
    defaults = function.__defaults__ or ()
    keyword_defaults = function.__kwdefaults__ or {}
    names, count, only = code.co_varnames, code.co_argcount, code.co_posonlyargcount
    found = []

    def add(name: str, kind: int, default: object = MISSING) -> None:
        found.append(Parameter(name, kind, default, annotations.get(name, MISSING), names_there))

    first_default = count - len(defaults)
    for index in range(count):
        default = defaults[index - first_default] if index >= first_default else MISSING
        add(names[index], POSITIONAL_ONLY if index < only else POSITIONAL_OR_KEYWORD, default)
    end = count + code.co_kwonlyargcount
    if code.co_flags & _CO_VARARGS:
        add(names[end], VAR_POSITIONAL)
    for name in names[count:end]:
        add(name, KEYWORD_ONLY, keyword_defaults.get(name, MISSING))
    if code.co_flags & _CO_VARKEYWORDS:
        add(names[end + bool(code.co_flags & _CO_VARARGS)], VAR_KEYWORD)
    return Parameters(found, annotations.get("return", MISSING), bound, names_there)


def _from_inspect(function: Callable[..., Any], bound: bool) -> Parameters:
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some C functions have none, and check their arguments themselves
        anything = [
            Parameter("args", VAR_POSITIONAL, MISSING, MISSING),
            Parameter("kwargs", VAR_KEYWORD, MISSING, MISSING),
        ]
        return Parameters(anything, MISSING, False)
    empty = inspect.Parameter.empty
    names_there = getattr(function, "__globals__", {})
    found = [
        Parameter(
            name,
            int(parameter.kind),
            MISSING if parameter.default is empty else parameter.default,
            MISSING if parameter.annotation is empty else parameter.annotation,
            names_there,
        )
        for name, parameter in signature.parameters.items()
    ]
    returns = signature.return_annotation
    return Parameters(found, MISSING if returns is empty else returns, bound, names_there)


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        module = annotation.__module__
        return annotation.__qualname__ if module == "builtins" else f"{module}.{annotation.__qualname__}"
    return _shown(annotation, _MAX_ANNOTATION).replace("typing.", "")


def _default(default: object) -> str:
    return _shown(default, _MAX_DEFAULT)


def _shown(value: object, most: int) -> str:
    try:
        text = repr(value)
    except Exception:
        return "…"
    return text if len(text) <= most else text[: most - 1] + "…"
