"""Calls that go to a worker without the broker."""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gotask.ipc.messages import FAST_BIT, SENT
from gotask.wire import frames as wire
from gotask.wire.frames import LARGE, Frame

from .fast import CANCELLED, GIVEN_BACK, LATE, TAKE_BACK, FastPeer, fast_peer
from .peer import APPS, PACKAGE, BrokerProcess, Peer, serving, wait_until


def started(folder: Path) -> Iterator[BrokerProcess]:
    # Longer than a busy machine keeps a worker from heeding that it is interrupted.
    yield from serving(folder, APPS / "calls.py", "--interrupt-grace", "20", workers=4)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """For what leaves it as it was: its workers, and what they know of methods."""
    yield from started(tmp_path_factory.mktemp("fastpath"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    yield from started(tmp_path)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[FastPeer]:
    """Of the test's own broker, where it has one."""
    yield from fast_peer(request.getfixturevalue("broker" if "broker" in request.fixturenames else "shared"))


def test_a_call_is_answered_on_the_fast_socket(peer: FastPeer) -> None:
    assert peer.hello["fast"] is True
    assert peer.call_fast("App.Hi", "x") == {"hello": "x"}


def test_calls_that_share_a_message_are_answered_each(peer: FastPeer) -> None:
    sequences = peer.send_many(*[("App.Echo", n) for n in range(16)])
    assert [peer.fast_result(sequence) for sequence in sequences] == list(range(16))


def test_the_worker_that_was_busy_last_gets_the_next_call(peer: FastPeer) -> None:
    status = peer.call("GoTask.Status")
    workers = [worker["pid"] for worker in status["workers"] if worker["kind"] == "sync"]

    def next_pid(call: Callable[[str], Any]) -> Any:
        while not all(state(pid) == "S" for pid in workers):  # until the last one waits again
            pass
        return call("App.Pid")

    assert len(workers) == 4
    assert len({next_pid(peer.call_fast) for _ in range(40)}) == 1
    assert len({next_pid(peer.call) for _ in range(40)}) == 1


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("broker")
def test_a_worker_that_dies_leaves_one_outcome_for_each_call_of_its_message(
    peer: FastPeer, tmp_path: Path
) -> None:
    """What was gathered is passed on, what ran has crashed, and what had not begun is given back."""
    trace = str(tmp_path / "trace")
    peer.call_fast("App.Echo", 0)
    first, killed, *rest = peer.send_many(("App.Echo", 1), ("App.Kill", None), ("App.Append", [trace, "x"]))
    assert peer.fast_result(first) == 1  # sent before a method that is not known to be quick
    crash = peer.ordinary_result(killed)
    assert crash["code"] == "worker_crashed" and "App.Kill" in crash["message"]
    assert [peer.ordinary_result(sequence) for sequence in rest] == [GIVEN_BACK]
    assert not Path(trace).exists()
    assert peer.call_fast("App.Echo", 2) == 2


def test_calls_behind_a_slow_one_are_taken_back(peer: FastPeer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    slow, behind = begin(peer, ("App.Sleep", 0.3), ("App.Append", [str(trace), "x"]))
    peer.stop(slow, TAKE_BACK)
    peer.stop(behind, TAKE_BACK)
    assert peer.ordinary_result(behind) == GIVEN_BACK
    assert peer.fast_result(slow) == 0.3
    peer.call_fast("App.Pid")
    assert not trace.exists()


def test_what_nobody_has_taken_is_taken_back_and_never_runs(peer: FastPeer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    slow = [peer.send_fast("App.Sleep", 0.3) for _ in range(4)]
    waiting = peer.send_fast("App.Append", [str(trace), "x"])
    peer.stop(waiting, TAKE_BACK)
    assert peer.ordinary_result(waiting) == GIVEN_BACK
    assert [peer.fast_result(sequence) for sequence in slow] == [0.3] * 4
    assert [peer.call_fast("App.Echo", n) for n in range(8)] == list(range(8))
    assert not trace.exists()


def test_a_call_that_is_begun_as_it_is_revoked_has_its_outcome(tmp_path: Path) -> None:
    """The broker sees it noted before its worker has looked whether it may run."""
    steps = BrokerProcess(
        "tests.apps.steps",
        address=f"unix://{tmp_path}/s.sock",
        cwd=PACKAGE,
        env={"GOTASK_CHAOS": str(tmp_path)},
    )
    steps.wait_for("ready")
    assert steps.address is not None
    peer = FastPeer(steps.address)
    running, begun = tmp_path / "hold-sync-running", tmp_path / "hold-sync-fast-begun"
    running.touch()
    begun.touch()
    _, behind, last = peer.send_many(*[("Sync.fail", name) for name in ("first", "second", "last")])
    wait_until(Path(f"{running}.held").exists)
    peer.stop(behind, TAKE_BACK)
    peer.stop(last, TAKE_BACK)
    peer.call("GoTask.Ping")  # they have been revoked
    steps.process.send_signal(signal.SIGSTOP)
    running.unlink()
    wait_until(Path(f"{begun}.held").exists)
    steps.process.send_signal(signal.SIGCONT)
    time.sleep(0.1)  # it looks again, and there is nothing to be seen of that
    begun.unlink()
    while behind not in peer.outcomes:
        ready = select.select([peer.socket, peer.fast], [], [], 20)[0]
        assert ready, "its outcome is lost"
        peer.read() if peer.socket in ready else peer.receive()
    ran = "second" in (tmp_path / "journal").read_text().split()
    assert ran == (peer.value(behind) != GIVEN_BACK)
    assert steps.end() == 0


def test_the_calls_of_a_fast_socket_that_ends_alone_have_an_outcome_each(
    peer: FastPeer, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    slow = [begin(peer, ("App.Sleep", 0.3))[0] for _ in range(4)]
    waiting = peer.send_fast("App.Append", [str(trace), "x"])
    peer.fast.close()
    for sequence in [*slow, waiting]:
        peer.stop(sequence, TAKE_BACK)
    assert peer.ordinary_result(waiting) == GIVEN_BACK
    assert [peer.ordinary_result(sequence) for sequence in slow] == [0.3] * 4
    assert peer.call("App.Hi", "x") == {"hello": "x"}
    assert not trace.exists()


def test_what_nobody_has_taken_of_a_client_that_is_gone_is_not_run(
    shared: BrokerProcess, peer: FastPeer, tmp_path: Path
) -> None:
    assert shared.address is not None
    other = FastPeer(shared.address)
    slow = [begin(other, ("App.Sleep", 0.3))[0] for _ in range(4)]
    peer.send_fast("App.Append", [str(tmp_path / "trace"), "x"])
    peer.close()
    assert [other.fast_result(sequence) for sequence in slow] == [0.3] * 4
    assert [other.call_fast("App.Echo", n) for n in range(8)] == list(range(8))
    assert not (tmp_path / "trace").exists()


@pytest.mark.usefixtures("broker")
def test_gathered_replies_are_fetched_from_behind_a_call_that_turned_slow(peer: FastPeer) -> None:
    peer.call_fast("App.Sleep", 0)
    wait_until(lambda: not has_begun(peer))
    quick, slow = peer.send_many(("App.Echo", 1), ("App.Sleep", 60))
    wait_until(lambda: has_begun(peer))
    peer.stop(quick, TAKE_BACK)

    def has_come() -> bool:
        """By the ordinary connection; by the fast socket where the first App.Sleep had taken long on a busy machine."""
        peer.call("GoTask.Ping")
        if quick not in peer.outcomes and select.select([peer.fast], [], [], 0)[0]:
            peer.receive()
        return quick in peer.outcomes

    wait_until(has_come)
    assert peer.value(quick) == 1
    peer.stop(slow, CANCELLED)


def test_a_call_that_runs_when_it_is_taken_back_is_not_held_by_a_slow_one_behind_it(tmp_path: Path) -> None:
    """As on a busy machine, where a worker has no processor just before it gathers a reply."""
    app = tmp_path / "app.py"
    app.write_text(
        "import time, gotask, gotask.worker.sync\n"
        "gotask.worker.sync.GATHER_TIME = 100_000_000_000\n"
        "gotask.register(time.sleep, 'sleep')\n"
    )
    with_app = BrokerProcess(app, address=f"unix://{tmp_path}/s.sock")
    try:
        with_app.wait_for("ready")
        assert with_app.address is not None
        peer = FastPeer(with_app.address)
        assert peer.call_fast("sleep", 0) is None
        wait_until(lambda: not has_begun(peer))
        first, slow = peer.send_many(("sleep", 0.2), ("sleep", 60))
        wait_until(lambda: has_begun(peer))
        peer.stop(first, TAKE_BACK)
        wait_until(lambda: bool(peer.call("GoTask.Ping")) and False or first in peer.outcomes)
        assert peer.value(first) is None
        peer.stop(slow, CANCELLED)
    finally:
        with_app.end()


def test_a_late_call_is_interrupted_and_a_waiting_one_does_not_run(peer: FastPeer) -> None:
    (late,) = begin(peer, ("App.Sleep", 20))
    peer.stop(late, LATE)
    error = peer.ordinary_result(late)
    assert error["code"] == "deadline_exceeded" and "interrupted" in error["message"]
    slow = [peer.send_fast("App.Sleep", 0.2) for _ in range(4)]
    waiting = peer.send_fast("App.Pid")
    peer.stop(waiting, LATE)
    error = peer.ordinary_result(waiting)
    assert error["code"] == "deadline_exceeded" and "has not run" in error["message"]
    assert [peer.fast_result(sequence) for sequence in slow] == [0.2] * 4


def test_a_call_whose_time_is_over_when_it_is_taken_is_not_begun(peer: FastPeer) -> None:
    peer.post(peer.frame("App.Pid", None, timeout=1), sent=1)
    assert peer.fast_result(peer.fast_sequence)["code"] == "deadline_exceeded"


def test_a_cancelled_call_is_interrupted_and_nothing_is_said(peer: FastPeer, tmp_path: Path) -> None:
    (cancelled,) = begin(peer, ("App.Sleep", 20))
    peer.stop(cancelled, CANCELLED)
    busy = [peer.send_fast("App.Sleep", 0.05) for _ in range(4)]
    assert [peer.fast_result(sequence) for sequence in busy] == [0.05] * 4
    assert cancelled not in peer.outcomes


def test_a_method_that_does_not_heed_is_killed_with_its_worker(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(STUBBORN)
    with_grace = BrokerProcess(app, "--interrupt-grace", "0.1", address=f"unix://{tmp_path}/s.sock")
    with_grace.wait_for("ready")
    assert with_grace.address is not None
    peer = FastPeer(with_grace.address)
    late = peer.send_many(("quick", None), ("stubborn", str(tmp_path / "begun")))[1]
    assert peer.fast_result(late - 1) is None
    wait_until((tmp_path / "begun").exists)
    peer.stop(late, LATE)
    error = peer.ordinary_result(late)
    assert error["code"] == "deadline_exceeded" and "its worker was killed" in error["message"]
    assert with_grace.end() == 0


STUBBORN = """
import time, gotask

@gotask.register
def quick():
    pass

@gotask.register
def stubborn(begun):
    open(begun, "w").close()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""


# -- counters ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("broker")
def test_status_counts_calls_of_both_paths(peer: FastPeer) -> None:
    for n in range(5):
        peer.call_fast("App.Echo", n)
    peer.fast_result(peer.send_many(*[("App.Sleep", 0.01)] * 3)[-1])
    peer.call("App.Pid")
    wait_until(
        lambda: bool(peer.call("GoTask.Status")["calls"] == 9)
    )  # a reply may be here before its call counts
    status = peer.call("GoTask.Status")
    (service,) = [service for service in status["services"] if service["kind"] == "sync"]
    assert status["calls"] == service["calls"] == sum(worker["calls"] for worker in status["workers"]) == 9
    assert 0.008 <= service["run_p99"] < 5 and 0 < service["wait_p50"] < 5


def test_a_worker_is_replaced_when_it_has_run_its_number_of_fast_calls(tmp_path: Path) -> None:
    limited = BrokerProcess(APPS / "calls.py", "--max-calls", "20", address=f"unix://{tmp_path}/s.sock")
    limited.wait_for("ready")
    assert limited.address is not None
    peer = FastPeer(limited.address)
    first = peer.call_fast("App.Pid")
    for n in range(25):
        assert peer.call_fast("App.Echo", n) in (n, GIVEN_BACK)
    limited.logged("it has run its number of calls")
    wait_until(lambda: peer.call_fast("App.Pid") not in (first, GIVEN_BACK))
    assert limited.end() == 0


# -- what goes by the broker after all --------------------------------------------------------------------------------


def test_a_client_that_does_not_read_its_fast_socket_is_answered_by_the_broker(peer: FastPeer) -> None:
    sequences = [peer.send_fast("App.Zeros", 60_000) for _ in range(12)]
    while not peer.outcomes:
        peer.read()  # what its fast socket has no room for
    while len(peer.outcomes) < len(sequences):
        for ready in select.select([peer.socket, peer.fast], [], [], 20)[0]:
            peer.read() if ready is peer.socket else peer.receive()
    assert all(peer.value(sequence) == bytes(60_000) for sequence in sequences)


def test_replies_that_share_a_message_fit_into_what_clients_receive(peer: FastPeer) -> None:
    """A client receives up to 64 KiB: the kernel cuts off what is beyond, and with it replies of calls that have run."""
    for _ in range(8):
        peer.call_fast("App.Zeros", 33_000)  # it is known to be quick then
    sequences = peer.send_many(*[("App.Zeros", 33_000)] * 4)
    sizes = []
    while len(peer.outcomes) < len(sequences):
        sizes.append(sum(len(frame.raw) for frame in peer.receive()))
    assert max(sizes) <= LARGE
    assert [peer.value(sequence) for sequence in sequences] == [bytes(33_000)] * 4


def test_a_large_result_comes_by_the_broker(peer: FastPeer) -> None:
    assert peer.ordinary_result(peer.send_fast("App.Zeros", 200_000)) == bytes(200_000)


def test_methods_that_are_not_for_here_are_given_back(peer: FastPeer) -> None:
    sequences = peer.send_many(("App.AsyncPid", None), ("App.Nothing", None), ("App.Echo", 1))
    assert [peer.fast_result(sequence) for sequence in sequences] == [GIVEN_BACK, GIVEN_BACK, 1]


def test_a_reply_says_how_long_its_method_took(peer: FastPeer) -> None:
    for call, slow in (("App.Pid", False), ("App.AsyncPid", True)):
        *_, took = peer.reply(peer.send(call, None)).options
        assert (took >> 31 == 1) == slow and took & 0x7FFFFFFF < 10_000_000
    frames: list[Frame] = []
    peer.send_fast("App.Sleep", 0.02)
    while not frames:
        frames = peer.receive()
    assert 20_000 <= frames[0].options[2] < 10_000_000


# -- clients ----------------------------------------------------------------------------------------------------------


def test_a_wrong_or_used_token_is_turned_away(peer: FastPeer, shared: BrokerProcess) -> None:
    assert shared.address is not None
    other = FastPeer(shared.address, open=False)
    invitation = other.invitation()
    with pytest.raises(EOFError):
        other.connect(invitation["path"], "00" * 16)
    other.fast = other.connect(**invitation)
    with pytest.raises(EOFError):
        other.connect(**invitation)
    assert other.call("GoTask.FastPath")["code"] == "invalid_request"
    assert other.call_fast("App.Echo", 1) == 1


def test_what_is_no_message_of_calls_closes_that_fast_socket_alone(
    peer: FastPeer, shared: BrokerProcess
) -> None:
    assert shared.address is not None
    good = peer.frame("App.Echo", 1)
    for message in (
        b"x",
        b"12345678",
        b"12345678" + good[:-1],
        b"12345678" + good[:20],
        b"12345678" + good[:6] + b"0000" + good[10:],
        b"12345678" + wire.encode(wire.MSGPACK, (5, 3, 0, 0), b"App"),
        b"12345678" + wire.encode(wire.MSGPACK, (FAST_BIT + 5, 3, 0, 2), b"App"),
        b"12345678" + wire.encode(wire.MSGPACK, (FAST_BIT + 5, 9, 0, 0), b"App"),
        b"12345678" + wire.encode(wire.CONTROL, (FAST_BIT + 5, 1, 0, 0), b"A", wire.STOP),
        b"12345678" + bytes(60_000),
    ):
        rough = FastPeer(shared.address)
        rough.fast.send(message)
        assert rough.receive() == []
        assert rough.call("App.Echo", 2) == 2
        rough.close()
    assert peer.call_fast("App.Echo", 3) == 3


@pytest.mark.parametrize("seed", range(3))
def test_damaged_messages_harm_their_sender_alone(peer: FastPeer, shared: BrokerProcess, seed: int) -> None:
    """Each is answered, given back, or ends that fast socket; its connection and other clients go on."""
    assert shared.address is not None
    chance = random.Random(seed)
    rough = FastPeer(shared.address)
    for _ in range(40):
        calls = b"".join(rough.frame("App.Echo", chance.randrange(1000)) for _ in range(chance.randint(1, 4)))
        message = bytearray(SENT.pack(time.monotonic_ns()) + calls)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(message) + 1)
            kind = chance.randrange(3)
            if kind == 0:
                message[place : place + 1] = chance.randbytes(1)
            elif kind == 1:
                del message[place:]
            else:
                message[place:place] = chance.randbytes(chance.randint(1, 8))
        if message:
            try:
                rough.fast.send(message)
                is_open = rough.receive() != []
            except (BrokenPipeError, ConnectionResetError):
                is_open = False  # what stood before the damage was answered, and then it was closed
            if not is_open:
                assert rough.call("App.Echo", 1) == 1
                rough.close()
                rough = FastPeer(shared.address)
        assert peer.call_fast("App.Echo", 2) == 2


def test_nothing_is_left_of_clients_that_are_gone(broker: BrokerProcess) -> None:
    assert broker.address is not None
    watcher = Peer(broker.address)
    pids = [broker.process.pid, *(worker["pid"] for worker in watcher.call("GoTask.Status")["workers"])]

    def descriptors() -> list[int]:
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

    before = descriptors()
    clients = [FastPeer(broker.address) for _ in range(10)]
    for client in clients:
        client.call_fast("App.Echo", 1)
    for client in clients:
        client.send_fast("App.Echo", 1)
        client.close()
    wait_until(lambda: descriptors() == before)


def test_a_reload_gives_back_or_runs_each_call(peer: FastPeer, broker: BrokerProcess) -> None:
    """Calls go on meanwhile; the new workers take them afterwards."""
    before = peer.call_fast("App.Pid")
    broker.process.send_signal(signal.SIGHUP)
    pids, given_back = {before}, 0
    until = time.monotonic() + 20
    while len(pids) < 2 and time.monotonic() < until:
        found = peer.call_fast("App.Pid")
        if found == GIVEN_BACK:
            given_back += 1
        else:
            pids.add(found)
    broker.wait_for("reloaded")
    generation = peer.call("GoTask.Status")["generation"]
    workers = peer.call("GoTask.Status")["workers"]
    new = {worker["pid"] for worker in workers if worker["generation"] == generation}
    wait_until(lambda: peer.call_fast("App.Pid") in new)


def test_a_broker_that_ends_answers_what_has_begun(peer: FastPeer, broker: BrokerProcess) -> None:
    slow = peer.send_fast("App.Sleep", 0.3)
    peer.call("App.Pid")
    broker.process.send_signal(signal.SIGTERM)
    assert peer.fast_result(slow) == 0.3


def test_a_child_that_comes_out_of_the_method_answers_nothing(peer: FastPeer) -> None:
    assert peer.call_fast("App.Fork") == 1
    assert peer.call_fast("App.Echo", 2) == 2
    assert peer.outcomes == {}


def begin(peer: FastPeer, *calls: tuple[str, Any]) -> list[int]:
    """Sends calls in one message, the first of which has begun then: a reply is sent once what is not quick has."""
    before, *sequences = peer.send_many(("App.Echo", 0), *calls)
    assert peer.fast_result(before) == 0
    return sequences


def has_begun(peer: FastPeer) -> bool:
    """Whether a worker has begun the first call of a message."""
    return any(service["running"] for service in peer.call("GoTask.Status")["services"])
