"""Sync and async workers: which of them an app has, what runs in which, and that neither kind waits for the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .chaos.system import eventually
from .peer import BrokerProcess, Peer

APP = """
import asyncio, os
import gotask

def note(line):
    with open(os.environ["JOURNAL"], "a") as file:
        file.write(f"{os.getpid()} {line}\\n")

class Both:
    async def open(self):
        await asyncio.sleep(0)
        note("open")

    async def close(self):
        await asyncio.sleep(0)
        note("close")

    def pid(self):
        return os.getpid()

    def has_loop(self):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def run(self, value):
        return asyncio.run(asyncio.sleep(0, value))

    def wait_sync(self, path):
        with open(path) as pipe:
            return pipe.read()

    async def async_pid(self):
        return os.getpid()

    async def wait(self, path):
        while not os.path.exists(path):
            await asyncio.sleep(0.005)
        return "done"

class Sync:
    def open(self): note("open Sync")
    def pid(self): return os.getpid()

class Async:
    def open(self): note("open Async")
    async def pid(self): return os.getpid()
"""


class Stage:
    def __init__(self, folder: Path, services: str, *arguments: str) -> None:
        (folder / "app.py").write_text(
            APP + "".join(f"gotask.register({name})\n" for name in services.split())
        )
        self.journal = folder / "journal"
        self.journal.touch()
        self.address = f"unix://{folder}/b.sock"
        env = {"JOURNAL": str(self.journal)}
        self.broker = BrokerProcess(folder / "app.py", *arguments, address=self.address, env=env)
        self.ready = self.broker.wait_for("ready")["message"]
        self.peer = Peer(self.address)

    def workers(self) -> dict[str, set[int]]:
        """Their processes by kind."""
        found: dict[str, set[int]] = {"sync": set(), "async": set()}
        for worker in self.peer.call("GoTask.Status")["workers"]:
            found[worker["kind"]].add(worker["pid"])
        return found

    def noted(self) -> list[list[str]]:
        return [line.split(" ", 1) for line in self.journal.read_text().splitlines()]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, "Both")
    yield stage
    assert stage.broker.end() == 0


def test_a_sync_call_is_answered_while_async_ones_fill_their_worker(both: Stage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = [both.peer.send("Both.wait", str(gate)) for _ in range(150)]
    assert eventually(lambda: bool(both.peer.call("GoTask.Status")["running"] >= 100))
    assert [both.peer.call("Both.run", index) for index in range(20)] == list(range(20))
    assert not set(waiting) & both.peer.replies.keys()
    gate.touch()
    assert {both.peer.result(sequence) for sequence in waiting} == {"done"}


def test_an_async_call_is_answered_while_sync_ones_fill_theirs(both: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    waiting = both.peer.send("Both.wait_sync", str(tmp_path / "pipe"))
    behind = both.peer.send("Both.pid", None)
    assert both.peer.call("Both.async_pid") in both.workers()["async"]
    assert not {waiting, behind} & both.peer.replies.keys()
    (tmp_path / "pipe").write_text("x")
    assert both.peer.result(waiting) == "x" and both.peer.result(behind) in both.workers()["sync"]


def test_a_sync_method_sees_no_running_loop_and_may_run_one(both: Stage) -> None:
    assert both.peer.call("Both.has_loop") is False
    assert both.peer.call("Both.run", "x") == "x"


def test_a_service_is_opened_and_closed_in_both_kinds_where_it_has_methods_of_both(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "Both Sync Async")
    sync, other = stage.peer.call("Sync.pid"), stage.peer.call("Async.pid")
    assert stage.peer.call("Both.pid") == sync and stage.peer.call("Both.async_pid") == other
    assert sorted(line for pid, line in stage.noted() if int(pid) == sync) == ["open", "open Sync"]
    assert sorted(line for pid, line in stage.noted() if int(pid) == other) == ["open", "open Async"]
    assert stage.broker.end() == 0
    assert sorted(int(pid) for pid, line in stage.noted() if line == "close") == sorted([sync, other])


@pytest.mark.parametrize(
    ("services", "arguments", "counts", "words"),
    [
        ("Sync", ("--async-workers", "3"), (1, 0), "with 1 worker"),
        ("Async", ("--async-workers", "3"), (0, 3), "with 3 async workers"),
        ("Sync Async", (), (1, 1), "with 1 worker and 1 async worker"),
    ],
)
def test_an_app_has_the_workers_that_its_methods_need(
    tmp_path: Path, services: str, arguments: tuple[str, ...], counts: tuple[int, int], words: str
) -> None:
    stage = Stage(tmp_path, services, *arguments)
    assert stage.ready.endswith(words)
    assert eventually(lambda: tuple(map(len, stage.workers().values())) == counts)
    kinds = {service["kind"] for service in stage.peer.call("GoTask.Status")["services"]}
    assert kinds == {kind for kind, count in zip(("sync", "async"), counts) if count}
    assert stage.broker.end() == 0


def test_it_is_not_ready_while_one_kind_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        APP.replace('note("open Async")', 'raise RuntimeError("no")') + "gotask.register(Sync)\n"
        "gotask.register(Async)\n"
    )
    env = {"JOURNAL": str(tmp_path / "journal")}
    broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/b.sock", env=env)
    assert "RuntimeError: no" in broker.wait_for("failed")["message"]
    assert broker.end() == 70


def test_further_async_workers_come_as_calls_wait(tmp_path: Path) -> None:
    arguments: Any = (
        "--async-workers",
        "2",
        "--min-workers",
        "1",
        "--concurrency",
        "1",
        "--idle-time",
        "0.2",
    )
    stage = Stage(tmp_path, "Both", *arguments)
    assert len(stage.workers()["async"]) == 1
    waiting = [stage.peer.send("Both.wait", str(tmp_path / "gate")) for _ in range(4)]
    assert eventually(lambda: len(stage.workers()["async"]) == 2)
    (tmp_path / "gate").touch()
    assert {stage.peer.result(sequence) for sequence in waiting} == {"done"}
    assert eventually(lambda: len(stage.workers()["async"]) == 1)
    assert stage.broker.end() == 0
