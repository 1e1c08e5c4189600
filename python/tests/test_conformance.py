"""The simulated worker does what the real one does: the same messages and requests, the same replies, records and notes."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from gotask.app.registry import Registry
from gotask.app.runner import Runner
from gotask.ipc.messages import (
    CLIENT,
    ENTRY,
    FAILURE,
    FAST_BIT,
    LEAVE,
    LOOK,
    MESSAGES,
    RECORD,
    REQUEST,
    RETURNED,
    SENT,
)
from gotask.ipc.notes import Revocations, WorkerNotes
from gotask.wire import frames as wire
from gotask.worker import sync
from gotask.worker.channel import Channel

from .simulation import workers
from .simulation.fast import FastSocket
from .simulation.kernel import Pipe
from .simulation.loop import Clock
from .simulation.memory import LocalSegment, Memory
from .simulation.workers import PAYLOAD, QUICK, RAISING, SLOW, can_be_fast


class Idle(Exception):
    """The real worker would wait now."""


class App:
    """What the simulated methods do."""

    def __init__(self, ran: list[int]) -> None:
        self._ran = ran

    def do(self, payload: bytes) -> bytes:
        token, behaviour, milliseconds, size = PAYLOAD.unpack(payload)
        self._ran.append(token)
        if behaviour == SLOW:
            time.sleep(milliseconds / 1000)
        if behaviour == RAISING:
            raise ValueError("the method raised")
        return bytes(token.to_bytes(4, "little") + bytes(size))

    async def wait(self, payload: bytes) -> bytes:
        raise AssertionError("no async worker is here")


def call(
    sequence: int, behaviour: int = QUICK, size: int = 0, method: bytes = b"App.Do", late: bool = False
) -> bytes:
    """A frame; its token is the sequence without the bit of fast ones."""
    payload = PAYLOAD.pack(sequence & ~FAST_BIT, behaviour, 2, size)
    options = (sequence, len(method), 1 if late else 0, 0)
    return wire.encode(wire.RAW, options, method + payload)


def replies(data: bytes) -> list[Any]:
    """What frames say, without how long methods took and the words of errors."""
    found: list[Any] = []
    for frame in wire.Decoder().feed(data):
        assert isinstance(frame, wire.Frame)
        if frame.flags & wire.CONTROL:
            found.append(("control", *frame.options))
            continue
        body = bytes(frame.payload[frame.options[1] :])
        is_error = bool(frame.flags & wire.ERROR)
        found.append((frame.options[0], len(frame.options), json.loads(body)["code"] if is_error else body))
    return found


def records(data: bytes) -> list[Any]:
    found = []
    while data:
        number, size, kind, _ = RECORD.unpack_from(data)
        if kind not in (RETURNED, FAILURE):
            found.append((number, kind, replies(data[RECORD.size : RECORD.size + size])))
        elif kind == RETURNED:
            found.append((number, kind, []))
        data = data[RECORD.size + size :]
    return found


class Bench:
    """A worker and what is around it; `seen` tells what has come of the last thing that was done to it."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.notes = WorkerNotes(0)
        self.revoked = Revocations()
        self.ended = False

    def revoke(self, number: int) -> None:
        self.revoked.add(number)

    def leaving(self) -> None:
        self.notes.leave()

    def go(self) -> None:
        """Lets it run until it would wait."""
        raise NotImplementedError

    def read(self) -> dict[str, Any]:
        """What it has sent since."""
        raise NotImplementedError

    def seen(self) -> dict[str, Any]:
        ran = self.ran[:]
        self.ran.clear()
        return {
            "ran": ran,
            "begun": self.notes.begun(),
            "has a message": self.notes.has_message,
            "gathered": self.notes.gathered.read(),
            "looked": self.notes.looked,
            "ended": self.ended,
            **self.read(),
        }


class Real(Bench):
    def __init__(self) -> None:
        super().__init__()
        registry = Registry()
        registry.register(App(self.ran), "App")
        for _, opens in registry.opening("", False):
            opens()
        self.channel, theirs = socket.socketpair()
        self.asks, log = socket.socketpair(socket.AF_UNIX, MESSAGES)
        unused, descriptors = socket.socketpair()
        self.queue, receiver = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self.unused = unused
        self.clients: dict[int, socket.socket] = {}
        self.theirs: dict[int, socket.socket] = {}
        channel = Channel(theirs.detach(), descriptors.detach(), log.detach())
        channel.can_be_fast = can_be_fast
        self.worker = sync.Worker(
            channel,
            WorkerNotes(0, os.dup(self.notes.segment.fd)),
            Revocations(os.dup(self.revoked.segment.fd)),
            Runner(registry, wire.MAX_PAYLOAD),
            receiver,
            lambda method: not method.is_async,
        )
        self.worker._poll = self._poll

    def _poll(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self.worker._epoll.poll(0)
        if not found:
            raise Idle
        return found

    def go(self) -> None:
        try:
            self.worker.serve()
            self.ended = True
        except Idle:
            pass

    def submit(self, number: int, frame: bytes, late: bool = False) -> None:
        self.queue.send(
            ENTRY.pack(number, 1e-9 if late else 0.0, len(frame), wire.STRUCTURED | wire.TIMED) + frame
        )

    def end_queue(self) -> None:
        self.queue.shutdown(socket.SHUT_WR)

    def ask(self, kind: int, number: int = 0) -> None:
        self.asks.send(REQUEST.pack(kind, number))

    def connect(self, client: int) -> None:
        self.clients[client], self.theirs[client] = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self.clients[client].setblocking(False)
        socket.send_fds(self.asks, [REQUEST.pack(CLIENT, client)], [self.theirs[client].fileno()])

    def post(self, client: int, *frames: bytes) -> None:
        self.clients[client].send(SENT.pack(1) + b"".join(frames))

    def fill(self, client: int) -> None:
        """The client reads no more, and the socket takes nothing."""
        try:
            while True:
                self.theirs[client].send(b"full", socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass

    def hang_up(self, client: int) -> None:
        self.theirs.pop(client).close()
        self.clients.pop(client).close()

    def close(self) -> None:
        clients = [client.socket for client in self.worker._clients.values()]
        channel = self.worker._channel
        for each in (
            *(self.channel, self.asks, self.queue, self.unused, self.worker._queue),
            *(channel._socket, channel._log, channel._descriptors),
            *(*clients, *self.clients.values(), *self.theirs.values()),
        ):
            each.close()
        self.worker._epoll.close()

    def read(self) -> dict[str, Any]:
        try:
            data = self.channel.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            data = b""
        found = {}
        for client, fast in self.clients.items():
            received = b""
            try:
                while True:
                    message = fast.recv(1 << 20)
                    received += message if message != b"full" else b""
            except BlockingIOError:
                pass
            found[client] = replies(received)
        return {
            "records": records(data),
            "fast": found,
            "clients": sorted(c.id for c in self.worker._clients.values()),
        }


class Simulated(Bench):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self.world: Any = SimpleNamespace(
            chance=Random(seed),
            clock=Clock(),
            ledger=SimpleNamespace(began=lambda token, worker, is_revoked: self.ran.append(token)),
            is_revoked=lambda queue, number: False,
            received=set(),
            large=wire.LARGE,
            no_descriptors=False,
            is_calm=True,
            meanwhile=lambda: None,
            child_ended=lambda: None,
            serial=iter(range(1000)).__next__,
            plan=SimpleNamespace(fast_room=1000),
        )
        LocalSegment.memory = Memory()
        self.kernel = SimpleNamespace(messages=deque(), ended=False)
        self.pipe = Pipe(self.world)
        process: Any = SimpleNamespace(
            pid=1, _group=SimpleNamespace(name=""), _channel=self.pipe, notes=self.notes
        )
        queue = SimpleNamespace(kernel=self.kernel, revoked=self.revoked)
        self.worker = workers.Worker(self.world, process, queue, 0)
        self.worker._life = self.worker._serve()
        self.clients: dict[int, FastSocket] = {}

    def go(self) -> None:
        for _ in range(10_000):
            if not self.worker.step():
                if not self.worker.wakes_at:
                    break
                self.world.clock.now = max(self.world.clock.now, self.worker.wakes_at)
        self.ended = not self.worker.alive

    def submit(self, number: int, frame: bytes, late: bool = False) -> None:
        message = ENTRY.pack(number, 1e-9 if late else 0.0, len(frame), wire.STRUCTURED | wire.TIMED) + frame
        self.kernel.messages.append((message, -1))

    def end_queue(self) -> None:
        self.kernel.ended = True

    def ask(self, kind: int, number: int = 0) -> None:
        self.worker.requests.append((REQUEST.pack(kind, number), None))

    def connect(self, client: int) -> None:
        self.clients[client] = FastSocket(self.world)
        self.worker.requests.append((REQUEST.pack(CLIENT, client), self.clients[client]))

    def post(self, client: int, *frames: bytes) -> None:
        assert self.clients[client].send_message(SENT.pack(1) + b"".join(frames))

    def fill(self, client: int) -> None:
        """The same, until what has come of it is looked at."""
        setattr(self.clients[client], "reply", lambda frames: False)

    def hang_up(self, client: int) -> None:
        self.clients.pop(client).hang_up()

    def read(self) -> dict[str, Any]:
        data, self.pipe.data = bytes(self.pipe.data), bytearray()
        found = {}
        for client, fast in self.clients.items():
            found[client] = replies(b"".join(fast.to_client))
            fast.to_client.clear()
            fast.__dict__.pop("reply", None)
        return {"records": records(data), "fast": found, "clients": sorted(self.worker.fast)}


ONE, OTHER = (1 << 30) + 1, (1 << 30) + 2  # clients of fast sockets
LARGE_REPLY = wire.LARGE  # bytes: by the broker

Step = tuple[str, tuple[Any, ...]]

SCRIPTS: dict[str, list[Step]] = {
    "calls of the queue": [
        ("submit", (1, call(1))),
        ("submit", (2, call(2, RAISING))),
        ("submit", (3, call(3, SLOW))),
        ("submit", (4, call(4), True)),
        ("submit", (6, call(6, method=b"App.Do", size=1000))),
    ],
    "a revoked call of the queue": [
        ("revoke", (1,)),
        ("submit", (1, call(1))),
        ("submit", (2, call(2))),
    ],
    "the queue ends": [("submit", (1, call(1))), ("end_queue", ())],
    "asked to leave": [("submit", (1, call(1))), ("ask", (LEAVE,))],
    "asked to look": [
        ("connect", (ONE,)),
        ("ask", (LOOK, 3)),
        ("post", (ONE, call(FAST_BIT | 1))),
        ("ask", (LOOK, 2)),
        ("ask", (LOOK, 4)),
    ],
    "fast calls": [
        ("connect", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 1))),
        ("post", (ONE, call(FAST_BIT | 2), call(FAST_BIT | 3, RAISING), call(FAST_BIT | 4))),
        ("connect", (OTHER,)),
        ("post", (OTHER, call(FAST_BIT | 1, SLOW), call(FAST_BIT | 2), call(FAST_BIT | 3, SLOW))),
        ("submit", (1, call(1))),
        ("post", (ONE, call(FAST_BIT | 5), call(FAST_BIT | 6))),
    ],
    "fast calls that are late": [
        ("connect", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 1, late=True), call(FAST_BIT | 2))),
    ],
    "fast calls that are not for here": [
        ("connect", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 1), call(FAST_BIT | 2, method=b"App.Wait"), call(FAST_BIT | 3))),
        ("post", (ONE, call(FAST_BIT | 4, method=b"App.Nothing"))),
    ],
    "revoked fast calls": [
        ("connect", (ONE,)),
        ("revoke", (ONE << 32 | FAST_BIT | 2,)),
        ("post", (ONE, call(FAST_BIT | 1), call(FAST_BIT | 2), call(FAST_BIT | 3))),
        ("revoke", (ONE << 32 | FAST_BIT | 5,)),
        ("post", (ONE, call(FAST_BIT | 4), call(FAST_BIT | 5))),
        ("revoke", (ONE << 32 | FAST_BIT | 6,)),
        ("post", (ONE, call(FAST_BIT | 6))),
    ],
    "a client that does not read": [
        ("connect", (ONE,)),
        ("fill", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 1))),
        ("fill", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 2), call(FAST_BIT | 3, method=b"App.Wait"))),
    ],
    "a reply that is large": [
        ("connect", (ONE,)),
        ("post", (ONE, call(FAST_BIT | 1), call(FAST_BIT | 2, size=40_000), call(FAST_BIT | 3, size=40_000))),
    ],
    "a client leaves": [
        ("connect", (ONE,)),
        ("connect", (OTHER,)),
        ("post", (ONE, call(FAST_BIT | 1))),
        ("hang_up", (ONE,)),
        ("post", (OTHER, call(FAST_BIT | 1))),
    ],
    "the worker is leaving": [
        ("connect", (ONE,)),
        ("leaving", ()),
        ("post", (ONE, call(FAST_BIT | 1), call(FAST_BIT | 2))),
        ("submit", (1, call(1))),
        ("ask", (LEAVE,)),
    ],
}


def conform(script: list[Step], seed: int = 1) -> None:
    real, simulated = Real(), Simulated(seed)
    try:
        for name, given in script:
            for bench in (real, simulated):
                getattr(bench, name)(*given)
                bench.go()
            assert simulated.seen() == real.seen(), (name, given)
    finally:
        real.close()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_simulated_worker_does_what_the_real_one_does(script: list[Step]) -> None:
    conform(script)


@pytest.mark.parametrize("seed", range(20))
def test_so_it_does_with_whatever_comes(seed: int) -> None:
    chance = Random(seed)
    script: list[Step] = [("connect", (ONE,)), ("connect", (OTHER,))]
    for number in range(1, 30):
        behaviour = chance.choice((QUICK, QUICK, QUICK, RAISING, SLOW))
        method = chance.choice((b"App.Do", b"App.Do", b"App.Do", b"App.Wait"))
        client = chance.choice((ONE, OTHER))
        sequence = FAST_BIT | number * 10
        if chance.random() < 0.3:
            script.append(("submit", (number, call(number, behaviour), chance.random() < 0.2)))
            continue
        calls = range(chance.randint(1, 4))
        if chance.random() < 0.3:
            script.append(("revoke", (client << 32 | sequence + chance.choice(calls),)))
        if chance.random() < 0.1:
            script.append(("fill", (client,)))
        if chance.random() < 0.1:
            script.append(("ask", (LOOK, number)))
        if chance.random() < 0.02:
            script.append(("leaving", ()))
        frames = [call(sequence + place, behaviour, chance.choice((0, 100)), method) for place in calls]
        script.append(("post", (client, *frames)))
    conform(script, seed)
