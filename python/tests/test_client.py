"""Both clients against scripted peers: what a healthy broker never does has to be seen, too."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import json
import os
import pickle
import pprint
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gotask.client.aio import AsyncClient
from gotask.client.link import connect
from gotask.client.session import Args, Session
from gotask.client.sync import Client
from gotask.errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    EncodeFailed,
    GoTaskError,
    InvalidRequest,
    MethodNotFound,
    NotAuthorized,
    PayloadTooLarge,
    RemoteError,
    Unavailable,
)
from gotask.wire import frames as wire
from gotask.wire.codec import decode, encode
from gotask.wire.tls import Tls

from .certificates import Certificates
from .peer import PACKAGE

HELLO: dict[str, Any] = {
    "protocol": 1,
    "peer": "python",
    "version": "0",
    "max_payload": 100_000_000,
    "pid": 1,
}


class Peer:
    """Answers Hello (unless it is plain), `echo`, `fail`, `never`, `garbage`, `last` …; else hangs up.

    `held` is answered once `release` is set; what begins with `first-` is an echo on every connection but the first.
    """

    def __init__(
        self, path: Path | None, plain: bool = False, hello: Any = HELLO, tls: Tls | None = None
    ) -> None:
        self.plain = plain
        self.hello = hello
        self.frames: list[wire.Frame] = []
        self.connections = 0
        self.seen = threading.Condition()
        self.release = threading.Event()
        self.ended = threading.Semaphore(0)  # once for each connection that has ended
        self._context = tls.server_context() if tls is not None else None
        if path is not None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self.address = f"unix://{path}"
        else:
            self._listener = socket.socket()
            self._listener.bind(("127.0.0.1", 0))
            self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self._listener.getsockname()[1]}"
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
                arguments = [connection, self.connections]
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        decoder = wire.Decoder()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with contextlib.ExitStack() as stack:
            stack.callback(self.ended.release)
            stack.enter_context(connection)
            stack.enter_context(contextlib.suppress(OSError))
            while data := connection.recv(65536):
                for event in decoder.feed(data):
                    assert isinstance(event, wire.Frame)
                    with self.seen:
                        self.frames.append(event)
                        self.seen.notify_all()
                    if event.flags & wire.CONTROL:
                        continue
                    answer = self._answer(event, number)
                    if answer is None:
                        return
                    connection.sendall(answer)
                    if event.payload.startswith(b"pings"):
                        while True:
                            connection.sendall(wire.encode(wire.CONTROL, (7,), b"", wire.PING) * 1000)
                    if event.payload.startswith(b"first-untaken") and number == 1:
                        return

    def _answer(self, frame: wire.Frame, number: int) -> bytes | None:
        length = frame.options[1]
        name, body = frame.payload[:length], frame.payload[length:]

        def reply(flags: int, body: bytes) -> bytes:
            return wire.encode(flags, frame.options[:2], name + body)

        if name == b"GoTask.Hello":
            if self.plain:
                return reply(wire.JSON | wire.ERROR, b"no such method")
            raw = self.hello if isinstance(self.hello, bytes) else json.dumps(self.hello).encode()
            return reply(wire.JSON, raw)
        if name == b"held":
            assert self.release.wait(10)
        away = wire.encode(wire.CONTROL, (0,), b"", wire.STOP)
        unavailable = reply(wire.JSON | wire.ERROR, Unavailable("it ends").body())
        if name == b"first-moved" and number == 1 or name == b"moved":
            return away + unavailable
        if name == b"first-untaken" and number == 1:
            return away + away
        if name == b"first-lost" and number == 1:
            return None
        if name in (b"echo", b"held") or name.startswith(b"first-"):
            return reply(frame.flags, body)
        if name == b"unavailable":
            return unavailable
        if name == b"long-name":
            return wire.encode(frame.flags, (frame.options[0], 5000), name + body)
        if name == b"one-option":
            return wire.encode(frame.flags, frame.options[:1], name + body)
        if name == b"big-ping":
            return wire.encode(wire.CONTROL, (7,), bytes(300), wire.PING)
        if name == b"pings":
            return b""
        if name == b"big-error":
            return reply(
                wire.JSON | wire.ERROR, b'{"code": "cancelled", "message": "' + b"x" * 2_000_000 + b'"}'
            )
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
        self._loop = self.new_loop()
        self._client = self._loop.run_until_complete(self._make(address, options))

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

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


class OnUvloop(Blocking):
    def new_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
        return loop


@pytest.fixture(params=[Client, Blocking, OnUvloop])
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
            [("echo", 1), ("fail", None), ("echo", object()), ("echo", 2)], return_errors=True
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
        with pytest.raises(EncodeFailed, match=r'payload\["a"\] is an object'):
            client.call("echo", {"a": object()})
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
        with client_class(f"tcp://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.5) as client:
            with pytest.raises(ConnectFailed, match="greeting"):
                client.call("echo")


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


def test_the_connection_of_a_forgotten_client_is_closed(peer: Peer) -> None:
    client = Client(peer.address)
    assert client.call("echo", 1) == 1
    del client
    gc.collect()
    assert peer.ended.acquire(timeout=5)


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


# -- made again --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["first-moved", "first-untaken"])
def test_what_has_certainly_not_run_is_made_again(peer: Peer, client_class: Any, method: str) -> None:
    with client_class(peer.address) as client:
        assert client.call(method, 1) == 1
    assert peer.connections == 2


def test_of_many_only_what_has_not_run_is_made_again(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        calls = [("echo", n) for n in range(50)] + [("first-moved", 50), ("fail", None)]
        results = client.call_many(calls, return_errors=True)
        assert results[:51] == list(range(51)) and isinstance(results[51], MethodNotFound)
    assert peer.connections == 2
    names = [frame.payload[: frame.options[1]] for frame in peer.frames if not frame.flags & wire.CONTROL]
    assert names.count(b"echo") == 50 and names.count(b"first-moved") == 2 and names.count(b"fail") == 1


def test_what_may_have_run_is_not_made_again(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        with pytest.raises(ConnectionLost) as caught:
            client.call("first-lost", 1)
        assert caught.value.sent
    assert peer.connections == 1


def test_a_refusal_of_a_broker_that_stays_is_told_at_once(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        with pytest.raises(Unavailable, match="it ends"):
            client.call("unavailable")
    assert [frame.payload for frame in peer.frames].count(b"unavailable") == 1


def test_a_call_is_made_again_only_so_often(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        with pytest.raises(Unavailable, match="it ends"):
            client.call("moved")
    assert peer.connections == 3


def test_a_refusal_is_told_where_nobody_listens_any_more(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call("echo", 1) == 1
        os.unlink(peer.address.removeprefix("unix://"))
        with pytest.raises(Unavailable, match="it ends"):
            client.call("first-moved", 1)


@pytest.mark.parametrize("network", [False, True])
def test_a_connection_that_ended_before_the_call_is_replaced(
    tmp_path: Path, client_class: Any, network: bool
) -> None:
    peer = Peer(None if network else tmp_path / "s")
    with client_class(peer.address) as client:
        assert client.call("echo", 1) == 1
        hang_up_unseen(client)  # asyncio's loop does not run between the calls
        assert client.call("echo", 2) == 2
    peer.close()


def hang_up_unseen(client: Any) -> None:
    """The client's peer shuts its connection down, and the client's loop has not seen it yet."""
    descriptor = client._client._link.transport.get_extra_info("socket").fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    with socket.socket(fileno=os.dup(descriptor)) as connected:
        connected.shutdown(socket.SHUT_WR)  # so that the peer reads the end, and closes
        assert poll.poll(5000)


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_connection_that_others_wait_for_holds_up_nobody_beyond_his_time() -> None:
    async def main(address: str) -> None:
        async with AsyncClient(address, connect_timeout=30.0) as client:
            patient = asyncio.create_task(client.call("echo"))
            await asyncio.sleep(0)
            with pytest.raises(ConnectFailed, match="in time"):
                await client.call("echo", timeout=0.05)
            assert not patient.done()
            patient.cancel()
            with pytest.raises(asyncio.CancelledError):
                await patient
        assert len(asyncio.all_tasks()) == 1  # nothing is left behind

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        asyncio.run(main(f"tcp://127.0.0.1:{silent.getsockname()[1]}"))


def test_who_gives_up_on_a_greeting_takes_nobodys_connection_along(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()

        async def main() -> None:
            async with AsyncClient(f"unix://{tmp_path}/s", connect_timeout=30.0) as client:
                patient = asyncio.create_task(client.call("echo"))
                await asyncio.sleep(0)
                with pytest.raises(ConnectFailed, match="greeting"):
                    await client.notify("echo", timeout=0.05)
                assert not patient.done()
                patient.cancel()

        asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_call_without_time_is_not_sent(peer: Peer, client_class: Any, timeout: float) -> None:
    with client_class(peer.address) as client:
        assert client.call("echo", 1) == 1
        with pytest.raises(DeadlineExceeded, match="has not run"):
            client.call("echo", 2, timeout=timeout)
        assert client.call("echo", 3, timeout=float("inf")) == 3
    assert not any(frame.payload == b"echo\2" for frame in peer.frames)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_peer_that_only_accepts(client_class: Any, scheme: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with client_class(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05) as client:
            with pytest.raises(ConnectFailed, match="in time"):
                client.call("echo")


def test_a_signal_handler_may_call_and_its_exception_cancels_the_call_that_it_interrupts(peer: Peer) -> None:
    class Stop(Exception):
        pass

    with Client(peer.address) as client:
        within: list[Any] = []

        def handle(*_: object) -> None:
            within.append(client.call("echo", "within"))
            raise Stop

        before = signal.signal(signal.SIGUSR1, handle)
        try:
            main = threading.main_thread().ident or 0

            def interrupt() -> None:
                peer.wait_for(lambda frame: frame.payload.startswith(b"never"))
                while sys._current_frames()[main].f_code.co_name != "wait":
                    time.sleep(0)
                signal.pthread_kill(main, signal.SIGUSR1)

            threading.Thread(target=interrupt).start()
            with pytest.raises(Stop):
                client.call("never")
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert within == ["within"]
        assert client.call("echo", 3) == 3
        peer.wait_for(lambda frame: bool(frame.flags & wire.CONTROL and frame.stream & wire.STOP))
    assert peer.connections == 1


# -- fork --------------------------------------------------------------------------------------------------------------

FORKING = """
import asyncio, os, sys
from gotask import AsyncClient, Client, Tls

kind, address, ca, use = sys.argv[1:]
options = {"tls": Tls(ca)} if ca else {}
client = {"Client": Client, "AsyncClient": AsyncClient}[kind](address, timeout=5.0, **options)


async def run(function, *arguments):
    return await function(*arguments)


if kind == "Client":
    call, close = client.call, client.close
else:
    loop = asyncio.new_event_loop()
    call = lambda *arguments: loop.run_until_complete(client.call(*arguments))
    close = lambda: loop.run_until_complete(client.close())
assert call("echo", 1) == 1
child = os.fork()
if child == 0:
    if kind == "AsyncClient":
        loop = asyncio.new_event_loop()
    if use == "call":
        assert call("echo", "child") == "child"
        close()
    elif use == "close":
        close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert call("echo", "parent") == "parent"
close()
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
@pytest.mark.parametrize("use", ["call", "close", "nothing"])
@pytest.mark.parametrize("scheme", ["unix", "tcp", "tls"])
def test_a_child_lets_go_of_its_parents_connection_without_a_byte(
    tmp_path: Path, certificates: Certificates, kind: str, use: str, scheme: str
) -> None:
    tls = Tls(certificate=certificates.broker, key=certificates.broker_key) if scheme == "tls" else None
    peer = Peer(tmp_path / "s" if scheme == "unix" else None, tls=tls)
    ca = certificates.ca if tls is not None else ""
    command = [sys.executable, "-c", FORKING, kind, peer.address, ca, use]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended.stderr
    assert peer.connections == (2 if use == "call" else 1)
    peer.close()


def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(peer: Peer) -> None:
    with Client(peer.address) as client:
        other = threading.Thread(target=client.call, args=["held"])
        other.start()
        peer.wait_for(lambda frame: frame.payload.startswith(b"held"))
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if client.call("echo", "child", timeout=5.0) == "child" else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        peer.release.set()
        other.join(10)


@pytest.mark.parametrize("closes", [True, False])
def test_a_connection_that_is_made_while_it_is_given_up_is_closed(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    """wait_for() of Python 3.11 passes no cancellation on that comes when the connection has just been made."""

    async def scene() -> None:
        made = asyncio.Event()

        async def connect_all_the_same(*arguments: Any) -> Any:
            link = await connect(*arguments)
            made.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            return link

        client = AsyncClient(peer.address)
        monkeypatch.setattr("gotask.client.aio.connect", connect_all_the_same)
        call = asyncio.create_task(client.call("echo", 1))
        await made.wait()
        if not closes:
            call.cancel()
            await asyncio.wait([call])
        await client.close()
        assert await asyncio.to_thread(peer.ended.acquire, timeout=5)
        await asyncio.wait([call])
        monkeypatch.undo()
        assert await client.call("echo", 2) == 2
        await client.close()

    asyncio.run(scene())


# The first loop was closed before the client.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_client_outlives_its_loop(peer: Peer) -> None:
    client = AsyncClient(peer.address)
    assert asyncio.run(client.call("echo", 1)) == 1
    assert asyncio.run(client.call("echo", 2)) == 2
    asyncio.run(client.close())
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    first.run_until_complete(client.call("echo", 3))
    with pytest.raises(RuntimeError, match="one for each loop"):
        second.run_until_complete(client.call("echo", 4))
    first.run_until_complete(client.close())
    first.close()
    second.close()
    gc.collect()


# -- peers that mean harm ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("long-name", "shorter than the method's name"),
        ("one-option", "shorter than the method's name"),
        ("big-ping", "a ping with more than 256 bytes"),
        ("pings", "pings without end"),
    ],
)
def test_what_is_malformed_is_said_and_ends_the_connection(
    peer: Peer, client_class: Any, method: str, words: str
) -> None:
    with client_class(peer.address, timeout=10.0) as client:
        assert client.call("echo", 1) == 1
        with pytest.raises(ConnectionLost, match=words):
            client.call(method, 1)
        assert peer.ended.acquire(timeout=5)
        assert client.call("echo", 2) == 2
    assert peer.connections == 2


@pytest.mark.parametrize("size", [66_000, 28_000_000, 70_000_000])
def test_a_large_answer_to_the_greeting_is_refused(tmp_path: Path, client_class: Any, size: int) -> None:
    peer = Peer(tmp_path / "s", hello=json.dumps(HELLO).encode() + b" " * size)
    with client_class(peer.address, timeout=10.0) as client:
        with pytest.raises(ConnectionLost, match="to the greeting, which has 65536 at most"):
            client.call("echo", 1)
    peer.close()


@pytest.mark.parametrize(
    "hello",
    [
        {**HELLO, "max_payload": "64"},
        {**HELLO, "max_payload": None},
        {**HELLO, "max_payload": True},
        {**HELLO, "protocol": 0},
        {**HELLO, "protocol": "1"},
        {"protocol": 1, "peer": "python", "version": "0.1.0"},  # what this client says of itself
        [],
        b"\xff",
        b"[" * 4000,
    ],
)
def test_an_answer_to_the_greeting_that_is_none_is_a_plain_peers(
    tmp_path: Path, client_class: Any, hello: Any
) -> None:
    peer = Peer(tmp_path / "s", hello=hello)
    with client_class(peer.address, timeout=10.0) as client:
        assert client.call("echo", 1) == 1
        assert client.call("echo", 2) == 2
    assert all(len(frame.options) == 2 for frame in peer.frames)
    peer.close()


def test_a_large_error_is_cut(peer: Peer, client_class: Any) -> None:
    with client_class(peer.address) as client:
        assert client.call("echo", 1) == 1
        with pytest.raises(RemoteError) as caught:
            client.call("big-error")
        assert len(str(caught.value)) < 70_000
        assert client.call("echo", 2) == 2


def test_answers_to_pings_that_can_not_be_written_are_bounded() -> None:
    session = Session()
    ping = wire.encode(wire.CONTROL, (7,), bytes(256), wire.PING)
    for _ in range(10_000):
        session.feed(ping)
        if session.error is not None:
            break
    assert session.error is not None and len(session.replies()) < 300_000
    reading = Session()
    for _ in range(10_000):
        reading.feed(ping)
        assert len(reading.replies()) == len(ping)
    assert reading.error is None


def test_what_was_answered_before_the_damage_is_delivered() -> None:
    session = Session()
    session.feed(wire.encode(wire.JSON, (1, 12), b"GoTask.Hello" + json.dumps(HELLO).encode()))
    (first, _), (second, _) = session.call("a", None), session.call("b", None)
    good, bad = wire.encode(wire.MSGPACK, (first, 1), b"a\1"), wire.encode(wire.MSGPACK, (second, 9), b"b\2")
    assert [outcome.value for outcome in session.feed(good + bad + good)] == [1]
    assert session.error is not None and session.feed(good) == []


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, True), (0o775, False), (0o700, False)])
def test_another_users_socket_in_a_folder_of_everybodys_is_refused(
    tmp_path: Path, client_class: Any, monkeypatch: pytest.MonkeyPatch, mode: int, refused: bool
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    peer = Peer(folder / "s")
    if os.geteuid() == 0:
        os.chown(folder / "s", 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    folder.chmod(mode)
    with client_class(peer.address) as client:
        if refused:
            with pytest.raises(NotAuthorized, match="anybody may be listening there"):
                client.call("echo", 1)
            assert peer.frames == []
        else:
            assert client.call("echo", 1) == 1
    peer.close()


def test_nothing_that_is_shown_has_the_key() -> None:
    secret = "0123456789abcdef-secret"
    clients: list[Any] = [
        Client("tcp://127.0.0.1:1", key=secret),
        AsyncClient("tcp://127.0.0.1:1", key=secret),
    ]
    for client in clients:
        for shown in (
            repr(client),
            str(client),
            repr(vars(client)),
            pprint.pformat(vars(client)),
            f"{client!r}",
        ):
            assert "secret" not in shown
        with pytest.raises(TypeError, match="not to be written"):
            pickle.dumps(getattr(client, "_client", client)._key)
        with pytest.raises(TypeError, match="not to be written"):
            copy.deepcopy(getattr(client, "_client", client)._key)


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


def test_closing_fails_what_waits_for_a_connection() -> None:
    async def main(address: str) -> None:
        client = AsyncClient(address, connect_timeout=30.0)
        task = asyncio.create_task(client.call("echo"))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionLost, match="was closed while") as caught:
            await task
        assert not caught.value.sent and len(asyncio.all_tasks()) == 1

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        asyncio.run(main(f"tcp://127.0.0.1:{silent.getsockname()[1]}"))


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
    assert {outcome.sequence: outcome.value for outcome in outcomes} == {
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
