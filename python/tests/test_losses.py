"""A call that a worker had received and not noted when it died is found, whatever the others are doing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .chaos.scene import Scene
from .chaos.system import eventually
from .peer import Peer


def test_it_is_found_although_the_others_are_busy_and_more_calls_wait(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    peer = Peer(scene.address)
    busy = send(peer, "busy", 1.0)
    assert eventually(lambda: bool(peer.call("GoTask.Status")["running"] == 1))
    (scene.chaos / "step-sync-received").touch()
    lost = send(peer, "lost", 0.0)
    more = [send(peer, f"more {index}", 1.0) for index in range(2)]
    error = peer.result(lost)
    assert error["code"] == "worker_crashed" and "it has not run" in error["message"]
    assert [peer.result(sequence)[0] for sequence in (busy, *more)] == ["busy", "more 0", "more 1"]
    assert "lost" not in (scene.chaos / "journal").read_text().split()
    peer.close()
    assert scene.close() == []


def send(peer: Peer, token: str, seconds: float) -> int:
    body: list[Any] = [token, seconds, b"", 1]
    return peer.send("Sync.work", [body, {}], 8000, 1)
