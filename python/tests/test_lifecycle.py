"""How the broker starts, listens and ends; and that nothing is left, however it does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gotask import __version__

from .peer import APPS, PACKAGE, BrokerProcess, Peer, alive, free_port, gone

MAIN = PACKAGE / "gotask" / "__main__.py"


def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MAIN), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )


def processes(peer: Peer) -> list[int]:
    status = peer.call("GoTask.Status")
    return [status["pid"], *(worker["pid"] for worker in status["workers"])]


def test_help_and_version_say_what_there_is() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for word in ("--address", "--workers", "GOTASK_", "--managed"):
        assert word in shown.stdout
    assert run("--version").stdout == f"gotask {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        ([], {}, "APP"),
        (["app.py", "--workers", "many"], {}, "'many' is not a whole number"),
        (["app.py", "--workers", "0"], {}, "within 1"),
        (["app.py"], {"GOTASK_WORKERS": "x"}, "GOTASK_WORKERS"),
        (["app.py", "--address", "ftp://x"], {}, "unix:///path"),
        (["app.py"], {"GOTASK_ADDRESS": "tcp://nowhere"}, "GOTASK_ADDRESS"),
        (["app.py", "--address", "unix:///" + "x" * 120], {}, "at most 106"),
        (["app.py", "--address", "tcp://a:1", "--address", "tcp://a:1"], {}, "twice"),
    ],
)
def test_bad_usage_ends_with_2_and_says_why(arguments: list[str], env: dict[str, str], words: str) -> None:
    ended = run(*arguments, env=env)
    assert ended.returncode == 2 and words in ended.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import gotask\nclass App\n", "SyntaxError"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
        (
            "import gotask\nclass App:\n  def open(self): raise OSError('no disk')\n  def x(self): pass\n"
            "gotask.register(App)\n",
            "no disk",
        ),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import os\nos._exit(5)\n", "exit code 5"),
        ("import os\nos.kill(os.getpid(), 9)\n", "SIGKILL"),
    ],
    ids=["syntax", "import", "open", "exit", "_exit", "kill"],
)
def test_an_app_that_does_not_start_is_reported_and_not_tried_again(
    tmp_path: Path, source: str, words: str
) -> None:
    app = tmp_path / "broken.py"
    app.write_text(source)
    broker = BrokerProcess(app, workers=2, address=f"unix://{tmp_path}/b.sock")
    failed = broker.wait_for("failed")
    assert words in failed["message"] and failed["code"] == 70
    assert broker.process.wait(20) == 70
    broker.end()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["broken.py"]


def test_an_app_that_is_not_there_ends_with_66(tmp_path: Path) -> None:
    ended = run(str(tmp_path / "nothing.py"))
    assert ended.returncode == 66 and "nothing.py" in ended.stderr
    ended = run("no_such_module_at_all", "--address", f"unix://{tmp_path}/b.sock")
    assert ended.returncode in (66, 70) and "no_such_module_at_all" in ended.stderr


def test_an_address_in_use_ends_with_73(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    first = BrokerProcess(APPS / "sync_only.py", address=address)
    first.wait_for("ready")
    second = run(str(APPS / "sync_only.py"), "--address", address)
    assert second.returncode == 73 and str(first.process.pid) in second.stderr
    assert Peer(address).call("App.echo", 1) == 1
    assert first.end() == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        third = run(str(APPS / "sync_only.py"), "--address", f"tcp://127.0.0.1:{port}")
    assert third.returncode == 73 and f"127.0.0.1:{port}" in third.stderr


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "b.sock").write_text("precious")
    ended = run(str(APPS / "sync_only.py"), "--address", f"unix://{tmp_path}/b.sock")
    assert ended.returncode == 73 and "no socket" in ended.stderr
    assert (tmp_path / "b.sock").read_text() == "precious"


def test_it_listens_at_several_addresses_and_cleans_up(tmp_path: Path) -> None:
    port = free_port()
    unix, tcp = f"unix://{tmp_path}/new/b.sock", f"tcp://127.0.0.1:{port}"
    broker = BrokerProcess(APPS / "calls.py", "--address", tcp, "--address", unix)
    broker.wait_for("ready")
    mode = (tmp_path / "new").stat().st_mode & 0o777, (tmp_path / "new" / "b.sock").stat().st_mode & 0o777
    assert mode == (0o700, 0o600)
    for address in (unix, tcp):
        assert Peer(address).call("App.hi", address) == {"hello": address}
    assert broker.end() == 0
    assert not (tmp_path / "new").exists()


def test_variables_are_options(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    env = {"GOTASK_ADDRESS": address, "GOTASK_MAX_PAYLOAD": "2048", "GOTASK_SOCKET_MODE": "0660"}
    broker = BrokerProcess(APPS / "calls.py", env=env)
    broker.wait_for("ready")
    assert (tmp_path / "b.sock").stat().st_mode & 0o777 == 0o660
    assert Peer(address).hello["max_payload"] == 2048
    assert broker.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_calls_finish(tmp_path: Path, number: signal.Signals) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    everyone = processes(peer)
    running = [peer.send("App.sleep", 0.3), peer.send("App.wait", 0.3)]
    while peer.call("GoTask.Status")["running"] < 2:
        pass
    broker.process.send_signal(number)
    assert [peer.result(sequence) for sequence in running] == [0.3, 0.3]
    assert peer.others[0].options == (0,)  # go-away
    with pytest.raises(EOFError):
        while True:
            peer.read()
    # Once more, since all has been answered.
    assert [frame.options for frame in peer.others] == [(0,), (0,)]
    assert broker.end() == 0
    assert gone(everyone, 20) and not (tmp_path / "b.sock").exists()


def test_an_idle_broker_ends_without_waiting_for_its_callers(tmp_path: Path) -> None:
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peers = [Peer(f"unix://{tmp_path}/b.sock") for _ in range(3)]
    began = time.monotonic()
    assert broker.end() == 0
    assert time.monotonic() - began < 5  # of the 10 s that calls under way would have
    assert len(peers) == 3


def test_calls_that_cross_the_end_are_told_that_they_have_not_run(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    running = peer.send("App.sleep", 0.3)
    peer.call("GoTask.Ping")
    broker.process.send_signal(signal.SIGTERM)
    while not peer.others:
        peer.read()
    assert peer.call("App.hi", "late")["code"] == "unavailable"
    assert peer.result(running) == 0.3
    assert broker.end() == 0


def test_what_runs_longer_than_the_shutdown_timeout_is_cut_off(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", "--shutdown-timeout", "0.3", address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    everyone = processes(peer)
    peer.send("App.sleep", 30)
    peer.call("GoTask.Ping")
    began = time.monotonic()
    assert broker.end() == 0
    assert time.monotonic() - began < 15 and gone(everyone, 20)  # it sleeps for 30 s


@pytest.mark.parametrize("busy", [False, True])
def test_the_end_of_the_lifeline_ends_everything_within_a_second(tmp_path: Path, busy: bool) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    everyone = processes(peer)
    if busy:
        peer.send("App.sleep", 30)
        peer.send("App.wait", 30)
        peer.call("GoTask.Ping")
    assert broker.process.stdin is not None
    broker.process.stdin.close()
    assert gone(everyone, 20)
    assert not (tmp_path / "b.sock").exists() and not (tmp_path / "b.sock.lock").exists()
    broker.process.wait(20)
    broker.end()


def test_kill_9_of_the_parent_ends_everything_within_a_second(tmp_path: Path) -> None:
    # The parent's standard input stays open here, as it may in a parent's other children: only its death counts.
    program = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([{str(sys.executable)!r}, {str(MAIN)!r}, {str(APPS / 'calls.py')!r},"
        f" '--address', 'unix://{tmp_path}/b.sock', '--workers', '2', '--managed'], stdin=0)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None and parent.stdin is not None
    while b'"ready"' not in parent.stdout.readline():
        pass
    peer = Peer(f"unix://{tmp_path}/b.sock")
    everyone = processes(peer)
    peer.send("App.sleep", 30)
    parent.kill()
    assert gone(everyone, 20)
    assert not (tmp_path / "b.sock").exists()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()


def test_kill_9_of_the_broker_leaves_no_worker_and_the_next_one_takes_over(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    everyone = processes(peer)
    peer.send("App.sleep", 30)
    assert broker.end(signal.SIGKILL) == -9
    assert gone(everyone, 20)
    with pytest.raises((EOFError, ConnectionResetError)):
        peer.read()
    again = BrokerProcess(APPS / "calls.py", address=address)
    again.wait_for("ready")
    assert Peer(address).call("App.hi", "x") == {"hello": "x"}
    assert again.end() == 0


def test_what_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    app = tmp_path / "spawner.py"
    app.write_text(
        "import gotask, os, subprocess\n"
        "def spawn(): return subprocess.Popen(['sleep', '60']).pid\n"
        "def leave(): os._exit(1)\n"
        "gotask.register(spawn)\ngotask.register(leave)\n"
    )
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(app, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    child = peer.call("spawn")
    assert alive(child)
    assert peer.call("leave")["code"] == "worker_crashed"
    assert gone([child], 20)
    assert broker.end() == 0


@pytest.mark.parametrize("with_init", [False, True], ids=["plain folder", "with __init__.py"])
@pytest.mark.parametrize("how", ["run", "-m"])
def test_an_app_in_a_folder_called_gotask_works(tmp_path: Path, how: str, with_init: bool) -> None:
    folder = tmp_path / "gotask"
    folder.mkdir()
    shutil.copy(APPS / "calls.py", folder / "app.py")
    if with_init:
        (folder / "__init__.py").touch()
    # `-m gotask` in a folder that has another package of that name finds that one; the file by its path works.
    start = ["gotask/app.py"] if how == "run" else [str(MAIN), "gotask/app.py"]
    if how == "-m" and not with_init:
        start = ["-m", "gotask", "gotask/app.py"]
    process = subprocess.Popen(
        [sys.executable, *start, "--workers", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "ready at unix://" in line, line + process.stderr.read()
    assert Peer(f"unix://{tmp_path}/runtime/gotask/default.sock").call("App.hi", "x") == {"hello": "x"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()


def test_an_app_may_be_a_module(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(APPS / "calls.py", package / "tasks.py")
    broker = BrokerProcess("shop.tasks", address=f"unix://{tmp_path}/b.sock", cwd=tmp_path)
    broker.wait_for("ready")
    assert Peer(f"unix://{tmp_path}/b.sock").call("App.hi", "x") == {"hello": "x"}
    assert broker.end() == 0


def test_it_uses_no_processor_while_idle(tmp_path: Path) -> None:
    broker = BrokerProcess(APPS / "calls.py", workers=2, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = Peer(f"unix://{tmp_path}/b.sock")
    while not {worker["state"] for worker in peer.call("GoTask.Status")["workers"]} <= {"idle", "busy"}:
        pass
    everyone = processes(peer)

    def ticks() -> int:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in everyone]
        return sum(int(field[11]) + int(field[12]) for field in fields)

    before = ticks()
    time.sleep(1.0)
    assert ticks() - before <= 1
    assert broker.end() == 0


def test_a_replacement_that_does_not_start_is_tried_again_and_callers_are_told(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    good = "import gotask, os\ndef leave(): os._exit(1)\ndef hi(): return 'hi'\ngotask.register(leave)\ngotask.register(hi)\n"
    app.write_text(good)
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(app, address=address)
    broker.wait_for("ready")
    peer = Peer(address)
    app.write_text("import gotask\n1/0\n")
    assert peer.call("leave")["code"] == "worker_crashed"
    broker.logged("could not start")
    error = peer.call("hi")
    assert error["code"] == "unavailable" and "ZeroDivisionError" in error["message"]
    app.write_text(good)
    until = time.monotonic() + 20
    while peer.call("hi") != "hi":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert broker.end() == 0


def test_the_end_does_not_wait_for_a_worker_that_still_starts(tmp_path: Path) -> None:
    app = tmp_path / "slow.py"
    app.write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    broker = BrokerProcess(app, address=f"unix://{tmp_path}/b.sock")
    assert broker.process.stderr is not None
    assert broker.process.stderr.readline() == b"importing\n"
    began = time.monotonic()
    assert broker.end() == 0
    assert time.monotonic() - began < 30  # it imports for a minute


def test_a_worker_that_is_not_ready_in_time_is_a_failed_start(tmp_path: Path) -> None:
    app = tmp_path / "slow.py"
    app.write_text("import time\ntime.sleep(60)\n")
    # The first is over before Python has started. On a busy machine the next ones may be, too.
    for seconds in ("0.01", "0.3", "1", "4", "16"):
        broker = BrokerProcess(app, "--start-timeout", seconds, address=f"unix://{tmp_path}/b.sock")
        message = broker.wait_for("failed", 40)["message"]
        assert f"not ready within {seconds} s (--start-timeout)" in message
        assert broker.process.wait(20) == 70
        broker.end()
        if f'File "{app}", line 2 in <module>' in message:
            break
    else:
        pytest.fail("no time was enough")
    assert "; it was here:" in message


def test_a_thread_that_a_method_left_running_does_not_hold_up_the_end(tmp_path: Path) -> None:
    app = tmp_path / "threads.py"
    app.write_text(
        "import atexit, gotask, threading, time\n"
        "atexit.register(print, 'at exit')\n"
        "def start(): threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "gotask.register(start)\n"
    )
    address = f"unix://{tmp_path}/b.sock"
    broker = BrokerProcess(app, address=address)
    broker.wait_for("ready")
    assert Peer(address).call("start") is None
    broker.process.send_signal(signal.SIGTERM)
    broker.process.wait(20)  # the thread sleeps for a minute
    assert broker.stderr() == "at exit\n"
    broker.end()


TASKS = """
import asyncio, gotask

async def work(path, swallows):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            with open(path, "a") as file:
                file.write("cancelled\\n")
            if not swallows:
                raise

@gotask.service
class App:
    async def open(self):
        self.tasks = []

    async def begin(self, path, swallows):
        self.tasks.append(asyncio.create_task(work(path, swallows)))
        await asyncio.sleep(0)

    async def close(self):
        print("closed, its tasks", "run" if not any(task.done() for task in self.tasks) else "are gone", flush=True)
"""


@pytest.mark.parametrize("swallows", [False, True])
def test_tasks_that_a_service_left_running_are_cancelled_at_the_end(tmp_path: Path, swallows: bool) -> None:
    (tmp_path / "app.py").write_text(TASKS)
    broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = Peer(f"unix://{tmp_path}/b.sock")
    peer.call("App.begin", [str(tmp_path / "log"), swallows])
    began = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    broker.process.wait(20)
    assert time.monotonic() - began < 10
    assert (tmp_path / "log").read_text() == "cancelled\n"
    assert broker.stderr() == "closed, its tasks run\n"
    broker.end()


@pytest.mark.parametrize("in_function", [False, True])
def test_a_program_that_runs_itself_without_a_guard_is_told_the_line(
    tmp_path: Path, in_function: bool
) -> None:
    lines = ["import gotask", "gotask.register(print)", "def main(): gotask.run()", ""]
    lines[3] = "main()" if in_function else "gotask.run()"
    app = tmp_path / "app.py"
    app.write_text("\n".join(lines) + "\n")
    ended = subprocess.run(
        [sys.executable, str(app), "--workers", "1", "--address", f"unix://{tmp_path}/b.sock"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )
    assert ended.returncode == 70
    assert f"{app}:4 runs gotask.run()" in ended.stderr and '`if __name__ == "__main__":`' in ended.stderr


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no PYTHONSAFEPATH")
@pytest.mark.parametrize("app", ["app.py", "app"])
@pytest.mark.parametrize("method", [[], ["-m", "gotask"]], ids=["file", "-m"])
def test_the_app_s_modules_are_found_with_a_safe_path(tmp_path: Path, app: str, method: list[str]) -> None:
    (tmp_path / "app.py").write_text(
        "import gotask, helper, library\n@gotask.register\ndef hi(): return helper.HI\n"
    )
    (tmp_path / "helper.py").write_text("HI = 'hi'\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "library.py").touch()
    process = subprocess.Popen(
        [
            sys.executable,
            *(method or [str(MAIN)]),
            app,
            "--workers",
            "1",
            "--address",
            f"unix://{tmp_path}/b.sock",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}/lib:{PACKAGE}", "PYTHONSAFEPATH": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "ready at unix://" in line, line + process.stderr.read()
    assert Peer(f"unix://{tmp_path}/b.sock").call("hi") == "hi"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stderr.close()


def test_empty_variables_count_as_not_set(tmp_path: Path) -> None:
    names = [name for name in run("--help").stdout.replace(",", " ").split() if name.startswith("--")]
    env = {"GOTASK_" + name[2:].upper().replace("-", "_"): " " for name in names} | {"GOTASK_KEY": ""}
    del env["GOTASK_ADDRESS"]
    broker = BrokerProcess(APPS / "sync_only.py", address=f"unix://{tmp_path}/b.sock", env=env)
    broker.wait_for("ready")
    assert broker.end() == 0
