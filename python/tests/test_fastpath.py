"""Calls that go to a worker without the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .fast import FastPeer
from .peer import APPS, BrokerProcess


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    started = BrokerProcess(APPS / "calls.py", workers=4, address=f"unix://{tmp_path}/s.sock")
    started.wait_for("ready")
    yield started
    started.end()


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[FastPeer]:
    assert broker.address is not None
    opened = FastPeer(broker.address)
    yield opened
    opened.close()


def test_a_call_is_answered_on_the_fast_socket(peer: FastPeer) -> None:
    assert peer.hello["fast"] is True
    assert peer.call_fast("App.Hi", "x") == {"hello": "x"}


def test_calls_that_share_a_message_are_answered_each(peer: FastPeer) -> None:
    sequences = peer.send_many(*[("App.Echo", n) for n in range(16)])
    assert [peer.fast_result(sequence) for sequence in sequences] == list(range(16))


def test_the_worker_that_was_busy_last_gets_the_next_call(peer: FastPeer) -> None:
    status = peer.call("GoTask.Status")
    workers = [worker["pid"] for worker in status["workers"] if worker["kind"] == "sync"]

    def next_pid(call: Callable[[str], Any]) -> Any:
        while not all(state(pid) == "S" for pid in workers):  # until the last one waits again
            pass
        return call("App.Pid")

    assert len(workers) == 4
    assert len({next_pid(peer.call_fast) for _ in range(40)}) == 1
    assert len({next_pid(peer.call) for _ in range(40)}) == 1


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
