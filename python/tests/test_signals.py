"""What a process inherits of signals, and what it does when a service manager signals every process of a service."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from .peer import PATIENCE, BrokerProcess, alive, gone
from .test_deadlines import connect, workers

APP = """
import gotask, multiprocessing, os, signal, subprocess, time

def state(pid="self"):
    with open(f"/proc/{pid}/status") as file:
        return {key: int(value, 16) for key, _, value in (line.partition(":") for line in file) if key in ("SigBlk", "SigIgn")}

@gotask.register
def of_worker(): return state()

@gotask.register
def of_child():
    child = subprocess.Popen(["sleep", "60"])
    try:
        return state(child.pid)
    finally:
        child.kill()
        child.wait()

@gotask.register
def status(): return subprocess.run(["sh", "-c", "exit 7"]).returncode

@gotask.register
def leave(): os._exit(5)

@gotask.register
def sleep(seconds, path):
    if path: open(path, "w").close()
    time.sleep(seconds)
    return seconds

@gotask.register
async def wait(seconds):
    import asyncio
    await asyncio.sleep(seconds)
    return seconds

@gotask.register
def terminate(name):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    os.kill(child.pid, getattr(signal, name))
    child.join(5)
    code = child.exitcode
    child.kill()
    return code
"""

# What is sent to all processes of a service: by `systemctl stop`, by `systemctl kill -s`, by a terminal that is closed.
TO_ALL = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path / "app.py"


def spoil() -> None:
    """As a starter does that ignores and blocks what it has no use for."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def mask(*numbers: int) -> int:
    return sum(1 << number - 1 for number in numbers)


def bits(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(name))


def test_what_was_ignored_or_blocked_before_is_set_back(app: Path) -> None:
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock", preexec=spoil)
    broker.wait_for("ready")
    peer = connect(broker)
    assert peer.call("status") == 7
    error = peer.call("leave")
    assert error["data"]["exit_code"] == 5, error
    by_python = mask(signal.SIGPIPE, signal.SIGXFSZ)
    assert peer.call("of_worker") == {"SigBlk": 0, "SigIgn": by_python}
    assert peer.call("of_child") == {"SigBlk": 0, "SigIgn": 0}
    assert (bits(broker.process.pid, "SigBlk"), bits(broker.process.pid, "SigIgn")) == (0, by_python)
    broker.records.clear()
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloaded")
    assert peer.call("sleep", [60, None], 100, 0)["code"] == "deadline_exceeded"
    assert broker.end() == 0


@pytest.mark.parametrize("number", TO_ALL)
def test_a_worker_leaves_what_is_sent_to_all_to_the_broker(app: Path, number: int) -> None:
    broker = BrokerProcess(app, workers=2, address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    running = [peer.send("sleep", [0.4, str(app.parent / "begun")]), peer.send("wait", 0.4)]
    while not (app.parent / "begun").exists() or peer.call("GoTask.Status")["running"] < 2:
        pass
    for pid in [broker.process.pid, *(worker["pid"] for worker in peer.call("GoTask.Status")["workers"])]:
        os.kill(pid, number)
    assert [peer.result(sequence) for sequence in running] == [0.4, 0.4]
    assert broker.end() == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_process_that_a_method_forks_ends_by_them(app: Path, name: str) -> None:
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    assert connect(broker).call("terminate", name) == -getattr(signal, name)
    assert broker.end() == 0


def test_a_worker_that_starts_leaves_them_to_the_broker_from_its_first_moment(app: Path) -> None:
    broker = BrokerProcess(app, workers=4, address=f"unix://{app.parent}/b.sock")
    found: set[int] = set()
    children = Path(f"/proc/{broker.process.pid}/task/{broker.process.pid}/children")
    until = time.monotonic() + PATIENCE
    while len(found) < 5:
        assert time.monotonic() < until
        for pid in set(map(int, children.read_text().split())) - found:
            os.kill(pid, signal.SIGTERM)
            found.add(pid)
    broker.wait_for("ready")
    peer = connect(broker)
    assert {*workers(peer, 4), *workers(peer, 1, "async")} == found
    assert broker.end() == 0


def test_a_broker_that_starts_is_not_ended_by_a_request_to_load_its_app_anew(app: Path) -> None:
    app.write_text("import time; print('importing', flush=True); time.sleep(0.2)\n" + APP)
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock")
    assert broker.process.stderr is not None
    # Its handler is there before anything else of it.
    while not bits(broker.process.pid, "SigCgt") & mask(signal.SIGHUP):
        assert alive(broker.process.pid)
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("ready")
    assert connect(broker).call("status") == 7
    assert broker.end() == 0


def test_to_be_told_twice_by_service_managers_cuts_off_no_call(app: Path) -> None:
    """By systemd as one of the service's processes, and by the supervisor that systemd has told to end."""
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    running = peer.send("sleep", [0.4, str(app.parent / "begun")])
    while not (app.parent / "begun").exists():
        pass
    broker.process.send_signal(signal.SIGTERM)
    broker.wait_for("stopping")
    broker.process.send_signal(signal.SIGTERM)
    assert peer.result(running) == 0.4
    assert broker.end() == 0


def test_ctrl_c_pressed_twice_ends_it_at_once(app: Path) -> None:
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    everyone = [broker.process.pid, *workers(peer, 1)]
    peer.send("sleep", [60, None])
    peer.call("GoTask.Ping")
    broker.process.send_signal(signal.SIGINT)
    broker.wait_for("stopping")
    assert broker.end(signal.SIGINT) == 0
    assert gone(everyone, 20) and not (app.parent / "b.sock").exists()
