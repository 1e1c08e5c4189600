"""Headers of a call: what its method sees of them, and what the broker makes of wrong ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from gotask.wire import frames as wire

from .peer import APPS, BrokerProcess, Peer

HEADERS = {"tenant": "7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "ü": "ö"}


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    address = f"unix://{tmp_path_factory.mktemp('headers') / 'b.sock'}"
    broker = BrokerProcess(APPS / "calls.py", "--workers", "1", address=address)
    broker.wait_for("ready")
    made = Peer(address)
    yield made
    made.close()
    broker.end()


def send(
    peer: Peer, method: str, body: bytes, headers: bytes, *, length: int | None = None, key: int = 0
) -> Any:
    """The reply's body, decoded; that of an error reply is a map with a code."""
    peer.sequence += 1
    name = method.encode()
    options = (peer.sequence, len(name), 20_000, 0, len(headers) if length is None else length, key)
    peer.socket.sendall(wire.encode(wire.MSGPACK, options, name + headers + body))
    reply = peer.reply(peer.sequence)
    found = reply.payload[reply.options[1] :]
    return json.loads(found) if reply.flags & wire.JSON else msgpack.unpackb(found)


@pytest.mark.parametrize("method", ["App.headers", "App.async_headers"])
def test_a_method_sees_the_headers_of_its_call_and_no_others(peer: Peer, method: str) -> None:
    sent = json.dumps(HEADERS, ensure_ascii=False).encode()
    assert send(peer, method, msgpack.packb("x"), sent) == [HEADERS, "x"]
    assert peer.call(method, "y") == [{}, "y"]
    assert send(peer, method, msgpack.packb("z"), b"") == [{}, "z"]


def test_headers_stand_before_a_large_body_too(peer: Peer) -> None:
    body = "x" * wire.LARGE * 2
    assert send(peer, "App.headers", msgpack.packb(body), b'{"a": "b"}') == [{"a": "b"}, body]


def test_headers_have_a_limit(peer: Peer) -> None:
    most = b'{"a": "%s"}' % (b"x" * (wire.MAX_HEADERS - 9))
    assert send(peer, "App.headers", b"", most) == [{"a": "x" * (wire.MAX_HEADERS - 9)}, None]
    error = send(peer, "App.headers", b"", most + b" ")
    assert error["code"] == "invalid_request" and "at most 8192 bytes" in error["message"]


def test_headers_that_are_longer_than_the_payload_are_a_wrong_call_alone(peer: Peer) -> None:
    error = send(peer, "App.headers", b"", b"{}", length=3)
    assert error["code"] == "invalid_request" and "within the payload" in error["message"]
    assert peer.call("App.headers", 1) == [{}, 1]


@pytest.mark.parametrize("count", [3, 5, 7, 10])
def test_another_number_of_options_is_a_wrong_call_alone(peer: Peer, count: int) -> None:
    peer.sequence += 1
    options = (peer.sequence, 11, *(0 for _ in range(count - 2)))
    peer.socket.sendall(wire.encode(wire.MSGPACK, options, b"App.headers"))
    assert json.loads(peer.reply(peer.sequence).payload)["code"] == "invalid_request"


@pytest.mark.parametrize("headers", [b"[", b"[]", b'{"a": 1}', b'{"a": null}', b"\xff", b"[" * 5000])
def test_headers_that_are_no_map_of_strings_fail_where_they_are_asked_for(peer: Peer, headers: bytes) -> None:
    assert send(peer, "App.echo", msgpack.packb(1), headers) == 1
    error = send(peer, "App.headers", msgpack.packb(1), headers)
    assert error["type"] == "gotask.errors.InvalidRequest" and "headers" in error["message"]


@pytest.mark.parametrize("size", [0, 10, wire.LARGE * 2])
def test_a_ping_gives_back_its_body_without_headers(peer: Peer, size: int) -> None:
    body = msgpack.packb("x" * size)
    assert send(peer, "GoTask.Ping", body, b'{"a": "b"}') == "x" * size
    assert peer.call("App.echo", "still here") == "still here"


def test_headers_cannot_be_changed_by_a_method() -> None:
    from gotask.app import context

    job = context.Job(1, 0.0, 0, wire.MSGPACK, 1, b"App.hi", b"")
    headers = context.CurrentCall(job, True).headers
    with pytest.raises(TypeError):
        headers["a"] = "b"  # type: ignore[index]
