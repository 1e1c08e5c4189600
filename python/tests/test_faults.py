"""A hostile or unlucky world: peers that never read, and processes that run out of what they need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gotask import _protocol as wire

from .peer import APPS, BrokerProcess, Peer

MIB = 1024 * 1024


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    process = BrokerProcess(APPS / "calls.py", workers=2, address=f"unix://{tmp_path}/b.sock")
    process.wait_for("ready")
    yield process
    assert process.end() == 0


def connect(broker: BrokerProcess) -> Peer:
    assert broker.address is not None
    return Peer(broker.address)


@pytest.mark.parametrize("method", [b"App.ping", b"App.echo"])
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
    with pytest.raises(TimeoutError):
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


@pytest.mark.parametrize("method", ["App.echo", "App.zeros"])
def test_a_worker_without_descriptors_loses_no_call(tmp_path: Path, method: str) -> None:
    payload = bytes(MIB) if method == "App.echo" else MIB
    app = tmp_path / "app.py"
    app.write_text(APP)
    process = BrokerProcess(app, workers=1, address=f"unix://{tmp_path}/b.sock")
    process.wait_for("ready")
    peer = connect(process)
    peer.call("App.exhaust")
    error = peer.call(method, payload)
    assert error["code"] == "worker_crashed"
    assert "Too many open files" in error["data"]["stderr"]
    assert peer.call(method, payload) == bytes(MIB)
    assert process.end() == 0


APP = """
import os
import resource

import gotask


@gotask.service
class App:
    def exhaust(self):
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, lowest))

    def echo(self, value):
        return value

    async def zeros(self, count):
        return bytes(count)
"""
