"""Streams out: what a generator yields, in both kinds of workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gotask.wire import frames as wire
from gotask.wire.exchange import ANSWER, CREDIT, END, ITEMS, MAX_ITEMS, PROGRESS, WINDOW

from .exchanges import Exchanger, exchanger, lines
from .peer import APPS, BrokerProcess, Peer, serving

both = pytest.mark.parametrize("kind", ["", "async_"], ids=["sync", "async"])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("streams"), APPS / "exchanges.py", "--max-payload", "2000000")


@pytest.fixture
def peer(broker: BrokerProcess) -> Iterator[Exchanger]:
    yield from exchanger(broker)


@both
@pytest.mark.parametrize("count", [0, 1, 3, 10_000, 300_000])
def test_all_that_is_yielded_comes_in_order_and_then_the_outcome(
    peer: Exchanger, kind: str, count: int
) -> None:
    sequence = peer.stream(f"App.{kind}rows", count)
    assert peer.items(sequence) == list(range(count))
    assert peer.result(sequence) == (None if kind else "all")


@both
def test_quick_rows_share_messages_which_have_a_bound(peer: Exchanger, kind: str) -> None:
    sequence = peer.stream(f"App.{kind}rows", 20_000, 100)
    count = 0
    while sequence not in peer.replies:
        peer.read()
        for frame in peer.messages.pop(sequence, []):
            assert len(frame.payload) <= MAX_ITEMS + 5
            peer.say(sequence, CREDIT, len(frame.payload))
            count += 1
    assert count < 1000


@both
def test_large_elements_travel_alone_and_in_order(peer: Exchanger, kind: str) -> None:
    sequence = peer.stream(f"App.{kind}rows", 30, 200_000)
    rows = peer.items(sequence)
    assert [row["id"] for row in rows] == list(range(30)) and {len(row["text"]) for row in rows} == {200_000}


@both
def test_without_credit_it_waits_at_the_window(peer: Exchanger, kind: str) -> None:
    sequence = peer.stream(f"App.{kind}rows", 100_000, 100)

    def got() -> int:
        return sum(len(frame.payload) for frame in peer.messages[sequence])

    while got() < WINDOW:
        peer.read()
    for _ in range(20):
        assert peer.call("App.async_pid") and got() <= WINDOW + MAX_ITEMS + 5
    assert len(peer.items(sequence)) == 100_000


@both
@pytest.mark.parametrize("what", ["list", "tuple", "range"])
def test_whatever_has_elements_is_streamed(peer: Exchanger, kind: str, what: str) -> None:
    sequence = peer.stream(f"App.{kind}some", what)
    assert peer.items(sequence) == {"list": [1, 2], "tuple": [1, 2], "range": [0, 1, 2]}[what]
    assert peer.result(sequence) is None


def test_an_async_method_may_return_a_generator_whose_result_counts(peer: Exchanger) -> None:
    sequence = peer.stream("App.async_some", "rows")
    assert peer.items(sequence) == [0, 1, 2] and peer.result(sequence) == "all"


@both
@pytest.mark.parametrize("what", ["none", "dict", "text"])
def test_what_has_none_is_an_error(peer: Exchanger, kind: str, what: str) -> None:
    sequence = peer.stream(f"App.{kind}some", what)
    error = peer.result(sequence)
    assert error["code"] == "invalid_result" and "has no elements to stream" in error["message"]
    assert not peer.messages[sequence]


@both
def test_a_generator_for_who_wants_one_result_is_an_error_that_names_stream(
    peer: Exchanger, kind: str
) -> None:
    error = peer.result(peer.begin(f"App.{kind}rows", 3))
    assert error["code"] == "invalid_result" and "stream()" in error["message"]


def test_an_element_is_sent_as_it_was_when_it_was_yielded(peer: Exchanger) -> None:
    assert peer.items(peer.stream("App.mutable")) == [{"id": index} for index in range(100)]


@both
def test_no_element_waits_while_the_method_works_on_the_next(peer: Exchanger, kind: str) -> None:
    # Quick ones first, so that elements are gathered when the long pause comes.
    gaps = [0.0] * 2000 + [0.0, 30.0]
    sequence = peer.stream(f"App.{kind}slow_rows", gaps)
    assert len(peer.items(sequence, 2002)) == 2002
    peer.cancel(sequence)


@both
def test_an_exception_in_the_middle_comes_after_the_elements_before_it(peer: Exchanger, kind: str) -> None:
    sequence = peer.stream(f"App.{kind}bad_rows", 1000, "raise")
    assert peer.items(sequence) == list(range(1000))
    error = peer.result(sequence)
    assert (error["code"], error["type"], error["message"]) == ("remote_error", "ValueError", "no more")
    assert f"in {kind}bad_rows" in error["where"]


@both
def test_an_element_that_cant_be_sent_ends_the_stream_after_those_before_it(
    peer: Exchanger, kind: str
) -> None:
    sequence = peer.stream(f"App.{kind}bad_rows", 1000, "object")
    assert peer.items(sequence) == list(range(1000))
    error = peer.result(sequence)
    assert error["code"] == "invalid_result" and error["message"].startswith(
        f"App.{kind}bad_rows yielded what can't be sent: element is an object"
    )


@both
def test_an_element_above_the_limit_ends_the_stream_though_the_method_works_on(
    peer: Exchanger, kind: str
) -> None:
    sequence = peer.stream(f"App.{kind}bad_rows", 200, "large")
    assert peer.items(sequence) == list(range(200))
    error = peer.result(sequence)
    assert error["code"] == "invalid_result" and "above the limit of 2000000" in error["message"]


@both
def test_progress_above_the_limit_is_an_error_of_its_method_also_where_it_would_be_sent_later(
    peer: Exchanger, kind: str
) -> None:
    pid = peer.call("App.pid")
    sequence = peer.begin(f"App.{kind}large_progress", flags=wire.WANTS_PROGRESS)
    assert len(peer.progress(sequence)) >= 16
    assert peer.result(sequence)["type"] == "gotask.errors.PayloadTooLarge"
    assert peer.call("App.pid") == pid


@both
def test_what_came_stays_when_its_worker_is_killed(peer: Exchanger, kind: str) -> None:
    sequence = peer.stream(f"App.{kind}bad_rows", 1000, "kill")
    assert peer.items(sequence) == list(range(1000))
    assert peer.result(sequence)["code"] == "worker_crashed"


@both
@pytest.mark.parametrize("rows", [10, 10_000], ids=["works", "waits for credit"])
@pytest.mark.parametrize("end", ["cancel", "disconnect"])
def test_who_stops_reading_has_the_generator_closed(
    broker: BrokerProcess, peer: Exchanger, tmp_path: Path, kind: str, rows: int, end: str
) -> None:
    path = tmp_path / "notes"
    assert broker.address is not None
    reader = Exchanger(broker.address)
    sequence = reader.stream(f"App.{kind}cleaning", str(path), rows, 0.01)
    assert len(reader.items(sequence, 10, credit=False)) >= 10
    if rows == 10:
        assert lines(path, 1) == ["working"]
    if end == "cancel":
        reader.cancel(sequence)
    else:
        reader.close()
    assert lines(path, 2 if rows == 10 else 1)[-1] == "closed"
    assert peer.call("App.pid") and peer.call("App.async_pid")
    if end == "cancel":
        assert reader.call("App.echo", 1) == 1, "its connection goes on"


@both
def test_a_deadline_ends_a_stream_that_nobody_reads(peer: Exchanger, tmp_path: Path, kind: str) -> None:
    assert peer.call(f"App.{kind}pid")  # a worker is there, also after a test that has killed it
    path = tmp_path / "notes"
    sequence = peer.begin(
        f"App.{kind}cleaning", str(path), 10_000, 1.0, flags=wire.WANTS_ITEMS, remaining=300
    )
    assert peer.result(sequence)["code"] == "deadline_exceeded"
    assert lines(path, 1) == ["closed"]


def test_many_async_streams_run_at_the_same_time(peer: Exchanger) -> None:
    sequences = [peer.stream("App.async_slow_rows", [0.01] * 10) for _ in range(50)]
    for sequence in sequences:
        assert len(peer.items(sequence)) == 10


def test_a_generator_that_awaits_nothing_lets_other_calls_of_its_loop_have_their_turn(
    peer: Exchanger,
) -> None:
    sequence = peer.stream("App.async_rows", 1_000_000)
    other = peer.send("App.async_pid", [])
    while other not in peer.replies:
        peer.read()
    assert sum(len(frame.payload) for frame in peer.messages[sequence]) < WINDOW
    peer.cancel(sequence)


def test_json_is_streamed_too_and_raw_in_messagepack(peer: Exchanger) -> None:
    for codec, body, expected in ((wire.JSON, b"3", b"["), (wire.RAW, b"3", b"\x91")):
        sequence = peer.send_raw(
            "App.echo" if codec == wire.RAW else "App.rows", body, codec, 0, wire.WANTS_ITEMS
        )
        peer_reply = peer.reply(sequence)
        if codec == wire.RAW:
            assert peer_reply.flags & wire.ERROR  # bytes have no elements
            continue
        assert [frame.flags for frame in peer.messages[sequence]] == [wire.JSON] * len(
            peer.messages[sequence]
        )
        assert peer.messages[sequence][0].payload.startswith(expected)


@pytest.mark.parametrize("flag", [wire.WANTS_ITEMS, wire.WANTS_PROGRESS, wire.HAS_INPUT])
def test_a_notification_can_have_none_of_it(peer: Exchanger, flag: int) -> None:
    error = peer.result(peer.send("App.rows", 3, 0, flag | wire.NOTIFY))
    assert error["code"] == "invalid_request" and "NOTIFY" in error["message"]


def test_a_peer_that_has_not_said_hello_can_have_none_of_it(broker: BrokerProcess, peer: Exchanger) -> None:
    assert broker.address is not None
    plain = Peer(broker.address, hello=False)
    assert b"Hello" in plain.reply(plain.send("App.rows", 3, 0, wire.WANTS_ITEMS)).payload
    plain.socket.sendall(wire.encode(wire.MSGPACK, (9, CREDIT, 5), b"", wire.STREAM))
    assert b"Hello" in plain.reply(9).payload
    assert plain.call("App.echo", 1) == 1


@both
@pytest.mark.parametrize(
    ("what", "number", "body", "flags"),
    [
        (CREDIT, 2**32 - 1, b"", wire.MSGPACK),  # more than has been sent
        (ITEMS, 1, b"\x91\x01", wire.MSGPACK),
        (END, 0, b"", wire.MSGPACK),
        (ANSWER, 1, b"\xc0", wire.MSGPACK),
        (PROGRESS, 0, b"\xc0", wire.MSGPACK),
        (0, 0, b"", wire.MSGPACK),
        (2**32 - 1, 0, b"", wire.MSGPACK),
        (CREDIT, 0, b"", wire.RAW),
        (CREDIT, 0, b"", 0),
    ],
)
def test_what_nothing_has_asked_for_closes_that_connection_alone(
    broker: BrokerProcess, peer: Exchanger, kind: str, what: int, number: int, body: bytes, flags: int
) -> None:
    assert broker.address is not None
    bad = Exchanger(broker.address)
    sequence = bad.stream(f"App.{kind}rows", 100_000, 100)
    other = peer.stream("App.async_rows", 1000)
    while sequence not in bad.messages or len(bad.messages[sequence]) < 2:
        bad.read()
    bad.say(sequence, what, number, body, flags)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            bad.read()
    assert len(peer.items(other)) == 1000


@both
def test_messages_to_calls_that_are_none_of_its_own_are_nothing(
    broker: BrokerProcess, peer: Exchanger, kind: str
) -> None:
    assert broker.address is not None
    other = Exchanger(broker.address)
    sequence = peer.stream(f"App.{kind}rows", 50_000, 10)
    first = peer.items(sequence, 1)
    for what in (CREDIT, ITEMS, END, ANSWER):
        other.say(sequence + 1000, what, 1, b"\x91\x01")  # unknown, and of another connection
    assert other.call("App.async_pid")
    assert len(first) + len(peer.items(sequence)) == 50_000
    for what in (CREDIT, ITEMS, END, ANSWER):
        peer.say(sequence, what, 1, b"\x91\x01")  # of a call that is over
    assert peer.call("App.async_pid")
