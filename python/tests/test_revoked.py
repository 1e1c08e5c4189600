"""Calls that lie in the kernel's queue, or are with a worker that has not begun them, when nobody wants them any more."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from gotask.broker.call import Call
from gotask.broker.deadlines import DEADLINE, Deadlines
from gotask.broker.kernel_queue import KernelQueue
from gotask.broker.queue import CallQueue
from gotask.broker.shared_queue import SharedQueue
from gotask.wire import frames as wire

from .chaos.system import eventually
from .peer import BrokerProcess, Peer

APP = """
import asyncio, os, time
import gotask

def note(name):
    with open(os.environ["JOURNAL"], "a") as file:
        file.write(name + "\\n")

@gotask.service
class Sync:
    def run(self, name, seconds=0.0, body=b""):
        note(name)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not os.path.exists(os.environ["JOURNAL"] + ".go"):
            time.sleep(0.01)
        return [name, body]

    def echo(self, body):
        return body

    def become_nobody(self):
        os.setresuid(65534, 65534, 65534)

@gotask.service
class Async:
    async def run(self, name, seconds=0.0, body=b""):
        note(name)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not os.path.exists(os.environ["JOURNAL"] + ".go"):
            await asyncio.sleep(0.01)
        return [name, body]

    async def echo(self, body):
        return body

    async def become_nobody(self):
        os.setresuid(65534, 65534, 65534)
"""
SYNC_ONLY = APP[: APP.index("@gotask.service\nclass Async")]

LARGE = 200_000
SIZES = {"small": 10, "large": LARGE}


class Stage:
    """A broker with one worker of each kind, and what its methods have written down."""

    def __init__(self, folder: Path, app: str, has_uvloop: bool, *arguments: str) -> None:
        self.folder = folder
        self.path = folder / "journal"
        self.path.touch()
        self.has_async = "Async" in app
        (folder / "app.py").write_text(app)
        env = {"JOURNAL": str(self.path)}
        if not has_uvloop:
            (folder / "without").mkdir()
            (folder / "without" / "uvloop.py").write_text("raise ImportError('not here')\n")
            env["PYTHONPATH"] = str(folder / "without")
        self.address = f"unix://{folder}/b.sock"
        limits = ("--interrupt-grace", "0.2", "--shutdown-timeout", "0.2")
        self.broker = BrokerProcess(folder / "app.py", *limits, *arguments, address=self.address, env=env)
        self.broker.wait_for("ready")

    def peer(self) -> Peer:
        return Peer(self.address)

    @property
    def methods(self) -> tuple[str, ...]:
        return ("Sync.run", "Async.run") if self.has_async else ("Sync.run",)

    @property
    def journal(self) -> Counter[str]:
        return Counter(self.path.read_text().split())

    def go(self) -> None:
        """Methods that wait end now."""
        Path(f"{self.path}.go").touch()

    def occupy(self, peer: Peer, method: str = "Sync.run") -> int:
        """Keeps the worker of that method busy, until go(); the call's sequence."""
        name = f"busy-{method}"
        sequence = peer.send(method, [[name, 20.0], {}], 0, wire.ARGS)
        assert eventually(lambda: self.journal[name] == 1)
        return sequence

    def status(self) -> dict[str, Any]:
        peer = self.peer()
        try:
            return dict(peer.call("GoTask.Status"))
        finally:
            peer.close()

    def workers(self) -> list[int]:
        return sorted(worker["pid"] for worker in self.status()["workers"])

    def running(self) -> int:
        return int(self.status()["running"])


def send(
    peer: Peer, method: str, name: str, body: bytes = b"", timeout: int = 0, seconds: float = 0.0
) -> int:
    return peer.send(method, [[name, seconds, body], {}], timeout, wire.ARGS)


@pytest.fixture(params=["uvloop", "asyncio", "no loop"])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    app = SYNC_ONLY if request.param == "no loop" else APP
    made = Stage(tmp_path, app, request.param != "asyncio", "--concurrency", "1")
    yield made
    assert made.broker.end() == 0


def test_a_large_call_whose_caller_is_killed_gives_its_memory_to_no_other_before_a_worker_has_seen_it(
    stage: Stage,
) -> None:
    peer, gone = stage.peer(), stage.peer()
    busy = stage.occupy(peer)
    send(gone, "Sync.run", "gone", b"\1" * LARGE)
    assert eventually(lambda: stage.running() == 2)
    gone.close()
    assert eventually(lambda: stage.running() == 1), "it counts as running, and nobody waits for it"
    time.sleep(0.5)  # longer than the shutdown timeout and the grace
    mine = send(peer, "Sync.run", "mine", b"\2" * LARGE)
    other = send(peer, "Sync.run", "other", b"\3" * LARGE)
    stage.go()
    assert peer.result(mine) == ["mine", b"\2" * LARGE]
    assert peer.result(other) == ["other", b"\3" * LARGE]
    assert peer.result(busy)[0] == "busy-Sync.run"
    assert stage.journal == {"busy-Sync.run": 1, "mine": 1, "other": 1}


@pytest.mark.parametrize("event", ["its time is over", "it is cancelled", "its caller leaves"])
def test_what_lies_in_the_kernel_when_it_ends_never_starts_and_costs_nobody_anything(
    stage: Stage, event: str
) -> None:
    peer, other = stage.peer(), stage.peer()
    workers = stage.workers()
    busy = [stage.occupy(peer, method) for method in stage.methods]
    timeout = 150 if event == "its time is over" else 0
    sent = {
        f"{method}-{size}": send(other, method, f"{method}-{size}", bytes(count), timeout, 1000.0)
        for method in stage.methods
        for size, count in SIZES.items()
    }
    if event == "its time is over":
        began = time.monotonic()
        for sequence in sent.values():
            error = other.result(sequence)
            assert error["code"] == "deadline_exceeded" and "has not run" in error["message"]
        assert time.monotonic() - began < 10, "told at its deadline, and not when the worker is free"
    else:
        assert eventually(lambda: stage.running() == len(busy) + len(sent))
        if event == "it is cancelled":
            for sequence in sent.values():
                other.socket.sendall(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))
        else:
            other.close()
    assert eventually(lambda: stage.running() == len(busy))
    stage.go()
    assert all(peer.result(sequence)[0].startswith("busy") for sequence in busy)
    for index, method in enumerate(stage.methods):
        for size, count in SIZES.items():
            body = bytes([index + 1]) * count
            assert peer.result(send(peer, method, f"next-{method}-{size}", body))[1] == body
    assert stage.workers() == workers
    assert all(name.startswith(("busy", "next")) for name in stage.journal)
    assert stage.running() == 0


def test_a_large_async_call_whose_time_is_over_in_the_kernel_costs_those_that_run_nothing(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, APP, True, "--concurrency", "2")
    peer = stage.peer()
    running = [send(peer, "Async.run", name, seconds=60.0) for name in ("a", "b")]
    assert eventually(lambda: len(stage.journal) == 2)
    assert peer.result(send(peer, "Async.run", "late", bytes(LARGE), 100))["code"] == "deadline_exceeded"
    # So many that memory which is free is given back to the system.
    more = [send(peer, "Async.run", "more", bytes(LARGE), seconds=20.0) for _ in range(40)]
    for sequence in more:
        peer.socket.sendall(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))
    assert eventually(lambda: stage.running() == len(running))
    stage.go()
    assert [peer.result(sequence)[0] for sequence in running] == ["a", "b"]
    assert (stage.journal["a"], stage.journal["b"], stage.journal["late"]) == (1, 1, 0)
    assert stage.broker.end() == 0


def test_a_call_that_began_just_before_its_caller_left_is_ended(tmp_path: Path) -> None:
    """Whichever it is for the broker: not begun, or begun."""
    stage = Stage(tmp_path, APP, True)
    for turn in range(10):
        gone = stage.peer()
        send(gone, "Sync.run", f"gone-{turn}", seconds=1000.0)
        if turn % 2:
            assert eventually(lambda: stage.journal[f"gone-{turn}"] == 1)
        gone.close()
        assert stage.peer().call("Sync.run", "mine", 10_000, 0) == ["mine", b""]
    assert stage.broker.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("service", ["Sync", "Async"])
def test_a_worker_that_gave_up_its_privileges_gets_large_payloads(tmp_path: Path, service: str) -> None:
    stage = Stage(tmp_path, APP, True)
    peer = stage.peer()
    peer.call(f"{service}.become_nobody")
    workers = stage.workers()
    body = os.urandom(LARGE)
    assert peer.call(f"{service}.echo", body) == body
    assert stage.workers() == workers
    assert stage.broker.end() == 0


def test_what_is_being_revoked_as_the_last_worker_dies_is_answered_before_the_next_one_is_there() -> None:
    """The worker's death puts the call back into the queue, where nobody takes it for now."""
    loop = asyncio.new_event_loop()
    ended: list[Call] = []
    queue = SharedQueue(KernelQueue(loop), CallQueue(10, 1000), time.monotonic, ended.append)

    def late(now: float) -> float:
        ended.extend(queue.waiting.expired(now))
        return queue.waiting.earliest()

    group: Any = SimpleNamespace(
        call_of=queue.sent.get,
        revoke=queue.revoke,
        find=lambda *_: None,
        late=late,
        read_answers=lambda: None,
    )
    runtime: Any = SimpleNamespace(loop=loop, flush=lambda: None, config=SimpleNamespace(interrupt_grace=0.1))
    deadlines = Deadlines(group, runtime)
    frame = wire.parse(wire.encode(wire.RAW, (1, 1), b"m"))
    owner: Any = Mock(structured=True)
    call = Call(owner, 1, b"m", frame, None, time.monotonic(), time.monotonic())
    queue.resize(1)
    assert queue.submit(call) and call.number in queue.sent
    deadlines.stop(call, DEADLINE)
    queue.resize(0)
    queue.recall()
    loop.call_later(5.0, loop.stop)
    loop.call_later(0.0, stop_when, loop, lambda: bool(ended))
    loop.run_forever()
    assert ended == [call]
    deadlines.close()
    queue.close()
    loop.close()


def stop_when(loop: asyncio.AbstractEventLoop, wanted: Callable[[], bool]) -> None:
    if wanted():
        loop.stop()
    else:
        loop.call_later(0.005, stop_when, loop, wanted)
