"""Where it is not plain what has become of a call: nobody waits for ever, and nobody is told that what has run has not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from .chaos.scene import Scene
from .chaos.system import eventually
from .peer import Peer


def test_a_call_that_a_worker_received_and_died_is_found_although_others_are_busy_and_more_wait(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    peer = Peer(scene.address)
    busy = send(peer, "busy", 1.0)
    assert eventually(lambda: "busy" in (scene.chaos / "journal").read_text())
    (scene.chaos / "step-sync-received").touch()
    lost = send(peer, "lost", 0.0)
    more = [send(peer, f"more {index}", 1.0) for index in range(2)]
    error = peer.result(lost)
    assert error["code"] == "worker_crashed" and "it has not run" in error["message"]
    assert [peer.result(sequence)[0] for sequence in (busy, *more)] == ["busy", "more 0", "more 1"]
    assert "lost" not in (scene.chaos / "journal").read_text().split()
    peer.close()
    assert scene.close() == []


def test_a_call_that_was_answered_while_the_broker_stood_still_is_not_said_not_to_have_run(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    journal = scene.chaos / "journal"
    peer = Peer(scene.address)
    # Two that end while it stands still, and two that take their places in the workers' notes.
    calls = [send(peer, f"call {index}", 0.5, 700) for index in range(4)]
    assert eventually(lambda: peer.call("GoTask.Status")["running"] == 4 and journal.exists())
    os.kill(scene.pid, signal.SIGSTOP)
    time.sleep(1.3)
    os.kill(scene.pid, signal.SIGCONT)
    for index, sequence in enumerate(calls):
        outcome = peer.result(sequence)
        if f"call {index}\n" in journal.read_text():
            assert isinstance(outcome, list) or "has not run" not in outcome["message"]
    peer.close()
    assert scene.close() == []


def send(peer: Peer, token: str, seconds: float, timeout: int = 8000) -> int:
    body: list[Any] = [token, seconds, b"", 1]
    return peer.send("Sync.work", [body, {}], timeout, 1)
