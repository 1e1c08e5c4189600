"""What an app offers: its services and functions, and the methods that they have on the wire."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType

from ._arguments import Arguments
from ._names import Catalogue, check_name, fold
from ._parameters import is_async, is_generator, parameters_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any, TypeVar

    from ._arguments import Invoke
    from ._errors import MethodNotFound

    T = TypeVar("T")
    Step = Callable[[], Awaitable[Any] | None]

__all__ = ["Catalogue", "Method", "Registry", "default_registry", "register"]

# Where `@gotask.method` leaves its settings.
SETTINGS = "__gotask__"

_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)

# Called by the worker, never by a caller.
_LIFECYCLE = ("open", "close")


class Settings:
    """What `@gotask.method` says of one method."""

    __slots__ = ("inline",)

    def __init__(self, inline: bool = False) -> None:
        self.inline = inline


_PLAIN = Settings()


class Method:
    """One callable under its name on the wire, `App.say_hello`.

    `invoke(payload)` and `invoke_exact(body of Args)` call it once its service is open; those of an async
    method return the coroutine. They raise `ArgumentMismatch` before it runs, else whatever it raises.
    """

    __slots__ = (
        "name",
        "is_async",
        "is_generator",
        "settings",
        "doc",
        "invoke",
        "invoke_exact",
        "_function",
        "_bound",
    )

    def __init__(self, name: str, function: Callable[..., Any], bound: bool, settings: Settings) -> None:
        self.name = name
        self.is_async = is_async(function)
        self.is_generator = is_generator(function)
        self.settings = settings
        self.doc = _summary(function)
        self._function = function
        self._bound = bound
        self.invoke: Invoke = self._not_open
        self.invoke_exact: Invoke = self._not_open

    @property
    def signature(self) -> str:
        """`App.resize(data: bytes, width: int = 100) -> bytes`"""
        return f"{self.name}{parameters_of(self._function, self._bound)}"

    def bind(self, call: Callable[..., Any]) -> None:
        """Makes it callable: `call` is the function, or the method of the service's instance."""
        arguments = Arguments(parameters_of(self._function, self._bound), lambda: self.signature)
        self.invoke = arguments.invoker(call)
        self.invoke_exact = arguments.exact_invoker(call)

    def describe(self) -> dict[str, Any]:
        """Its entry in `GoTask.Methods`, and more that the broker goes by; JSON can hold it."""
        return {
            "name": self.name,
            "signature": self.signature,
            "doc": self.doc,
            "async": self.is_async,
            "inline": self.settings.inline,
        }

    def _not_open(self, payload: Any) -> Any:
        raise RuntimeError(f"{self.name} is called before its service was opened")

    def __repr__(self) -> str:
        return f"<Method {self.signature}>"


class _Service:
    """A registered class or object. A class is instantiated when it is opened, once in each worker."""

    __slots__ = ("name", "target", "methods", "instance", "opened")

    def __init__(self, name: str, target: Any) -> None:
        self.name = name
        self.target = target
        self.methods: list[tuple[str, Method]] = []
        self.instance: Any = None
        self.opened = False

    def open(self) -> Awaitable[Any] | None:
        self.instance = self.target() if isinstance(self.target, type) else self.target
        for attribute, method in self.methods:
            method.bind(getattr(self.instance, attribute))
        opening = self._lifecycle("open")
        self.opened = True
        return opening

    def close(self) -> Awaitable[Any] | None:
        self.opened = False
        return self._lifecycle("close")

    def _lifecycle(self, name: str) -> Awaitable[Any] | None:
        function = getattr(self.instance, name, None)
        result = function() if callable(function) else None
        return result if hasattr(result, "__await__") else None


class Registry:
    """Services and functions by their names on the wire."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}
        self._methods: dict[str, Method] = {}
        self._catalogue = Catalogue([])

    def register(self, target: T, name: str | None = None) -> T:
        """Exposes a class's or an object's public methods as `Name.method`, or a function under its own name.

        ValueError: the name can't be used, or callers could not tell it from another's. TypeError: there is
        nothing to call.
        """
        if type(target) in _FUNCTIONS:
            self._register_function(target, name or str(getattr(target, "__name__")))
            return target
        cls = target if isinstance(target, type) else type(target)
        found = _exposed(cls)
        if found:
            self._register_service(target, name or cls.__name__, found)
        elif callable(target) and not isinstance(target, type):
            self._register_function(target, name or str(getattr(target, "__name__", cls.__name__)))
        else:
            raise TypeError(f"{cls.__qualname__} has no public method, so there is nothing to register")
        return target

    def find(self, name: str) -> Method:
        """The method that `name`, in any spelling, means. Raises `MethodNotFound`."""
        description = self._catalogue.resolve(name)
        if description is None:
            raise self.not_found(name)
        return self._methods[description["name"]]

    def not_found(self, name: str) -> MethodNotFound:
        return self._catalogue.not_found(name)

    def describe(self) -> list[dict[str, Any]]:
        """Of every method what a `Catalogue` is made of; JSON can hold it."""
        return [method.describe() for method in self._methods.values()]

    @property
    def needs_loop(self) -> bool:
        """Whether any method, `open` or `close` is async."""
        return any(method.is_async for method in self._methods.values()) or any(
            is_async(getattr(service.target, name, None))
            for service in self._services.values()
            for name in _LIFECYCLE
        )

    def opening(self) -> Iterator[tuple[str, Step]]:
        """Each service's name and what opens it: call it in order, and await what it returns, if anything."""
        for service in self._services.values():
            yield service.name, service.open

    def closing(self) -> Iterator[tuple[str, Step]]:
        """The same for closing those that were opened, last opened first."""
        for service in reversed([service for service in self._services.values() if service.opened]):
            yield service.name, service.close

    def __len__(self) -> int:
        return len(self._methods)

    def __repr__(self) -> str:
        return f"<Registry {', '.join(self._methods) or 'empty'}>"

    def _register_function(self, function: Any, name: str) -> None:
        method = Method(check_name(name), function, False, getattr(function, SETTINGS, _PLAIN))
        method.bind(function)
        self._add(method)

    def _register_service(self, target: Any, name: str, found: dict[str, Any]) -> None:
        check_name(name)
        other = self._services.get(fold(name))
        if other is not None:
            raise ValueError(
                f"the service {name} is registered already"
                + (f", as {other.name}" if other.name != name else "")
                + ": give one of them another name (register(…, name=…))"
            )
        service = _Service(name, target)
        names: dict[str, tuple[str, Any]] = {}
        for attribute, raw in found.items():
            function = getattr(raw, "__func__", raw)
            alias, same = names.setdefault(fold(attribute), (attribute, function))
            if alias != attribute and same is function:
                continue  # `sayHello = say_hello`: one method, and both spellings find it anyway
            bound = not isinstance(raw, staticmethod) and hasattr(type(raw), "__get__")
            settings: Settings = getattr(raw, SETTINGS, getattr(function, SETTINGS, _PLAIN))
            method = Method(check_name(f"{name}.{attribute}"), function, bound, settings)
            service.methods.append((attribute, method))
        for _, method in service.methods:
            self._add(method)
        self._services[fold(name)] = service

    def _add(self, method: Method) -> None:
        self._catalogue.add({"name": method.name})
        self._methods[method.name] = method


def _exposed(cls: type) -> dict[str, Any]:
    """The public callables of a class by name, its bases' first, as they stand in the classes.

    Attributes of the instance are not among them: a model kept in `self.model` is callable, too.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ == "builtins":
            continue  # a dict's own methods are not the application's
        for name, value in vars(base).items():
            if name.startswith("_") or name in _LIFECYCLE:
                continue
            if isinstance(value, (staticmethod, classmethod)) or (
                callable(value) and not isinstance(value, type)
            ):
                found[name] = value
            else:
                found.pop(name, None)  # `hi = None` hides a base's method
    return found


def _summary(function: Any) -> str:
    """The first line of its docstring."""
    doc = getattr(function, "__doc__", None)
    lines = doc.strip().splitlines() if isinstance(doc, str) and isinstance(function, FunctionType) else ()
    return lines[0].strip() if lines else ""


#: What `gotask.register` and `gotask.service` fill, and the worker serves.
default_registry = Registry()


def register(target: T, name: str | None = None) -> T:
    """Exposes an object, a class or a function to callers, and returns it: it is a decorator, too."""
    return default_registry.register(target, name)
