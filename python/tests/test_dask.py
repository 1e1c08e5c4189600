"""Methods on a real Dask cluster: a scheduler, and two processes of workers, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gotask.wire import frames as wire

from .exchanges import Exchanger, lines
from .peer import APPS, PACKAGE, BrokerProcess, free_port
from .work import Work

distributed: Any = pytest.importorskip("distributed", reason="there is no Dask (python3-distributed)")

# Of the tornado that Debian has with this Dask.
pytestmark = pytest.mark.filterwarnings("ignore:make_current is deprecated:DeprecationWarning")

THREADS = 4


class Cluster(Work):
    """A scheduler and workers of Dask's, as `dask scheduler` and `dask worker` start them, and a broker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.scheduler_address = f"tcp://127.0.0.1:{self.port}"
        self.environment = {
            "PYTHONPATH": str(PACKAGE),
            "NOTES": str(self.notes),
            "DASK_SCHEDULER_ADDRESS": self.scheduler_address,
            "DASK_DISTRIBUTED__ADMIN__LOG_FORMAT": "%(message)s",
        }
        self.scheduler = self.start_scheduler()
        self.workers = [self.start_worker(), self.start_worker()]
        self.await_scheduler(2)
        self.broker, self.peer = self.start_broker("b.sock")

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-show")

    def await_scheduler(self, workers: int) -> None:
        """On a busy machine it listens long before it answers."""
        until = time.monotonic() + 60
        while True:
            try:
                with distributed.Client(self.scheduler_address, timeout=10) as client:
                    client.wait_for_workers(workers, timeout=30)
                return
            except OSError:
                assert time.monotonic() < until, "the scheduler does not start"

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("worker", self.scheduler_address, "--nthreads", str(THREADS), "--no-nanny")

    def start_broker(self, name: str, **environment: str) -> tuple[BrokerProcess, Exchanger]:
        address = f"unix://{self.folder / name}"
        environment = {**self.environment, **environment}
        broker = BrokerProcess(APPS / "on_dask.py", address=address, env=environment)
        broker.wait_for("ready")
        return broker, Exchanger(address)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        return subprocess.Popen(
            [*command, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
            env={**os.environ, **self.environment},
            cwd=self.folder,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        yield cluster
        assert cluster.broker.end() == 0
    finally:
        cluster.end()


def test_arguments_results_and_errors_are_those_of_any_method(cluster: Cluster) -> None:
    assert cluster.call("Once.echo", {"a": [1, None, "é"]}) == {"a": [1, None, "é"]}
    assert cluster.call("Once.double", "21") == 42, "arguments are converted"
    assert cluster.call("Once.double", "x")["code"] == "invalid_arguments"
    error = cluster.call("Once.fail")
    assert (error["code"], error["type"], error["message"]) == ("remote_error", "ValueError", "no")
    assert error["where"].startswith("work.py:") and 'raise ValueError("no")' in error["traceback"]
    assert cluster.call("Once.unsendable")["code"] == "invalid_result"


def test_large_bodies_go_both_ways(cluster: Cluster) -> None:
    text = "x" * 10_000_000
    assert cluster.call("Once.echo", text) == text


def test_they_run_in_the_workers_of_dask_where_each_service_is_opened_once(cluster: Cluster) -> None:
    sequences = [cluster.peer.begin("Once.where") for _ in range(40)]
    found = {tuple(cluster.peer.result(sequence)) for sequence in sequences}
    pids = {worker.pid for worker in cluster.workers}
    assert {pid for _, pid, _ in found} <= pids and all(opened == pid for opened, pid, _ in found)
    assert all(cluster.noted(f"open {pid}") <= 2 for pid in pids), "one for each of the two services"


def test_each_call_knows_itself(cluster: Cluster) -> None:
    sequences = []
    for number in range(8):
        name, head = b"Once.who", b'{"user": "%d"}' % number
        options = (number + 1_000, len(name), 15_000, wire.ARGS, len(head), 0)
        cluster.peer.socket.sendall(wire.encode(wire.MSGPACK, options, name + head + b"\x92\x90\x80"))
        sequences.append(number + 1_000)
    for number, sequence in enumerate(sequences):
        assert cluster.peer.result(sequence) == ["Once.who", str(number), True]


def test_progress_reaches_the_caller_in_order(cluster: Cluster) -> None:
    sequence = cluster.peer.begin("Once.steps", 3, flags=wire.WANTS_PROGRESS)
    assert cluster.peer.progress(sequence) == [[n / 3, f"step {n}", {"step": n}] for n in range(3)]
    assert cluster.peer.result(sequence) == "done"


def test_a_call_that_is_cancelled_knows_it(cluster: Cluster) -> None:
    begun = cluster.path()
    sequence = cluster.peer.begin("Once.until_cancelled", begun)
    lines(Path(begun), 0)
    cluster.peer.cancel(sequence)
    cluster.await_note("cancelled", 1)


def test_what_has_not_begun_at_its_deadline_never_does(cluster: Cluster) -> None:
    go = cluster.path()
    places = [cluster.path() for _ in range(2 * THREADS)]
    held = [cluster.peer.begin("Once.hold", go, place) for place in places]
    for place in places:
        lines(Path(place), 0)
    worker = cluster.peer.call("GoTask.Status")["workers"][0]["pid"]
    waiting = [cluster.peer.begin("Once.note", "too late", remaining=200) for _ in range(3)]
    for sequence in waiting:
        error = cluster.peer.result(sequence)
        assert (
            error["code"] == "deadline_exceeded" and "if it has begun, it goes on there" in error["message"]
        )
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        until = time.monotonic() + 20
        while len([name for name in client.list_datasets() if "Once.note" in name]) < len(waiting):
            assert time.monotonic() < until, "the scheduler is not told"
            time.sleep(0.002)  # it hears of it after the caller
    Path(go).touch()
    assert [cluster.peer.result(sequence) for sequence in held] == ["held"] * len(held)
    assert cluster.call("Once.echo", 1) == 1
    assert cluster.noted("too late") == 0
    assert cluster.peer.call("GoTask.Status")["workers"][0]["pid"] == worker, "which is not blamed for it"


def test_a_task_that_dask_runs_again_does_not_run_its_method_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gotask.executors.dask import run_task

    monkeypatch.setenv("NOTES", str(cluster.notes))
    app = str(APPS / "on_dask.py")
    call = (app, "Once.note", wire.MSGPACK, wire.EXACT, b"\x92\x91\xa5again\x80", b"", 0.0, 1, 1 << 20)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        outcomes = [
            client.submit(run_task, "claim", is_idempotent, *call, pure=False).result()
            for is_idempotent in (False, False, True)
        ]
        client.unpublish_dataset("claim")
    assert [is_error for is_error, _ in outcomes] == [False, True, False]
    assert json.loads(outcomes[1][1])["code"] == "worker_crashed" and b"may have run" in outcomes[1][1]
    assert cluster.noted("again") == 2


def test_claims_do_not_outlive_the_worker_that_made_them(cluster: Cluster) -> None:
    broker, peer = cluster.start_broker("another.sock")
    assert peer.call("Once.note", "claimed") is None
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        mine = set(client.list_datasets())
        assert broker.end() == 0
        assert set(client.list_datasets()) < mine


def test_a_worker_machine_is_killed_with_calls_of_both_kinds(cluster: Cluster) -> None:
    go = cluster.path()
    once = [cluster.path() for _ in range(THREADS)]
    again = [cluster.path() for _ in range(THREADS)]
    calls = {
        cluster.peer.begin(f"{service}.hold_and_note", go, place, place): (service, place)
        for service, places in (("Once", once), ("Again", again))
        for place in places
    }
    for place in (*once, *again):
        lines(Path(place), 0)
    waiting = [cluster.peer.begin("Once.note", f"waits {number}") for number in range(20)]
    ran_on = {place: Path(place).read_text() for place in (*once, *again)}
    victim = cluster.workers.pop()
    victim.kill()
    victim.wait()
    Path(go).touch()
    lost = 0
    for sequence, (service, place) in calls.items():
        result = cluster.peer.result(sequence)
        if result == "held":
            assert cluster.noted(place) == 1
            assert service == "Again" or ran_on[place] != str(victim.pid)
        else:
            lost += 1
            assert service == "Once" and ran_on[place] == str(victim.pid)
            assert result["code"] == "worker_crashed" and "may have run" in result["message"]
            assert cluster.noted(place) == 0 and Path(place).read_text() == str(victim.pid)
    assert lost == sum(ran_on[place] == str(victim.pid) for place in once)
    assert [cluster.peer.result(sequence) for sequence in waiting] == [None] * 20
    assert [cluster.noted(f"waits {number}") for number in range(20)] == [1] * 20


def test_a_scheduler_that_is_killed_costs_its_calls_and_the_next_one_is_found(cluster: Cluster) -> None:
    begun = cluster.path()
    held = cluster.peer.begin("Once.hold", cluster.path(), begun)
    lines(Path(begun), 0)
    cluster.scheduler.send_signal(signal.SIGKILL)
    cluster.scheduler.wait()
    error = cluster.peer.result(held)
    assert error["code"] == "worker_crashed" and "may have run" in error["message"]
    before = time.monotonic()
    error = cluster.call("Once.echo", 1)
    assert time.monotonic() - before < 6
    assert error["code"] == "unavailable" and "Once.echo has not run" in error["message"]
    assert cluster.scheduler_address in error["message"] and "DASK_SCHEDULER_ADDRESS" in error["message"]
    assert not error["message"].endswith(": "), "it says why, although the exception has no text"
    cluster.scheduler = cluster.start_scheduler()
    cluster.workers.append(cluster.start_worker())
    cluster.await_scheduler(1)
    while (result := cluster.call("Once.echo", 1)) != 1:
        assert result["code"] == "unavailable" and time.monotonic() - before < 60


def test_without_an_address_the_call_says_what_to_set(cluster: Cluster) -> None:
    broker, peer = cluster.start_broker("none.sock", DASK_SCHEDULER_ADDRESS="")
    error = peer.call("Once.echo", 1)
    assert error["code"] == "unavailable" and "set DASK_SCHEDULER_ADDRESS" in error["message"]
    assert broker.end() == 0
