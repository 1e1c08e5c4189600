"""A worker that dies, and a client that leaves, at each step of a message of the fast path."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from .chaos.calls import FAST_STEPS
from .chaos.system import Holdings, eventually, holdings
from .fast import GIVEN_BACK, TAKE_BACK, FastPeer
from .peer import PACKAGE, BrokerProcess, Peer


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrokerProcess, Path]]:
    folder = tmp_path_factory.mktemp("steps")
    started = BrokerProcess(
        "tests.apps.steps", address=f"unix://{folder}/s.sock", cwd=PACKAGE, env={"GOTASK_CHAOS": str(folder)}
    )
    started.wait_for("ready", 60)
    yield started, folder
    assert started.end() == 0


@pytest.mark.parametrize("step", FAST_STEPS)
def test_a_worker_that_dies_there_leaves_one_outcome_for_each_call(
    broker: tuple[BrokerProcess, Path], step: str
) -> None:
    """What is overdue is taken back; nothing runs twice, and what is given back has not run."""
    process, folder = broker
    assert process.address is not None
    peer = FastPeer(process.address)
    peer.call_fast("Sync.size", b"")
    (folder / f"step-sync-{step}").touch()
    tokens = [f"{step}-{number}" for number in range(3)]
    sequences = peer.send_many(*[("Sync.fail", token) for token in tokens])
    assert eventually(lambda: not (folder / f"step-sync-{step}").exists()), "no worker came there"
    for sequence in sequences:
        while sequence not in peer.outcomes:
            if not read(peer, 0.05):
                peer.stop(sequence, TAKE_BACK)
                assert read(peer, 20), "it has no outcome"
    ran = [(folder / "journal").read_text().split().count(token) for token in tokens]
    for sequence, times in zip(sequences, ran):
        peer.outcomes[sequence] = peer.outcomes[sequence][:1]  # a copy is no second outcome
        value = peer.value(sequence)
        code = "given back" if value == GIVEN_BACK else value["code"]
        assert code in ("remote_error", "worker_crashed", "given back")
        assert times == {"remote_error": 1, "given back": 0}.get(code, times) and times < 2
    assert peer.call("Sync.size", b"xyz") == 3
    peer.close()


@pytest.mark.parametrize("step", FAST_STEPS)
def test_a_client_that_leaves_there_leaves_nothing_behind(
    broker: tuple[BrokerProcess, Path], step: str
) -> None:
    process, folder = broker
    assert process.address is not None
    beside = FastPeer(process.address)
    beside.call_fast("Sync.size", b"")
    before = settled(process)
    peer = FastPeer(process.address)
    peer.call_fast("Sync.size", b"")
    hold = folder / f"hold-sync-{step}"
    hold.touch()
    tokens = [f"left-{step}-{number}" for number in range(3)]
    peer.send_many(*[("Sync.fail", token) for token in tokens])
    assert eventually(Path(f"{hold}.held").exists), "no worker came there"
    peer.close()
    watcher = Peer(process.address)
    watcher.call("GoTask.Ping")
    hold.unlink()
    Path(f"{hold}.held").unlink()
    assert beside.call_fast("Sync.size", b"xyz") == 3
    assert all((folder / "journal").read_text().split().count(token) < 2 for token in tokens)
    watcher.close()
    assert eventually(lambda: settled(process) == before), before.became(settled(process))
    beside.close()


def read(peer: FastPeer, timeout: float) -> bool:
    """Reads what has come by either socket; whether anything has within that time."""
    ready = select.select([peer.socket, peer.fast], [], [], timeout)[0]
    for found in ready:
        peer.read() if found is peer.socket else peer.receive()
    return bool(ready)


def settled(process: BrokerProcess) -> Holdings:
    return holdings(process.process.pid)
