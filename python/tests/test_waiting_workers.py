"""Sync methods that wait for their callers' answers, each of which needs a worker itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack

from gotask.broker.connection import MAX_WAITING_CALLS
from gotask.wire.exchange import ANSWER, CALL

from .chaos.system import Holdings, eventually, holdings
from .exchanges import Exchanger
from .peer import APPS, BrokerProcess


def begin(tmp_path: Path, *options: str) -> tuple[BrokerProcess, Exchanger]:
    broker = BrokerProcess(APPS / "exchanges.py", *options, address=f"unix://{tmp_path / 'b.sock'}")
    broker.wait_for("ready")
    assert broker.address is not None
    return broker, Exchanger(broker.address)


def nest(peer: Exchanger, depth: int) -> list[tuple[int, int]]:
    """Calls that many methods, each while the one before waits: sequence, and number of the call back."""
    asked = []
    for _ in range(depth):
        sequence = peer.begin("App.ask", "Nested.call")
        message = peer.next(sequence)
        assert message is not None and message[0] == CALL, peer.result(sequence)
        asked.append((sequence, message[1]))
    return asked


def finish(peer: Exchanger, asked: list[tuple[int, int]]) -> list[Any]:
    results = []
    for sequence, number in reversed(asked):
        peer.say(sequence, ANSWER, number, msgpack.packb(number))
        results.append(peer.result(sequence))
    return results


def workers(peer: Exchanger) -> int:
    return sum(
        worker["state"] in ("idle", "busy") and worker["kind"] == "sync"
        for worker in peer.call("GoTask.Status")["workers"]
    )


def test_one_worker_is_enough_for_calls_within_calls(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path, "--idle-time", "0.2")
    assert finish(peer, nest(peer, 4)) == [[1]] * 4
    assert broker.logged("one more is started")
    while workers(peer) > 1:  # they are let go when nothing needs them any more
        assert peer.call("App.echo", 1) == 1
    assert broker.end() == 0


def test_nothing_is_left_of_a_large_call_that_called_back(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    before = held(broker)
    sequence = peer.begin("App.ask", "x" * 100_000)
    peer.serve(sequence, lambda name, index, key: None)
    assert peer.result(sequence) == [None]
    # What is kept for the next large call goes after a second without one.
    assert eventually(lambda: held(broker) == before), before.became(held(broker))
    assert broker.end() == 0


def held(broker: BrokerProcess) -> Holdings:
    return holdings(broker.process.pid)


def test_a_call_that_waits_behind_one_that_calls_back_gets_a_worker_too(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    first = peer.begin("App.ask", "Nested.call")
    second = peer.send("App.echo", "there")
    assert peer.next(first) is not None
    assert peer.result(second) == "there"
    peer.cancel(first)
    assert broker.end() == 0


def test_there_is_a_bound_which_is_said(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    asked = nest(peer, 8)
    error = peer.result(peer.begin("App.ask", "Nested.call"))
    assert (
        error["type"] == "gotask.errors.PhpError" and "all its workers wait for answers" in error["message"]
    )
    assert peer.call("App.echo", 1) == 1, "one is left"
    assert finish(peer, asked) == [[1]] * 8
    assert broker.end() == 0


def test_a_key_does_not_lead_to_a_worker_that_waits(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    key = (0, 0, 0, 77)  # no deadline, no flags, no headers, and a key
    assert peer.call("App.echo", 1, *key) == 1
    asked = nest(peer, 1)
    assert peer.call("App.echo", 2, *key) == 2
    assert finish(peer, asked) == [[1]]
    assert broker.end() == 0


def test_a_caller_with_more_calls_than_are_read_at_a_time_is_heard_when_it_answers(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    sequences = [peer.begin("App.ask", "Config.get") for _ in range(MAX_WAITING_CALLS + 200)]
    for sequence in sequences:
        assert peer.serve(sequence, lambda name, index, key: name) == 1
    assert peer.result(sequences[-1]) == ["Config.get"]
    assert broker.end() == 0
