"""What a method logs: it comes out with its level, and nothing of it ends or changes a call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .peer import BrokerProcess, Peer, serving
from .test_deadlines import connect

APP = r"""
import gotask, logging, sys

class Odd:
    def __repr__(self): raise RuntimeError("no repr")
    __str__ = __repr__

class Text(str):
    def __str__(self): raise RuntimeError("no str")

circular = {}
circular["self"] = circular
deep = []
for _ in range(100_000): deep = [deep]

EXTRA = {
    "nan": float("nan"), "infinite": float("-inf"), "surrogate": "\ud800", "odd": Odd(), "circular": circular, "deep": deep,
    "keys": {(1, 2): 3, None: 4, Odd(): 5, "\udfff": 6}, "huge": list(range(10 ** 5)), "long": "x" * 10 ** 6, "text": Text("t"),
    "number": 10 ** 5000, "bytes": b"\xff", "set": {1}, "class": Odd,
}

@gotask.register
def extra(name):
    logging.warning("extra %s", name, extra={"value": EXTRA[name]})
    return "done"

@gotask.register
def message(name):
    if name == "arguments": logging.info("%d", "x")
    if name == "count": logging.info("%s %s", "x")
    if name == "odd": logging.info("%s", Odd())
    if name == "no text": logging.info(Odd())
    if name == "surrogate": logging.info("\ud800")
    if name == "logger": logging.getLogger("\ud800").info("named")
    if name == "exception":
        try: raise ValueError(Odd(), "\ud800")
        except ValueError: logging.exception("odd")
    if name == "key": logging.info("x", extra={"\ud800": 1})
    return "done"

@gotask.register
def levels(numbers):
    for number in numbers: logging.log(number, "level %d", number)

TIMES = {"nan": float("nan"), "infinite": float("inf"), "text": "now", "none": None}

@gotask.register
def created(name):
    logging.getLogger().handle(logging.makeLogRecord({"msg": f"created {name}", "levelno": 30, "created": TIMES[name]}))

@gotask.register
def formatted():
    log = logging.getLogger("formatted")
    log.addHandler(logging.StreamHandler())
    log.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.warning("formatted before", extra={"own": 1})

@gotask.register
def stack(): logging.info("where", stack_info=True)
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("logging")
    (folder / "app.py").write_text(APP)
    yield from serving(folder, folder / "app.py", "--log-level", "debug")


def is_sound(value: Any) -> bool:
    """Whether PHP's json_decode takes it."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return bool(text.encode())


@pytest.mark.parametrize(
    "name",
    ["nan", "infinite", "surrogate", "odd", "circular", "deep", "keys", "huge", "long", "text", "number"]
    + ["bytes", "set", "class"],
)
def test_whatever_extra_holds(broker: BrokerProcess, name: str) -> None:
    assert connect(broker).call("extra", name) == "done"
    record = broker.logged(f"extra {name}")
    assert record["level"] == "warning" and is_sound(record)
    assert "value" in record["context"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("arguments", "'%d' with ('x',) could not be formatted: TypeError"),
        ("count", "not enough arguments"),
        ("odd", "whose __repr__ raised"),
        ("no text", "Odd whose __repr__ raised"),
        ("surrogate", "\\ud800"),
        ("logger", "named"),
        ("exception", "odd"),
    ],
)
def test_whatever_a_message_is(broker: BrokerProcess, name: str, words: str) -> None:
    assert connect(broker).call("message", name) == "done"
    assert is_sound(broker.logged(words))


def test_a_level_is_named_by_its_number(broker: BrokerProcess) -> None:
    peer: Peer = connect(broker)
    expected = {
        10: "debug",
        20: "info",
        25: "info",
        30: "warning",
        35: "warning",
        45: "error",
        99: "critical",
    }
    peer.call("levels", list(expected))
    assert {number: broker.logged(f"level {number}")["level"] for number in expected} == expected


def test_the_stack_that_is_asked_for_comes_along(broker: BrokerProcess) -> None:
    connect(broker).call("stack")
    assert "in stack" in broker.logged("where")["exception"]


@pytest.mark.parametrize("name", ["nan", "infinite", "text", "none"])
def test_a_time_that_is_none_is_replaced(broker: BrokerProcess, name: str) -> None:
    connect(broker).call("created", name)
    record = broker.logged(f"created {name}")
    assert is_sound(record) and isinstance(record["time"], float)


def test_what_another_handler_adds_is_no_context(broker: BrokerProcess) -> None:
    connect(broker).call("formatted")
    assert set(broker.logged("formatted before")["context"]) == {"own", "pid"}
