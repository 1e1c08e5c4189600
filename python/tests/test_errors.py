from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gotask.app import failures
from gotask.app.context import Job
from gotask.app.failures import error_body, traceback_text, where
from gotask.app.registry import Registry
from gotask.app.runner import Runner
from gotask.errors import (
    BY_CODE,
    ArgumentMismatch,
    GoTaskError,
    InvalidArguments,
    RemoteError,
    error_text,
    from_body,
)
from gotask.wire import frames as wire
from gotask.wire.frames import STRUCTURED

from .peer import BrokerProcess


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def fields(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(error_body(raised(error)))
    return found


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_each_code_there_and_back(code: str) -> None:
    error = BY_CODE[code]("what happened", {"k": [1]})
    again = from_body(error.body())
    assert type(again) is BY_CODE[code]
    assert (again.code, again.message, again.data) == (code, "what happened", {"k": [1]})


def test_every_code_of_the_protocol_is_known() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
    table = text.partition("| code | meaning |")[2].partition("\n\n")[0]
    codes = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert codes == {*BY_CODE, "remote_error"}


def test_what_a_method_raises_is_a_remote_error() -> None:
    body = fields(ValueError("bad width"))
    assert body["code"] == "remote_error" and body["type"] == "ValueError" and body["message"] == "bad width"
    assert body["traceback"].startswith("Traceback") and "in raised" in body["traceback"]
    assert "data" not in body
    again = from_body(error_body(raised(ValueError("bad width"))))
    assert (
        isinstance(again, RemoteError)
        and again.type == "ValueError"
        and str(again) == f"ValueError: bad width ({again.where})"
        and again.message == "bad width"
    )


def test_even_an_error_of_ours_that_a_method_raises() -> None:
    body = fields(InvalidArguments("of another call", {"signature": "x"}))
    assert body["code"] == "remote_error" and body["type"] == "gotask.errors.InvalidArguments"
    assert fields(ArgumentMismatch("of this call"))["code"] == "invalid_arguments"


def test_data_that_json_can_hold() -> None:
    class Broken(Exception):
        def __init__(self, data: Any) -> None:
            self.data = data

    assert fields(Broken({"field": "width"}))["data"] == {"field": "width"}
    assert fields(Broken({"price": Decimal("1.50"), "ids": {1}}))["data"] == {"price": "1.50", "ids": [1]}
    assert fields(Broken({"x": 1j}))["data"] == {"repr": "{'x': 1j}"}
    assert fields(Broken({"x": float("nan")}))["data"] == {"repr": "{'x': nan}"}
    assert len(fields(Broken({"x": "y" * 1_000_000}))["data"]["repr"]) <= 1024
    assert "data" not in fields(Broken([1]))
    assert "data" not in fields(Broken({}))


def test_exceptions_that_misbehave() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit("no")

        @property
        def data(self) -> Any:
            raise RuntimeError

    class Sour(dict[str, Any]):
        def __repr__(self) -> str:
            raise RuntimeError

        def items(self) -> Any:
            raise RuntimeError

    class Deep(Exception):
        data = Sour(a=1)

    assert fields(Mute())["message"] == "(its __str__ raised SystemExit)"
    assert "repr" in fields(Deep())["data"]
    assert fields(ValueError())["message"] == "ValueError"
    assert fields(ValueError("\ud800"))["message"] == "?"
    assert fields(SystemExit(3))["type"] == "SystemExit"
    assert fields(KeyboardInterrupt())["message"] == "KeyboardInterrupt"


def test_what_is_too_long_is_cut_in_its_middle() -> None:
    message = fields(ValueError("a" * 200_000 + "end"))["message"]
    assert len(message) < 70_000 and message.endswith("end") and "characters left out" in message


def test_recursion_ends_in_a_bounded_traceback() -> None:
    def one(count: int) -> None:
        two(count)

    def two(count: int) -> None:
        one(count)

    with pytest.raises(RecursionError) as caught:
        one(1)
    assert len(error_body(caught.value)) < 200_000


def test_a_file_that_is_no_python_is_named_without_the_frames_that_load_it() -> None:
    code = compile("def load(text): compile(text, 'app.py', 'exec')", failures.__file__, "exec")
    ours: dict[str, Any] = {}
    exec(code, ours)
    with pytest.raises(SyntaxError) as caught:
        ours["load"]("class App(:")
    caught.value.__traceback__ = caught.value.__traceback__ and caught.value.__traceback__.tb_next

    text = traceback_text(caught.value)
    assert failures.__file__ not in text
    assert text.startswith('  File "app.py", line 1\n    class App(:\n')


def test_a_long_chain_and_many_frames_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    error: BaseException = ValueError("first")
    for number in range(5000):
        after = raised(ValueError(number))
        after.__context__ = error
        error = after
    text = traceback_text(error)
    assert "in raised\n" in text and text.rstrip().endswith("ValueError: 4999")

    def deep(count: int) -> None:
        deeper(count)

    def deeper(count: int) -> None:
        deep(count - 1) if count else 1 / 0

    monkeypatch.setattr(failures, "MAX_FRAMES", 20)
    with pytest.raises(ZeroDivisionError) as caught:
        deep(100)
    assert traceback_text(caught.value).count("  File ") == 20


def test_the_traceback_begins_with_the_methods_frame() -> None:
    code = compile("def run(call):\n    call()\n", failures._PACKAGE + "_runner.py", "exec")
    space: dict[str, Any] = {}
    exec(code, space)

    def method() -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise ValueError("effect") from error

    with pytest.raises(ValueError) as caught:
        space["run"](method)
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # type: ignore[union-attr]
    text = traceback_text(error)
    assert "_runner.py" not in text and text.count("in method") == 2 and "KeyError: 'cause'" in text


def test_text_for_plain_peers() -> None:
    assert error_text(error_body(ValueError("bad"))) == b"ValueError: bad"
    assert error_text(error_body(ValueError())) == b"ValueError"
    assert error_text(GoTaskError("nothing there").body()) == b"nothing there"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"\xff",
        b"[]",
        b'{"code": 3}',
        b'{"code": "x", "data": [], "message": null}',
        b'{"code": "cancelled", "message": [[[]]]}',
        b'{"code": "cancelled", "message": "' + b"x" * 2_000_000 + b'"}',
        b"[" * 99999,
    ],
)
def test_bodies_that_are_none(body: bytes) -> None:
    error = from_body(body)
    assert isinstance(error, RemoteError) and len(error.message) < 70_000


def test_the_largest_body_of_a_broker_is_read() -> None:
    error = ValueError("\1" * 100_000)
    error.data = {"x": "y" * 260_000}  # type: ignore[attr-defined]
    again = from_body(error_body(raised(error)))
    assert isinstance(again, RemoteError) and again.type == "ValueError"
    assert again.data == {"x": "y" * 260_000}


# -- where it was raised ------------------------------------------------------------------------------------------------


def run(path: Path, source: str, name: str = "method") -> BaseException:
    """What a method of an application's file raises."""
    space: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), space)
    try:
        space[name]()
    except BaseException as error:
        return error.with_traceback(error.__traceback__.tb_next)  # type: ignore[union-attr]
    raise AssertionError("it raised nothing")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "app.py"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def method():\n    raise ValueError", "app.py:2 in method"),
        ("def method():\n    int('x')", "app.py:2 in method"),
        ("import json\ndef method():\n    json.loads('x')", "app.py:3 in method"),
        ("def method():\n    def inner():\n        raise ValueError\n    inner()", "app.py:3 in inner"),
        ("def method():\n    (lambda: 1 / 0)()", "app.py:2 in <lambda>"),
        ("def method():\n    exec('1/0')", "app.py:2 in method"),
        ("def method():\n    compile('a b', 'bad.py', 'exec')", "app.py:2 in method"),
        (
            "def method():\n    try:\n        1 / 0\n"
            "    except ZeroDivisionError as error:\n        raise ValueError from error",
            "app.py:5 in method",
        ),
        (
            "import asyncio\nasync def work():\n    await asyncio.sleep(0)\n    raise ValueError\n"
            "def method():\n    asyncio.run(work())",
            "app.py:4 in work",
        ),
        (
            "class Odd(Exception):\n    def __str__(self):\n        1 / 0\ndef method():\n    raise Odd",
            "app.py:5 in method",
        ),
        ("def method():\n    method()", "app.py:2 in method"),
    ],
)
def test_where_it_was_raised(app: Path, source: str, expected: str) -> None:
    body = json.loads(error_body(run(app, source)))
    assert body["where"] == expected
    assert str(from_body(json.dumps(body).encode())).endswith(f" ({expected})")


def test_an_installed_librarys_line_counts_only_where_there_is_no_other(app: Path) -> None:
    library = app.parent / "venv" / "site-packages" / "lib" / "core.py"
    raising = "def method():\n    raise ValueError"
    assert where(run(library, raising)).endswith("site-packages/lib/core.py:2 in method")
    calling = f"space = {{}}\nexec(compile({raising!r}, {str(library)!r}, 'exec'), space)\n"
    calling += "def method():\n    space['method']()"
    assert where(run(app, calling)) == "app.py:4 in method"
    assert where(ValueError()) == ""


def test_where_shows_the_path_below_the_entry_that_the_file_was_found_by(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = "def method():\n    raise ValueError"
    assert where(run(app.parent / "models" / "user.py", raising)) == "models/user.py:2 in method"
    monkeypatch.setattr(sys, "path", [None, "", "/", "relative"])
    assert where(run(app, raising)) == f"{app}:2 in method"
    monkeypatch.chdir(app.parent.parent)
    assert where(run(app, raising)) == f"{app.parent.name}/app.py:2 in method"


def test_a_module_that_is_not_there_names_the_interpreter(app: Path) -> None:
    body = fields(run(app, "def method():\n    import no_such_module_xyz"))
    assert body["message"] == f"No module named 'no_such_module_xyz' (the interpreter is {sys.executable})"


def test_an_application_that_lacks_a_module_names_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import no_such_module_xyz\n")
    broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/s")
    message = broker.wait_for("failed")["message"]
    broker.end()
    assert f"No module named 'no_such_module_xyz' (the interpreter is {sys.executable})" in message


class _Meta(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise SystemExit


class _Liar(Exception):
    __class__ = ArgumentMismatch  # type: ignore[assignment]


class _Closed(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)


class _Text(str):
    def __len__(self) -> int:
        raise MemoryError

    def __bool__(self) -> bool:
        raise MemoryError


class _Wordy(Exception):
    def __str__(self) -> str:
        return _Text("words")


class _Endless(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        return _Endless()


def _nameless() -> type[Exception]:
    made = type("X" * 100_000, (Exception,), {"__module__": 3})
    assert issubclass(made, Exception)
    return made


@pytest.mark.parametrize(
    "kind",
    [
        _Meta("Odd", (Exception,), {}),
        _Liar,
        _Closed,
        _Wordy,
        _Endless,
        _nameless(),
        MemoryError,
        RecursionError,
    ],
    ids=lambda kind: "odd",
)
def test_whatever_fails_while_an_error_is_explained_is_still_an_error(kind: type[BaseException]) -> None:
    body = error_body(raised(kind()))
    again = from_body(body)
    assert isinstance(again, RemoteError) and again.type and again.message and len(body) < 100_000


def test_an_error_that_leaves_no_memory_to_describe_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(failures, "traceback_text", fail)
    assert fields(ValueError("x"))["message"] == "(MemoryError while it was described)"


class _Unclassed:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise SystemExit


class _UnclassedError(_Unclassed, Exception):
    pass


class _Leaving(dict[str, Any]):
    def items(self) -> Any:
        raise SystemExit("left")


@pytest.mark.parametrize("codec", [wire.MSGPACK, wire.JSON])
@pytest.mark.parametrize(
    "source", ["return unclassed()", "return leaving(a=1)", "return [unclassed()]", "raise unclassed_error"]
)
def test_whatever_a_method_gives_is_a_reply(codec: int, source: str) -> None:
    space: dict[str, Any] = {"unclassed": _Unclassed, "leaving": _Leaving, "unclassed_error": _UnclassedError}
    exec(f"def method():\n    {source}", space)
    registry = Registry()
    registry.register(space["method"], "m")
    job = Job(1, 0.0, STRUCTURED, codec, 7, b"m", b"")
    frame = wire.parse(b"".join(Runner(registry, 1_000_000).run(job)))
    assert frame.flags & wire.ERROR
    assert json.loads(frame.payload[1:])["code"] in ("invalid_result", "remote_error")
