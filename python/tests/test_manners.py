"""What a method does to its own process costs no later call, and no other one that runs there."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .chaos.system import eventually
from .peer import BrokerProcess
from .test_deadlines import connect

APP = """
import asyncio, gotask, os, signal, sys, time

@gotask.register
def pid(): return os.getpid()

@gotask.register
def leave_an_alarm(seconds):
    def ring(*_): raise TimeoutError("an alarm of another call")
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)

@gotask.register
def sleep(seconds):
    time.sleep(seconds)
    return os.getpid()

@gotask.register
def set_the_clock_back():
    now = time.monotonic()
    time.monotonic = lambda: now - 3600
    return "done"

@gotask.register
def fork_twice(path):
    if os.fork() == 0:
        # One of them has the number of whatever was closed at the first fork.
        files = [os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for _ in range(40)]
        if os.fork() == 0:
            for file in files: os.write(file, b".")
            os._exit(0)
        os.wait()
        os._exit(0)
    os.wait()

@gotask.register
def say(text, stream): print(text, file=getattr(sys, stream))
"""

TICKING = """
import gotask, signal

class Ticking:
    def __init__(self): self.ticks = 0
    def open(self):
        signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    def _tick(self, *_): self.ticks += 1
    def count(self): return self.ticks

gotask.register(Ticking())
"""

ASYNC = """
import asyncio, gotask, os, sys

@gotask.register
async def wait(seconds):
    await asyncio.sleep(seconds)
    return os.getpid()

@gotask.register
async def stop_the_loop():
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return os.getpid()

@gotask.register
async def exit_in_a_task():
    async def end(): sys.exit(9)
    asyncio.ensure_future(end())
    await asyncio.sleep(0.01)
    return os.getpid()

@gotask.register
async def exit_in_a_callback():
    asyncio.get_running_loop().call_soon(sys.exit, 9)
    await asyncio.sleep(0.01)
    return os.getpid()

@gotask.register
async def cancel_all_tasks():
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task(): task.cancel()
    await asyncio.sleep(0.01)
    return os.getpid()
"""


def start(folder: Path, code: str, env: dict[str, str] | None = None) -> BrokerProcess:
    (folder / "app.py").write_text(code)
    broker = BrokerProcess(folder / "app.py", address=f"unix://{folder}/b.sock", env=env)
    broker.wait_for("ready")
    return broker


def printed(broker: BrokerProcess) -> str:
    """What it and its workers have written until their end."""
    broker.process.send_signal(signal.SIGTERM)
    broker.process.wait(15)
    text = broker.stderr()
    assert broker.end() == 0
    return text


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    process = start(tmp_path, APP)
    yield process
    assert process.end() == 0


def test_an_alarm_that_a_method_has_left_rings_in_no_later_call(broker: BrokerProcess) -> None:
    peer = connect(broker)
    pid = peer.call("pid")
    peer.call("leave_an_alarm", 0.05)
    assert peer.call("sleep", 0.2) == pid


def test_an_alarm_that_a_service_has_set_rings_on(tmp_path: Path) -> None:
    broker = start(tmp_path, TICKING)
    peer = connect(broker)
    before: int = peer.call("Ticking.count")
    eventually(lambda: bool(peer.call("Ticking.count") > before + 3))
    assert broker.end() == 0


def test_a_clock_that_a_method_sets_back_ends_no_call(broker: BrokerProcess) -> None:
    assert connect(broker).call("set_the_clock_back") == "done"


def test_a_child_that_forks_again_keeps_its_files(broker: BrokerProcess, tmp_path: Path) -> None:
    connect(broker).call("fork_twice", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"." * 40


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("locale", ["C", "de_DE.ISO-8859-1"])
def test_what_it_prints_arrives_whatever_the_locale(tmp_path: Path, stream: str, locale: str) -> None:
    env = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    broker = start(tmp_path, APP, env)
    connect(broker).call("say", ["Grüße €", stream])
    assert "Grüße €" in printed(broker)


def test_warnings_as_errors_find_none_of_ours(tmp_path: Path) -> None:
    broker = start(tmp_path, APP, {"PYTHONWARNINGS": "error"})
    connect(broker).call("pid")
    assert "Warning" not in printed(broker)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize(
    "method", ["stop_the_loop", "exit_in_a_task", "exit_in_a_callback", "cancel_all_tasks"]
)
def test_a_method_that_ends_its_loop_or_its_tasks_keeps_its_worker(
    tmp_path: Path, loop: str, method: str
) -> None:
    if loop == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError('not here')")
    else:
        pytest.importorskip("uvloop")
    broker = start(tmp_path, ASYNC)
    peer, other = connect(broker), connect(broker)
    pid = peer.call("wait", 0)
    if method != "cancel_all_tasks":
        waiting = other.send("wait", 0.1)
    assert peer.call(method) == pid
    assert peer.call("wait", 0.001) == pid
    if method != "cancel_all_tasks":
        assert other.result(waiting) == pid
    assert broker.end() == 0


def test_an_app_may_put_other_sockets_in_the_place_of_pythons(tmp_path: Path) -> None:
    patch = (
        "import socket\ndef refuse(*_): raise RuntimeError('another library')\nsocket.socketpair = refuse\n"
    )
    broker = start(tmp_path, patch + APP)
    assert connect(broker).call("pid")
    assert broker.end() == 0


def test_the_last_words_of_a_worker_that_dies_while_it_starts_are_told(tmp_path: Path) -> None:
    code = (
        "import os, sys\nsys.stderr.write('this processor lacks AVX2\\n')\ndef need(): os.abort()\nneed()\n"
    )
    (tmp_path / "app.py").write_text(code)
    broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/b.sock")
    message = broker.wait_for("failed")["message"]
    assert "SIGABRT" in message and "this processor lacks AVX2" in message and "in need" in message
    broker.end()


@pytest.mark.parametrize(
    ("limit", "value", "remedy"),
    [
        (resource.RLIMIT_NOFILE, 16, "ulimit -n"),
        (resource.RLIMIT_NOFILE, 26, "ulimit -n"),
        (resource.RLIMIT_FSIZE, 100, "ulimit -f"),
    ],
)
def test_a_start_that_a_limit_does_not_allow_names_it(
    tmp_path: Path, limit: int, value: int, remedy: str
) -> None:
    (tmp_path / "app.py").write_text(APP)
    broker = BrokerProcess(
        tmp_path / "app.py",
        address=f"unix://{tmp_path}/b.sock",
        preexec=lambda: resource.setrlimit(limit, (value, value)),
    )
    assert remedy in broker.wait_for("failed")["message"]
    assert broker.process.wait(10) != 0
    assert "Traceback" not in broker.stderr()
    broker.end()
