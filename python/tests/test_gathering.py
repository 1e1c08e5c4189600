"""Quick calls that share a message: one that takes long for once holds up no other, and one that kills costs no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gotask.broker.gather_watch import GatherWatch
from gotask.ipc.gathered import SIZE, Gathered
from gotask.ipc.notes import WorkerNotes

from .peer import BrokerProcess, Peer

APP = """
import os, time
import gotask

@gotask.register
def quick(value):
    if value == "sleep": time.sleep(1.5)
    if value == "hold": sum(range(10**8))
    if value == "die": os._exit(3)
    return value
"""
CALLS = 3000


@pytest.fixture(params=[1, 2, 4])
def broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BrokerProcess]:
    (tmp_path / "app.py").write_text(APP)
    process = BrokerProcess(tmp_path / "app.py", workers=request.param, address=f"unix://{tmp_path}/b.sock")
    process.wait_for("ready")
    yield process
    assert process.end() == 0


def flood(broker: BrokerProcess, odd: str) -> tuple[Peer, dict[int, int | str], int]:
    """Sends many quick calls at once, and among them an odd one, which shares its message with others."""
    assert broker.address is not None
    peer = Peer(broker.address)
    while sum(worker["state"] == "ready" for worker in peer.call("GoTask.Status")["workers"]) < 1:
        pass
    values: dict[int, int | str] = {}
    odd_one = 0
    for index in range(CALLS):
        value: int | str = odd if index == CALLS // 2 else index
        sequence = peer.send("quick", value)
        values[sequence] = value
        if value == odd:
            odd_one = sequence
    return peer, values, odd_one


@pytest.mark.parametrize("odd", ["sleep", "hold"])
def test_those_behind_a_slow_one_and_before_it_do_not_wait_for_it(broker: BrokerProcess, odd: str) -> None:
    peer, values, slow = flood(broker, odd)
    workers = len(peer.call("GoTask.Status")["workers"])
    if workers == 1:
        # Nobody else can run those behind; those before it are answered.
        assert [peer.result(sequence) for sequence in values] == list(values.values())
        return
    order: list[int] = []
    while len(order) < CALLS:
        peer.read()
        order += [sequence for sequence in peer.replies if sequence not in order]
        if slow in order:
            break
    assert set(values) - set(order) == set(), "some waited for the slow one"
    assert order[-1] == slow
    assert [peer.result(sequence) for sequence in values] == list(values.values())


def test_one_that_kills_its_worker_is_the_only_one_lost(broker: BrokerProcess) -> None:
    peer, values, deadly = flood(broker, "die")
    for sequence, value in values.items():
        result = peer.result(sequence)
        if sequence == deadly:
            assert result["code"] == "worker_crashed"
        else:
            assert result == value


def test_what_the_worker_has_sent_meanwhile_is_not_read() -> None:
    memory = memoryview(bytearray(SIZE))
    worker, broker = Gathered(memory), Gathered(memory)
    assert worker.add(b"first") and worker.add(b"second")
    mark = broker.mark()
    assert worker.add(b"third")
    assert broker.read(mark) == b"firstsecond"
    worker.clear()
    assert broker.read(mark) == b"" and broker.mark()[1] == 0
    assert worker.add(b"fourth")
    assert broker.read(mark) == b"" and broker.read(broker.mark()) == b"fourth"


class Hasty:
    """The notes of a worker that goes on at the very moment when the broker has looked where it is."""

    goes_on: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.notes = WorkerNotes(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.notes, name)

    @property
    def begun(self) -> int:
        found = self.notes.begun
        if self.goes_on is not None:
            self.goes_on()
        return found


class Worker:
    def __init__(self, notes: Hasty) -> None:
        self.notes = notes

    def fetch(self, mark: tuple[int, int]) -> None:
        pass


def test_only_what_was_revoked_is_taken_back_however_far_the_worker_has_gone_meanwhile() -> None:
    notes = Hasty()
    worker = Worker(notes)
    taken: list[int] = []
    group: Any = SimpleNamespace(
        pool=SimpleNamespace(workers=[worker]),
        lanes=(SimpleNamespace(sent=dict.fromkeys(range(1, 9))), None),
        take_back=lambda lane, numbers: taken.extend(numbers),
        batch=lambda: None,
    )
    loop: Any = SimpleNamespace(call_later=lambda pause, callback: SimpleNamespace(cancel=lambda: None))
    watch = GatherWatch(group, loop)
    notes.message(1, 4)
    assert notes.begin_of_many(1)
    watch._look()  # it is at 1
    watch._look()  # and still is: 2 to 4 are revoked

    def go_on() -> None:
        notes.goes_on = None
        assert not notes.begin_of_many(2)
        notes.message(5, 8)
        assert notes.begin_of_many(5)

    notes.goes_on = go_on
    watch._look()
    assert taken == [2, 3, 4]
    notes.close()


def test_what_does_not_fit_is_refused() -> None:
    gathered = Gathered(memoryview(bytearray(SIZE)))
    assert gathered.add(b"x" * (SIZE // 2)) and not gathered.add(b"x" * (SIZE // 2))
    assert gathered.records == b"x" * (SIZE // 2)


def test_async_calls_never_share_a_message_however_few_run_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import gotask\n\n@gotask.register\nasync def quick(value):\n    return value\n"
    )
    address = f"unix://{tmp_path}/b.sock"
    process = BrokerProcess(tmp_path / "app.py", "--concurrency", "2", address=address)
    process.wait_for("ready")
    peer = Peer(address)
    for _ in range(20):
        values = {peer.send("quick", index): index for index in range(200)}
        assert {sequence: peer.result(sequence) for sequence in values} == values
    peer.close()
    assert process.end() == 0
