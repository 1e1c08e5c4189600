"""`@gotask.middleware`, and the spans that `gotask.tracing` makes with it, with a stand-in for OpenTelemetry."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgpack
import pytest

from gotask.app.middleware import surrounded
from gotask.app.registry import Registry, default_registry
from gotask.wire import frames as wire

from .peer import APPS, BrokerProcess, Peer

PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "a=b"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    address = f"unix://{tmp_path_factory.mktemp('middleware') / 'b.sock'}"
    path = {"PYTHONPATH": str(APPS / "stand_in")}
    broker = BrokerProcess(APPS / "surrounded.py", address=address, env=path)
    broker.wait_for("ready")
    peer = Peer(address)
    yield peer
    peer.close()
    broker.end()


@pytest.fixture
def peer(made: Peer) -> Peer:
    made.call("App.take_log")
    made.call("App.spans")
    made.call("App.take_log")
    made.call("App.async_spans")
    return made


def call(peer: Peer, method: str, value: Any, headers: dict[str, str]) -> Any:
    text = json.dumps(headers).encode()
    return peer.result(peer.send_raw(method, text + msgpack.packb(value), wire.MSGPACK, 0, 0, len(text), 0))


def test_it_runs_around_each_method_in_its_order_and_sees_the_call(peer: Peer) -> None:
    assert peer.call("App.echo", 1) == 1
    assert call(peer, "App.echo", "2", {"wrap": "y"}) == [2]
    assert peer.call("early") == "early"
    assert peer.call("App.take_log") == [
        "outer App.echo {}",
        "outer ends",
        "outer App.echo {'wrap': 'y'}",
        "outer ends",
        "outer early {}",
        "outer ends",
    ]


def test_what_a_method_raises_passes_through_it_unless_it_is_caught(peer: Peer) -> None:
    assert peer.call("App.divide") == "divided"
    error = peer.call("App.fail")
    assert (
        error["code"] == "remote_error"
        and error["type"] == "ValueError"
        and "surrounded.py" in error["where"]
    )
    assert peer.call("App.echo", "x")["code"] == "invalid_arguments"
    assert peer.call("App.take_log").count("outer ends") == 3


def test_async_methods_have_async_middleware(peer: Peer) -> None:
    assert peer.call("App.async_echo", 1) == 1
    assert peer.call("App.async_log")[-2:] == ["async App.async_echo", "async App.async_log"]


@pytest.mark.parametrize("kind", ["", "async_"])
def test_each_call_has_a_span_whose_parent_is_the_callers(peer: Peer, kind: str) -> None:
    method = f"App.{kind}echo"
    attributes = {
        "name": method,
        "kind": "server",
        "rpc.system": "gotask",
        "rpc.method": method,
        "error": None,
    }
    call(peer, method, 1, PARENT)
    peer.call(method, 2)
    spans = [span for span in peer.call(f"App.{kind}spans") if span["name"] == method]
    assert spans == [{**attributes, **PARENT}, attributes]


def test_a_span_knows_the_error_of_its_method(peer: Peer) -> None:
    peer.call("App.fail")
    assert [span["error"] for span in peer.call("App.spans") if span["name"] == "App.fail"] == ["so"]


def test_without_middleware_of_its_kind_a_method_is_left_as_it_is() -> None:
    registry = Registry()
    registry.register(lambda: 1, name="one")
    method = registry.find("one")

    async def around(call: Any, next: Any) -> Any:
        return await next()

    assert surrounded(method, [around]) is method


def test_the_page_shows_middleware_that_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text("utf-8")
    example = next(
        block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def measure" in block
    )
    before = default_registry.middlewares.copy()
    scope: dict[str, Any] = {"__name__": "example"}
    try:
        exec(example, scope)
        assert default_registry.middlewares[len(before) :] == [scope["measure"], scope["only_known_tenants"]]
    finally:
        default_registry.middlewares[:] = before
    assert scope["measure"](Mock(), lambda: 5) == 5
    with pytest.raises(PermissionError):
        asyncio.run(scope["only_known_tenants"](Mock(headers={"tenant": "other"}), Mock()))
