"""Looking at workers while they run: stacks, slow calls, titles; and replacing one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gotask.broker.crash import Stacks
from gotask.broker.running import running
from gotask.ipc.notes import WorkerNotes
from gotask.ipc.signals import STACKS_BEGIN, STACKS_END

from .fast import FastPeer, fast_peer
from .peer import BrokerProcess, Peer, serving, wait_until

APP = """
import asyncio, ctypes, os, threading, time
from concurrent.futures import ThreadPoolExecutor
import gotask

def deeper(path):
    open(path + ".begun", "w").close()
    while not os.path.exists(path): time.sleep(0.005)

async def deeper_async(path):
    open(path + ".begun", "w").close()
    while not os.path.exists(path): await asyncio.sleep(0.005)

@gotask.register
class App:
    def echo(self, value): return value
    def pid(self): return os.getpid()
    def wait(self, path): deeper(path)
    def in_c(self, path):
        held = os.open(path + ".held", os.O_RDWR)
        open(path + ".begun", "w").close()
        ctypes.PyDLL(None).read(held, ctypes.create_string_buffer(1), 1)  # holds the GIL
    async def wait_async(self, path): await deeper_async(path)
    def wait_among_threads(self, path):
        go = threading.Event()
        for _ in range(120): threading.Thread(target=go.wait, daemon=True).start()
        deeper(path)
        go.set()
    async def wait_among_tasks(self, path):
        others = [asyncio.ensure_future(asyncio.sleep(60)) for _ in range(1000)]
        await deeper_async(path)
        for other in others: other.cancel()
    async def wait_too(self, path): await deeper_async(path)
    async def holds_up(self, path): deeper(path)
    @gotask.method(executor=lambda: ThreadPoolExecutor(1))
    def wait_elsewhere(self, path): deeper(path)
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("inspection")
    (folder / "app.py").write_text(APP)
    yield from serving(folder, folder / "app.py", "--slow-log", "0.2")


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[FastPeer]:
    yield from fast_peer(broker)


class Running:
    """A call that runs until it is left."""

    def __init__(self, peer: FastPeer, folder: Path, method: str, fast: bool = False) -> None:
        self._peer, self._go, self._fast = peer, folder / "go", fast
        payload = str(self._go)
        self._sequence = peer.send_fast(method, payload) if fast else peer.send(method, payload)

    def __enter__(self) -> None:
        wait_until(lambda: Path(f"{self._go}.begun").exists())

    def __exit__(self, *_: object) -> None:
        self._go.touch()
        if self._fast:
            self._peer.fast_result(self._sequence)
        else:
            self._peer.result(self._sequence)


def dump(peer: Peer, kind: str, payload: Any = None) -> dict[str, Any]:
    (found,) = [worker for worker in peer.call("GoTask.Dump", payload) if worker["kind"] == kind]
    assert set(found) == {"pid", "service", "kind", "state", "stacks"}
    return dict(found)


# -- stacks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [False, True])
def test_a_dump_shows_where_a_sync_worker_is_and_stops_nothing(
    peer: FastPeer, tmp_path: Path, fast: bool
) -> None:
    with Running(peer, tmp_path, "App.wait", fast):
        told = dump(peer, "sync")
        assert "in deeper" in told["stacks"] and "in wait" in told["stacks"] and told["state"] == "busy"
        again = dump(peer, "sync", {"pid": told["pid"]})
        assert again["stacks"].count("in deeper") == 1
    assert peer.call("App.pid") == told["pid"]


def test_a_dump_shows_the_tasks_of_an_async_worker(peer: FastPeer, tmp_path: Path) -> None:
    with Running(peer, tmp_path, "App.wait_async"):
        stacks = dump(peer, "async")["stacks"]
    lines = stacks[stacks.index("of App.wait_async (most recent call first)") :]
    assert lines.index("in deeper_async") < lines.index("in wait_async")
    assert os.path.join("gotask", "app", "runner") not in lines


def test_a_call_that_runs_in_an_executor_says_what_it_waits_for(peer: FastPeer, tmp_path: Path) -> None:
    with Running(peer, tmp_path, "App.wait_elsewhere"):
        assert " of App.wait_elsewhere: waits for its executor" in dump(peer, "async")["stacks"]


@pytest.mark.parametrize("among", ["threads", "tasks"])
def test_a_dump_shows_the_call_among_more_threads_or_tasks_than_it_has_room_for(
    peer: FastPeer, tmp_path: Path, among: str
) -> None:
    with Running(peer, tmp_path, f"App.wait_among_{among}"):
        kind = "sync" if among == "threads" else "async"
        assert "in deeper" in dump(peer, kind)["stacks"]


def test_a_dump_shows_what_holds_up_a_loop_or_the_interpreter(peer: FastPeer, tmp_path: Path) -> None:
    with Running(peer, tmp_path, "App.holds_up"):
        stacks = dump(peer, "async")["stacks"]
        assert "in deeper" in stacks and "its event loop did not answer" in stacks
    for name in ("go", "go.begun"):
        (tmp_path / name).unlink()
    held = tmp_path / "go.held"
    os.mkfifo(held)
    with Running(peer, tmp_path, "App.in_c"):
        try:
            assert "in in_c" in dump(peer, "sync")["stacks"]
        finally:
            held.write_bytes(b"x")


def test_two_dumps_at_once_and_one_of_a_stopped_worker_are_answered(peer: FastPeer, tmp_path: Path) -> None:
    with Running(peer, tmp_path, "App.wait"):
        sequences = [peer.send("GoTask.Dump", None) for _ in range(3)]
        for sequence in sequences:
            texts = [worker["stacks"] for worker in peer.result(sequence) if worker["kind"] == "sync"]
            assert [text.count("in deeper") for text in texts] == [1]
    pid = peer.call("App.pid")
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert dump(peer, "sync", {"pid": pid})["stacks"] == ""
        assert time.monotonic() - began < 15
    finally:
        os.kill(pid, signal.SIGCONT)
    assert peer.call("App.echo", 1) == 1


def test_what_was_dumped_is_not_in_a_later_report() -> None:
    stacks = Stacks()
    for text in ("first", "second"):
        reading = stacks.begin()
        os.write(stacks.fd, text.encode())
        assert stacks.told(reading) == text.encode()
        stacks.end(reading)
    os.write(stacks.fd, b"fatal")
    assert stacks.read() == "fatal"
    stacks.clear()  # it is to be killed, and is asked for a dump meanwhile
    os.write(stacks.fd, b"killed")
    reading = stacks.begin()
    os.write(stacks.fd, b", dumped")
    assert stacks.told(reading) == b", dumped"
    stacks.end(reading)
    assert stacks.read() == "killed, dumped"
    os.write(stacks.fd, b"main" + STACKS_BEGIN + b"all" + STACKS_END)
    os.write(stacks.fd, b"main" + STACKS_BEGIN + b"all now" + STACKS_END + b", fatal")
    assert stacks.read() == "all now, fatal"
    stacks.close()


# -- slow calls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "fast", "line"),
    [
        ("App.wait", False, "in deeper"),
        ("App.wait", True, "in deeper"),
        ("App.wait_async", False, "in deeper_async"),
        ("App.holds_up", False, "in deeper"),
    ],
)
def test_a_slow_call_is_logged_once_with_where_it_is(
    broker: BrokerProcess, peer: FastPeer, tmp_path: Path, method: str, fast: bool, line: str
) -> None:
    broker.records.clear()
    wait_until(lambda: not any(worker["running"] for worker in peer.call("GoTask.Status")["workers"]))
    slow = peer.call("GoTask.Status")["counters"]["slow"]
    with Running(peer, tmp_path, method, fast):
        # Without a stack is what an earlier test's call has left, which had ended meanwhile.
        record = broker._find(
            lambda record: f"slow call: {method}" in record.get("message", "") and bool(record["exception"]),
            "record of a slow call",
            10.0,
        )
        time.sleep(0.15)  # three further looks
    assert record["level"] == "warning" and line in record["exception"]
    assert record["context"]["method"] == method and record["context"]["seconds"] >= 0.2
    assert peer.call("GoTask.Status")["counters"]["slow"] == slow + 1


def test_several_slow_calls_at_once_are_logged_each_with_its_own_stack(
    broker: BrokerProcess, peer: FastPeer, tmp_path: Path
) -> None:
    broker.records.clear()
    methods = ["App.wait_async", "App.wait_too"] * 3
    go = tmp_path / "go"
    sequences = [peer.send(method, str(go)) for method in methods]
    for method in methods:
        record = broker._find(
            lambda record: f"slow call: {method}" in record.get("message", ""), "record of a slow call", 10.0
        )
        assert f" of {method} (most recent call first)" in (record["exception"] or "")
        broker.records.remove(record)
    go.touch()
    for sequence in sequences:
        peer.result(sequence)


def test_a_slow_call_is_logged_whose_worker_dies_while_its_stack_is_read(
    broker: BrokerProcess, peer: FastPeer, tmp_path: Path
) -> None:
    broker.records.clear()
    slow = peer.call("GoTask.Status")["counters"]["slow"]
    sequence = peer.send("App.holds_up", str(tmp_path / "go"))
    # Its loop does not answer, which is waited for.
    status = wait_until(lambda: (s := peer.call("GoTask.Status"))["counters"]["slow"] == slow + 1 and s)
    (pid,) = [worker["pid"] for worker in status["workers"] if worker["kind"] == "async"]
    peer.call("GoTask.Recycle", {"pid": pid, "kill": True})
    assert peer.result(sequence)["code"] == "worker_crashed"
    assert broker.logged("slow call: App.holds_up")["level"] == "warning"


def test_to_log_one_of_many_slow_calls_no_other_one_is_looked_at() -> None:
    notes = WorkerNotes(500)
    for number in range(1, 501):
        notes.take(number)
    looked_at = []

    def call_of(number: int) -> Any:
        looked_at.append(number)
        return SimpleNamespace(name="App.wait", arrived=0.0)

    worker, group = SimpleNamespace(state="ready", notes=notes), SimpleNamespace(call_of=call_of)
    (found,) = running(group, worker, 250)  # type: ignore[arg-type]
    assert found.number == 250 and looked_at == [250]
    assert len(running(group, worker)) == 500  # type: ignore[arg-type]
    notes.close()


# -- replacing ----------------------------------------------------------------------------------------------------------


def test_a_worker_is_recycled_after_its_call_or_killed_with_it(peer: FastPeer, tmp_path: Path) -> None:
    first = peer.call("App.pid")
    recycled = peer.call("GoTask.Status")["counters"]["recycled"]
    with Running(peer, tmp_path, "App.wait"):
        assert peer.call("GoTask.Recycle", {"pid": first}) == {"pid": first}
    wait_until(lambda: first not in [w["pid"] for w in peer.call("GoTask.Status")["workers"]])
    second = peer.call("App.pid")
    counters = peer.call("GoTask.Status")["counters"]
    assert second != first and counters["recycled"] == recycled + 1
    go = tmp_path / "another"
    sequence = peer.send("App.wait", str(go))
    wait_until(lambda: Path(f"{go}.begun").exists())
    peer.call("GoTask.Recycle", {"pid": second, "kill": True})
    error = peer.result(sequence)
    assert error["code"] == "worker_crashed" and error["data"]["reason"] == "recycled"
    assert "an operator asked for it" in error["message"]
    assert peer.call("App.pid") not in (first, second)
    assert (
        peer.call("GoTask.Status")["counters"]["deaths"]["recycled"]
        == counters["deaths"].get("recycled", 0) + 1
    )


@pytest.mark.parametrize("method", ["GoTask.Recycle", "GoTask.Dump"])
def test_an_unknown_worker_is_an_error_that_says_which_there_are(peer: FastPeer, method: str) -> None:
    error = peer.call(method, {"pid": 1})
    assert error["code"] == "invalid_arguments" and "there is no worker 1: there are " in error["message"]
    assert str(peer.call("App.pid")) in error["message"]
    assert peer.call(method, {"pid": "x"})["code"] == "invalid_arguments"


# -- titles ------------------------------------------------------------------------------------------------------------


def test_the_list_of_processes_says_which_is_which(broker: BrokerProcess, peer: FastPeer) -> None:
    status = peer.call("GoTask.Status")
    assert Path(f"/proc/{status['pid']}/comm").read_text() == "gotask-broker\n"
    for worker in status["workers"]:
        line = Path(f"/proc/{worker['pid']}/cmdline").read_bytes().decode().split("\0")
        at = line.index("--worker")
        assert line[at + 1].endswith("app.py")
        assert line[at + 2 : at + 5] == ["(shared)", worker["kind"], "worker-1"]
        assert line[at + 5] == f"generation-{worker['generation']}"
        assert Path(f"/proc/{worker['pid']}/comm").read_text() == f"gotask-{worker['kind']}-1\n"
