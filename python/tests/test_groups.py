"""Services with workers of their own: what floods one holds up no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from .peer import BrokerProcess, Peer, serving
from .test_deadlines import connect

APP = """
import os, time
import gotask

opened = []

@gotask.service(workers=2, queue_calls=100)
class Own:
    def open(self): opened.append("Own")
    def sleep(self, seconds): time.sleep(seconds)
    def state(self): return [os.getpid(), opened]
    async def pid(self): return os.getpid()

@gotask.service
class Shared:
    def open(self): opened.append("Shared")
    def sleep(self, seconds): time.sleep(seconds)
    def state(self): return [os.getpid(), opened]
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    (tmp_path / "app.py").write_text(APP)
    yield from serving(tmp_path, tmp_path / "app.py", workers=1)


def services(peer: Peer) -> dict[tuple[str, str], dict[str, Any]]:
    return {(service["name"], service["kind"]): service for service in peer.call("GoTask.Status")["services"]}


def test_each_worker_opens_what_it_runs(broker: BrokerProcess) -> None:
    peer = connect(broker)
    shared, own = peer.call("Shared.state"), peer.call("Own.state")
    assert shared[1] == ["Shared"] and own[1] == ["Own"] and shared[0] != own[0]
    assert peer.call("Own.pid") != shared[0]
    counts = {name: service["workers"] for name, service in services(peer).items()}
    assert counts["", "sync"] == counts["Own", "async"] == 1 and counts["Own", "sync"] in (1, 2)


def test_a_flood_on_one_leaves_the_other_s_waiting_time_alone(broker: BrokerProcess) -> None:
    peer, flood = connect(broker), connect(broker)
    sequences = [flood.send("Own.sleep", 0.01) for _ in range(1000)]
    took = []
    for _ in range(20):
        began = time.monotonic()
        peer.call("Shared.sleep", 0.001)
        took.append(time.monotonic() - began)
    assert median(took) < 0.2  # a call of the flood waits for half a second
    results = [flood.result(sequence) for sequence in sequences]
    refused = [result for result in results if result is not None]
    assert {error["code"] for error in refused} == {"overloaded"}
    assert len(results) - len(refused) >= 100
    own, shared = (services(peer)[name, "sync"] for name in ("Own", ""))
    assert own["refused"] == len(refused) and own["calls"] == 1000 - len(refused)
    assert shared["refused"] == 0 and shared["calls"] == 20
    assert own["wait_p99"] > shared["wait_p99"]
    assert 0.01 <= own["run_p50"] < 0.5


def test_an_app_whose_services_all_have_their_own_needs_no_others(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("@gotask.service\n", "@gotask.service(workers=1)\n"))
    process = BrokerProcess(tmp_path / "app.py", workers=4, address=f"unix://{tmp_path}/b.sock")
    process.wait_for("ready")
    peer = connect(process)
    assert peer.call("Shared.state")[1] == ["Shared"] and peer.call("Own.state")[1] == ["Own"]
    until = time.monotonic() + 10
    while len(peer.call("GoTask.Status")["workers"]) != 4:
        assert time.monotonic() < until
    assert process.end() == 0


def test_one_that_does_not_open_keeps_the_broker_from_starting(tmp_path: Path) -> None:
    source = APP.replace('opened.append("Own")', 'raise RuntimeError("no model")')
    (tmp_path / "app.py").write_text(source)
    process = BrokerProcess(tmp_path / "app.py", workers=1, address=f"unix://{tmp_path}/b.sock")
    assert "no model" in process.wait_for("failed")["message"]
    assert process.end() == 70
