"""What an annotation means: the one reading of it that conversion (`convert`) and description (`describe`) share.

Annotations in text are evaluated where they were written. What can't be resolved, a name that is imported for type checkers
alone for instance, is `any`: neither converted nor checked.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import enum
import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Type(NamedTuple):
    """kind: one of SCALARS' values, or `any`, `null`, `list`, `iterator`, `tuple`, `map`, `union`, `literal`,
    `enum`, `dataclass`, `typed_dict`, `named_tuple`, `model`.

    of: the types in it; of a literal its values. cls: the class that it was, where that matters.
    """

    kind: str
    of: tuple[Any, ...] = ()
    cls: Any = None


ANY = Type("any")
NULL = Type("null")
_NONE = type(None)

SCALARS = {
    ("builtins", "bool"): "bool",
    ("builtins", "int"): "int",
    ("builtins", "float"): "float",
    ("builtins", "str"): "str",
    ("builtins", "bytes"): "bytes",
    ("datetime", "datetime"): "datetime",
    ("datetime", "date"): "date",
    ("datetime", "time"): "time",
    ("datetime", "timedelta"): "timedelta",
    ("decimal", "Decimal"): "decimal",
    ("uuid", "UUID"): "uuid",
}

_ABC = collections.abc
_LISTS: dict[Any, Any] = {
    **dict.fromkeys((list, _ABC.Sequence, _ABC.MutableSequence, _ABC.Collection, _ABC.Iterable), list),
    **dict.fromkeys((set, _ABC.Set, _ABC.MutableSet), set),
    **{frozenset: frozenset, collections.deque: collections.deque},
}
_ITERATORS = {_ABC.Iterator, _ABC.Generator, _ABC.AsyncIterable, _ABC.AsyncIterator, _ABC.AsyncGenerator}

# What only says something about a name or a key; the type is in it.
_QUALIFIERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}

# Names that may be imported for type checkers alone, and whose meaning is clear nevertheless.
_CLEAR = {
    **{name: getattr(typing, name) for name in ("Any", "Optional", "Union", "Annotated")},
    **{name: dict for name in ("Dict", "OrderedDict", "defaultdict", "DefaultDict", "Counter")},
    **{name: typing.Mapping for name in ("Mapping", "MutableMapping")},
    **{name: typing.Sequence for name in ("List", "Sequence", "MutableSequence")},
}

# How deep annotations are nested that are looked into.
_MAX_DEPTH = 32


def read(annotation: Any, names: Mapping[str, Any] | None = None) -> Type:
    """names: what an annotation in text may refer to. Never raises."""
    try:
        return _read(annotation, {} if names is None else names, ())
    except Exception:  # it is no type, or a name's object has its own ideas of attributes
        return ANY


def hints(cls: Any) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """The annotations of a class and its bases, each with the names that it may refer to."""
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for base in reversed(cls.__mro__):
        names = _names_of(base)
        if names.get(base.__name__) is not base:
            names = {**names, base.__name__: base}
        for name, annotation in annotations_of(base).items():
            found[name] = annotation, names
    return found


def _names_of(defined: Any) -> Mapping[str, Any]:
    """Those of the module that it was defined in."""
    return getattr(sys.modules.get(defined.__module__), "__dict__", {})


def annotations_of(target: Any) -> dict[str, Any]:
    """Of a function, or of a class alone without its bases."""
    if isinstance(target, type) and sys.version_info < (3, 14):
        own: dict[str, Any] = target.__dict__.get("__annotations__", {})
        return own
    try:
        annotations: dict[str, Any] = target.__annotations__
    except Exception:
        # Python 3.14 evaluates annotations only now; a name in them may be imported for type checkers alone.
        from importlib import import_module

        library = import_module("annotationlib")
        annotations = library.get_annotations(target, format=library.Format.STRING)
    return annotations


def is_required(annotation: Any, names: Mapping[str, Any], otherwise: bool) -> bool:
    """Whether a TypedDict's key is, by its Required or NotRequired."""
    try:
        for _ in range(_MAX_DEPTH):
            annotation = _evaluate(annotation, names)
            qualifier = _special(getattr(annotation, "__origin__", None))
            if qualifier in ("Required", "NotRequired"):
                return qualifier == "Required"
            if qualifier not in _QUALIFIERS and not hasattr(annotation, "__metadata__"):
                break
            annotation = (
                annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation.__args__[0]
            )
    except Exception:
        pass
    return otherwise


def _read(annotation: Any, names: Mapping[str, Any], inside: tuple[Any, ...]) -> Type:
    """inside: the texts and aliases that lead here. One that contains itself is not looked into a second time."""
    if len(inside) > _MAX_DEPTH:
        return ANY
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, str):
        if text in inside:
            return ANY
        return _read(_evaluate(text, names), names, (*inside, text))
    if annotation is None or annotation is _NONE:
        return NULL
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _read(annotation.__origin__, names, inside)
    if hasattr(annotation, "__supertype__"):  # NewType
        return _read(annotation.__supertype__, names, inside)
    if type(annotation).__name__ == "InitVar":
        return _read(annotation.type, names, inside)
    origin = getattr(annotation, "__origin__", annotation)
    if type(origin).__name__ == "TypeAliasType":
        if any(each is origin for each in inside):
            return ANY
        return _read(origin.__value__, _names_of(origin), (*inside, origin))
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    special = _special(origin)
    if special in _QUALIFIERS:
        return _read(arguments[0], names, inside)
    if special == "Literal":
        return Type("literal", arguments)
    if special == "LiteralString":
        return Type("str", (), str)
    of = tuple(_read(each, names, (*inside, None)) for each in arguments if each is not ...)
    if special == "Union" or type(annotation).__name__ == "UnionType":
        return _union(of)
    return _class(origin, of, ... in arguments) if isinstance(origin, type) else ANY


def _union(members: tuple[Type, ...]) -> Type:
    flat: list[Type] = []
    for member in members:
        flat += member.of if member.kind == "union" else (member,)
    return ANY if ANY in flat else Type("union", tuple(flat))


def _class(cls: type, of: tuple[Type, ...], open_ended: bool) -> Type:
    scalar = SCALARS.get((cls.__module__, cls.__qualname__))
    if scalar is not None:
        return Type(scalar, (), cls)
    if cls in _LISTS:
        return Type("list", of[:1] or (ANY,), _LISTS[cls])
    if cls is tuple:
        is_fixed = of and not open_ended
        return Type("tuple", of, tuple) if is_fixed else Type("list", of[:1] or (ANY,), tuple)
    if cls in _ITERATORS:
        return Type("iterator", of[:1] or (ANY,), cls)
    if cls.__module__.partition(".")[0] == "pathlib":
        return Type("path", (), cls)
    if issubclass(cls, enum.Enum):
        return Type("enum", (), cls) if cls.__members__ else ANY
    if hasattr(cls, "model_validate") or hasattr(cls, "parse_obj"):
        return Type("model", (), cls)
    if hasattr(cls, "__dataclass_fields__"):
        return Type("dataclass", (), cls)
    if issubclass(cls, tuple):
        return Type("named_tuple", (), cls) if hasattr(cls, "_fields") else ANY
    if issubclass(cls, dict) and hasattr(cls, "__total__"):
        return Type("typed_dict", (), cls)
    if issubclass(cls, Mapping):
        if issubclass(cls, collections.Counter) and len(of) == 1:
            of = *of, Type("int", (), int)
        return Type("map", of if len(of) == 2 else (ANY, ANY), dict)
    return ANY


def _special(origin: Any) -> str:
    """The name of what is no class but a form of typing or typing_extensions, such as Literal."""
    if isinstance(origin, type) and origin.__module__ not in ("typing", "types"):
        return ""
    name = getattr(origin, "_name", None) or getattr(origin, "__name__", None)
    return name if isinstance(name, str) else ""


class _Unknown:
    """Stands for a name that can't be resolved: whatever is done with it gives something unknown."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _CLEAR.get(name, self)

    def __getitem__(self, arguments: Any) -> Any:
        return self

    def __or__(self, other: Any) -> Any:
        return self

    __ror__ = __or__

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self  # typing takes only what can be called for a type


_UNKNOWN: Any = _Unknown()


class _Names(dict[str, Any]):
    """The names that an annotation sees; one that there is not is unknown."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__()
        self._names = names

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        if name in self._names:
            return self._names[name]
        return getattr(builtins, name, _CLEAR.get(name, _UNKNOWN))


def _evaluate(annotation: Any, names: Mapping[str, Any]) -> Any:
    """What an annotation in text stands for; any other as it is."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if not isinstance(text, str):
        return annotation
    head, _, inner = text.strip().partition("[")
    if head.rpartition(".")[2] == "InitVar":
        text = inner[:-1]  # Python 3.10 does not take it for a type
    if text.isidentifier() and text != "None":
        return _Names(names)[text]  # most are, and it takes a hundredth of the time
    holder = lambda: None  # noqa: E731
    holder.__annotations__ = {"it": text.strip()}
    return typing.get_type_hints(holder, {}, _Names(names), include_extras=True)["it"]


def each_class(type: Type) -> Iterator[Type]:
    """The classes that a type leads to, not looking into them."""
    if type.kind in ("enum", "dataclass", "typed_dict", "named_tuple", "model"):
        yield type
    elif type.kind != "literal":
        for inner in type.of:
            yield from each_class(inner)
