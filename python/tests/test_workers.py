"""Workers that die, are busy, or come too late: what happens to the calls."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gotask.wire import frames as wire

from .peer import APPS, PACKAGE, BrokerProcess, Peer, alive, serving
from .test_deadlines import workers


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("pair"), APPS / "calls.py", workers=2)


@pytest.fixture
def unheard(tmp_path: Path) -> Iterator[BrokerProcess]:
    """Another pair, for who does not read what it logs."""
    yield from serving(tmp_path, APPS / "calls.py", workers=2)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("single"), APPS / "sync_only.py", workers=1)


def connect(broker: BrokerProcess) -> Peer:
    assert broker.address is not None
    return Peer(broker.address)


@pytest.mark.parametrize(
    ("method", "payload", "words", "data"),
    [
        ("App.kill", None, "SIGKILL", {"signal": 9}),
        ("App.segfault", None, "SIGSEGV", {"signal": 11}),
        ("App.leave", 3, "exit code 3", {"exit_code": 3}),
        ("App.leave", 0, "exit code 0", {"exit_code": 0}),
    ],
)
def test_a_call_whose_worker_dies_gets_to_know_how(
    pair: BrokerProcess, method: str, payload: object, words: str, data: dict[str, int]
) -> None:
    peer = connect(pair)
    before = workers(peer, 2)
    error = peer.call(method, payload)
    assert error["code"] == "worker_crashed" and words in error["message"] and method in error["message"]
    assert data.items() <= error["data"].items() and error["data"]["pid"] in before
    assert len(set(workers(peer, 2)) - set(before)) == 1


def test_the_last_words_of_a_dying_worker_come_with_the_error(tmp_path: Path) -> None:
    broker = BrokerProcess(APPS / "calls.py", workers=1, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    peer.call("App.say", "my last words")
    assert "my last words" in peer.call("App.leave", 1)["data"]["stderr"]
    assert broker.end() == 0


def test_output_that_nobody_reads_holds_up_no_call(unheard: BrokerProcess) -> None:
    peer = connect(unheard)
    for index in range(3000):
        assert peer.call("App.say", f"{index} " + "x" * 1000) is None
    assert peer.call("App.hi", "x") == {"hello": "x"}
    unheard.logged("logged 500 ")  # and once somebody reads, it says what was lost
    peer.call("App.say", "after")
    assert unheard.logged("log records were dropped")["level"] == "warning"


def test_kill_9_of_workers_costs_what_they_had_taken_and_nothing_runs_twice(
    pair: BrokerProcess, tmp_path: Path
) -> None:
    peer = connect(pair)
    log = tmp_path / "log"
    generator = random.Random(1)
    failed = answered = 0
    for turn in range(15):
        victim = generator.choice(workers(peer, 2))
        sequences = {
            peer.send("App.append", [str(log), f"{turn}-{index}"]): f"{turn}-{index}" for index in range(50)
        }
        time.sleep(generator.random() * 0.04)
        os.kill(victim, signal.SIGKILL)
        lost = 0
        for sequence, line in sequences.items():
            result = peer.result(sequence)
            if isinstance(result, dict):
                assert result["code"] == "worker_crashed" and result["data"]["pid"] == victim
                lost += 1
            else:
                assert result == line
        assert lost <= 1
        failed += lost
        answered += len(sequences) - lost
    assert failed + answered == 15 * 50 and failed > 0
    lines = log.read_text().split()
    assert len(lines) == len(set(lines))
    assert answered <= len(lines) <= answered + failed


def test_the_death_of_a_worker_fails_all_async_calls_in_it(tmp_path: Path) -> None:
    broker = BrokerProcess(APPS / "calls.py", workers=1, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    (victim,) = workers(peer, 1, "async")
    sequences = [peer.send("App.wait", 30) for _ in range(20)]
    while peer.call("GoTask.Status")["running"] < 20:
        pass
    assert peer.call("App.async_pid") == victim
    os.kill(victim, signal.SIGKILL)
    assert {peer.result(sequence)["code"] for sequence in sequences} == {"worker_crashed"}
    assert peer.call("App.wait", 0) == 0
    assert broker.end() == 0


def test_no_quick_call_waits_while_a_worker_is_idle(pair: BrokerProcess) -> None:
    peer, slow = connect(pair), connect(pair)
    workers(peer, 2)
    for _ in range(5):
        sleeping = slow.send("App.sleep", 10)
        for _ in range(20):
            peer.call("App.echo", 1)
        assert not select.select([slow.socket], [], [], 0)[0], "it sleeps still"
        slow.socket.sendall(wire.encode(wire.CONTROL, (sleeping,), b"", wire.STOP))


def test_callers_take_turns(single: BrokerProcess) -> None:
    greedy, modest = connect(single), connect(single)
    many = [greedy.send("App.sleep", 0.002) for _ in range(500)]
    greedy.call("GoTask.Ping")
    assert modest.call("App.echo", 1) == 1
    assert modest.call("GoTask.Status")["queued"] > 0, "the others wait still"
    for sequence in many:
        assert greedy.result(sequence) == 0.002


def test_a_call_past_its_deadline_is_not_started(single: BrokerProcess) -> None:
    peer = connect(single)
    blocking = peer.send("App.sleep", 0.3)
    late = [peer.send("App.sleep", 0.001, 50, 0) for _ in range(300)]
    assert peer.result(blocking) == 0.3
    codes = {peer.result(sequence)["code"] for sequence in late}
    assert codes == {"deadline_exceeded"}


def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    broker = BrokerProcess(
        APPS / "sync_only.py", "--queue-calls", "10", workers=1, address=f"unix://{tmp_path}/b.sock"
    )
    broker.wait_for("ready")
    peer = connect(broker)
    sequences = [peer.send("App.sleep", 0.005) for _ in range(400)]
    results = [peer.result(sequence) for sequence in sequences]
    refused = [result for result in results if isinstance(result, dict)]
    assert refused and {result["code"] for result in refused} == {"overloaded"}
    assert len(results) - len(refused) >= 10
    assert peer.call("App.echo", 1) == 1
    assert broker.end() == 0


def test_a_worker_without_async_methods_imports_no_asyncio_and_opens_once(single: BrokerProcess) -> None:
    peer = connect(single)
    pid, opened, has_asyncio = peer.call("App.state")
    assert (opened, has_asyncio) == (1, False) and alive(pid)


def test_services_are_closed_at_the_end(tmp_path: Path) -> None:
    broker = BrokerProcess(APPS / "sync_only.py", workers=2, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    broker.process.send_signal(signal.SIGTERM)
    broker.process.wait(10)
    assert broker.stderr() == "closed\n" * 2
    broker.end()


def test_prints_and_log_records_of_a_worker_come_out(pair: BrokerProcess) -> None:
    peer = connect(pair)
    peer.call("App.say", "something")
    record = pair.logged("logged something")
    assert (record["level"], record["logger"], record["context"]["size"]) == ("warning", "app", 9)


def test_answers_that_are_under_way_when_a_large_one_is_cut_off_stay_whole(pair: BrokerProcess) -> None:
    peer = connect(pair)
    victims = workers(peer, 2)
    big = [peer.send("App.zeros", 8 << 20) for _ in range(4)]
    small = [peer.send("App.echo", index) for index in range(50)]
    os.kill(victims[0], signal.SIGKILL)
    for sequence in big:
        result = peer.result(sequence)
        assert result == bytes(8 << 20) or result["code"] == "worker_crashed"
    for index, sequence in enumerate(small):
        result = peer.result(sequence)
        assert result == index or result["code"] == "worker_crashed"


def test_a_cancelled_call_that_waits_is_not_started(single: BrokerProcess) -> None:
    peer = connect(single)
    blocking = peer.send("App.sleep", 0.3)
    waiting = [peer.send("App.sleep", 0.05) for _ in range(400)]
    for sequence in waiting:
        peer.socket.sendall(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))
    began = time.monotonic()
    assert peer.result(blocking) == 0.3
    assert peer.call("App.echo", 1) == 1
    # Those that were on their way to the worker already may run: not all the others.
    # Those that had left for the worker already may run, the others not.
    assert time.monotonic() - began < 10  # of 20 s


def test_a_method_that_forks_and_returns_twice_is_answered_once(pair: BrokerProcess) -> None:
    peer = connect(pair)
    for _ in range(5):
        assert peer.call("App.fork") == 1
    assert [peer.call("App.echo", index) for index in range(100)] == list(range(100))
    assert len(workers(peer, 2)) == 2


def test_log_records_of_other_threads_do_not_mix_with_answers(unheard: BrokerProcess) -> None:
    peer = connect(unheard)
    sequences = [peer.send("App.log_from_threads", [4, 20]) for _ in range(8)]
    assert [peer.result(sequence) for sequence in sequences] == [bytes(50_000)] * 8
    seen = [record["message"] for record in unheard.records if "thread" in record.get("message", "")]
    assert len(set(seen)) <= 80
    assert unheard.logged("thread 3 record 19")["level"] == "info"


def test_a_log_record_of_any_size_comes_out(pair: BrokerProcess) -> None:
    peer = connect(pair)
    peer.call("App.say", "y" * 3_000_000)
    assert len(pair.logged("logged yyy")["message"]) > 1000


@pytest.mark.parametrize(("level", "lowest"), [("debug", "debug"), ("error", "error")])
def test_workers_log_from_the_level_that_is_set(tmp_path: Path, level: str, lowest: str) -> None:
    app = tmp_path / "logging_app.py"
    app.write_text(
        "import gotask, logging\n"
        "def log():\n"
        "    for name in ('debug', 'info', 'error'): getattr(logging, name)('said %s', name)\n"
        "gotask.register(log)\n"
    )
    broker = BrokerProcess(app, "--log-level", level, address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    connect(broker).call("log")
    broker.logged("said error")
    said = [record["level"] for record in broker.records if "said" in record.get("message", "")]
    assert said[0] == lowest
    assert broker.end() == 0


@pytest.mark.parametrize("managed", [True, False], ids=["managed", "alone"])
def test_nothing_that_is_printed_is_lost_to_a_reader_that_reads(tmp_path: Path, managed: bool) -> None:
    app = tmp_path / "printing.py"
    app.write_text(
        "import gotask, logging\n"
        "@gotask.register\n"
        "def write(count):\n"
        "    for index in range(count): print('line', index, 'x' * 200)\n"
        "    for index in range(count // 4): logging.info('record %d %s', index, 'x' * 200)\n"
    )
    command = [sys.executable, str(PACKAGE / "gotask" / "__main__.py"), str(app), "--workers", "1"]
    command += ["--address", f"unix://{tmp_path}/b.sock"] + ["--managed"] * managed
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr
    first = process.stdout.readline() + process.stdout.readline() if managed else process.stderr.readline()
    assert b"ready" in first
    peer = Peer(f"unix://{tmp_path}/b.sock")
    call = peer.send("write", 40_000)
    time.sleep(0.3)  # it is behind
    seen = {process.stdout: b"", process.stderr: b""}
    until = time.monotonic() + 30
    while True:
        for pipe in select.select([process.stdout, process.stderr], [], [], 0.5)[0]:
            seen[pipe] += os.read(pipe.fileno(), 1 << 20)
        records = seen[process.stdout if managed else process.stderr].count(b"record ")
        if seen[process.stderr].count(b"line ") == 40_000 and records == 10_000:
            break
        assert time.monotonic() < until, (seen[process.stderr].count(b"line "), records)
    assert peer.result(call) is None
    process.terminate()
    process.communicate(timeout=10)
