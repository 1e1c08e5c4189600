"""Both clients against scripted peers: what a healthy broker never does has to be seen, too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gotask import _protocol as wire
from gotask._arguments import Args
from gotask._async_client import AsyncClient
from gotask._client import Client
from gotask._codec import decode, encode
from gotask._errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    EncodeFailed,
    GoTaskError,
    InvalidRequest,
    MethodNotFound,
    PayloadTooLarge,
    RemoteError,
)
from gotask._session import Session

HELLO = {"protocol": 1, "peer": "python", "version": "0", "max_payload": 100_000_000, "pid": 1}


class Peer:
    """Answers Hello (unless it is plain), `echo`, `fail`, `never`, `garbage`, `last` …; else hangs up."""

    def __init__(self, path: Path, plain: bool = False, hello: dict[str, Any] = HELLO) -> None:
        self.address = f"unix://{path}"
        self.plain = plain
        self.hello = hello
        self.frames: list[wire.Frame] = []
        self.connections = 0
        self.seen = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for(self, wanted: Callable[[wire.Frame], bool]) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: any(map(wanted, self.frames)), 5)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        decoder = wire.Decoder()
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                for event in decoder.feed(data):
                    assert isinstance(event, wire.Frame)
                    with self.seen:
                        self.frames.append(event)
                        self.seen.notify_all()
                    if event.flags & wire.CONTROL:
                        continue
                    answer = self._answer(event)
                    if answer is None:
                        return
                    connection.sendall(answer)

    def _answer(self, frame: wire.Frame) -> bytes | None:
        length = frame.options[1]
        name, body = frame.payload[:length], frame.payload[length:]

        def reply(flags: int, body: bytes) -> bytes:
            return wire.encode(flags, frame.options[:2], name + body)

        if name == b"GoTask.Hello":
            if self.plain:
                return reply(wire.JSON | wire.ERROR, b"no such method")
            return reply(wire.JSON, json.dumps(self.hello).encode())
        if name == b"echo":
            return reply(frame.flags, body)
        if name == b"fail":
            structured = (
                b"no such method" if self.plain else MethodNotFound("gone", {"nearest": ["a"]}).body()
            )
            return reply(wire.JSON | wire.ERROR, structured)
        if name == b"never":
            return b""
        if name == b"ping":
            return wire.encode(wire.CONTROL, (7,), b"there?", wire.PING) + reply(frame.flags, body)
        if name == b"garbage":
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        if name == b"bad-body":
            return reply(wire.MSGPACK, b"\xc1")
        if name == b"last":
            return wire.encode(wire.CONTROL, (0,), b"", wire.STOP) + reply(frame.flags, body)
        return None


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    started = Peer(tmp_path / "s")
    yield started
    started.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Peer]:
    started = Peer(tmp_path / "p", plain=True)
    yield started
    started.close()


class Blocking:
    """The asyncio client with the sync one's face, so that one set of tests is for both."""

    def __init__(self, address: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._make(address, options))

    async def _make(self, address: str, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(address, **options)

    def call(self, *arguments: Any, **named: Any) -> Any:
        return self._loop.run_until_complete(self._client.call(*arguments, **named))

    def call_many(self, *arguments: Any, **named: Any) -> list[Any]:
        return self._loop.run_until_complete(self._client.call_many(*arguments, **named))

    def notify(self, *arguments: Any, **named: Any) -> None:
        self._loop.run_until_complete(self._client.notify(*arguments, **named))

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(params=[Client, Blocking])
def client_class(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("codec", [wire.MSGPACK, wire.JSON])
def test_values(peer: Peer, client_class: Any, codec: int) -> None:
    with client_class(peer.address, codec=codec) as client:
        for value in (None, 1, "é", [1, {"a": None}], 1.5, True):
            assert client.call("echo", value) == value
    assert peer.connections == 1


def test_raw(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address, codec=wire.RAW) as client:
        assert client.call("echo", b"\0\xff") == b"\0\xff"


def test_the_greeting_travels_with_the_first_call(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        client.call("echo", 1, timeout=5.0)
        client.call("echo", 2, timeout=5.0)
    hello, first, second = peer.frames
    assert hello.payload.startswith(b"GoTask.Hello") and len(first.options) == 2
    assert len(second.options) == 4 and 0 < second.options[2] <= 5000


def test_many_at_once(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call_many([("echo", n) for n in range(1000)]) == list(range(1000))
        assert client.call_many([]) == []
        mixed = client.call_many(
            [("echo", 1), ("fail", None), ("echo", {1}), ("echo", 2)], return_errors=True
        )
        assert mixed[0] == 1 and mixed[3] == 2
        assert isinstance(mixed[1], MethodNotFound) and isinstance(mixed[2], EncodeFailed)
        with pytest.raises(MethodNotFound):
            client.call_many([("echo", 1), ("fail", None)])


def test_large_both_ways_at_once(peer: Peer, client_class: Any) -> None:
    value = os.urandom(3_000_000)
    with client_class(peer.address) as client:
        assert client.call_many([("echo", value)] * 4) == [value] * 4


def test_exact_arguments(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call("echo", Args(1, 2, last="x")) == [[1, 2], {"last": "x"}]
    assert peer.frames[-1].options[3] == wire.ARGS


def test_notify(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.notify("echo", 1) is None
    assert peer.frames[-1].options[3] == wire.NOTIFY


def test_errors(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        with pytest.raises(MethodNotFound, match="gone") as caught:
            client.call("fail")
        assert caught.value.data == {"nearest": ["a"]}
        with pytest.raises(GoTaskError, match="not the MessagePack"):
            client.call("bad-body")
        for name in ("", "x" * 256):
            with pytest.raises(InvalidRequest, match="1 to 255 bytes"):
                client.call(name)
        with pytest.raises(EncodeFailed, match=r'payload\["a"\] is a set'):
            client.call("echo", {"a": {1}})
        assert client.call("echo", "still") == "still"
    assert peer.connections == 1


def test_a_plain_peer(plain: Peer, client_class: Any) -> None:
    with client_class(plain.address) as client:
        assert client.call("echo", 1) == 1
        assert client.call("echo", 2) == 2
        client.notify("echo", 3)
        with pytest.raises(RemoteError, match="no such method"):
            client.call("fail")
        with pytest.raises(EncodeFailed, match="Args"):
            client.call("echo", Args(1))
        with pytest.raises(DeadlineExceeded):
            client.call("never", timeout=0.02)
        assert client.call("echo", 4) == 4
    assert all(len(frame.options) == 2 and not frame.flags & wire.CONTROL for frame in plain.frames)


def test_a_deadline_ends_the_call_and_tells_the_peer(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        client.call("echo", 1)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            client.call("never", timeout=0.05)
        assert 0.04 < time.monotonic() - began < 10  # of the 30 s that are the default
        assert client.call("echo", "next") == "next"
        peer.wait_for(lambda frame: bool(frame.flags & wire.CONTROL and frame.stream & wire.STOP))
    assert peer.connections == 1


@pytest.mark.parametrize("method", ["garbage", "bye"])
def test_a_lost_connection_is_an_error_and_the_next_call_opens_another(
    peer: Peer, client_class: Any, method: str
) -> None:
    with client_class(peer.address) as client:
        assert client.call("echo", 1) == 1
        with pytest.raises(ConnectionLost):
            client.call(method)
        assert client.call("echo", 2) == 2
    assert peer.connections == 2


def test_go_away(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call("last", 1) == 1
        assert client.call("echo", 2) == 2
    assert peer.connections == 2


def test_pings_are_answered(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call("ping", 1) == 1
        client.call("echo", 2)
        peer.wait_for(lambda frame: frame.stream == wire.PONG and frame.payload == b"there?")


def test_limits(tmp_path: Path, client_class: Any) -> None:
    peer = Peer(tmp_path / "s", hello={**HELLO, "max_payload": 1000})
    with client_class(peer.address, max_payload=2000) as client:
        assert client.call("echo", 1) == 1
        with pytest.raises(PayloadTooLarge, match="the peer's limit of 1000"):
            client.call("echo", "x" * 2000)
        assert client.call("echo", 1) == 1
    with client_class(peer.address, max_payload=2000) as client:
        with pytest.raises(PayloadTooLarge, match="this client's limit"):
            client.call("echo", "x" * 5000)
        assert client.call("echo", 1) == 1
    peer.close()


def test_nobody_there(tmp_path: Path, client_class: Any) -> None:
    for address in (f"unix://{tmp_path}/none", "tcp://127.0.0.1:1"):
        with client_class(address) as client:
            with pytest.raises(ConnectFailed, match="is the worker running"):
                client.call("echo")


def test_a_peer_that_does_not_greet(tmp_path: Path, client_class: Any) -> None:
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with client_class(f"tcp://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.05) as client:
            with pytest.raises(ConnectFailed, match="greeting"):
                client.call("echo")


def test_a_peer_that_has_gone_meanwhile(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "s")
    with Client(peer.address) as client:
        assert client.call("echo", 1) == 1
        link = client._link
        assert link is not None
        link.socket.shutdown(socket.SHUT_RDWR)
        assert client.call("echo", 2) == 2
    peer.close()


def test_threads_share_a_client(peer: Peer) -> None:
    with Client(peer.address) as client:
        wrong: list[Any] = []

        def work(number: int) -> None:
            for n in range(50):
                if client.call("echo", [number, n]) != [number, n]:
                    wrong.append(n)

        threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
    assert peer.connections == 1


def test_a_forked_child_opens_its_own(peer: Peer) -> None:
    with Client(peer.address) as client:
        assert client.call("echo", 1) == 1
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if client.call("echo", "child") == "child" else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert client.call("echo", "parent") == "parent"
    assert peer.connections == 2


def test_a_cancelled_task_cancels_its_call(peer: Peer) -> None:
    async def main() -> None:
        async with AsyncClient(peer.address) as client:
            await client.call("echo", 1)
            task = asyncio.create_task(client.call("never"))
            await asyncio.sleep(0)
            await asyncio.get_running_loop().run_in_executor(
                None, peer.wait_for, lambda frame: frame.payload.startswith(b"never")
            )
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.call("echo", 2) == 2
            assert "outstanding=0" in repr(client)

    asyncio.run(main())
    peer.wait_for(lambda frame: bool(frame.flags & wire.CONTROL and frame.stream & wire.STOP))


def test_closing_fails_what_waits(peer: Peer) -> None:
    async def main() -> None:
        client = AsyncClient(peer.address)
        await client.call("echo", 1)
        task = asyncio.create_task(client.call("never"))
        await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(ConnectionLost):
            await task
        assert await client.call("echo", 2) == 2
        await client.close()

    asyncio.run(main())


@given(st.lists(st.integers(), min_size=1, max_size=20), st.randoms(), st.integers(1, 40))
def test_every_answer_is_its_own_callers(values: list[int], random: Any, piece: int) -> None:
    session = Session()
    hello = wire.encode(wire.JSON, (1, 12), b"GoTask.Hello" + json.dumps(HELLO).encode())
    calls = [session.call("echo", value % 2**60) for value in values]
    replies = [hello]
    for sequence, frame in calls:
        (event,) = wire.Decoder().feed(frame)
        assert isinstance(event, wire.Frame)
        replies.append(wire.encode(wire.MSGPACK, (sequence, 4), event.payload))
    random.shuffle(replies)
    stream = b"".join(replies + replies)  # a reply that comes twice, or to nobody, is nothing
    outcomes = []
    for start in range(0, len(stream), piece):
        outcomes += session.feed(stream[start : start + piece])
    assert {outcome.sequence: outcome.result() for outcome in outcomes} == {
        sequence: value % 2**60 for (sequence, _), value in zip(calls, values)
    }
    assert len(outcomes) == len(values) and session.outstanding == 0 and session.peer == HELLO


def test_sequences_wrap_around_those_outstanding() -> None:
    session = Session()
    session.feed(wire.encode(wire.JSON, (1, 12), b"GoTask.Hello" + json.dumps(HELLO).encode()))
    first, _ = session.call("a", None)
    session._sequence = wire.MAX_SEQUENCE - 1
    assert [session.call("a", None)[0] for _ in range(3)] == [wire.MAX_SEQUENCE, 1, 3]
    assert first == 2


def test_call_frame() -> None:
    session = Session(wire.JSON)
    sequence, frame = session.call("App.Hi", "x")
    assert frame == wire.encode(wire.JSON, (sequence, 6), b'App.Hi"x"')
    assert decode(wire.MSGPACK, encode(wire.MSGPACK, "x")) == "x"
