"""A hostile or unlucky world: peers that never read, and processes that run out of what they need."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gotask.wire import frames as wire

from .chaos.system import descriptors, eventually
from .peer import APPS, BrokerProcess, Peer, serving
from .test_deadlines import workers

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("faults"), APPS / "calls.py", workers=2)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[BrokerProcess]:
    """One that has seen no quick calls: after those more of the next ones go to its workers at a time."""
    yield from serving(tmp_path, APPS / "calls.py", workers=2)


def connect(broker: BrokerProcess) -> Peer:
    assert broker.address is not None
    return Peer(broker.address)


@pytest.mark.parametrize("method", [b"GoTask.Ping", b"App.echo"])
def test_a_peer_that_never_reads_its_answers_is_not_read_from_for_ever(
    broker: BrokerProcess, method: bytes
) -> None:
    peer = connect(broker)
    peer.socket.settimeout(0.5)
    frames = [
        wire.encode(wire.MSGPACK, (sequence, len(method)), method + b"\xc5\x20\x00" + bytes(8192))
        for sequence in range(10, 8010)
    ]
    taken = 0
    with pytest.raises(TimeoutError):
        for frame in frames:
            peer.socket.sendall(frame)
            taken += len(frame)
    assert taken < 32 * MIB
    assert connect(broker).call("App.echo", "beside it") == "beside it"


def test_one_that_reads_again_gets_all_its_answers(broker: BrokerProcess) -> None:
    peer = connect(broker)
    count, body = 400, b"\xc5\x40\x00" + bytes(16384)
    method = b"App.echo"
    data = b"".join(
        wire.encode(wire.MSGPACK, (sequence, len(method)), method + body)
        for sequence in range(10, 10 + count)
    )
    peer.socket.settimeout(0.3)
    sent = 0
    with suppress(
        TimeoutError
    ):  # where workers are slow, the broker takes all of it before it has many answers
        while sent < len(data):
            sent += peer.socket.send(data[sent : sent + 65536])
    decoder = wire.Decoder()
    answered: set[int] = set()
    peer.socket.setblocking(False)
    while len(answered) < count:
        try:
            sent += peer.socket.send(data[sent : sent + 65536]) if sent < len(data) else 0
        except BlockingIOError:
            pass
        try:
            for event in decoder.feed(peer.socket.recv(65536)):
                assert isinstance(event, wire.Frame) and not event.flags & wire.ERROR
                answered.add(event.options[0])
        except BlockingIOError:
            pass


@pytest.mark.parametrize("method", ["App.echo", "App.echo_async"])
def test_a_large_call_is_refused_by_a_worker_without_descriptors_which_is_replaced(
    tmp_path: Path, method: str
) -> None:
    process, kind = exhausted(tmp_path, method)
    peer = connect(process)
    (before,) = workers(peer, 1, kind)
    running = peer.send("App.wait", 0.5) if method == "App.echo_async" else 0
    error = peer.call(method, bytes(MIB))
    assert error["code"] == "overloaded"
    assert method in error["message"] and "no descriptor left" in error["message"]
    assert error["message"].endswith("; it has not run")
    assert not running or peer.result(running) == 0.5, "what runs beside it goes on"
    assert eventually(lambda: bool(peer.call(method, bytes(MIB)) == bytes(MIB)))
    # The worker that is replaced may still be ending.
    assert eventually(lambda: workers(peer, 1, kind) != [before])
    assert process.end() == 0


@pytest.mark.parametrize("method", ["App.zeros", "App.zeros_async"])
def test_a_large_result_of_a_worker_without_descriptors_is_lost_and_nothing_else(
    tmp_path: Path, method: str
) -> None:
    process, kind = exhausted(tmp_path, method)
    peer = connect(process)
    before = workers(peer, 1, kind)
    error = peer.call(method, MIB)
    assert error["code"] == "remote_error"
    assert "the result is lost" in error["message"] and "Too many open files" in error["message"]
    assert peer.call("App.echo", 1) == 1
    assert workers(peer, 1, kind) == before
    assert process.end() == 0


def exhausted(folder: Path, method: str) -> tuple[BrokerProcess, str]:
    """A broker whose one worker of the method's kind, which it names, gets no further descriptor."""
    app = folder / "app.py"
    app.write_text(APP)
    process = BrokerProcess(app, workers=1, address=f"unix://{folder}/b.sock")
    process.wait_for("ready")
    is_async = method.endswith("_async")
    connect(process).call("App.exhaust_async" if is_async else "App.exhaust")
    return process, "async" if is_async else "sync"


APP = """
import asyncio
import os
import resource

import gotask


@gotask.service
class App:
    def exhaust(self):
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, lowest))

    async def exhaust_async(self):
        self.exhaust()

    def echo(self, value):
        return value

    async def echo_async(self, value):
        return value

    async def wait(self, seconds):
        await asyncio.sleep(seconds)
        return seconds

    def zeros(self, count):
        return bytes(count)

    async def zeros_async(self, count):
        return bytes(count)
"""


def test_async_calls_that_never_cease_do_not_keep_sync_calls_waiting(broker: BrokerProcess) -> None:
    busy, peer = connect(broker), connect(broker)
    running = {busy.send("App.wait", 0.05 + index / 500) for index in range(16)}
    worst = 0.0
    for _ in range(4):
        sync = peer.send("App.echo", 1)
        began = time.monotonic()
        while not select.select([peer.socket], [], [], 0)[0]:
            assert time.monotonic() - began < 20
            busy.read()
            for done in running & busy.replies.keys():
                running.remove(done)
                busy.result(done)
                running.add(busy.send("App.wait", 0.05 + done % 16 / 500))
        assert peer.result(sync) == 1
        worst = max(worst, time.monotonic() - began)
    assert worst < 5


def test_cancelled_calls_leave_the_queue_at_once(tmp_path: Path) -> None:
    process = BrokerProcess(
        APPS / "sync_only.py", "--queue-calls", "50", workers=1, address=f"unix://{tmp_path}/b.sock"
    )
    process.wait_for("ready")
    peer = connect(process)
    blocking = peer.send("App.sleep", 0.5)
    for _ in range(20):
        waiting = [peer.send("App.sleep", 1) for _ in range(40)]
        for sequence in waiting:
            peer.socket.sendall(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))
        assert peer.call("GoTask.Status")["queued"] == 0
    assert peer.result(blocking) == 0.5
    assert peer.call("App.echo", 1) == 1
    assert process.end() == 0


def test_a_peer_that_reads_no_results_gets_no_more_of_them_made(fresh: BrokerProcess) -> None:
    lazy, peer = connect(fresh), connect(fresh)
    sequences = [lazy.send("App.zeros", 30 * MIB) for _ in range(30)]
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        assert peer.call("App.echo", 1) == 1
    pid = peer.call("GoTask.Status")["pid"]
    mapped = [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "memfd:gotask" in line]
    assert len(mapped) < 12
    for sequence in sequences:
        assert len(lazy.result(sequence)) == 30 * MIB


@pytest.mark.parametrize("sequence", [0, 2**31, 2**32 - 1])
def test_a_sequence_out_of_range_is_an_error(broker: BrokerProcess, sequence: int) -> None:
    peer = connect(broker)
    peer.socket.sendall(wire.encode(wire.JSON, (sequence, 6), b"App.hi"))
    assert peer.result(sequence)["code"] == "invalid_request"


def test_a_large_payload_that_is_cut_off_leaves_no_memory(broker: BrokerProcess) -> None:
    peer = connect(broker)
    pid = peer.call("GoTask.Status")["pid"]
    maps = Path(f"/proc/{pid}/maps")
    before = maps.read_text().count("memfd:gotask")
    for _ in range(3):
        cut = connect(broker)
        cut.socket.sendall(wire.encode_header(wire.RAW, (5, 8), 60 * MIB) + b"App.echo" + bytes(30 * MIB))
        cut.close()
    until = time.monotonic() + 20
    while maps.read_text().count("memfd:gotask") > before:
        assert time.monotonic() < until
        peer.call("GoTask.Ping")


@pytest.mark.parametrize(
    "frames",
    [
        wire.encode(wire.CONTROL, (5,), bytes(MIB), wire.PING),
        wire.encode(wire.MSGPACK, (5, 8), b"App.wait" + b"\x01")
        + wire.encode(wire.RAW, (5, 8), b"App.echo" + bytes(MIB)),
        wire.encode(wire.RAW, (), bytes(MIB)),
        wire.encode(wire.RAW, (5, 8), b"App.echo" + bytes(70_000)) + bytes(range(100)),
    ],
    ids=["ping", "sequence used twice", "no options", "garbage behind it"],
)
def test_a_large_frame_that_ends_its_connection_leaves_no_memory(
    broker: BrokerProcess, frames: bytes
) -> None:
    peer = connect(broker)
    pid = peer.call("GoTask.Status")["pid"]
    before = memfds(pid)
    for _ in range(3):
        hostile = connect(broker)
        with pytest.raises((EOFError, ConnectionError)):
            hostile.socket.sendall(frames)
            while True:
                hostile.read()
    assert eventually(lambda: memfds(pid) <= before)


def memfds(pid: int) -> int:
    return sum("memfd:gotask" in target for target in descriptors(pid))
