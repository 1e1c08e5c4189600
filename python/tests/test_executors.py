"""Methods with `executor=` of concurrent.futures: threads, processes, and whatever has submit()."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import gotask
from gotask.app import loader
from gotask.app.registry import Registry
from gotask.errors import from_body
from gotask.executors import remote
from gotask.testing import TestWorker
from gotask.wire import frames as wire

from .exchanges import EXACT, Exchanger, lines
from .peer import APPS, PACKAGE, BrokerProcess, gone, wait_until
from .work import Work

PAGE = Path(__file__).parents[2] / "docs" / "beyond-one-machine.md"


class Broker(Work):
    """One broker for all tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        address = f"unix://{folder / 'b.sock'}"
        self.process = BrokerProcess(APPS / "executors.py", address=address, env={"NOTES": str(self.notes)})
        self.process.wait_for("ready")
        self.peer = Exchanger(address)

    def sockets(self) -> int:
        """How many the worker has."""
        folder = f"/proc/{self.peer.call('GoTask.Status')['workers'][0]['pid']}/fd"
        found = 0
        for name in os.listdir(folder):
            with suppress(FileNotFoundError):
                found += os.readlink(f"{folder}/{name}").startswith("socket:")
        return found


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("executors"))
    yield broker
    assert broker.process.end() == 0


everywhere = pytest.mark.parametrize("service", ["Threads", "Given", "Pool", "Object", "AtOnce"])
with_line = pytest.mark.parametrize("service", ["Threads", "Pool"])


@everywhere
def test_arguments_results_and_errors_are_those_of_any_method(broker: Broker, service: str) -> None:
    assert broker.call(f"{service}.echo", {"a": [1, None, "é"]}) == {"a": [1, None, "é"]}
    assert broker.call(f"{service}.double", "21") == 42, "arguments are converted"
    assert broker.call(f"{service}.double", "x")["code"] == "invalid_arguments"
    error = broker.call(f"{service}.fail")
    assert (error["code"], error["type"], error["message"]) == ("remote_error", "ValueError", "no")
    assert error["where"].startswith("work.py:") and 'raise ValueError("no")' in error["traceback"]
    assert "gotask/executors" not in error["traceback"]
    assert broker.call(f"{service}.unsendable")["code"] == "invalid_result"


@everywhere
def test_large_bodies_go_both_ways(broker: Broker, service: str) -> None:
    text = "x" * 3_000_000
    assert broker.call(f"{service}.echo", text) == text


def test_other_codecs_are_kept(broker: Broker) -> None:
    assert broker.peer.call_raw("Pool.echo", b'{"a": 1}', wire.JSON) == b'{"a":1}'
    assert broker.peer.call_raw("Pool.echo", b"\xff\x00", wire.RAW) == b"\xff\x00"


def test_a_service_is_opened_once_where_its_methods_run(broker: Broker) -> None:
    opened, here, _ = broker.call("Threads.where")
    assert opened == here
    assert broker.call("Threads.where") == [opened, here, False]
    worker = [each for each in broker.peer.call("GoTask.Status")["workers"]]
    assert [each["kind"] for each in worker] == ["async"], "no sync worker is needed"
    assert here == worker[0]["pid"]
    opened, there, _ = broker.call("Pool.where")
    assert opened == there != here
    broker.call("Pool.where")
    assert broker.noted(f"open {there}") == 1


def test_a_process_that_is_no_copy_of_the_worker_loads_the_app(broker: Broker) -> None:
    opened, there, _ = broker.call("Spawned.where")
    assert broker.call("Spawned.where") == [opened, there, True]
    assert opened == there and broker.noted(f"open {there}") == 1
    sequence = broker.peer.begin("Spawned.steps", 2, flags=wire.WANTS_PROGRESS)
    assert len(broker.peer.progress(sequence)) == 2


@everywhere
def test_each_call_knows_itself(broker: Broker, service: str) -> None:
    headers = b'{"user": "%d", "around": "1"}'
    sequences = []
    for number in range(8):
        name = f"{service}.who".encode()
        head = headers % number
        options = (number + 1_000, len(name), 5000, EXACT, len(head), 0)
        broker.peer.socket.sendall(wire.encode(wire.MSGPACK, options, name + head + b"\x92\x90\x80"))
        sequences.append(number + 1_000)
    for number, sequence in enumerate(sequences):
        assert broker.peer.result(sequence) == [[f"{service}.who", str(number), True], "around"]


@with_line
def test_progress_reaches_the_caller_in_order(broker: Broker, service: str) -> None:
    sequence = broker.peer.begin(f"{service}.steps", 3, flags=wire.WANTS_PROGRESS)
    assert broker.peer.progress(sequence) == [[n / 3, f"step {n}", {"step": n}] for n in range(3)]
    assert broker.peer.result(sequence) == "done"


@with_line
def test_of_much_progress_the_last_is_sent(broker: Broker, service: str) -> None:
    sequence = broker.peer.begin(f"{service}.steps", 5000, flags=wire.WANTS_PROGRESS)
    said = broker.peer.progress(sequence)
    assert said[-1][2] == {"step": 4999} and len(said) < 500


@with_line
def test_a_call_that_is_cancelled_knows_it(broker: Broker, service: str) -> None:
    before, begun = broker.noted("cancelled"), broker.path()
    sequence = broker.peer.begin(f"{service}.until_cancelled", begun)
    lines_of(begun)
    broker.peer.cancel(sequence)
    broker.await_note("cancelled", before + 1)


@with_line
def test_one_whose_time_is_over_is_answered_while_it_goes_on(broker: Broker, service: str) -> None:
    go = broker.path()
    error = broker.peer.result(broker.peer.begin(f"{service}.hold", go, broker.path(), remaining=300))
    assert error["code"] == "deadline_exceeded"
    Path(go).touch()


def test_what_waits_behind_others_is_not_begun_after_its_time(broker: Broker) -> None:
    go, begun = broker.path(), broker.path()
    held = broker.peer.begin("Pool.hold", go, begun)
    lines_of(begun)
    # The pool takes one more along than it has processes for.
    waiting = [broker.peer.begin("Pool.note", "too late", remaining=100) for _ in range(3)]
    for sequence in waiting:
        assert broker.peer.result(sequence)["code"] == "deadline_exceeded"
    Path(go).touch()
    assert broker.peer.result(held) == "held"
    broker.call("Pool.echo", 1)
    assert broker.noted("too late") == 0


def test_a_broken_pool_is_replaced_and_only_what_ran_is_lost(broker: Broker) -> None:
    died, go, begun = broker.noted("die"), broker.path(), broker.path()
    broker.call("Pair.echo", 1)
    sockets = broker.sockets()
    held = broker.peer.begin("Pair.hold", broker.path(), begun)
    lines_of(begun)
    deadly = broker.peer.begin("Pair.die", go)
    waiting = [broker.peer.begin("Pair.note", f"waited {number}") for number in range(6)]
    broker.await_note("die", died + 1)
    Path(go).touch()
    for sequence in (held, deadly):
        error = broker.peer.result(sequence)
        assert error["code"] == "worker_crashed" and "may have run" in error["message"]
    assert [broker.peer.result(sequence) for sequence in waiting] == [None] * 6
    assert [broker.noted(f"waited {number}") for number in range(6)] == [1] * 6
    assert broker.noted("die") == died + 1
    wait_until(lambda: broker.sockets() <= sockets, "the end of the lines that no process has fetched")


def test_a_copy_of_its_process_that_a_method_makes_ends_with_it(broker: Broker) -> None:
    answers = [broker.call("Pool.fork") for _ in range(4)]
    assert [parent for parent, _ in answers] == [answers[0][0]] * 4, "the parent answers"
    assert gone([child for _, child in answers], 10.0)


def test_a_lost_call_is_made_again_once_where_its_method_is_idempotent(broker: Broker) -> None:
    died = broker.noted("die")
    assert broker.call("Again.die")["code"] == "worker_crashed"
    assert broker.noted("die") == died + 2
    assert broker.call("Again.echo", 1) == 1


def test_a_broken_pool_that_is_an_object_says_what_to_do(broker: Broker) -> None:
    assert "may have run" in broker.call("Object.die")["message"]
    error = broker.call("Object.echo", 1)
    assert error["code"] == "unavailable" and "has not run" in error["message"]


def test_an_executor_that_can_not_be_made_is_said(broker: Broker) -> None:
    error = broker.call("Refused.echo", 1)
    assert error["code"] == "unavailable" and "OSError: no threads today" in error["message"]
    assert error["data"] == {"executor": "refuse"}, "callers see that the broker itself is well"


@pytest.mark.parametrize(
    "service, code, says",
    [
        ("Cancels", "worker_crashed", "was cancelled in its executor, and may have run"),
        ("Exits", "remote_error", "SystemExit"),
        ("Interrupts", "remote_error", "KeyboardInterrupt"),
        ("Stops", "remote_error", "StopIteration"),
        ("Alters", "remote_error", "gave a tuple, and not what it has run returned"),
        ("NoFuture", "remote_error", "gave a str, and no Future"),
        ("NotToday", "unavailable", "has not run: its executor takes no calls: OverflowError: not today"),
        (
            "NoExecutor",
            "unavailable",
            "has not run: what is to make its executor gave a str, which has no submit()",
        ),
    ],
)
def test_what_an_executor_does_wrong_is_that_calls_error(
    broker: Broker, service: str, code: str, says: str
) -> None:
    error = broker.call(f"{service}.echo", 1)
    assert error["code"] == code and says in f"{error.get('type')}: {error['message']}"


def test_a_call_that_others_cancel_in_its_pool_has_not_run(broker: Broker) -> None:
    held, begun = broker.path(), broker.path()
    first = broker.peer.begin("Drops.hold", held, begun)
    lines_of(begun)
    second = broker.peer.begin("Drops.note", "dropped")
    third = broker.peer.begin("Drops.echo", 3)
    error = broker.peer.result(second)
    assert (
        error["code"] == "unavailable" and "has not run: it was cancelled in its executor" in error["message"]
    )
    assert broker.peer.result(third) == 3, "it went to the next executor"
    Path(held).touch()
    assert broker.peer.result(first) == "held" and broker.noted("dropped") == 0


def test_nothing_is_imported_by_a_thread_while_a_pool_may_fork() -> None:
    program = (
        "import asyncio, sys, types; from gotask.executors.futures import NEEDED, Processes\n"
        "async def take(): Processes(types.SimpleNamespace(), asyncio.get_running_loop())\n"
        "asyncio.run(take()); print([name for name in NEEDED if name not in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE, capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


def test_what_needs_the_caller_is_refused(broker: Broker) -> None:
    error = broker.peer.result(broker.peer.stream("Threads.echo", [1]))
    assert error["code"] == "invalid_request" and "neither a stream nor an input" in error["message"]
    assert "has an executor" in broker.call("Pool.ask")["message"]


def test_only_celery_keeps_durable_calls(broker: Broker) -> None:
    error = broker.peer.result(broker.peer.begin("Threads.note", "durable", flags=wire.DURABLE))
    assert error["code"] == "invalid_arguments" and "keeps no durable calls" in error["message"]
    assert broker.noted("durable") == 0


def test_methods_and_describe_name_the_executor(broker: Broker) -> None:
    for answer in (broker.peer.call("GoTask.Methods"), broker.peer.call("GoTask.Describe")["methods"]):
        found = {each["name"]: each["executor"] for each in answer}
        assert found["Pool.echo"] == "one_process" and found["Object.echo"] == "ProcessPoolExecutor"


def test_the_worker_ends_whatever_its_executors_do(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    process = broker.call("Pool.where")[1]
    broker.call("AtOnce.echo", 1)
    held = broker.path()
    broker.peer.begin("Threads.hold", broker.path(), held, remaining=100)
    busy = broker.call("Pair.where")[1]
    lines_of(held)
    assert broker.process.end() == 0
    assert gone([process, busy], 20)
    assert broker.noted("shut down") == 1 and broker.noted(f"close {process}") == 1


def test_a_worker_that_is_killed_leaves_no_process_of_a_pool(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    process = broker.call("Pool.where")[1]
    (worker,) = broker.peer.call("GoTask.Status")["workers"]
    os.kill(worker["pid"], signal.SIGKILL)
    assert gone([process], 20)
    assert broker.call("Pool.echo", 1) == 1
    assert broker.process.end() == 0


def test_a_process_with_another_version_of_the_app_says_that_it_has_no_such_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "hosts_app", True)
    is_error, body = remote.run("app.py", "Report.new", wire.MSGPACK, 0, b"\x90", b"", 0.0, 1, 1000)
    assert is_error and from_body(body).code == "unavailable"
    assert "Report.new has not run" in str(from_body(body)) and "another version of the app" in str(
        from_body(body)
    )


# -- registering ------------------------------------------------------------------------------------------------------


def test_an_unknown_executor_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="there is no executor 'ray': give 'dask', 'celery', a concurrent"):
        gotask.method(executor="ray")
    with pytest.raises(ValueError, match="there is no executor 3"):
        gotask.method(executor=3)


def test_a_package_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "distributed", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package distributed.*dask\[distributed\]"):
        gotask.method(executor="dask")


def test_only_a_plain_def_can_have_an_executor() -> None:
    class App:
        @gotask.method(executor=ThreadPoolExecutor)
        async def waits(self) -> None:
            pass

    class Streams:
        @gotask.method(executor=ThreadPoolExecutor)
        def streams(self) -> Iterator[int]:
            yield 1

    with pytest.raises(TypeError, match="App.waits is async, and what has an executor is a plain def"):
        Registry().register(App)
    with pytest.raises(TypeError, match="Streams.streams is a generator"):
        Registry().register(Streams)


def test_a_test_worker_runs_the_method_itself() -> None:
    class App:
        def open(self) -> None:
            self.opened = os.getpid()

        @gotask.method(executor=ThreadPoolExecutor)
        def where(self, number: int) -> list[int]:
            gotask.current_call().progress(1.0)
            return [self.opened, os.getpid(), number]

    said: list[Any] = []
    with TestWorker(App) as worker:
        result = worker.call("App.where", "3", on_progress=lambda *all: said.append(all))
    assert result == [os.getpid(), os.getpid(), 3] and said == [(1.0, "", None)]


@pytest.mark.parametrize(
    "service, call",
    [
        ("Report", ("Report.build", [2026, ["north", "south"]], {"year": 2026, "regions": 2})),
        ("Forecast", ("Forecast.run", [[100.0, 200.0], 1], [100.0, 200.0, pytest.approx(220.0)])),
    ],
)
def test_the_code_of_the_documentation_runs(tmp_path: Path, service: str, call: tuple[str, Any, Any]) -> None:
    if service == "Forecast":
        pytest.importorskip("distributed", reason="there is no Dask (python3-distributed)")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    code = next(block for block in blocks if f"class {service}:" in block)
    app = tmp_path / f"documented_{service.lower()}.py"
    app.write_text(code)
    method, payload, expected = call
    with TestWorker(app) as worker:
        assert worker.call(method, payload) == expected


def lines_of(path: str) -> None:
    """Waits until the file is there."""
    lines(Path(path), 0)
