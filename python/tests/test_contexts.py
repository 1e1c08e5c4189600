"""Whose call the running code belongs to: what is interrupted, what current_call() says, and what no other call sees."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gotask.wire import frames as wire

from .chaos.system import eventually
from .peer import BrokerProcess, Peer

APP = """
import asyncio, contextvars, os, time
import gotask

variable = contextvars.ContextVar("variable", default="unset")
JOURNAL = os.environ["JOURNAL"]

def note(line):
    with open(JOURNAL, "a") as file:
        file.write(line + "\\n")

def block(name):
    note("begun")
    try:
        while True:
            time.sleep(0.01)
    finally:
        note(f"ended {name}")

async def child():
    block("child")

@gotask.service
class Sync:
    def set(self, value):
        before = variable.get()
        variable.set(value)
        return before

    def clean_up(self):
        try:
            block("method")
        finally:
            note(gotask.current_call().method)
            note(str(gotask.current_call().cancelled))

    def children_see(self, path):
        os.system(f"ls -l /proc/self/fd > {path}")
        return open(path).read()

@gotask.service
class Async:
    async def set(self, value, size=0):
        before = variable.get()
        variable.set(value)
        return [before, bytes(size)]

    async def wait(self, seconds):
        await asyncio.sleep(seconds)
        return seconds

    async def fork(self):
        child = os.fork()
        if child == 0:
            for _ in range(2000):
                await asyncio.sleep(0)
            os._exit(0)
        while True:
            await asyncio.sleep(0.01)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)

    async def block(self):
        block("method")

    async def gather(self):
        await asyncio.gather(child(), asyncio.sleep(60))

    async def several(self):
        await asyncio.gather(*(child() for _ in range(5)))

    async def several_in_group(self):
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(child())

    async def endless(self):
        while True:
            try:
                await asyncio.create_task(child())
            except BaseException:
                pass

    async def task_group(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(asyncio.sleep(60))

    async def create_task(self):
        task = asyncio.create_task(child())
        await asyncio.sleep(60)

    async def callback(self):
        asyncio.get_running_loop().call_soon(block, "callback")
        await asyncio.sleep(60)

    async def to_thread(self):
        def work():
            note("begun")
            call = gotask.current_call()
            while not call.cancelled:
                time.sleep(0.005)
            note(f"ended {call.method}")
            time.sleep(0.5)
        await asyncio.to_thread(work)

    async def executor(self):
        def work():
            note("begun")
            time.sleep(1.0)
        await asyncio.get_running_loop().run_in_executor(None, work)

    async def clean_up(self):
        try:
            block("method")
        finally:
            note(gotask.current_call().method)
"""


class Stage:
    """A broker with one worker of each kind that gives late calls so many seconds."""

    def __init__(self, folder: Path, has_uvloop: bool, grace: str = "3") -> None:
        (folder / "app.py").write_text(APP)
        self.journal = folder / "journal"
        self.journal.touch()
        env = {"JOURNAL": str(self.journal)}
        if not has_uvloop:
            (folder / "without").mkdir()
            (folder / "without" / "uvloop.py").write_text("raise ImportError('not here')\n")
            env["PYTHONPATH"] = str(folder / "without")
        self.address = f"unix://{folder}/b.sock"
        # On a busy machine a worker may not get to run for long; it is not to be killed for that.
        self.broker = BrokerProcess(
            folder / "app.py", "--interrupt-grace", grace, address=self.address, env=env
        )
        self.broker.wait_for("ready")
        self.peer = Peer(self.address)

    def noted(self, line: str) -> bool:
        return line in self.journal.read_text().splitlines()

    def workers(self) -> list[int]:
        return [int(worker["pid"]) for worker in self.peer.call("GoTask.Status")["workers"]]


LOOPS = ["uvloop", "asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from staged(tmp_path_factory.mktemp("stage"), request.param)


@pytest.fixture(params=LOOPS)
def ended(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """For who ends it."""
    yield from staged(tmp_path, request.param)


def staged(folder: Path, loop: str) -> Iterator[Stage]:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    made = Stage(folder, loop == "uvloop")
    yield made
    assert made.broker.end() == 0


BLOCKING = ["block", "gather", "several", "create_task", "callback"]


@pytest.mark.parametrize(
    "method", [*BLOCKING, *["task_group", "several_in_group"] * (sys.version_info >= (3, 11))]
)
def test_whatever_of_a_late_call_holds_up_the_loop_is_interrupted_and_its_neighbours_go_on(
    stage: Stage, method: str
) -> None:
    before = stage.workers()
    stage.journal.write_text("")
    peer = stage.peer
    neighbour = peer.send("Async.wait", 0.3)
    # Late as well, and at about the same time: before it and behind it.
    late = [peer.send("Async.wait", 60, 190, 0), peer.send(f"Async.{method}", None, 200, 0)]
    late.append(peer.send("Async.wait", 60, 210, 0))
    for sequence in late:
        error = peer.result(sequence)
        assert error["code"] == "deadline_exceeded", error
        assert "killed" not in error["message"]
    assert peer.result(neighbour) == 0.3
    assert any(
        line in ("ended child", "ended method", "ended callback")
        for line in stage.journal.read_text().splitlines()
    )
    assert stage.workers() == before


def test_a_late_call_of_which_one_task_after_the_other_holds_up_the_loop_is_given_up(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, False, "1")
    error = stage.peer.call("Async.endless", None, 200, 0)
    assert error["code"] == "deadline_exceeded"
    assert "did not end when it was cancelled" in error["message"]
    assert stage.peer.call("Async.wait", 0.0) == 0.0
    stage.broker.end(signal.SIGQUIT)  # the worker would get its time to leave, and never does


@pytest.mark.parametrize("method", ["to_thread", "executor"])
def test_a_thread_of_a_late_call_holds_nobody_up(stage: Stage, method: str) -> None:
    peer = stage.peer
    before = stage.workers()
    stage.journal.write_text("")
    assert peer.call(f"Async.{method}", None, 200, 0)["code"] == "deadline_exceeded"
    assert peer.call("Async.wait", 0.0) == 0.0
    assert stage.workers() == before
    if method == "to_thread":
        assert eventually(lambda: stage.noted("ended Async.to_thread"))


def test_a_process_that_an_async_method_forks_takes_none_of_its_parent_s_calls(ended: Stage) -> None:
    peer = ended.peer
    child = peer.send("Async.fork", None)
    others = [peer.send("Async.set", number) for number in range(200)]
    for sequence in others:
        peer.result(sequence)
    assert peer.result(child) == 1
    ended.broker.process.send_signal(signal.SIGTERM)
    ended.broker.process.wait(10)
    assert "end it by os._exit()" in ended.broker.stderr()


@pytest.mark.parametrize("method", ["Sync.clean_up", "Async.clean_up"])
def test_an_interrupted_call_can_ask_which_it_is_while_it_cleans_up(stage: Stage, method: str) -> None:
    stage.journal.write_text("")
    assert stage.peer.call(method, None, 200, 0)["code"] == "deadline_exceeded"
    assert stage.noted(method)
    assert method.startswith("Async") or stage.noted("True")


def test_a_context_variable_is_seen_by_no_other_call(stage: Stage) -> None:
    for name in ("first", "second"):
        assert [stage.peer.call("Sync.set", name) for _ in range(2)] == ["unset"] * 2
    assert stage.peer.call("Async.set", "third") == ["unset", b""]


def test_nor_after_a_result_that_its_caller_reads_late(stage: Stage) -> None:
    for name in ("first", "second"):
        sequence = stage.peer.send("Async.set", [[name, 5_000_000], {}], 0, wire.ARGS)
        time.sleep(0.05)
        assert stage.peer.result(sequence)[0] == "unset"
    assert Peer(stage.address).call("Async.set", "third") == ["unset", b""]


def test_what_a_method_starts_gets_none_of_the_worker_s_descriptors(stage: Stage) -> None:
    found = stage.peer.call("Sync.children_see", f"{stage.journal}.seen")
    assert "/dev/null" in found
    assert "socket:" not in found and "memfd:" not in found and "anon_inode:" not in found
