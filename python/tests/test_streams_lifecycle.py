"""A stream is a call under way: whatever is to end waits for it, up to the shutdown timeout."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .exchanges import Exchanger
from .peer import APPS, BrokerProcess

both = pytest.mark.parametrize("kind", ["", "async_"], ids=["sync", "async"])
COUNT = 30_000


def begin(tmp_path: Path, *options: str) -> tuple[BrokerProcess, Exchanger]:
    broker = BrokerProcess(APPS / "exchanges.py", *options, address=f"unix://{tmp_path / 'b.sock'}")
    broker.wait_for("ready")
    assert broker.address is not None
    return broker, Exchanger(broker.address)


def test_a_stream_goes_on_through_a_reload_and_to_its_end_when_the_broker_is_to_end(tmp_path: Path) -> None:
    broker, peer = begin(tmp_path)
    old = [peer.stream(f"App.{kind}rows", COUNT, 100) for kind in ("", "async_")]
    begun = [peer.items(sequence, 1) for sequence in old]
    pid = peer.call("App.async_pid")
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloaded")
    assert peer.call("App.async_pid") != pid
    for sequence, first in zip(old, begun):
        assert len(first) + len(peer.items(sequence)) == COUNT
    new = [peer.stream(f"App.{kind}rows", COUNT, 100) for kind in ("", "async_")]
    begun = [peer.items(sequence, 1) for sequence in new]
    broker.process.send_signal(signal.SIGTERM)
    for sequence, first in zip(new, begun):
        assert len(first) + len(peer.items(sequence)) == COUNT
    assert broker.end() == 0


@both
def test_a_worker_that_has_run_its_number_of_calls_ends_its_stream_first(tmp_path: Path, kind: str) -> None:
    broker, peer = begin(tmp_path, "--max-calls", "1")
    first, second = peer.stream(f"App.{kind}rows", COUNT, 100), peer.stream(f"App.{kind}rows", COUNT, 100)
    assert len(peer.items(first)) == len(peer.items(second)) == COUNT
    assert broker.end() == 0


@both
def test_a_stream_that_nobody_reads_does_not_keep_the_broker(tmp_path: Path, kind: str) -> None:
    broker, peer = begin(tmp_path, "--shutdown-timeout", "0.3")
    sequence = peer.stream(f"App.{kind}rows", COUNT, 100)
    assert peer.items(sequence, 1, credit=False)
    broker.process.send_signal(signal.SIGTERM)
    with pytest.raises((EOFError, ConnectionError)):
        peer.items(sequence, credit=False)
        while True:
            peer.read()
    broker.end()


@both
def test_an_element_above_the_limit_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    broker, peer = begin(tmp_path, "--max-payload", "100000")
    sequence = peer.stream(f"App.{kind}rows", 3, 200_000)
    assert peer.items(sequence) == []
    error = peer.result(sequence)
    assert error["code"] == "invalid_result" and "MAX_PAYLOAD" in error["message"]
    assert peer.call("App.echo", 1) == 1
    assert broker.end() == 0
