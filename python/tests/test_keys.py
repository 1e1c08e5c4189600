"""Calls with a key: which worker gets them, and what becomes of them when it is busy, dies, or is replaced."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from zlib import crc32

import msgpack
import pytest

from gotask.broker.call import Call, KeyedCall
from gotask.broker.keyed import GroupQueues
from gotask.broker.queue import CallQueue
from gotask.wire import frames as wire

from .peer import APPS, BrokerProcess, Peer

KEYS = [crc32(f"user-{number}".encode()) for number in range(40)]
WORKERS = 3


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    address = f"unix://{tmp_path_factory.mktemp('keys')}/b.sock"
    made = BrokerProcess(APPS / "calls.py", "--async-workers", "2", workers=WORKERS, address=address)
    made.wait_for("ready")
    yield made
    made.end()


class Waiting(Peer):
    """A peer that can ask until something is so."""

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, method: str, key: int, payload: Any = None, remaining: int = 0, flags: int = 0) -> int:
        """The sequence of a call with a key."""
        return self.send_raw(method, msgpack.packb(payload), wire.MSGPACK, remaining, flags, 0, key)

    def pids(self, method: str = "App.pid", keys: list[int] = KEYS) -> dict[int, int]:
        """Which worker each key's call comes to."""
        sequences = {key: self.ask(method, key) for key in keys}
        return {key: self.result(sequence) for key, sequence in sequences.items()}

    def serving(self) -> int:
        return sum(service["workers"] for service in self.call("GoTask.Status")["services"])

    def until(self, condition: Any) -> None:
        for _ in range(2000):
            if condition():
                return
            self.call("App.sleep", 0.005)
        raise AssertionError("it does not come to be so")


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[Waiting]:
    assert broker.address is not None
    with Waiting(broker.address) as made:
        made.until(lambda: made.serving() == WORKERS + 2)
        yield made


@pytest.mark.parametrize("method, workers", [("App.pid", WORKERS), ("App.async_pid", 2)])
def test_a_key_goes_to_one_worker_and_keys_to_all_workers(peer: Waiting, method: str, workers: int) -> None:
    first = peer.pids(method)
    assert len(set(first.values())) == workers
    assert min(Counter(first.values()).values()) >= len(KEYS) / workers / 3
    assert peer.pids(method) == first


def test_when_a_worker_dies_its_keys_alone_go_elsewhere_until_its_successor_has_them(peer: Waiting) -> None:
    before = peer.pids()
    dead = before[KEYS[0]]
    os.kill(dead, signal.SIGKILL)
    peer.until(lambda: peer.pids(keys=KEYS[:1])[KEYS[0]] != dead)
    assert {key: pid for key, pid in peer.pids().items() if before[key] != dead}.items() <= before.items()
    peer.until(lambda: peer.serving() == WORKERS + 2)
    after = peer.pids()
    (successor,) = set(after.values()) - set(before.values())
    assert after == {key: successor if pid == dead else pid for key, pid in before.items()}


def test_a_reload_keeps_keys_together(broker: BrokerProcess, peer: Waiting) -> None:
    before = peer.pids()
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloaded")
    after = peer.pids()
    assert not set(before.values()) & set(after.values())
    assert len(set(zip(before.values(), after.values()))) == WORKERS


def test_what_waits_for_a_worker_that_dies_runs_elsewhere_and_what_it_had_begun_fails(
    peer: Waiting, tmp_path: Path
) -> None:
    key, journal = KEYS[0], tmp_path / "journal"
    pid = peer.pids(keys=[key])[key]
    begun = peer.ask("App.hold", key, str(tmp_path / "begun"))
    peer.until((tmp_path / "begun").exists)
    waiting = [peer.ask("App.append", key, [str(journal), str(number)]) for number in range(200)]
    assert isinstance(peer.call("App.pid"), int)  # another worker is free, and calls without a key go there
    os.kill(pid, signal.SIGKILL)
    assert peer.result(begun)["code"] == "worker_crashed"
    for sequence in waiting:
        peer.result(sequence)
    assert sorted(map(int, journal.read_text().split())) == list(range(200))


def test_a_call_whose_time_is_over_while_its_worker_is_busy_does_not_begin(
    peer: Waiting, tmp_path: Path
) -> None:
    key, journal = KEYS[0], tmp_path / "journal"
    pid = peer.pids(keys=[key])[key]
    busy = peer.ask("App.hold", key, str(tmp_path / "begun"))
    peer.until((tmp_path / "begun").exists)
    late = [peer.ask("App.append", key, [str(journal), "late"], 100) for _ in range(200)]
    cancelled = peer.ask("App.append", key, [str(journal), "cancelled"])
    peer.socket.sendall(wire.encode(wire.CONTROL, (cancelled,), b"", wire.STOP))
    assert {peer.result(sequence)["code"] for sequence in late} == {"deadline_exceeded"}
    os.kill(pid, signal.SIGKILL)
    assert peer.result(busy)["code"] == "worker_crashed"
    assert peer.call("App.echo", 1) == 1 and not journal.exists()


def test_large_calls_and_notifications_have_keys_too(peer: Waiting, tmp_path: Path) -> None:
    payload = "x" * wire.LARGE * 2
    assert peer.result(peer.ask("App.echo", KEYS[0], payload)) == payload
    assert peer.result(peer.ask("App.async_echo", KEYS[0], payload)) == payload
    journal = tmp_path / "journal"
    assert peer.result(peer.ask("App.append", KEYS[0], [str(journal), "x"], 0, wire.NOTIFY)) is None
    peer.until(journal.exists)


def test_while_no_worker_is_there_they_wait(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", workers=1, address=address)
    broker.wait_for("ready")
    with Waiting(address) as peer:
        pid = peer.pids(keys=KEYS[:1])[KEYS[0]]
        begun = peer.ask("App.kill", KEYS[0])
        waiting = [peer.ask("App.pid", key) for key in KEYS]
        assert peer.result(begun)["code"] == "worker_crashed"
        (successor,) = {peer.result(sequence) for sequence in waiting}
        assert successor != pid
    broker.end()


def test_the_limits_hold_for_all_that_wait_together() -> None:
    owner = Mock()
    frame = wire.parse(wire.encode(wire.RAW, (1, 1), b"m"))
    first, second = CallQueue(2, 1000), CallQueue(2, 1000)
    first.together = second.together = [first, second]
    for queue in (first, second):
        assert not queue.full_for(frame.start)
        queue.push(Call(owner, 1, b"m", frame, None, 0.0, 0.0))
    assert first.full_for(1) and second.full_for(1)


def test_keys_are_spread_evenly_and_only_those_of_a_place_move() -> None:
    shared: Any = Mock(waiting=Mock(keyed=list))
    workers = [
        SimpleNamespace(place=-1, waits=None, in_service=True, own=Mock(has_ended=True)) for _ in range(8)
    ]
    pool: Any = SimpleNamespace(workers=workers, in_service=8)
    queues = GroupQueues(shared, pool, Mock())
    queues.balance()
    assert [worker.place for worker in workers] == list(range(8))
    keys = [crc32(str(number).encode()) for number in range(8000)]
    before = {key: queues.queue_for(key) for key in keys}
    counts = Counter(id(queue) for queue in before.values())
    assert all(800 < count < 1200 for count in counts.values())
    workers[3].in_service = False
    after = {key: queues.queue_for(key) for key in keys}
    gone: Any = workers[3].own
    assert (
        all(after[key] is before[key] or before[key] is gone for key in keys) and gone not in after.values()
    )
    moved = Counter(id(after[key]) for key in keys if before[key] is gone)
    assert len(moved) == 7 and max(moved.values()) < 3 * min(moved.values())
    successor: Any = SimpleNamespace(place=-1, waits=None, in_service=True, own=Mock(has_ended=True))
    workers.append(successor)
    queues.balance()
    assert successor.place == 3 and {key for key in keys if queues.queue_for(key) is successor.own} == {
        key for key in keys if before[key] is gone
    }


def test_a_call_has_no_key_unless_it_says_so() -> None:
    assert Call.key == 0 and "key" in KeyedCall.__slots__
