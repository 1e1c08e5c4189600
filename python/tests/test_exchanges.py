"""Progress, input and calls back, in both kinds of workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

import gotask
from gotask.wire import frames as wire
from gotask.app.context import Job
from gotask.wire.exchange import ANSWER, CALL, CREDIT, END, ITEMS, WINDOW
from gotask.worker.exchange import Exchange

from .exchanges import Exchanger, exchanger, lines
from .fast import CANCELLED, LATE, FastPeer
from .peer import APPS, BrokerProcess, Peer, serving

both = pytest.mark.parametrize("kind", ["", "async_"], ids=["sync", "async"])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("exchanges"), APPS / "exchanges.py", "--shutdown-timeout", "5")


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[Exchanger]:
    yield from exchanger(broker)


class FastExchanger(Exchanger, FastPeer):
    """The same with a fast socket."""


# -- progress -----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("thread", [False, True], ids=["own thread", "another thread"])
def test_progress_comes_in_order_before_the_outcome(peer: Exchanger, kind: str, thread: bool) -> None:
    sequence = peer.begin(f"App.{kind}convert", 4, thread, flags=wire.WANTS_PROGRESS)
    expected = [[step / 4, f"step {step}", {"step": step}] for step in range(4)]
    assert peer.progress(sequence) == expected
    assert peer.result(sequence) == "done"


@both
@pytest.mark.parametrize("thread", [False, True], ids=["own thread", "another thread"])
def test_of_much_progress_the_newest_is_sent(peer: Exchanger, kind: str, thread: bool) -> None:
    sequence = peer.begin(f"App.{kind}convert", 20_000, thread, flags=wire.WANTS_PROGRESS)
    said = peer.progress(sequence)
    assert 16 < len(said) < 2000 and said[15][1] == "step 15" and said[-1][1] == "step 19999"
    assert [each[2]["step"] for each in said] == sorted(each[2]["step"] for each in said)


def test_the_newest_progress_is_sent_while_the_method_works(peer: Exchanger) -> None:
    sequence = peer.begin("App.progress_then", 100, 60.0, flags=wire.WANTS_PROGRESS)
    while (message := peer.next(sequence)) is not None and message[2][1] != "99":
        pass
    peer.cancel(sequence)


@both
def test_progress_that_nobody_listens_to_is_nothing(peer: Exchanger, kind: str) -> None:
    sequence = peer.begin(f"App.{kind}convert", 1000)
    assert peer.result(sequence) == "done" and not peer.messages[sequence]


# -- input --------------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    "elements", [[], [1], [1, 2, 3], [b"x" * 70_000] * 20, [b"x" * 1000] * 2000], ids=len
)
def test_a_method_reads_what_its_caller_sends(peer: Exchanger, kind: str, elements: list[Any]) -> None:
    sequence = peer.begin(f"App.{kind}total", 5, flags=wire.HAS_INPUT)
    peer.feed(sequence, elements)
    size = sum(element if isinstance(element, int) else len(element) for element in elements)
    assert peer.result(sequence) == 5 + size


@both
def test_a_call_that_does_not_read_gets_nothing_and_one_that_reads_slowly_a_window(
    peer: Exchanger, kind: str
) -> None:
    sequence = peer.begin(f"App.{kind}total", 0, 0.002, flags=wire.HAS_INPUT)
    credit = peer.credit(sequence)
    assert credit == WINDOW
    element = msgpack.packb([b"x" * 8000])
    sent = 0
    while credit > 0:
        peer.say(sequence, ITEMS, 1, element)
        credit -= len(element)
        sent += 1
    credit += peer.credit(sequence)  # once a part of it has been read
    assert 0 < credit < WINDOW
    peer.say(sequence, END)
    assert peer.result(sequence) == sent * 8000
    unread = peer.begin("App.echo", 1, flags=wire.HAS_INPUT)
    assert peer.result(unread) == 1 and not peer.messages[unread]


@both
def test_an_input_that_fails_is_an_exception_after_what_came(peer: Exchanger, kind: str) -> None:
    sequence = peer.begin(f"App.{kind}doubled", flags=wire.HAS_INPUT | wire.WANTS_ITEMS)
    peer.credit(sequence)
    peer.say(sequence, ITEMS, 2, msgpack.packb([1, 2]))
    body = b'{"code": "remote_error", "message": "no more", "type": "PDOException", "where": "Import.php:7"}'
    peer.say(sequence, END, 0, body, wire.JSON | wire.ERROR)
    assert peer.items(sequence, credit=False) == [2, 4]
    error = peer.result(sequence)
    assert (
        error["type"] == "gotask.errors.PhpError"
        and error["message"] == "PDOException: no more (Import.php:7)"
    )


@both
def test_what_is_no_array_is_an_exception_of_the_method(peer: Exchanger, kind: str) -> None:
    for body in (b"\x05", b"\xc1"):
        sequence = peer.begin(f"App.{kind}total", 0, flags=wire.HAS_INPUT)
        peer.credit(sequence)
        peer.say(sequence, ITEMS, 1, body)
        assert peer.result(sequence)["code"] == "remote_error"


@both
def test_a_caller_that_sends_more_than_it_may_is_cut_off(
    broker: BrokerProcess, peer: Exchanger, kind: str
) -> None:
    assert broker.address is not None
    for bad in ("more", "after the end"):
        rough = Exchanger(broker.address)
        sequence = rough.begin(f"App.{kind}total", 0, 0.5, flags=wire.HAS_INPUT)
        credit = rough.credit(sequence)
        element = msgpack.packb([b"x" * 60_000])
        with pytest.raises((EOFError, ConnectionError)):
            rough.say(sequence, ITEMS, 1, element)
            if bad == "after the end":
                rough.say(sequence, END)
            while credit > -1_000_000:
                rough.say(sequence, ITEMS, 1, element)
                credit -= len(element)
            while True:
                rough.read()
    assert peer.call("App.async_pid")


def test_messages_with_nothing_in_them_go_no_further(broker: BrokerProcess) -> None:
    """No credit would bound how many of them lie in the broker while the method works."""
    assert broker.address is not None
    peer = Exchanger(broker.address)
    sequence = peer.stream("App.async_slow_rows", [0.0, 0.0])
    assert peer.next(sequence) is not None
    peer.say(sequence, CREDIT, 0)
    assert peer.call("App.echo", 1) == 1
    sequence = peer.begin("App.async_total", 0, flags=wire.HAS_INPUT)
    peer.credit(sequence)
    peer.say(sequence, ITEMS, 0)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            peer.read()


def test_messages_that_a_worker_gets_and_can_do_nothing_with(tmp_path: Path) -> None:
    exchange = Exchange(None, Job(1, 0.0, wire.STRUCTURED, wire.MSGPACK, 1, b"App.ask", b""), 1)  # type: ignore
    large = tmp_path / "large"
    large.write_bytes(wire.encode(wire.MSGPACK, (1, ANSWER, 7), bytes(70_000), wire.STREAM))
    announced = large.stat().st_size.to_bytes(4, "little")
    exchange.receive(wire.encode(wire.MSGPACK, (1, ANSWER, 7), b"\xc0", wire.STREAM), -1)
    fd = os.open(large, os.O_RDWR)
    exchange.receive(announced, fd)
    assert not exchange._answers, "an answer that nobody waits for any more is not kept"
    with pytest.raises(OSError):
        os.fstat(fd)
    fd = os.open(large, os.O_WRONLY)  # which can't be mapped, as where there is no memory left
    exchange.receive(announced, fd)
    assert exchange.is_gone, "what waits for it ends"
    with pytest.raises(OSError):
        os.fstat(fd)


@both
def test_a_method_without_an_input_says_so(peer: Exchanger, kind: str) -> None:
    error = peer.result(peer.begin(f"App.{kind}total", 1))
    assert error["type"] == "RuntimeError" and "sends no input" in error["message"]


@both
def test_a_method_that_keeps_no_durable_calls_says_so(peer: Exchanger, kind: str) -> None:
    error = peer.result(peer.begin(f"App.{kind}total", 1, flags=wire.DURABLE))
    assert error["code"] == "invalid_arguments" and 'executor="celery"' in error["message"]
    error = peer.result(peer.begin(f"App.{kind}total", 1, flags=wire.DURABLE | wire.NOTIFY))
    assert error["code"] == "invalid_request"


# -- calls back ---------------------------------------------------------------------------------------------------------


@both
def test_a_method_calls_its_caller(peer: Exchanger, kind: str) -> None:
    sequence = peer.begin(f"App.{kind}ask", "Config.get", 300)
    count = peer.serve(sequence, lambda name, index, key: [name, index, key])
    assert count == 300 and peer.result(sequence) == [["Config.get", index, "k"] for index in range(300)]


def test_many_calls_back_of_one_async_call_are_there_at_the_same_time(peer: Exchanger) -> None:
    sequence = peer.begin("App.async_ask", "Config.get", 20)
    asked = [peer.next(sequence) for _ in range(20)]
    for message in reversed(asked):
        assert message is not None and message[0] == CALL
        peer.say(sequence, ANSWER, message[1], msgpack.packb(message[2][1][0]))
    assert peer.result(sequence) == list(range(20))


def test_an_answer_wakes_who_waits_for_it_alone(tmp_path: Path) -> None:
    """Were all others woken each time, this would take minutes.

    It has a broker of its own: a worker is killed with its calls where one that another test has left does not end in time,
    and this many keep it from that.
    """
    broker = BrokerProcess(APPS / "exchanges.py", address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    assert broker.address is not None
    peer = Exchanger(broker.address)
    count = 20_000
    sequence = peer.begin("App.async_ask", "Config.get", count)
    asked = [peer.next(sequence) for _ in range(count)]
    for message in asked:
        assert message is not None, peer.result(sequence)
        peer.say(sequence, ANSWER, message[1], b"\xc0")
    assert peer.result(sequence) == [None] * count
    peer.close()
    assert broker.end() == 0


@both
@pytest.mark.parametrize("size", [10, 100_000, 5_000_000])
def test_arguments_and_answers_of_any_size(peer: Exchanger, kind: str, size: int) -> None:
    sequence = peer.begin(f"App.{kind}ask", "x" * size)
    peer.serve(sequence, lambda name, index, key: name)
    assert peer.result(sequence) == ["x" * size]


@both
def test_phps_exception_is_pythons(peer: Exchanger, kind: str) -> None:
    def service(name: str, index: int, key: str) -> None:
        raise ValueError("no such key")

    sequence = peer.begin(f"App.{kind}ask", "Config.get")
    peer.serve(sequence, service)
    error = peer.result(sequence)
    assert error["type"] == "gotask.errors.PhpError" and "ValueError: no such key" in error["message"]
    sequence = peer.begin(f"App.{kind}ask", "Config.nope")
    message = peer.next(sequence)
    assert message is not None
    peer.refuse(sequence, message[1], "method_not_found", message="nothing is registered as Config.nope")
    assert "nothing is registered" in peer.result(sequence)["message"]


@both
@pytest.mark.parametrize("end", ["disconnect", "cancel", "deadline"])
def test_a_wait_for_the_caller_ends_with_it(
    broker: BrokerProcess, peer: Exchanger, tmp_path: Path, kind: str, end: str
) -> None:
    assert broker.address is not None
    path = tmp_path / "notes"
    caller = Exchanger(broker.address)
    pid = caller.call(f"App.{kind}pid")
    sequence = caller.begin(f"App.{kind}ask_and_note", str(path), remaining=200 if end == "deadline" else 0)
    assert caller.next(sequence) is not None
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        pass  # until the worker waits
    if end == "disconnect":
        caller.close()
    elif end == "cancel":
        caller.cancel(sequence)
    else:
        assert caller.result(sequence)["code"] == "deadline_exceeded"
    said = {"disconnect": "ConnectionLost"}.get(end, "CancelledError" if kind else "Interrupted")
    assert lines(path, 2) == [said, "closed"]


def test_another_thread_of_a_sync_method_cant_wait(peer: Exchanger) -> None:
    assert "only the thread that runs a sync method" in peer.result(peer.begin("App.ask_from_thread"))


def test_a_process_that_a_method_has_forked_cant_wait_either(peer: Exchanger) -> None:
    sequence = peer.begin("App.ask_from_child", flags=wire.WANTS_PROGRESS)
    assert "a process that a method has forked" in peer.result(sequence)


@both
def test_a_notification_has_nobody_to_call(peer: Exchanger, broker: BrokerProcess, kind: str) -> None:
    peer.call(f"App.{kind}ask", [["Config.get"], {}], 0, wire.ARGS | wire.NOTIFY)
    assert "ConnectionLost" in broker.logged(f"the notification App.{kind}ask failed")["message"]


@both
def test_a_python_client_refuses_to_be_called_back(broker: BrokerProcess, kind: str) -> None:
    assert broker.address is not None
    with gotask.Client(broker.address) as client:
        with pytest.raises(gotask.RemoteError, match="a Python client, which has no services"):
            client.call(f"App.{kind}ask", "Config.get")
        assert client.call("App.echo", 1) == 1


def test_a_plain_goridge_peer_has_nothing_to_call(broker: BrokerProcess) -> None:
    assert broker.address is not None
    assert "no GoTask client" in Peer(broker.address, hello=False).call("App.ask", "Config.get")


def test_a_fast_call_calls_back_by_the_ordinary_connection(broker: BrokerProcess) -> None:
    assert broker.address is not None
    peer = FastExchanger(broker.address)
    for end in ("answer", "cancel", "late"):
        before, sequence, behind = peer.send_many(("App.echo", 1), ("App.ask", "Config.get"), ("App.echo", 2))
        message = peer.next(sequence)
        assert message is not None and message[0] == CALL
        assert peer.fast_result(before) == 1, "it is not held while its neighbour waits"
        if end == "answer":
            peer.say(sequence, ANSWER, message[1], msgpack.packb("answer"))
            while sequence not in peer.outcomes:
                peer.read()
            assert peer.outcomes[sequence][0].options[2] & wire.SLOW, "its method is none for the fast path"
            assert peer.value(sequence) == ["answer"]
        elif end == "cancel":
            peer.stop(sequence, CANCELLED)
        else:
            peer.stop(sequence, LATE)
            assert peer.ordinary_result(sequence)["code"] == "deadline_exceeded"
        assert peer.fast_result(behind) == 2
    assert peer.call_fast("App.echo", 3) == 3


def test_a_worker_that_is_killed_with_a_fast_call_that_calls_back_leaves_one_outcome(
    broker: BrokerProcess,
) -> None:
    assert broker.address is not None
    peer = FastExchanger(broker.address)
    sequence = peer.send_fast("App.asks_for_its_end", "answered")
    message = peer.next(sequence)
    assert message is not None
    peer.say(sequence, ANSWER, message[1], b"\xc0")
    assert peer.ordinary_result(sequence)["code"] == "worker_crashed"
    assert peer.call("App.echo", 1) == 1


@both
@pytest.mark.parametrize("step", ["before", "called", "answered"])
def test_a_worker_that_is_killed_at_any_step_leaves_one_outcome(
    peer: Exchanger, kind: str, step: str
) -> None:
    sequence = peer.begin(f"App.{kind}asks_for_its_end", step)
    peer.serve(sequence, lambda name, *args: name)
    assert peer.result(sequence)["code"] == "worker_crashed"
    assert peer.call("App.echo", 1) == 1 and peer.call("App.async_pid")


@both
@pytest.mark.parametrize("says", ["streams", "asks"])
def test_a_call_within_which_something_was_said_is_not_made_again(
    peer: Exchanger, tmp_path: Path, kind: str, says: str
) -> None:
    path = tmp_path / "notes"
    flags = wire.WANTS_ITEMS if says == "streams" else 0
    sequence = peer.begin(f"App.{kind}{says}_and_dies", str(path), flags=flags)
    if says == "asks":
        peer.serve(sequence, lambda name: name)
    assert peer.result(sequence)["code"] == "worker_crashed"
    assert lines(path, 1) == ["run"]


def test_an_alarm_of_a_method_cuts_no_message_short(peer: Exchanger) -> None:
    sequence = peer.begin("App.ask_with_alarms", 500)
    assert peer.serve(sequence, lambda name: name) <= 500
    result = peer.result(sequence)
    assert type(result) is int and result > 0, result


def test_a_stream_may_call_back(peer: Exchanger) -> None:
    sequence = peer.stream("App.asks_and_streams", 50)
    rows = []
    while (message := peer.next(sequence)) is not None:
        if message[0] == CALL:
            peer.say(sequence, ANSWER, message[1], msgpack.packb(message[2][1][0]))
        else:
            rows += message[2]
    assert rows == list(range(50))
