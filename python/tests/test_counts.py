"""What is counted of calls, and what GoTask.Status and GoTask.Failures say of them: the same for both paths."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from gotask.broker.counts import Counts, Percentiles
from gotask.broker.failures import A_SECOND, MOST, Failures
from gotask.errors import BY_CODE, Overloaded, RemoteError, code_of
from gotask.ipc.counters import CELLS, CODES, ROWS, SIZE, Counters
from gotask.wire.codec import encode
from gotask.wire.frames import MSGPACK
from gotask.wire.histogram import BOUNDS

from .exchanges import Exchanger
from .fast import CANCELLED, LATE, FastPeer, fast_peer
from .peer import BrokerProcess, Peer, serving, wait_until

APP = """
import asyncio, os, signal, time
import gotask

@gotask.register
class App:
    def echo(self, value): return value
    def twice(self, value): return value + value
    def fails(self, text): raise ValueError(text)
    def wait(self, path):
        open(path + ".begun", "w").close()
        while not os.path.exists(path): time.sleep(0.005)
    async def wait_async(self, path):
        open(path + ".begun", "w").close()
        while not os.path.exists(path): await asyncio.sleep(0.005)
    def stream(self, n):
        for _ in range(n): yield "x" * 1000
    def dies(self): os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("counts")
    (path / "app.py").write_text(APP)
    return path


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[BrokerProcess]:
    yield from serving(folder, folder / "app.py", workers=1)


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[FastPeer]:
    yield from fast_peer(broker)


NONE = {
    "calls": 0,
    "cancelled": 0,
    "errors": {},
    "received": 0,
    "sent": 0,
    "run": {"sum": 0.0},
    "wait": {"sum": 0.0},
}


def counted(peer: Peer, name: str) -> dict[str, Any]:
    methods = peer.call("GoTask.Status")["methods"]
    assert [method["name"] for method in methods] == sorted(method["name"] for method in methods)
    return next((method for method in methods if method["name"] == name), NONE)


def number(times: dict[str, Any]) -> int:
    return int(times["buckets"][-1][1]) if "buckets" in times else 0


# -- both paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["call", "call_fast"])
def test_calls_errors_bytes_and_times_are_counted(peer: FastPeer, path: str) -> None:
    call = getattr(peer, path)
    before, failed = counted(peer, "App.twice"), counted(peer, "App.fails")
    for spelling in ("App.twice", "app.Twice", "App.Twice"):
        assert call(spelling, [1, 2]) == [1, 2, 1, 2]
    assert call("App.Fails", "for the counters")["code"] == "remote_error"
    after = counted(peer, "App.twice")
    assert after["calls"] - before["calls"] == 3 and after["errors"] == {}
    assert (after["service"], after["kind"]) == ("", "sync")
    assert after["received"] - before["received"] == 3 * len(msgpack.packb([1, 2]))
    assert after["sent"] - before["sent"] == 3 * len(msgpack.packb([1, 2, 1, 2]))
    for times in ("wait", "run"):
        buckets = after[times]["buckets"]
        assert [bound for bound, _ in buckets] == list(BOUNDS)
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert number(after[times]) == after["calls"]
        assert after[times]["sum"] > before[times]["sum"] and 0 < after[times]["p50"] <= after[times]["p99"]
    errors = counted(peer, "App.fails")
    assert errors["errors"]["remote_error"] == failed["errors"].get("remote_error", 0) + 1


@pytest.mark.parametrize("path", ["call", "call_fast"])
def test_failures_are_told_with_their_traceback(peer: FastPeer, path: str) -> None:
    text = f"by {path}"
    getattr(peer, path)("App.Fails", text)
    failure = wait_until(lambda: [f for f in peer.call("GoTask.Failures") if f["message"] == text])[0]
    workers = peer.call("GoTask.Status")["workers"]
    assert failure["pid"] in [worker["pid"] for worker in workers]
    assert (failure["method"], failure["code"], failure["type"]) == (
        "App.fails",
        "remote_error",
        "ValueError",
    )
    assert "raise ValueError(text)" in failure["traceback"]
    assert abs(failure["time"] - time.time()) < 60 and 0 < failure["seconds"] < 60


@pytest.mark.parametrize("path", ["send", "send_fast"])
@pytest.mark.parametrize("method", ["App.wait", "App.wait_async"])
def test_a_worker_says_what_it_runs(peer: FastPeer, tmp_path: Path, path: str, method: str) -> None:
    if (path, method) == ("send_fast", "App.wait_async"):
        return  # async methods take no fast path
    go = tmp_path / "go"
    sequence = getattr(peer, path)(method, str(go))
    wait_until(lambda: Path(f"{go}.begun").exists())
    kind = "async" if method.endswith("async") else "sync"

    def worker() -> dict[str, Any]:
        workers = peer.call("GoTask.Status")["workers"]
        return next(w for w in workers if w["kind"] == kind)

    busy = worker()
    assert busy["state"] == "busy" and [running["method"] for running in busy["running"]] == [method]
    assert 0 <= busy["running"][0]["seconds"] < 20
    assert busy["memory"] > 1024 * 1024 and busy["cpu"] > 0 and busy["age"] > 0
    go.touch()
    peer.fast_result(sequence) if path == "send_fast" else peer.result(sequence)
    wait_until(lambda: (worker()["state"], worker()["running"]) == ("idle", []))


# -- what never ran, and what dies ----------------------------------------------------------------------------------------


def test_calls_that_never_ran_are_errors_and_in_no_histogram(peer: FastPeer, tmp_path: Path) -> None:
    before = counted(peer, "App.echo")
    go = tmp_path / "go"
    running = peer.send("App.wait", str(go))
    wait_until(lambda: Path(f"{go}.begun").exists())
    late = peer.send("App.echo", 1, 30, 0)
    assert peer.result(late)["code"] == "deadline_exceeded"
    cancelled = peer.send("App.echo", 2)
    peer.stop(cancelled, 0)
    peer.call("GoTask.Status")  # the broker has read what came before
    go.touch()
    peer.result(running)
    after = wait_until(lambda: (c := counted(peer, "App.echo"))["calls"] == before["calls"] + 2 and c)
    assert (after["errors"], after["cancelled"]) == ({"deadline_exceeded": 1}, before["cancelled"] + 1)
    assert number(after["run"]) == number(before["run"])


def test_quick_calls_that_never_ran_are_errors_and_in_no_histogram(peer: FastPeer, tmp_path: Path) -> None:
    before = counted(peer, "App.echo")
    go = tmp_path / "go"
    running = peer.send("App.wait", str(go))
    wait_until(lambda: Path(f"{go}.begun").exists())
    for reason in (LATE, CANCELLED):
        peer.stop(peer.send_fast("App.Echo", reason), reason)
    peer.send_fast("App.Echo", "too late when it is taken", timeout=1)
    time.sleep(0.05)  # the calls are revoked, and the last one's time is over
    go.touch()
    peer.result(running)
    after = wait_until(lambda: (c := counted(peer, "App.echo"))["calls"] == before["calls"] + 3 and c)
    late = after["errors"]["deadline_exceeded"] - before["errors"].get("deadline_exceeded", 0)
    assert (late, after["cancelled"] - before["cancelled"]) == (2, 1) and number(after["run"]) == number(
        before["run"]
    )


def test_what_a_stream_sends_is_counted(broker: BrokerProcess) -> None:
    assert broker.address is not None
    reader = Exchanger(broker.address)
    assert len(reader.items(reader.stream("App.stream", 5))) == 5
    wait_until(lambda: counted(reader, "App.stream")["calls"])
    assert counted(reader, "App.stream")["sent"] >= 5 * 1000
    reader.close()


def test_an_unknown_method_is_counted_among_others(peer: FastPeer) -> None:
    before = counted(peer, "(other)")["calls"]
    peer.call("App.nothing_of_that_name")
    assert counted(peer, "(other)")["calls"] == before + 1
    assert [f["code"] for f in peer.call("GoTask.Failures")][0] == "method_not_found"


def test_a_death_loses_no_count_and_counts_nothing_twice(peer: FastPeer) -> None:
    before, deaths = counted(peer, "App.echo"), peer.call("GoTask.Status")["counters"]["deaths"]
    dies = counted(peer, "App.dies")
    for n in range(20):
        peer.call_fast("App.echo", n)
    peer.call("App.echo", 1)
    peer.send_fast("App.dies")
    wait_until(lambda: counted(peer, "App.dies")["errors"] != dies["errors"])
    wait_until(
        lambda: "idle" in [w["state"] for w in peer.call("GoTask.Status")["workers"] if w["kind"] == "sync"]
    )
    after, status = counted(peer, "App.echo"), peer.call("GoTask.Status")
    assert after["calls"] - before["calls"] == number(after["run"]) - number(before["run"]) == 21
    assert (
        counted(peer, "App.dies")["errors"]["worker_crashed"] == dies["errors"].get("worker_crashed", 0) + 1
    )
    assert status["counters"]["deaths"]["SIGKILL"] == deaths.get("SIGKILL", 0) + 1


def test_a_reload_loses_no_count(broker: BrokerProcess, peer: FastPeer) -> None:
    peer.call_fast("App.echo", 1)
    before, counters = counted(peer, "App.echo"), peer.call("GoTask.Status")["counters"]
    broker.process.send_signal(signal.SIGHUP)
    wait_until(lambda: peer.call("GoTask.Status")["counters"]["reloads"] == counters["reloads"] + 1)
    wait_until(lambda: len({w["generation"] for w in peer.call("GoTask.Status")["workers"]}) == 1)
    assert counted(peer, "App.echo")["calls"] == before["calls"]


def test_what_waits_is_told(peer: FastPeer, tmp_path: Path) -> None:
    go = tmp_path / "go"
    sequences = [peer.send("App.wait", str(go)) for _ in range(8)]
    status = wait_until(lambda: (told := peer.call("GoTask.Status"))["queued_oldest"] > 0 and told)
    assert status["queued"] > 0 and status["queued_bytes"] > status["queued"]
    go.touch()
    for sequence in sequences:
        peer.result(sequence)
    status = peer.call("GoTask.Status")
    assert (status["queued"], status["queued_bytes"], status["queued_oldest"]) == (0, 0, 0.0)


# -- without a broker ---------------------------------------------------------------------------------------------------


def told(counts: Counts) -> dict[str, Any]:
    ((method,), _) = status(counts)
    return method


def status(counts: Counts) -> tuple[list[dict[str, Any]], Percentiles]:
    """All its steps at once."""

    def steps() -> Generator[None, None, None]:
        found.append((yield from counts.status(lambda method: method)))

    found: list[tuple[list[dict[str, Any]], Percentiles]] = []
    deque(steps(), maxlen=0)
    return found[0]


def test_percentiles_are_those_of_the_last_minute() -> None:
    counts = Counts()
    slow = counts.of("(other)")
    for _ in range(100):
        slow.answered(1.0, 500_000, 1, 1)
    assert 0.25 < told(counts)["run"]["p50"] <= 0.53
    for _ in range(13):
        deque(counts.snapshot(), maxlen=0)
    assert told(counts)["run"]["p50"] == 0.0 and status(counts)[1] == {}
    for _ in range(100):
        slow.answered(1.0, 5, 1, 1)
    assert 4e-6 <= told(counts)["run"]["p50"] <= 8e-6 and number(told(counts)["run"]) == 200


@pytest.mark.parametrize("micros", [0, 1, 2, 3, 1000, 1023, 1024, 10**6, 2**40])
def test_a_time_is_in_the_bucket_that_its_bound_says(micros: int) -> None:
    counts = Counts()
    counts.of("(other)").answered(micros / 1e6 + 1e-9, micros, 0, 0)
    place = next(i for i, (_, count) in enumerate(told(counts)["run"]["buckets"]) if count)
    bound = BOUNDS[place]
    assert bound is None or micros / 1e6 < bound
    assert place == 0 or micros / 1e6 >= (BOUNDS[place - 1] or 0)


def test_a_method_that_a_reload_takes_away_keeps_its_counts() -> None:
    counts = Counts()
    gone = Counters(memoryview(bytearray(SIZE)))
    gone.add(gone.row("App.gone"), 1, 1000, 1000, 1, 2)
    counts.living.append(gone)
    assert told(counts)["name"] == "App.gone"
    counts.retire(gone)
    assert (told(counts)["name"], told(counts)["calls"]) == ("App.gone", 1)
    assert counts.spelled("whatever").name == "(other)"


def test_what_was_looked_at_before_is_not_added_again() -> None:
    counts = Counts()
    counters = Counters(memoryview(bytearray(SIZE)))
    counts.living.append(counters)
    for calls in range(1, 41):  # in cells of their own, more than are compared at a time
        row = counters.row("App.echo")
        counters.add(row, calls, 1000 << calls, 1000, 1, 2)
        counters.failed(row, "remote_error")
        for _ in range(2):
            method = told(counts)
            assert (method["calls"], method["errors"]) == (calls, {"remote_error": calls})
            assert (method["received"], method["sent"], number(method["run"])) == (calls, 2 * calls, calls)


@pytest.mark.parametrize("read", ["_cells", "_names"])
def test_what_is_counted_of_a_new_method_while_the_broker_looks_is_counted(
    monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    counters = Counters(memoryview(bytearray(SIZE)))
    reads = getattr(counters, read)

    def count_meanwhile() -> Any:
        found = reads()
        monkeypatch.undo()
        counters.add(counters.row("App.new"), 1, 1000, 0, 1, 1)
        return found

    monkeypatch.setattr(counters, read, count_meanwhile)
    counts = Counts()
    counts.living.append(counters)
    status(counts)
    assert (told(counts)["name"], told(counts)["calls"]) == ("App.new", 1)


def test_more_methods_and_more_times_than_there_is_room_for_are_counted_all_the_same() -> None:
    counters = Counters(memoryview(bytearray(SIZE)))
    for method in range(ROWS + 40):
        for n in range(CELLS // ROWS + 10):
            counters.add(counters.row(f"App.m{method}"), n, 1000 << n % 40, 1000 << n % 7, 1, 2)
        counters.failed(counters.row(f"App.m{method}"), CODES[method % len(CODES)])
    each = CELLS // ROWS + 10
    by_method: dict[str, int] = {}
    for name, _, _, (calls, _, _, received, sent) in counters.cells():
        assert (received, sent) == (calls, 2 * calls)
        by_method[name] = by_method.get(name, 0) + calls
    assert by_method.pop("") == 41 * each and set(by_method.values()) == {each}
    assert sum(sum(errors.values()) for _, _, errors in counters.errors()) == ROWS + 40


def test_a_call_is_counted_in_one_copy_so_that_who_reads_meanwhile_never_finds_less() -> None:
    class Memory(bytearray):
        copied = 0

        def __setitem__(self, place: Any, content: Any) -> None:
            before = bytes(self)
            super().__setitem__(place, content)
            assert before != bytes(self)
            self.copied += 1

    memory = Memory(SIZE)
    counters = Counters(memoryview(memory))
    row = counters.row("App.echo")
    for number in range(1, 4):
        counters.add(row, number, 1000, 1000, 1, 2)
    assert memory.copied == 3
    assert [counts for *_, counts in counters.cells()] == [(3, 3000, 3000, 3, 6)]


def test_a_call_that_was_counted_is_known_by_its_number() -> None:
    counters = Counters(memoryview(bytearray(SIZE + 8)), 8)
    counters.add(counters.row("App.a"), 7, 1000, 1000, 1, 2)
    counters.add(counters.row("App.b"), 2**63, 1000, 1000, 1, 2)
    assert [counters.has_counted(number) for number in (6, 7, 2**63)] == [False, True, True]
    counters.add(counters.row("App.a"), 8, 1000, 1000, 1, 2)
    assert [counters.has_counted(number) for number in (7, 8)] == [False, True]


@pytest.mark.parametrize("content", [b"\xff" * 8, b"garbage!", bytes(range(1, 72))])
def test_what_a_worker_has_written_over_its_counters_does_no_harm(content: bytes) -> None:
    counts = Counts()
    counters = Counters(memoryview(bytearray(content * (SIZE // len(content) + 1))[:SIZE]))
    counts.living.append(counters)
    counts.of("App.echo").answered(0.1, 1, 2, 3)
    deque(counts.snapshot(), maxlen=0)
    counters.has_counted(1)
    counts.retire(counters)
    methods, _ = status(counts)
    assert encode(MSGPACK, methods) and ("App.echo", 1) in [(each["name"], each["calls"]) for each in methods]


def test_a_flood_of_failures_keeps_a_few() -> None:
    failures = Failures()
    for n in range(1000):
        if failures.has_room():
            failures.add("App.x", RemoteError(f"the {n}th", type="ValueError").body(), 7, 0.1)
    told = failures.told()
    assert A_SECOND <= len(told) <= 2 * A_SECOND < MOST
    assert told[-1]["message"] == "the 0th"


def test_the_code_of_an_error_is_read_without_decoding_it() -> None:
    for error in BY_CODE.values():
        assert code_of(error("why", {"code": "other"}).body()) == error.code
    assert code_of(RemoteError("why", type="T").body()) == "remote_error"
    assert code_of(b"a plain text") == code_of(b'{"code": "of somebody else"}') == "remote_error"
    assert code_of(Overloaded("x").body() + b"\xff") == "overloaded"
