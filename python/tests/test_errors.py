from __future__ import annotations

import json
from typing import Any

import pytest

from gotask import _errors
from gotask._errors import (
    BY_CODE,
    ArgumentMismatch,
    GoTaskError,
    InvalidArguments,
    RemoteError,
    error_body,
    error_text,
    from_body,
    traceback_text,
)


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
    from pathlib import Path

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
        and str(again) == "ValueError: bad width"
    )


def test_even_an_error_of_ours_that_a_method_raises() -> None:
    body = fields(InvalidArguments("of another call", {"signature": "x"}))
    assert body["code"] == "remote_error" and body["type"] == "gotask._errors.InvalidArguments"
    assert fields(ArgumentMismatch("of this call"))["code"] == "invalid_arguments"


def test_data_that_json_can_hold() -> None:
    class Broken(Exception):
        def __init__(self, data: Any) -> None:
            self.data = data

    assert fields(Broken({"field": "width"}))["data"] == {"field": "width"}
    assert fields(Broken({"x": {1}}))["data"] == {"repr": "{'x': {1}}"}
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


def test_the_traceback_begins_with_the_methods_frame() -> None:
    code = compile("def run(call):\n    call()\n", _errors._PACKAGE + "_runner.py", "exec")
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
    assert error_text(error_body(raised(ValueError("bad")))) == b"ValueError: bad"
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
        b"[" * 99999,
    ],
)
def test_bodies_that_are_none(body: bytes) -> None:
    assert isinstance(from_body(body), RemoteError)
