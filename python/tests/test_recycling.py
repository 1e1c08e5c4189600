"""Workers that are replaced: warm before the old one is let go, and no call notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gotask.wire import frames as wire

from .peer import APPS, BrokerProcess, Peer, alive
from .test_deadlines import connect, workers


def start(tmp_path: Path, *arguments: str, count: int = 2) -> BrokerProcess:
    broker = BrokerProcess(APPS / "nasty.py", *arguments, workers=count, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    return broker


def wait_for(peer: Peer, wanted: Callable[[dict[str, Any]], bool], timeout: float = 15.0) -> dict[str, Any]:
    until = time.monotonic() + timeout
    while not wanted(status := peer.call("GoTask.Status")):
        assert time.monotonic() < until, status
        time.sleep(0.005)
    assert isinstance(status, dict)
    return status


def test_after_so_many_calls(tmp_path: Path) -> None:
    broker = start(tmp_path, "--max-calls", "50")
    peer = connect(broker)
    seen: set[Any] = set()
    until = time.monotonic() + 20
    while len(seen) < 8:
        assert time.monotonic() < until
        sequences = [peer.send("Sync.pid" if index % 2 else "Async.pid", None) for index in range(30)]
        seen |= {peer.result(sequence) for sequence in sequences}
    assert all(isinstance(pid, int) for pid in seen)
    assert len(workers(peer)) == 2 and len(workers(peer, 1, "async")) == 1
    assert broker.logged("it has run its number of calls")["level"] == "info"
    assert broker.end() == 0


def test_no_call_waits_for_a_replacement_to_start(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "import gotask, os, time\n"
        f"while os.path.exists({str(tmp_path / 'held')!r}): time.sleep(0.01)\n"
        "gotask.register(os.getpid, 'pid')\n"
    )
    broker = BrokerProcess(app, "--max-calls", "5", workers=1, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    for _ in range(3):
        (tmp_path / "held").touch()
        before = peer.call("pid")
        assert [peer.call("pid") for _ in range(20)] == [before] * 20
        (tmp_path / "held").unlink()
        wait_for(peer, lambda status: [worker["pid"] for worker in status["workers"]] != [before], 20)
        wait_for(peer, lambda status: len(status["workers"]) == 1, 20)
        assert peer.call("pid") != before
    assert broker.end() == 0


def test_by_age_and_when_idle(tmp_path: Path) -> None:
    broker = start(tmp_path, "--max-age", "0.5")
    peer = connect(broker)
    before = set(workers(peer))
    until = time.monotonic() + 10
    while set(workers(peer)) & before:
        assert time.monotonic() < until
    assert peer.call("Sync.echo", 1) == 1
    assert broker.end() == 0


def test_above_its_memory_between_calls(tmp_path: Path) -> None:
    broker = start(tmp_path, "--max-memory", str(100 << 20), count=1)
    peer = connect(broker)
    before = workers(peer, 1)
    assert peer.call("Sync.allocate", [[150, 0.3], {}], 0, wire.ARGS) == 150 << 20
    assert "MiB is above GOTASK_MAX_MEMORY" in broker.logged("is replaced")["message"]
    wait_for(peer, lambda status: before[0] not in [worker["pid"] for worker in status["workers"]])
    assert len(workers(peer, 1)) == 1
    assert broker.end() == 0


def test_far_above_its_memory_at_once_and_with_its_children(tmp_path: Path) -> None:
    broker = start(tmp_path, "--max-memory-hard", str(200 << 20), count=1)
    peer = connect(broker)
    began = time.monotonic()
    error = peer.call("Sync.allocate", [[300, 60], {}], 0, wire.ARGS)
    assert time.monotonic() - began < 30  # it sleeps for a minute
    assert error["code"] == "worker_crashed" and "GOTASK_MAX_MEMORY_HARD" in error["message"]
    assert error["data"]["reason"] == "memory" and "allocate" in error["data"]["stack"]
    assert error["data"]["peak_memory"] > 200 << 20
    assert peer.call("Sync.echo", 1) == 1
    assert broker.end() == 0


def test_further_workers_come_with_calls_that_wait_and_leave_when_idle(tmp_path: Path) -> None:
    broker = start(tmp_path, "--min-workers", "1", "--idle-time", "0.4", count=3)
    peer = connect(broker)
    assert len(workers(peer, 1)) == 1
    log = str(tmp_path / "log")
    sequences = [peer.send("Sync.append", [log, str(index), 0.05]) for index in range(40)]
    wait_for(peer, lambda status: len(status["workers"]) == 3 + 1)
    assert [peer.result(sequence) for sequence in sequences] == [str(index) for index in range(40)]
    assert len(workers(peer, 1)) == 1
    assert broker.end() == 0


def test_a_worker_whose_signals_a_method_has_blocked_leaves_with_its_next_call(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "import gotask, os, signal\n"
        "gotask.register(os.getpid, 'pid')\n"
        "def block(): signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "gotask.register(block, 'block')\n"
    )
    broker = BrokerProcess(
        app, "--max-calls", "5", "--shutdown-timeout", "60", address=f"unix://{tmp_path}/b.sock"
    )
    broker.wait_for("ready")
    peer = connect(broker)
    peer.call("block")
    before = peer.call("pid")
    wait_for(peer, lambda _: isinstance(peer.call("pid"), int) and not alive(before))
    assert broker.end() == 0
