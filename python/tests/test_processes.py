"""What methods start and leave behind: nothing holds up the end, nothing is left, and no exit status is lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .peer import PACKAGE, BrokerProcess, Peer, gone
from .test_deadlines import connect, workers

APP = """
import concurrent.futures, gotask, multiprocessing, os, signal, subprocess, sys, time
from multiprocessing import shared_memory

context = multiprocessing.get_context("fork")
kept = []

@gotask.register
def spawn(program): return subprocess.Popen(program).pid

@gotask.register
def leave_a_process(deaf):
    def work():
        if deaf: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    kept.append(context.Process(target=work))
    kept[-1].start()
    return kept[-1].pid

@gotask.register
def share():
    kept.append(shared_memory.SharedMemory(create=True, size=64))
    context.Process(target=time.sleep, args=(60,)).start()
    return kept[-1].name

@gotask.register
def orphan():
    code = "import subprocess; print(subprocess.Popen(['true']).pid, flush=True)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)

@gotask.register
def lasting_orphan():
    code = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3).pid, flush=True)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)

@gotask.register
def pid(): return os.getpid()

@gotask.register
def sleep(path):
    open(path, "w").close()
    time.sleep(60)

@gotask.register
def leave(code): os._exit(code)

@gotask.register
def fork(what):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if what == "raise":
        raise ValueError("in the child")
    if what == "exit":
        sys.exit(3)
    return what

@gotask.register
def pool(how, kind):
    context = multiprocessing.get_context(how)
    if kind == "executor":
        kept.append(concurrent.futures.ProcessPoolExecutor(2, mp_context=context))
        list(kept[-1].map(abs, range(8)))
    else:
        deaf = (signal.SIGTERM, signal.SIG_IGN) if kind == "deaf" else ()
        kept.append(context.Pool(2, signal.signal if deaf else None, deaf))
        kept[-1].map(abs, range(8))
    return [child.pid for child in multiprocessing.active_children()]

@gotask.register
def queue():
    kept.append(context.Queue())
    kept[-1].put(bytes(1_000_000))

@gotask.register
def fork_large(payload):
    before = large_memory()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return before == large_memory()
    return payload.upper()

def large_memory():
    # Shared with the broker; a large result goes back in it.
    large = [fd for fd in range(3, 256) if is_memory(fd) and os.fstat(fd).st_size >= 200_000]
    return [os.pread(fd, 300_000, 0) for fd in large]

def is_memory(fd):
    path = f"/proc/self/fd/{fd}"
    return os.path.lexists(path) and "memfd:gotask" in os.readlink(path)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path / "app.py"


@pytest.fixture
def broker(app: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    yield broker
    broker.end()


def becomes(wanted: Callable[[], bool], timeout: float = 20.0) -> bool:
    until = time.monotonic() + timeout
    while not wanted():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def test_how_a_worker_died_is_known_although_no_descriptor_is_left(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    peer = connect(broker)
    (pid,) = workers(peer, 1)
    running = peer.send("sleep", str(tmp_path / "begun"))
    assert becomes((tmp_path / "begun").exists)
    used = set(map(int, os.listdir(f"/proc/{broker.process.pid}/fd")))
    lowest = min(set(range(len(used) + 1)) - used)
    before = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    os.kill(pid, signal.SIGKILL)
    error = peer.result(running)
    assert error["code"] == "worker_crashed" and error["data"]["signal"] == 9, error
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, before)
    workers(peer, 1)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_process_of_multiprocessing_does_not_hold_up_the_end(broker: BrokerProcess, deaf: bool) -> None:
    child = connect(broker).call("leave_a_process", deaf)
    began = time.monotonic()
    assert broker.end() == 0
    assert time.monotonic() - began < 20  # it would run for a minute
    assert gone([child], 20)


def test_nor_a_reload(broker: BrokerProcess) -> None:
    peer = connect(broker)
    child = peer.call("leave_a_process", False)
    before = workers(peer, 1)
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloaded")
    assert gone([child, *before], 20)


@pytest.mark.parametrize("how", ["crash", "kill", "end", "reload"])
def test_shared_memory_does_not_outlive_its_worker(broker: BrokerProcess, how: str) -> None:
    peer = connect(broker)
    path = Path("/dev/shm", peer.call("share"))
    assert path.exists()
    (pid,) = workers(peer, 1)
    if how == "crash":
        peer.call("leave", 1)
    elif how == "kill":
        os.kill(pid, signal.SIGKILL)
    elif how == "end":
        broker.end()
    else:
        broker.process.send_signal(signal.SIGHUP)
    assert becomes(lambda: not path.exists())


def test_an_orphan_is_reaped(broker: BrokerProcess) -> None:
    peer = connect(broker)
    for _ in range(3):
        orphan = peer.call("orphan")
        assert becomes(lambda: not Path(f"/proc/{orphan}").exists())
    assert becomes(lambda: children(broker.process.pid) == workers(peer, 1))
    lasting = peer.call("lasting_orphan")
    assert children(broker.process.pid) == sorted([lasting, *workers(peer, 1)])
    os.kill(lasting, signal.SIGTERM)
    assert becomes(lambda: not Path(f"/proc/{lasting}").exists())


def children(pid: int) -> list[int]:
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("busy", [False, True])
def test_kill_9_of_a_bare_broker_leaves_nothing_that_methods_started(app: Path, busy: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, str(PACKAGE / "gotask" / "__main__.py"), str(app), "--workers", "1", "--address"]
        + [f"unix://{app.parent}/b.sock"],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None and b"ready" in process.stderr.readline()
    peer = Peer(f"unix://{app.parent}/b.sock")
    children = [peer.call("spawn", ["sleep", "60"]), peer.call("leave_a_process", True), peer.call("pid")]
    if busy:
        peer.send("sleep", str(app.parent / "begun"))
        assert becomes((app.parent / "begun").exists)
    process.kill()
    process.wait()
    process.stderr.close()
    assert gone(children, 20)


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["pool", "executor"])
def test_nor_does_a_pool_that_is_left_open(app: Path, how: str, kind: str) -> None:
    broker = BrokerProcess(app, "--shutdown-timeout", "60", address=f"unix://{app.parent}/b.sock")
    broker.wait_for("ready")
    children = connect(broker).call("pool", [how, kind])
    broker.process.send_signal(signal.SIGTERM)
    assert broker.process.wait(20) == 0
    assert gone(children, 20)
    broker.end()


def test_nor_does_a_queue_that_nobody_reads(broker: BrokerProcess) -> None:
    connect(broker).call("queue")
    broker.process.send_signal(signal.SIGTERM)
    assert broker.process.wait(20) == 0


def test_nor_does_a_pool_whose_processes_do_not_heed_their_end(broker: BrokerProcess) -> None:
    children = connect(broker).call("pool", ["fork", "deaf"])
    broker.process.send_signal(signal.SIGTERM)
    assert broker.process.wait(20) == 0
    assert gone(children, 20)


def test_a_child_that_returns_a_large_result_leaves_its_parent_s_memory_alone(broker: BrokerProcess) -> None:
    """By then another caller's payload may lie there."""
    assert connect(broker).call("fork_large", b"p" * 250_000) is True


@pytest.mark.parametrize(("what", "code"), [("raise", 1), ("exit", 3), ("return", 0)])
def test_a_process_that_a_method_forks_ends_as_a_program_does(
    broker: BrokerProcess, what: str, code: int
) -> None:
    peer = connect(broker)
    assert peer.call("fork", what) == code
    broker.process.send_signal(signal.SIGTERM)
    broker.process.wait(10)
    assert ("ValueError: in the child" in broker.stderr()) == (what == "raise")


def test_without_pidfds(app: Path) -> None:
    """As under old kernels, gVisor and seccomp's profiles."""
    (app.parent / "sitecustomize.py").write_text(
        "import os\ndef pidfd_open(*_): raise PermissionError(1, 'Operation not permitted')\nos.pidfd_open = pidfd_open\n"
    )
    broker = BrokerProcess(app, address=f"unix://{app.parent}/b.sock", env={"PYTHONPATH": str(app.parent)})
    broker.wait_for("ready")
    peer = connect(broker)
    assert peer.call("leave", 4)["data"]["exit_code"] == 4
    assert broker.end() == 0
