"""What an app offers: its services and functions, and the methods that they have on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NamedTuple, TypeVar

from ..errors import MethodNotFound
from ..wire.names import DESCRIBE, SHARED_GROUP, Catalogue, check_name, fold
from .arguments import Arguments, Invoke
from .groups import GroupSettings, make_group
from .parameters import MISSING, Parameters, is_async, is_generator, parameters_of
from .signatures import signatures

T = TypeVar("T")
Step = Callable[[], Awaitable[Any] | None]

# The attribute that `@gotask.method` sets on a function.
SETTINGS = "__gotask__"

_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)

# Called by the worker, never by a caller.
_LIFECYCLE = ("open", "close")


class Settings(NamedTuple):
    """What `@gotask.method` says of one method."""

    timeout: float = 0.0  # seconds; 0.0: none
    idempotent: bool = False
    convert: bool = True
    executor: Any = None  # what runs it elsewhere: an engine's name, an Executor, or what makes one


_PLAIN = Settings()


class Method:
    """One callable under its name on the wire, `App.say_hello`.

    `invoke(payload)` and `invoke_exact(body of Args)` call it once its service is open; those of an async
    method return the coroutine. They raise `ArgumentMismatch` before it runs, else whatever it raises.
    """

    __slots__ = (
        "name",
        "group",
        "is_async",
        "is_generator",
        "settings",
        "doc",
        "invoke",
        "invoke_exact",
        "_function",
        "_bound",
    )

    def __init__(
        self, name: str, function: Callable[..., Any], bound: bool, settings: Settings, group: str
    ) -> None:
        self.name = name
        self.group = group
        # A method that runs elsewhere costs its worker nothing but waiting.
        self.is_async = settings.executor is not None or is_async(function)
        self.is_generator = is_generator(function)
        self.settings = settings
        self.doc = _summary(function)
        self._function = function
        self._bound = bound
        if settings.executor is not None and (is_async(function) or self.is_generator):
            raise TypeError(
                f"{name} is {'a generator' if self.is_generator else 'async'}, and what has an executor is a plain def"
                " that returns its result: it runs in another thread or process, where no loop is and nothing is streamed"
            )
        self.invoke: Invoke = self._not_open
        self.invoke_exact: Invoke = self._not_open

    @property
    def signature(self) -> str:
        """`App.resize(data: bytes, width: int = 100) -> bytes`"""
        return f"{self.name}{self.parameters}"

    @property
    def parameters(self) -> Parameters:
        return parameters_of(self._function, self._bound)

    def bind(self, call: Callable[..., Any]) -> None:
        """Makes it callable. call: the function, or the method of the service's instance."""
        parameters = self.parameters

        def take(convert: bool) -> None:
            arguments = Arguments(parameters, lambda: self.signature, convert)
            self.invoke = arguments.invoker(call)
            self.invoke_exact = arguments.exact_invoker(call)

        def take_first(payload: Any) -> Any:
            take(True)
            return self.invoke(payload)

        def take_first_exact(payload: Any) -> Any:
            take(True)
            return self.invoke_exact(payload)

        if self.settings.convert and any(each.annotation is not MISSING for each in parameters.all):
            # Annotations are read when the first call comes: what they name may be defined below, and most calls never come.
            self.invoke, self.invoke_exact = take_first, take_first_exact
        else:
            take(False)

    def describe(self) -> dict[str, Any]:
        """Its entry in `GoTask.Methods`, and what else the broker needs to know; plain JSON."""
        return {
            "name": self.name,
            "signature": self.signature,
            "doc": self.doc,
            "async": self.is_async,
            "timeout": self.settings.timeout,
            "idempotent": self.settings.idempotent,
            "group": self.group,
            **({"executor": self.executor} if self.executor else {}),
        }

    def describe_fully(self) -> tuple[dict[str, Any], Any, Parameters]:
        """For `describe.describe()`."""
        start = {"name": self.name, "async": self.is_async, "stream": self.is_generator}
        if self.executor:
            start["executor"] = self.executor
        return start, self._function, self.parameters

    @property
    def executor(self) -> str:
        """What runs it elsewhere: the name of an engine, a class or a function. Empty: nothing does."""
        executor = self.settings.executor
        if executor is None or isinstance(executor, str):
            return executor or ""
        return str(getattr(executor, "__name__", type(executor).__name__))

    def _not_open(self, payload: Any) -> Any:
        raise RuntimeError(f"{self.name} is called before its service was opened")

    def __repr__(self) -> str:
        return f"<Method {self.signature}>"


class Service:
    """A registered class or object. A class is instantiated once in each worker, when the service is opened."""

    __slots__ = ("name", "group", "target", "methods", "instance", "opened")

    def __init__(self, name: str, group: str, target: Any) -> None:
        self.name = name
        self.group = group
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
        self._services: dict[str, Service] = {}
        self._methods: dict[str, Method] = {}
        self._groups: dict[str, GroupSettings] = {}
        self._catalogue = Catalogue([])
        self.middlewares: list[Callable[..., Any]] = []  # see `middleware`
        self._describing: Method | None = None

    def register(
        self,
        target: T,
        name: str | None = None,
        workers: int | None = None,
        queue_calls: int | None = None,
        queue_bytes: int | None = None,
    ) -> T:
        """Exposes a class's or an object's public methods as `Name.method`, or a function under its own name.

        workers: from 1 to 1024 processes that run nothing else, with a queue of their own: what floods it holds up no
        other service. queue_calls, queue_bytes: limits of that queue; by default the broker's.

        ValueError: the name can't be used, or callers could not tell it from another's, or a number is out of its
        bounds. TypeError: there is nothing to call.
        """
        cls = target if isinstance(target, type) else type(target)
        is_function = type(target) in _FUNCTIONS
        found = {} if is_function else _exposed(cls)
        if not found and (isinstance(target, type) or not callable(target)):
            raise TypeError(f"{cls.__qualname__} has no public method, so there is nothing to register")
        name = name or str(getattr(target, "__name__", cls.__name__))
        group = make_group(name, workers, queue_calls, queue_bytes)
        if found:
            self._register_service(target, name, group.name, found)
        else:
            self._register_function(target, name, group.name)
        if group.name != SHARED_GROUP:
            self._groups[group.name] = group
        return target

    def answer_describe(self, function: Callable[[], Any]) -> None:
        """From here on `find()` finds the function under the name `GoTask.Describe`, which is no method of the app's."""
        self._describing = Method(DESCRIBE, function, False, _PLAIN, SHARED_GROUP)
        self._describing.bind(function)

    def find(self, name: str) -> Method:
        """The method of that name, in any spelling. Raises `MethodNotFound`."""
        if name == DESCRIBE and self._describing is not None:
            return self._describing
        description = self._catalogue.resolve(name)
        if description is None:
            raise self.not_found(name)
        return self._methods[description["name"]]

    def not_found(self, name: str) -> MethodNotFound:
        return self._catalogue.not_found(name)

    def describe(self) -> list[dict[str, Any]]:
        """A description of each method, for a `Catalogue`; plain JSON."""
        return [method.describe() for method in self._methods.values()]

    def describe_fully(self) -> list[tuple[dict[str, Any], Any, Parameters]]:
        """For `describe.describe()`."""
        return [method.describe_fully() for method in self._methods.values()]

    def signatures(self) -> str:
        """A hash of what `describe_fully()` tells, but for docstrings."""
        return signatures(
            (method.name, method.is_generator, method.parameters) for method in self._methods.values()
        )

    def describe_groups(self) -> list[dict[str, Any]]:
        """The settings of each service with workers of its own; plain JSON."""
        return [group._asdict() for group in self._groups.values()]

    def opening(self, group: str, is_async: bool) -> Iterator[tuple[str, Step]]:
        """Name and opener of each service of a group that has methods of that kind: call it in order, and await what it
        returns, if anything. Where the methods with an executor run, `service_of()` tells what to open."""
        for service in self._services.values():
            if service.group == group and any(
                method.is_async == is_async and method.settings.executor is None
                for _, method in service.methods
            ):
                yield service.name, service.open

    def service_of(self, method: Method) -> Service | None:
        """None: it is a function, and needs no service."""
        return self._services.get(fold(method.name.rpartition(".")[0]))

    def services(self) -> Iterable[Service]:
        return self._services.values()

    def has_executors(self) -> bool:
        """Whether any method has one."""
        return any(True for _ in self.executors())

    def executors(self) -> Iterator[tuple[str, Any]]:
        """Name and executor of each method that has one."""
        for method in self._methods.values():
            if method.settings.executor is not None:
                yield method.name, method.settings.executor

    def closing(self) -> Iterator[tuple[str, Step]]:
        """Name and closer of each service that was opened, last opened first."""
        for service in reversed([service for service in self._services.values() if service.opened]):
            yield service.name, service.close

    def __repr__(self) -> str:
        return f"<Registry {', '.join(self._methods) or 'empty'}>"

    def _register_function(self, function: Any, name: str, group: str) -> None:
        method = Method(check_name(name), function, False, getattr(function, SETTINGS, _PLAIN), group)
        method.bind(function)
        self._add(method)

    def _register_service(self, target: Any, name: str, group: str, found: dict[str, Any]) -> None:
        check_name(name)
        other = self._services.get(fold(name))
        if other is not None:
            raise ValueError(
                f"the service {name} is registered already"
                + (f", as {other.name}" if other.name != name else "")
                + ": give one of them another name (register(…, name=…))"
            )
        if isinstance(target, type):
            _check_constructor(target)
        service = Service(name, group, target)
        names: dict[str, tuple[str, Any]] = {}
        for attribute, raw in found.items():
            function = getattr(raw, "__func__", raw)
            alias, same = names.setdefault(fold(attribute), (attribute, function))
            if alias != attribute and same is function:
                continue  # `sayHello = say_hello`: one method, and both spellings find it anyway
            bound = not isinstance(raw, staticmethod) and hasattr(type(raw), "__get__")
            settings: Settings = getattr(raw, SETTINGS, getattr(function, SETTINGS, _PLAIN))
            method = Method(check_name(f"{name}.{attribute}"), function, bound, settings, group)
            service.methods.append((attribute, method))
        for _, method in service.methods:
            self._add(method)
        self._services[fold(name)] = service

    def _add(self, method: Method) -> None:
        self._catalogue.add({"name": method.name})
        self._methods[method.name] = method


def _check_constructor(cls: type) -> None:
    """TypeError: a worker could not instantiate the class. Classes with `__new__` or a metaclass are not checked."""
    init: Any = cls.__init__  # type: ignore[misc]
    if (
        type(init) is not FunctionType
        or type(cls) is not type
        or any("__new__" in vars(base) for base in cls.__mro__[:-1])
    ):
        return
    required = [parameter.name for parameter in parameters_of(init, True).all if parameter.required]
    if required:
        raise TypeError(
            f"each worker makes {cls.__name__} without arguments, and its __init__ requires {', '.join(required)}:"
            f" register an object, gotask.register({cls.__name__}(…)), or give them defaults"
        )


def _exposed(cls: type) -> dict[str, Any]:
    """The public callables of a class by name, as they are in the classes, those of its bases first.

    Attributes of the instance do not count: `self.model` may be callable and is not for callers.
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


def register(
    target: T,
    name: str | None = None,
    *,
    workers: int | None = None,
    queue_calls: int | None = None,
    queue_bytes: int | None = None,
) -> T:
    """Exposes an object, a class or a function to callers, and returns it: it is a decorator, too.

    workers: from 1 to 1024 processes of its own, which run nothing else. queue_calls, queue_bytes: how many calls, and bytes
    of them, may wait for these; by default as many as for all others together.
    """
    return default_registry.register(target, name, workers, queue_calls, queue_bytes)
