"""A reload: the new code takes over without a lost call, or the old code goes on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .peer import APPS, BrokerProcess, gone
from .test_deadlines import connect
from .test_recycling import wait_for


@pytest.fixture
def app(tmp_path: Path) -> Path:
    shutil.copy(APPS / "versions.py", tmp_path / "versions.py")
    (tmp_path / "version").write_text("1")
    return tmp_path / "versions.py"


@pytest.fixture
def broker(app: Path) -> Iterator[BrokerProcess]:
    yield from serve(app)


def serve(app: Path, *arguments: str) -> Iterator[BrokerProcess]:
    process = BrokerProcess(app, *arguments, workers=2, address=f"unix://{app.parent}/b.sock")
    process.wait_for("ready")
    # All of them: one that still loads would load what a test writes next.
    wait_for(
        connect(process),
        lambda status: all(worker["state"] in ("idle", "busy") for worker in status["workers"]),
    )
    yield process
    assert process.end() == 0


def become(app: Path, version: str) -> None:
    (app.parent / "version").write_text(version)


def reload(broker: BrokerProcess, outcome: str = "reloaded") -> dict[str, object]:
    broker.records.clear()
    broker.process.send_signal(signal.SIGHUP)
    return broker.wait_for(outcome)


def test_the_new_code_runs_in_all_workers_and_the_old_ones_end(app: Path, broker: BrokerProcess) -> None:
    peer = connect(broker)
    before = [worker["pid"] for worker in peer.call("GoTask.Status")["workers"]]
    assert [peer.call(f"{name}.version") for name in ("App", "Own")] == ["1", "1"]
    become(app, "2")
    assert reload(broker)["generation"] == 2
    assert [peer.call(f"{name}.version") for name in ("App", "Own")] == ["2", "2"]
    assert gone(before, 20)
    status = peer.call("GoTask.Status")
    assert (status["generation"], status["reload"], len(status["workers"])) == (2, None, 4)
    assert peer.call("only_in_1")["code"] == "method_not_found"


def test_calls_that_run_are_finished_by_the_old_code_and_those_that_wait_run_the_new(
    app: Path, broker: BrokerProcess
) -> None:
    peer = connect(broker)
    running = [peer.send("App.slow", 3.0) for _ in range(2)]
    wait_for(peer, lambda status: bool(status["running"] == 2))
    waiting = [peer.send("App.version", None) for _ in range(200)]
    become(app, "2")
    reload(broker)
    assert [peer.result(sequence) for sequence in running] == ["1", "1"]
    versions = [peer.result(sequence) for sequence in waiting]
    # Two may lie in the kernel's queue of the old workers; no more while calls are slow.
    assert versions.count("2") >= 198 and set(versions) <= {"1", "2"}


def test_async_calls_are_finished_too(app: Path, broker: BrokerProcess) -> None:
    peer = connect(broker)
    running = [peer.send("App.waits", 0.7) for _ in range(20)]
    wait_for(peer, lambda status: bool(status["running"] == 20))
    become(app, "2")
    reload(broker)
    assert peer.call("App.waits", 0) == "2"
    assert {peer.result(sequence) for sequence in running} == {"1"}


def test_code_that_does_not_start_leaves_the_old_one(app: Path, broker: BrokerProcess) -> None:
    peer = connect(broker)
    before = sorted(worker["pid"] for worker in peer.call("GoTask.Status")["workers"])
    become(app, "broken")
    assert "this version is broken" in str(reload(broker, "reload_failed")["message"])
    assert peer.call("App.version") == "1"
    status = wait_for(peer, lambda status: len(status["workers"]) == 4)
    assert sorted(worker["pid"] for worker in status["workers"]) == before
    assert status["reload"]["state"] == "failed" and "broken" in status["reload"]["message"]
    become(app, "3")
    reload(broker)
    assert peer.call("App.version") == "3" and peer.call("GoTask.Status")["reload"] is None


def test_a_worker_that_dies_after_a_failed_reload_is_tried_again_and_the_other_goes_on(
    app: Path, broker: BrokerProcess
) -> None:
    peer = connect(broker)
    become(app, "broken")
    reload(broker, "reload_failed")
    victim = next(
        worker["pid"]
        for worker in peer.call("GoTask.Status")["workers"]
        if worker["service"] == "" and worker["generation"] == 1
    )
    os.kill(victim, signal.SIGKILL)
    broker.logged("a worker could not start; it is tried again")
    assert [peer.call("App.version") for _ in range(20)] == ["1"] * 20


def test_many_reloads_under_load_lose_no_call(app: Path, broker: BrokerProcess) -> None:
    peer = connect(broker)
    reloads, answered = 0, 0
    # They take time, so that calls run and wait at each moment, and leave the processor to the workers that start.
    outstanding = [peer.send("App.slow", 0.005) for _ in range(50)]
    broker.process.send_signal(signal.SIGHUP)
    while reloads < 5:
        assert peer.result(outstanding.pop(0)) in {"1"}
        answered += 1
        call = ("App.slow", 0.005) if answered % 3 else ("Own.version", None)
        outstanding.append(peer.send(*call))
        if answered % 20 == 0 and peer.call("GoTask.Status")["generation"] > reloads + 1:
            reloads += 1
            broker.process.send_signal(signal.SIGHUP)
    assert {peer.result(sequence) for sequence in outstanding} == {"1"}


def test_one_that_is_asked_for_while_one_is_under_way_follows_it(app: Path, broker: BrokerProcess) -> None:
    peer = connect(broker)
    become(app, "2")
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloading")
    become(app, "3")
    for _ in range(3):
        broker.process.send_signal(signal.SIGHUP)
    wait_for(peer, lambda status: bool(status["generation"] >= 3 and status["reload"] is None))
    assert peer.call("App.version") == "3"


def test_watching_its_files(app: Path) -> None:
    for broker in serve(app, "--watch"):
        peer = connect(broker)
        helper = app.parent / "helper.py"
        become(app, "2")
        helper.write_text("")
        broker.wait_for("reloaded")
        assert peer.call("App.version") == "2"


def test_old_workers_that_do_not_end_are_killed(app: Path) -> None:
    for broker in serve(app, "--shutdown-timeout", "0.5"):
        peer = connect(broker)
        stuck = peer.send("App.slow", 60)
        bounded = peer.send("App.slow", 1.5, 5000, 0)
        wait_for(peer, lambda status: bool(status["running"] == 2))
        reload(broker)
        # It has a deadline, and is waited for that long; the other one goes with it.
        assert peer.result(bounded) == "1"
        began = time.monotonic()
        assert peer.result(stuck)["code"] == "worker_crashed"
        assert time.monotonic() - began < 30  # it sleeps for a minute
        wait_for(peer, lambda status: len(status["workers"]) == 4)


class Releases:
    """`current`, a link to the one of two releases that serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current = folder / "current"
        for number in ("1", "2"):
            (folder / number / "app").mkdir(parents=True)
            shutil.copy(APPS / "versions.py", folder / number / "app")
            (folder / number / "app" / "version").write_text(number)
        self.current.symlink_to(folder / "1")

    def switch(self) -> None:
        new = self.folder / "new"
        new.symlink_to(self.folder / "2")
        new.rename(self.current)

    def start(self, app: str, below: str = "") -> BrokerProcess:
        folder = self.current / below
        address = f"unix://{self.folder}/b.sock"
        env = {"PWD": str(folder)}
        broker = BrokerProcess(app, address=address, cwd=folder, env=env, workers=2)
        broker.wait_for("ready")
        return broker


@pytest.mark.parametrize(
    ("app", "below"),
    [
        ("app/versions.py", ""),
        ("versions.py", "app"),
        ("versions", "app"),
        ("{current}/app/versions.py", ""),
    ],
)
def test_a_reload_follows_the_links_anew(tmp_path: Path, app: str, below: str) -> None:
    releases = Releases(tmp_path)
    broker = releases.start(app.format(current=releases.current), below)
    peer = connect(broker)
    assert peer.call("App.version") == "1"
    releases.switch()
    reload(broker)
    assert peer.call("App.version") == "2"
    shutil.rmtree(tmp_path / "1")
    assert peer.call("App.version") == "2"
    reload(broker)
    assert peer.call("App.version") == "2"
    assert broker.end() == 0


def test_workers_of_a_generation_have_the_same_release_until_that_is_deleted(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    broker = releases.start("{}/app/versions.py".format(releases.current))
    peer = connect(broker)
    releases.switch()
    for expected in ("1", "2"):
        killed = [worker["pid"] for worker in peer.call("GoTask.Status")["workers"]]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert gone(killed, 20)
        wait_for(
            peer, lambda status: [w["state"] in ("idle", "busy") for w in status["workers"]] == [True] * 4
        )
        assert peer.call("App.version") == expected
        shutil.rmtree(tmp_path / "1", ignore_errors=True)
    assert broker.end() == 0


def test_a_working_directory_that_is_gone_keeps_no_worker_from_starting(tmp_path: Path, app: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    broker = BrokerProcess(app, address=f"unix://{tmp_path}/b.sock", cwd=folder, env={"PWD": str(folder)})
    broker.wait_for("ready")
    folder.rmdir()
    reload(broker)
    assert connect(broker).call("App.version") == "1"
    assert broker.end() == 0
