from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gotask.app import registry as registry_module
from gotask.app.decorators import method, service
from gotask.app.registry import Registry
from gotask.errors import InvalidArguments, MethodNotFound
from gotask.wire.names import Catalogue, fold


class Base:
    def inherited(self) -> str:
        return "inherited"

    def hidden(self) -> None:
        raise AssertionError


class App(Base):
    hidden = None  # type: ignore[assignment]
    constant = 3
    nested = type("Nested", (), {})
    partial = functools.partial(max, 3)

    def __init__(self) -> None:
        self.model = lambda: "an attribute of the instance"
        self.log: list[str] = []

    def open(self) -> None:
        self.log.append("open")

    def close(self) -> None:
        self.log.append("close")

    def hi(self, name: str) -> dict[str, str]:
        """Greets.

        More about it.
        """
        return {"hello": name}

    def say_hello(self, first: str, last: str = "Doe", *, loud: bool = False) -> str:
        return first + last

    def get_url(self) -> str:
        return "url"

    async def fetch(self, url: str) -> str:
        return url

    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b

    @classmethod
    def kind(cls) -> str:
        return cls.__name__

    @property
    def size(self) -> int:
        raise AssertionError("a property is not a method, and must not be read")

    @method(idempotent=True)
    def tuned(self) -> None:
        pass

    def _private(self) -> None:
        pass


def opened(target: Any, name: str | None = None) -> Registry:
    registry = Registry()
    registry.register(target, name)
    for _, step in registry.opening("", False):
        assert step() is None
    return registry


@pytest.mark.parametrize("target", [App, App()])
def test_exposes_public_methods_only(target: Any) -> None:
    names = {description["name"] for description in opened(target).describe()}
    assert names == {
        f"App.{name}"
        for name in ("add", "fetch", "get_url", "hi", "inherited", "kind", "partial", "say_hello", "tuned")
    }


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("App.hi", "App.hi"),
        ("App.Hi", "App.hi"),
        ("app.HI", "App.hi"),
        ("App.SayHello", "App.say_hello"),
        ("App.sayHello", "App.say_hello"),
        ("App.say_hello", "App.say_hello"),
        ("App.GetURL", "App.get_url"),
        ("App.Inherited", "App.inherited"),
    ],
)
def test_spellings(wire: str, name: str) -> None:
    registry = opened(App)
    assert registry.find(wire).name == name
    description = Catalogue(registry.describe()).resolve(wire)
    assert description is not None and description["name"] == name


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "App",
        "App.",
        ".hi",
        "App._hi",
        "App._private",
        "_App.hi",
        "App.__init__",
        "App.open",
        "App.close",
        "App.hidden",
    ]
    + ["App.model", "App.size", "App.nested", "App.constant", "App.hi.x", "hi", "App..hi", "é", "App.hi\0"],
)
def test_not_found(wire: str) -> None:
    registry = opened(App)
    with pytest.raises(MethodNotFound) as caught:
        registry.find(wire)
    assert isinstance((caught.value.data or {})["nearest"], list)
    assert Catalogue(registry.describe()).resolve(wire) is None


def test_nearest_names() -> None:
    registry = opened(App)
    with pytest.raises(MethodNotFound, match="did you mean App.say_hello") as caught:
        registry.find("App.SayHelo")
    assert caught.value.data is not None and caught.value.data["nearest"][0] == "App.say_hello"
    assert "App.get_url" in registry.not_found("Wrong.GetUrl").data["nearest"]  # type: ignore[index]
    assert "gotask.register(" in Registry().not_found("App.hi").message
    assert len(registry.not_found("x" * 100_000).message) < 1000


def test_a_private_name_is_told_why_and_not_what_it_is_like() -> None:
    registry = opened(App)
    for name in ("App._hidden", "_App.hi", "App.__init__"):
        message = registry.not_found(name).message
        assert "begins with _ can't be called" in message and "did you mean" not in message


def test_an_unknown_name_is_told_what_there_is() -> None:
    def work() -> None:
        """Nothing."""

    registry = Registry()
    for name in ("Mail.send", "Mail.receive"):
        registry.register(work, name)
    assert registry.not_found("Zoo").message == "there is no method Zoo: there is Mail.send, Mail.receive"
    for number in range(4):
        registry.register(work, f"Mail.at{number}")
    assert (
        registry.not_found("Zoo").message
        == "there is no method Zoo: `gotask methods` lists the 6 that there are"
    )


def test_a_class_that_takes_arguments_is_refused_where_it_is_registered() -> None:
    class Needs:
        def __init__(self, dsn: str, *, table: str, size: int = 1) -> None:
            ...

        def hi(self) -> None:
            ...

    class Optional(Needs):
        def __init__(self, dsn: str = "", *tables: str, **options: str) -> None:
            ...

    class Made(Needs):
        def __new__(cls, *arguments: str) -> Made:
            return object.__new__(cls)

    with pytest.raises(
        TypeError, match=r"requires dsn, table: register an object, gotask.register\(Needs\(…\)\)"
    ):
        Registry().register(Needs)
    Registry().register(Needs("x", table="y"))
    Registry().register(Optional)
    Registry().register(Made)


def test_a_method_without_self_is_told_so() -> None:
    class Plain:
        def hi(name) -> None:
            ...  # noqa: B902,N805

    with pytest.raises(InvalidArguments, match="name, is the object: self is missing"):
        opened(Plain).find("Plain.hi").invoke("Jo")


def test_calls() -> None:
    registry = opened(App)
    assert registry.find("App.hi").invoke("Jo") == {"hello": "Jo"}
    assert registry.find("App.add").invoke([1, 2]) == 3
    assert registry.find("App.kind").invoke(None) == "App"
    assert registry.find("App.partial").invoke(5) == 5
    assert registry.find("App.inherited").invoke(None) == "inherited"


def test_one_argument_costs_nothing_where_nothing_is_to_be_converted() -> None:
    class Plain:
        def hi(self, name):  # type: ignore[no-untyped-def]
            return name

        def any(self, value: Any) -> Any:
            return value

        @method(convert=False)
        def raw(self, number: int) -> int:
            return number

    plain = Plain()
    registry = opened(plain)
    assert registry.find("Plain.hi").invoke == plain.hi
    assert registry.find("Plain.raw").invoke == plain.raw
    assert registry.find("Plain.any").invoke(1) == 1  # the first call looks at its annotations
    assert registry.find("Plain.any").invoke == plain.any


def test_describe() -> None:
    described = {description["name"]: description for description in opened(App).describe()}
    json.dumps(described)
    assert described["App.hi"]["doc"] == "Greets."
    assert described["App.hi"]["signature"] == "App.hi(name: str) -> dict[str, str]"
    assert (
        described["App.say_hello"]["signature"]
        == "App.say_hello(first: str, last: str = 'Doe', *, loud: bool = False) -> str"
    )
    assert described["App.fetch"]["async"] and not described["App.hi"]["async"]
    assert described["App.tuned"]["idempotent"] and not described["App.hi"]["idempotent"]


def test_open_and_close_once() -> None:
    app = App()
    registry = opened(app)
    assert app.log == ["open"]
    for name, step in registry.closing():
        assert name == "App" and step() is None
    assert app.log == ["open", "close"]
    assert list(registry.closing()) == []


def test_a_class_is_instantiated_when_opened() -> None:
    made = []

    class Late:
        def __init__(self) -> None:
            made.append(self)

        def method(self) -> int:
            return 1

    registry = Registry()
    registry.register(Late)
    assert made == []
    with pytest.raises(RuntimeError, match="before its service was opened"):
        registry.find("Late.method").invoke(None)
    for _, step in registry.opening("", False):
        step()
    assert len(made) == 1 and registry.find("Late.method").invoke(None) == 1


def test_async_open_is_awaitable() -> None:
    class Opening:
        opened = False

        async def open(self) -> None:
            self.opened = True

        def method(self) -> None:
            pass

    registry = Registry()
    service = registry.register(Opening())
    assert list(registry.opening("", True)) == [], "none of its methods runs there"
    (_, step), *_ = registry.opening("", False)
    awaitable = step()
    assert awaitable is not None
    with pytest.raises(StopIteration):
        awaitable.__await__().send(None)
    assert service.opened


def test_functions() -> None:
    registry = Registry()

    @registry.register
    def word_count(text: str) -> int:
        return len(text.split())

    assert registry.find("word_count").invoke("a b") == 2
    assert registry.find("WordCount").name == "word_count"
    registry.register(len, "tools.Length")
    assert registry.find("tools.length").invoke([1, 2]) == 2


@pytest.mark.parametrize(
    "name", ["_App", "App.", "a b", "Ä-b", "GoTask", "GoTask.Ping", "go_task", "x" * 256, "a._b", "1a"]
)
def test_bad_names(name: str) -> None:
    registry = Registry()
    with pytest.raises(ValueError):
        registry.register(App, name)
    assert not registry.describe()


def test_namespaces() -> None:
    assert opened(App, "ml.vision.App").find("ML.Vision.App.Hi").name == "ml.vision.App.hi"


def test_what_callers_cannot_tell_apart_is_refused() -> None:
    class Both:
        def say_hello(self) -> None:
            pass

        def sayHello(self) -> None:
            pass

    with pytest.raises(ValueError, match="can't be told apart"):
        Registry().register(Both)
    registry = opened(App)
    with pytest.raises(ValueError, match="registered already"):
        registry.register(App)
    with pytest.raises(ValueError, match="registered already, as App"):
        registry.register(App, "app")
    with pytest.raises(TypeError, match="no public method"):
        registry.register(3)


def test_an_alias_is_no_second_method() -> None:
    class Aliased:
        def say_hello(self) -> None:
            pass

        sayHello = say_hello

    assert [description["name"] for description in opened(Aliased).describe()] == ["Aliased.say_hello"]


def test_decorators(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    monkeypatch.setattr("gotask.app.registry.default_registry", registry)
    monkeypatch.setattr(registry_module, "default_registry", registry)

    @service
    class Plain:
        @method
        def hi(self) -> None:
            pass

        @method(idempotent=True)
        @staticmethod
        def still() -> None:
            pass

    @service(name="Named")
    class Other:
        def hi(self) -> None:
            pass

    @registry.register
    def function() -> None:
        pass

    assert isinstance(Plain(), Plain) and isinstance(Other(), Other)
    described = {description["name"]: description for description in registry.describe()}
    assert set(described) == {"Plain.hi", "Plain.still", "Named.hi", "function"}
    assert described["Plain.still"]["idempotent"]


def test_kinds() -> None:
    class Kinds:
        def rows(self) -> Any:
            yield 1

        async def arows(self) -> Any:
            yield 1

        class Callable:
            async def __call__(self, x: int) -> int:
                return x

        made = Callable()

    registry = opened(Kinds)
    assert registry.find("Kinds.rows").is_generator and registry.find("Kinds.arows").is_generator
    assert registry.find("Kinds.arows").is_async and not registry.find("Kinds.rows").is_async
    assert registry.find("Kinds.made").is_async
    assert registry.find("Kinds.made").signature == "Kinds.made(x: int) -> int"


def test_a_default_whose_repr_raises_does_not_matter() -> None:
    class Sour:
        def __repr__(self) -> str:
            raise ValueError

    def function(a: Any = Sour(), b: Any = "x" * 1000) -> None:
        pass

    registry = Registry()
    registry.register(function)
    assert len(registry.find("function").signature) < 200


@given(st.text(max_size=40))
def test_resolving_anything_is_safe(name: str) -> None:
    registry = opened(App)
    try:
        found = registry.find(name)
    except MethodNotFound:
        pass
    else:
        assert fold(found.name) == fold(name)


def test_an_annotation_that_can_not_be_shown() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    class Long:
        def __repr__(self) -> str:
            return "x" * 100_000

    def method(a: Any, b: Any) -> None:
        pass

    method.__annotations__.update(a=Odd(), b=Long())
    registry = Registry()
    registry.register(method, "m")
    assert (
        registry.find("m").signature.startswith("m(a: …, b: xxx") and len(registry.find("m").signature) < 2000
    )
