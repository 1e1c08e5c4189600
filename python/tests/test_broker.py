"""The broker as its callers see it: what comes back for what, good and bad."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gotask.wire import frames as wire

from .peer import APPS, BrokerProcess, Peer, serving

EXACT = wire.ARGS


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("broker"), APPS / "calls.py", workers=request.param)


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[Peer]:
    assert broker.address is not None
    made = Peer(broker.address)
    yield made
    # Whatever a test did, the broker goes on.
    assert Peer(broker.address).call("App.Hi", "still there") == {"hello": "still there"}
    made.close()


@pytest.mark.parametrize("name", ["App.Hi", "App.hi", "app.hi"])
def test_a_call_is_answered(peer: Peer, name: str) -> None:
    assert peer.call(name, "Reasno") == {"hello": "Reasno"}


@pytest.mark.parametrize("method", ["App.echo", "App.async_echo"])
@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**63), 2**64 - 1, 1.5, "", "é", b"\x00\xff", [], {}, [1, [2]], {"a": {"b": None}}],
    ids=repr,
)
def test_values_come_back_as_they_were_sent(peer: Peer, method: str, value: Any) -> None:
    assert peer.call(method, value) == value


@pytest.mark.parametrize("size", [0, 1, 65_000, 65_536, 70_000, 1 << 20, (63 << 20)])
@pytest.mark.parametrize("method", ["App.echo", "App.async_echo"])
def test_payloads_of_any_size_go_there_and_back(peer: Peer, method: str, size: int) -> None:
    body = os.urandom(min(size, 1 << 20)) * max(1, size >> 20)
    thread = threading.Thread(target=lambda: peer.send_raw(method, body, wire.RAW))
    thread.start()  # the peer reads while it writes
    frame = peer.reply(1 + 1)
    thread.join()
    assert frame.flags == wire.RAW and frame.payload[frame.options[1] :] == body


def test_many_large_frames_in_one_piece_keep_their_payloads(peer: Peer) -> None:
    bodies = [bytes((index,)) * 70_000 for index in range(6)]
    for body in bodies:
        peer.send_raw("App.echo", body, wire.RAW)
    for index, body in enumerate(bodies):
        assert peer.reply(2 + index).payload[8:] == body


def test_every_answer_belongs_to_its_call(peer: Peer) -> None:
    sequences = {peer.send("App.echo", index): index for index in range(2000)}
    for sequence, index in sequences.items():
        assert peer.result(sequence) == index


def test_async_calls_run_side_by_side(peer: Peer) -> None:
    began = time.monotonic()
    sequences = [peer.send("App.wait", 0.2) for _ in range(150)]
    assert [peer.result(sequence) for sequence in sequences] == [0.2] * 150
    assert time.monotonic() - began < 20  # of 30 s


@pytest.mark.parametrize(
    ("method", "payload", "code", "words"),
    [
        ("App.nope", None, "method_not_found", "no method App.nope"),
        ("App.h", None, "method_not_found", "App.hi"),
        ("App._hi", None, "method_not_found", "_hi"),
        ("GoTask.Nope", None, "method_not_found", "GoTask.Ping"),
        ("App.pid", 1, "invalid_arguments", "App.pid()"),
        ("App.append", ["one"], "invalid_arguments", "path: str, line: str"),
        ("App.sleep", "x", "invalid_arguments", 'App.sleep(): argument seconds: "x" is no float'),
        ("App.wait", {}, "invalid_arguments", "App.wait(): argument seconds: a map is no float"),
        ("App.fail", "so", "remote_error", "so"),
        ("App.exit", 3, "remote_error", "3"),
        ("App.unsendable", None, "invalid_result", "object"),
        ("GoTask.Hello", None, "invalid_request", "protocol"),
    ],
)
def test_bad_calls_get_errors_that_say_what_to_do(
    peer: Peer, method: str, payload: Any, code: str, words: str
) -> None:
    error = peer.call(method, payload)
    assert error["code"] == code and words in error["message"]


def test_an_exception_comes_with_its_type_and_traceback(peer: Peer) -> None:
    error = peer.call("App.fail", "so")
    assert error["type"] == "ValueError"
    assert "raise ValueError(message)" in error["traceback"] and "_runner.py" not in error["traceback"]


def test_a_plain_peer_gets_text(broker: BrokerProcess) -> None:
    assert broker.address is not None
    plain = Peer(broker.address, hello=False)
    assert plain.call("App.Hi", "x") == {"hello": "x"}
    frame = plain.reply(plain.send_raw("App.fail", b'"so"', wire.JSON))
    assert frame.flags == wire.JSON | wire.ERROR and len(frame.options) == 2
    assert frame.payload[frame.options[1] :] == b"ValueError: so (calls.py:57 in fail)"
    assert "no method" in plain.call("App.nope")


def test_exact_arguments_are_passed_so(peer: Peer) -> None:
    assert peer.call("App.hi", [["Jo"], {}], 0, EXACT) == {"hello": "Jo"}
    assert peer.call("App.hi", [[], {"name": "Jo"}], 0, EXACT) == {"hello": "Jo"}
    assert peer.call("App.hi", [["Jo", 2], {}], 0, EXACT)["code"] == "invalid_arguments"
    assert peer.call("App.hi", "Jo", 0, EXACT)["code"] in ("invalid_arguments", "invalid_request")


def test_the_current_call_knows_its_method_and_deadline(peer: Peer) -> None:
    assert peer.call("App.callId") == ["App.callId", None]
    method, remaining = peer.call("App.call_id", None, 5000, 0)
    assert method == "App.call_id" and 4.0 < remaining <= 5.0


def test_a_notification_is_answered_when_it_is_accepted(peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert peer.call("App.append", [str(path), "noted"], 0, wire.NOTIFY) is None
    until = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size) and time.monotonic() < until:
        peer.call("App.pid")
    assert path.read_text() == "noted\n"


def test_a_failed_notification_is_logged(peer: Peer, broker: BrokerProcess) -> None:
    for text in ("unseen", "u" * 100_000):  # a large reply takes another way
        assert peer.call("App.fail", text, 0, wire.NOTIFY) is None
        record = broker.logged(f"the notification App.fail failed: ValueError: {text[:10]}")
        assert record["level"] == "error" and record["context"]["method"] == "App.fail"
        assert record["message"].endswith(" in fail)")
        assert record["exception"].startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 40,
        wire.encode(wire.JSON, (1, 6), b"App.Hi")[:6] + b"\0\0\0\0" + bytes(20),
        b"\x25" + wire.encode(wire.JSON, (1, 6), b"App.Hi")[1:],
        b"\x12" + bytes(30),
        wire.encode(wire.JSON, (), b"no options"),
    ],
    ids=["http", "ff", "crc", "version", "header", "no options"],
)
def test_garbage_closes_its_connection_and_no_other(peer: Peer, broker: BrokerProcess, data: bytes) -> None:
    assert broker.address is not None
    bad = Peer(broker.address, hello=False)
    waiting = peer.send("App.wait", 0.1)
    bad.socket.sendall(data)
    assert bad.socket.recv(100) == b""
    assert peer.result(waiting) == 0.1
    assert broker.logged("a connection was closed")["level"] == "warning"


def test_good_calls_before_the_garbage_are_not_answered_by_others(broker: BrokerProcess) -> None:
    assert broker.address is not None
    bad = Peer(broker.address)
    bad.send("App.echo", 1)
    bad.socket.sendall(b"\xff" * 40)
    with pytest.raises(EOFError):
        while True:
            bad.read()


def test_a_frame_that_is_no_call_is_an_error_of_that_call(peer: Peer) -> None:
    sequence = peer.send_raw("App.hi", b"", wire.JSON | wire.RAW)
    assert peer.result(sequence)["code"] == "invalid_request"


def test_a_name_that_is_no_utf8_is_an_error_of_that_call(peer: Peer) -> None:
    peer.sequence += 1
    peer.socket.sendall(wire.encode(wire.JSON, (peer.sequence, 4), b"\xff\xfe\xfd\xfc"))
    assert peer.result(peer.sequence)["code"] == "method_not_found"


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x01",
        b"\x91" * 5000 + b"\xc0",
        b"\xd4\x05\x00",
        b"\x01\x02",
    ],
    ids=["reserved", "4 billion elements", "4 billion pairs", "deep", "extension", "two values"],
)
def test_a_body_that_is_no_messagepack_is_an_error_of_that_call(peer: Peer, body: bytes) -> None:
    error = peer.result(peer.send_raw("App.echo", body, wire.MSGPACK))
    assert error["code"] == "invalid_request"


def test_a_frame_above_the_limit_is_an_error_of_that_call(peer: Peer) -> None:
    waiting = peer.send("App.wait", 0.1)
    peer.sequence += 1
    size = peer.hello["max_payload"] + 1
    peer.socket.sendall(wire.encode_header(wire.RAW, (peer.sequence, 8), size))
    assert peer.result(peer.sequence)["code"] == "payload_too_large"
    chunk = bytes(1 << 20)
    while size:
        size -= peer.socket.send(chunk[:size])
    assert peer.result(waiting) == 0.1
    assert peer.call("App.hi", "after") == {"hello": "after"}


def test_a_result_above_the_limit_is_an_error_of_that_call(peer: Peer) -> None:
    assert peer.call("App.zeros", 65 << 20)["code"] == "payload_too_large"


def test_a_peer_that_sends_byte_by_byte_is_served_and_holds_up_nobody(
    peer: Peer, broker: BrokerProcess
) -> None:
    assert broker.address is not None
    slow = Peer(broker.address)
    name = b"App.hi"
    for byte in wire.encode(wire.JSON, (9, len(name)), name + b'"slow"'):
        slow.socket.sendall(bytes((byte,)))
        assert peer.call("App.echo", 1) == 1
    assert slow.reply(9).payload == b'App.hi{"hello":"slow"}'


def test_a_sequence_in_use_closes_the_connection(broker: BrokerProcess) -> None:
    assert broker.address is not None
    bad = Peer(broker.address)
    bad.send("App.wait", 0.2)
    bad.sequence -= 1
    bad.send("App.wait", 0.2)
    with pytest.raises(EOFError):
        while True:
            bad.read()


def test_a_ping_is_answered(peer: Peer) -> None:
    peer.socket.sendall(wire.encode(wire.CONTROL, (5, 6, 7), b"abc", wire.PING))
    while not peer.others:
        peer.read()
    (pong,) = peer.others
    assert (pong.stream, pong.options, pong.payload) == (wire.PONG, (5, 6, 7), b"abc")


def test_a_reply_to_a_cancelled_call_is_not_sent(peer: Peer) -> None:
    cancelled = peer.send("App.wait", 0.05)
    peer.socket.sendall(wire.encode(wire.CONTROL, (cancelled,), b"", wire.STOP))
    peer.socket.sendall(wire.encode(wire.CONTROL, (12345,), b"", wire.STOP))
    assert peer.call("App.wait", 0.2) == 0.2
    assert cancelled not in peer.replies


def test_a_peer_that_does_not_read_gets_its_answers_later(peer: Peer, broker: BrokerProcess) -> None:
    assert broker.address is not None
    lazy = Peer(broker.address)
    for _ in range(20):
        lazy.send("App.zeros", 1 << 20)
    assert peer.call("App.hi", "quick") == {"hello": "quick"}
    time.sleep(0.2)
    assert [len(lazy.result(2 + index)) for index in range(20)] == [1 << 20] * 20


def test_a_peer_that_leaves_takes_its_calls_along(peer: Peer, broker: BrokerProcess) -> None:
    assert broker.address is not None
    for _ in range(5):
        leaving = Peer(broker.address)
        for index in range(200):
            leaving.send("App.echo", index)
        leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        leaving.close()
    assert peer.call("App.hi", "x") == {"hello": "x"}
    status = peer.call("GoTask.Status")
    assert status["queued"] == 0


def test_status_and_methods_describe_the_broker(peer: Peer) -> None:
    status = peer.call("GoTask.Status")
    assert status["state"] == "ready" and status["connections"] >= 1
    methods = {method["name"]: method for method in peer.call("GoTask.Methods")}
    assert methods["App.wait"]["async"] and not methods["App.hi"]["async"]
    assert "name: str" in methods["App.hi"]["signature"]
    assert peer.call("GoTask.Ping", ["x"]) == ["x"]


def test_a_worker_describes_what_methods_take_and_give(peer: Peer) -> None:
    described = peer.call("GoTask.Describe")
    assert described["signatures"] == peer.hello["signatures"] != ""
    methods = {method["name"]: method for method in described["methods"]}
    assert set(methods) == {method["name"] for method in peer.call("GoTask.Methods")}
    assert methods["App.hi"]["parameters"] == [
        {"kind": "positional", "name": "name", "required": True, "type": {"type": "str"}}
    ]
