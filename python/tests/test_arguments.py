"""How a payload becomes arguments: the table of the protocol, case by case."""

from __future__ import annotations

import collections
import functools
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NewType, Optional, TypedDict

import pytest
from hypothesis import given, strategies as st

from gotask.app.failures import error_body
from gotask.app.registry import Method, Registry
from gotask.client.session import Args
from gotask.errors import ArgumentMismatch


def bound(function: Callable[..., Any]) -> Method:
    registry = Registry()
    registry.register(function, "f")
    return registry.find("f")


def none() -> str:
    return "called"


def one(a: Any) -> Any:
    return ("one", a)


def optional(a: Any = 1, b: Any = 2) -> Any:
    return (a, b)


def one_and_optional(a: Any, b: Any = 2, *, c: Any = 3) -> Any:
    return (a, b, c)


def two(a: Any, b: Any) -> Any:
    return (a, b)


def two_and_more(a: Any, b: Any, c: Any = 3, *rest: Any, d: Any = 4, **named: Any) -> Any:
    return (a, b, c, rest, d, named)


def with_keyword(a: Any, *, k: Any) -> Any:
    return (a, k)


def keyword(*, k: Any) -> Any:
    return ("k", k)


def optional_keyword(*, k: Any = 0) -> Any:
    return ("k", k)


def optional_then_keyword(a: Any = 0, *, k: Any) -> Any:
    return (a, k)


def rest(*values: Any) -> Any:
    return values


def anything_named(**named: Any) -> Any:
    return named


def positional_only(a: Any, b: Any, /) -> Any:
    return (a, b)


@pytest.mark.parametrize(
    ("function", "payload", "expected"),
    [
        (none, None, "called"),
        (one, None, ("one", None)),
        (one, ["a", "b"], ("one", ["a", "b"])),
        (one, {"a": 1}, ("one", {"a": 1})),
        (one, [], ("one", [])),
        (optional, None, (1, 2)),
        (optional, [5, 6], ([5, 6], 2)),
        (optional, {"a": 5}, ({"a": 5}, 2)),
        (one_and_optional, None, (None, 2, 3)),
        (one_and_optional, [5, 6], ([5, 6], 2, 3)),
        (two, [5, 6], (5, 6)),
        (two, {"b": 6, "a": 5}, (5, 6)),
        (two_and_more, [1, 2], (1, 2, 3, (), 4, {})),
        (two_and_more, [1, 2, 9, 8, 7], (1, 2, 9, (8, 7), 4, {})),
        (two_and_more, {"a": 1, "b": 2, "d": 5, "x": 6}, (1, 2, 3, (), 5, {"x": 6})),
        (with_keyword, {"a": 1, "k": 2}, (1, 2)),
        (keyword, 7, ("k", 7)),
        (keyword, None, ("k", None)),
        (optional_keyword, None, ("k", 0)),
        (optional_keyword, 7, ("k", 7)),
        (optional_then_keyword, {"k": 7}, (0, 7)),
        (rest, None, ()),
        (rest, [1, 2], ([1, 2],)),
        (anything_named, None, {}),
        (anything_named, {"a": 1}, {"a": 1}),
        (positional_only, [1, 2], (1, 2)),
        (math.sqrt, 9, 3.0),
        (functools.partial(two, 1), 2, (1, 2)),
    ],
)
def test_payload(function: Callable[..., Any], payload: Any, expected: Any) -> None:
    assert bound(function).invoke(payload) == expected


@pytest.mark.parametrize(
    ("function", "payload", "reason"),
    [
        (none, 1, "takes no argument"),
        (none, [], "takes no argument"),
        (two, None, "was given null"),
        (two, "text", "was given one str"),
        (two, [1], "b is missing"),
        (two, [], "a, b are missing"),
        (two, [1, 2, 3], "3 positional arguments are too many"),
        (two, {"a": 1}, "b is missing"),
        (two, {"a": 1, "b": 2, "c": 3}, "there is no argument c"),
        (two, {"a": 1, 2: 3}, "2 is no name"),
        (with_keyword, [1, 2], "too many"),
        (with_keyword, [1], "k is missing"),
        (positional_only, {"a": 1, "b": 2}, "can't be given by name"),
        (anything_named, 1, "was given one int"),
    ],
)
def test_mismatch(function: Callable[..., Any], payload: Any, reason: str) -> None:
    method = bound(function)
    with pytest.raises(ArgumentMismatch, match=reason) as caught:
        method.invoke(payload)
    assert caught.value.data == {"signature": method.signature}
    assert method.signature in caught.value.message


@pytest.mark.parametrize(
    ("function", "body", "expected"),
    [
        (none, [[], {}], "called"),
        (none, [[], []], "called"),
        (one, [[[1, 2]], {}], ("one", [1, 2])),
        (one_and_optional, [[1], {"c": 9}], (1, 2, 9)),
        (optional, [[], {"b": 9}], (1, 9)),
        (two_and_more, [[1], {"b": 2, "z": 3}], (1, 2, 3, (), 4, {"z": 3})),
    ],
)
def test_exact(function: Callable[..., Any], body: Any, expected: Any) -> None:
    assert bound(function).invoke_exact(body) == expected


@pytest.mark.parametrize(
    ("function", "body", "reason"),
    [
        (one, [[1], {"a": 2}], "a is given twice"),
        (one, [[], {}], "a is missing"),
        (none, [[1], {}], "too many"),
        (one, None, "list of positions"),
        (one, [[1]], "list of positions"),
        (one, [1, 2], "list of positions"),
        (one, [[], [1]], "list of positions"),
        (one, {"a": 1}, "list of positions"),
    ],
)
def test_exact_mismatch(function: Callable[..., Any], body: Any, reason: str) -> None:
    with pytest.raises(ArgumentMismatch, match=reason):
        bound(function).invoke_exact(body)


def test_self_is_no_name() -> None:
    class App:
        def both(self, a: int, b: int, **named: int) -> Any:
            return named

    registry = Registry()
    registry.register(App)
    for _, step in registry.opening("", False):
        step()
    method = registry.find("App.both")
    with pytest.raises(ArgumentMismatch, match="self can't be given by name"):
        method.invoke({"a": 1, "b": 2, "self": 3})


def test_bytes_where_annotated() -> None:
    def plain(data: bytes) -> Any:
        return data

    def text(data: "bytes | None" = None) -> Any:
        return data

    def typed(data: Optional[bytes], name: str, *more: bytes, mask: bytes = b"", **others: bytes) -> Any:
        return (data, name, more, mask, others)

    def in_list(data: list[bytes]) -> Any:
        return data

    assert bound(plain).invoke("é") == "é".encode()
    assert bound(plain).invoke(b"\xff") == b"\xff"
    assert bound(text).invoke("x") == b"x"
    assert bound(text).invoke(None) is None
    assert bound(typed).invoke(["x", "y", "z"]) == (b"x", "y", (b"z",), b"", {})
    assert bound(typed).invoke({"data": None, "name": "n", "mask": "m", "o": "p"}) == (
        None,
        "n",
        (),
        b"m",
        {"o": b"p"},
    )
    assert bound(typed).invoke_exact([["x"], {"name": "y"}]) == (b"x", "y", (), b"", {})
    assert bound(in_list).invoke(["x", b"y"]) == [b"x", b"y"]


@pytest.mark.parametrize(
    "annotation",
    [
        "bytes",
        "'bytes'",
        "typing.Optional[bytes]",
        "bytes | None",
        "Union[None, bytes]",
        Optional[bytes],
        bytes,
    ],
)
def test_spellings_of_bytes(annotation: Any) -> None:
    def method(data: Any) -> Any:
        return data

    method.__annotations__["data"] = annotation
    assert bound(method).invoke("x") == b"x"


class Options(TypedDict, total=False):
    width: int


Alias = dict[str, int]
Fresh = NewType("Fresh", dict[str, int])


@pytest.mark.parametrize(
    "annotation",
    [
        dict,
        dict[str, int],
        typing.Dict[str, int],
        typing.Dict,
        Mapping,
        Mapping[str, int],
        typing.Mapping[str, int],
        typing.MutableMapping,
        collections.OrderedDict,
        collections.defaultdict[str, list[int]],
        Options,
        Fresh,
        Optional[dict],
        Optional[Options],
        Optional["Options"],
        dict | None,
        dict[str, int] | str | int | None,
        typing.Union[None, Mapping[str, int], bytes],
        typing.Annotated[dict[str, int], "of widths"],
        "dict",
        "'dict'",
        "dict[str, list[int]] | None",
        "Optional[dict[str, int]]",
        "typing.Union[Mapping[str, int], None]",
        "Annotated[dict[str, int], 'x']",
        "Options",
        "Options | None",
        "Alias",
        "Optional[Alias]",
        "NotImported.Mapping[str, Any]",
    ],
)
def test_an_empty_array_is_an_empty_dict_where_that_is_annotated(annotation: Any) -> None:
    def method(options: Any) -> Any:
        return options

    def more(name: str, options: Any = None, *rest: Any, only: Any = None, **others: Any) -> Any:
        return (options, rest, only, others)

    for function in (method, more):
        for name in ("options", "rest", "only", "others"):
            function.__annotations__[name] = annotation
    assert bound(method).invoke([]) == {}
    with pytest.raises(ArgumentMismatch, match="argument options: a list is no"):
        bound(method).invoke([1])
    assert bound(method).invoke_exact([[[]], {}]) == {}
    assert bound(method).invoke_exact([[], {"options": []}]) == {}
    assert bound(more).invoke_exact([["n", [], []], {"only": [], "o": []}]) == ({}, ({},), {}, {"o": {}})

    def only_named(*, options: Any) -> Any:
        return options

    only_named.__annotations__["options"] = annotation
    assert bound(only_named).invoke([]) == {}


@pytest.mark.parametrize(
    "annotation",
    [list, list[int], typing.List[int], Sequence, Optional[list], "list[int] | None", "Sequence[int]"],
)
def test_an_empty_map_is_an_empty_list_where_that_is_annotated(annotation: Any) -> None:
    def method(items: Any) -> Any:
        return items

    method.__annotations__["items"] = annotation
    assert bound(method).invoke({}) == [] and bound(method).invoke([]) == []
    with pytest.raises(
        ArgumentMismatch, match=r"items: a map is no list; send a list; in PHP array_values\(\)"
    ):
        bound(method).invoke({"a": 1})


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        dict | list,
        typing.Union[dict, list[int], None],
        Callable[[dict], None],
        "dict | list",
        "Callable[[dict], None]",
        "Unknown",
        "list[dict]",
        "Unknown[dict]",
        "1 +",
        "",
        7,
    ],
)
def test_an_empty_array_stays_as_it_is_where_it_may_be_either(annotation: Any) -> None:
    def method(value: Any) -> Any:
        return value

    method.__annotations__["value"] = annotation
    assert bound(method).invoke([]) == []
    if annotation != "list[dict]":
        assert bound(method).invoke({}) == {}


def test_a_type_error_inside_the_method_is_its_own() -> None:
    def broken(a: Any) -> Any:
        return one(a, a)  # type: ignore[call-arg]

    with pytest.raises(TypeError) as caught:
        bound(broken).invoke(1)
    body = error_body(caught.value)
    assert b'"remote_error"' in body and b"in broken" in body


def test_decorated_function_shows_what_it_wraps() -> None:
    def twice(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return (function(*args, **kwargs),) * 2

        return wrapper

    method = bound(twice(two))
    assert method.signature == "f(a: Any, b: Any) -> Any"
    assert method.invoke([1, 2]) == ((1, 2), (1, 2))


def test_args_shows_itself() -> None:
    assert repr(Args("Jo", last="Li")) == "Args('Jo', last='Li')"


@given(
    st.lists(st.integers(), max_size=6),
    st.dictionaries(st.sampled_from("abcdxyz"), st.integers(), max_size=5),
)
def test_exact_agrees_with_python(positional: list[int], named: dict[str, int]) -> None:
    functions: list[Callable[..., Any]] = [none, one, optional, one_and_optional, two, two_and_more]
    functions += [with_keyword, rest, anything_named]
    for function in functions:
        try:
            expected = function(*positional, **named)
        except TypeError:
            with pytest.raises(ArgumentMismatch):
                bound(function).invoke_exact([positional, named])
        else:
            assert bound(function).invoke_exact([positional, named]) == expected
