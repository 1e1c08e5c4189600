"""One peer's connection, without a socket: what it may have waiting and unread, and that others have their turn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gotask.broker import arrivals as arrivals_module
from gotask.broker.arrivals import Arrivals
from gotask.broker.broker import MAX_BODY, Broker
from gotask.broker.connection import MAX_UNREAD_BYTES, MAX_UNREAD_LARGE, Connection
from gotask.broker.log import Log
from gotask.broker.call import TOLD, WAITING, Call
from gotask.broker.sending import MOST_SEGMENTS
from gotask.config import parse_arguments
from gotask.ipc.segment import Segment
from gotask.wire import frames as wire
from gotask.wire.exchange import CALL
from gotask.wire.names import Catalogue

MIB = 1024 * 1024


class Transport(asyncio.Transport):
    """Counts what is written. With `reads` off the peer takes nothing of it."""

    def __init__(self, connection: Connection, reads: bool, over: socket.socket | None) -> None:
        super().__init__({"socket": over})
        self.connection = connection
        self.reads = reads
        self.paused = False
        self.closed = False
        self.written = 0
        self.counts_only = False
        self.replies: list[wire.Frame] = []
        self._decoder = wire.Decoder()

    def write(self, data: Any) -> None:
        self.written += len(data)
        if not self.counts_only:
            self.replies += [event for event in self._decoder.feed(data) if isinstance(event, wire.Frame)]
        if not self.reads:
            self.connection.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def broker(loop: asyncio.AbstractEventLoop) -> Broker:
    return make_broker(loop)


def make_broker(loop: asyncio.AbstractEventLoop) -> Broker:
    config = parse_arguments(["app.py", "--workers", "1", "--address", "tcp://127.0.0.1:1"], {}, "0")
    made = Broker(config, Log("error", False), loop, lambda workers: None, lambda reason: None)
    made.ready = True
    return made


def connect(
    broker: Broker, reads: bool = True, over: socket.socket | None = None
) -> tuple[Connection, Transport]:
    """over: a connection of the network."""
    connection = Connection(broker)
    transport = Transport(connection, reads, over)
    connection.connection_made(transport)
    return connection, transport


def receive(connection: Connection, data: bytes) -> None:
    """As the loop does it."""
    while data:
        buffer = connection.get_buffer(-1)
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        connection.buffer_updated(count)
        data = data[count:]


def calls(method: bytes, count: int, body: bytes = b"\xc0") -> bytes:
    return b"".join(
        wire.encode(wire.MSGPACK, (sequence + 1, len(method)), method + body) for sequence in range(count)
    )


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """What is due now, and nothing else."""
    loop.call_soon(loop.stop)
    loop.run_forever()


@pytest.mark.parametrize("method", [b"GoTask.Status", b"App.nope", b"GoTask.Hello"])
def test_who_sends_much_in_one_piece_gives_others_their_turn(
    broker: Broker, loop: asyncio.AbstractEventLoop, method: bytes
) -> None:
    broker._catalogue = Catalogue([{"name": f"Service{number}.method"} for number in range(200)])
    flood, flooded = connect(broker)
    other, answered = connect(broker)
    receive(flood, calls(method, 2000))
    assert 0 < len(flooded.replies) < 2000 and flooded.paused
    receive(other, calls(b"GoTask.Ping", 1))
    assert len(answered.replies) == 1
    while len(flooded.replies) < 2000:
        turn(loop)
    assert [frame.options[0] for frame in flooded.replies] == list(range(1, 2001))
    assert not flooded.paused


def test_answers_that_are_asked_for_in_one_piece_and_not_read_are_bounded(
    broker: Broker, loop: asyncio.AbstractEventLoop
) -> None:
    broker._catalogue = Catalogue(
        [{"name": f"Service{number}.method", "doc": "what it does " * 10} for number in range(300)]
    )
    connection, transport = connect(broker, reads=False)
    receive(connection, calls(b"GoTask.Methods", 5000))
    for _ in range(20):
        turn(loop)
    reply = transport.written
    assert reply > 40_000
    assert broker.unread <= MAX_UNREAD_BYTES + reply and transport.paused
    transport.reads = True
    connection.resume_writing()
    while transport.written < 5000 * reply:
        turn(loop)
    assert broker.unread == 0 and not transport.paused


def test_a_peer_that_reads_as_quickly_as_is_written_gives_others_their_turn(
    broker: Broker, loop: asyncio.AbstractEventLoop
) -> None:
    connection, transport = connect(broker)
    size = 256 * MIB
    reply = bytearray(wire.encode_header(wire.RAW, (1, 1), size)) + bytearray(size)
    transport.counts_only = True
    assert connection.answer(outstanding(connection, 1), memoryview(reply), Segment(1))
    assert 0 < transport.written < len(reply)
    connection.answer(outstanding(connection, 2), wire.encode(wire.RAW, (2, 1), b"m"))
    while transport.written < len(reply) + 21:
        turn(loop)
    assert broker.unread == 0


def test_a_ping_is_given_back_as_it_is(broker: Broker) -> None:
    connection, transport = connect(broker)
    body = b"[" * 1000 + b"this is no JSON"
    receive(connection, wire.encode(wire.JSON, (1, 11), b"GoTask.Ping" + body))
    receive(connection, wire.encode(wire.JSON, (2, 11, 500, 0), b"GoTask.Ping" + body * 100))
    first, second = transport.replies
    assert (first.flags, first.options, first.payload) == (wire.JSON, (1, 11), b"GoTask.Ping" + body)
    assert (second.flags, second.options, second.payload) == (wire.JSON, (2, 11), b"GoTask.Ping" + body * 100)


def test_only_a_small_hello_is_decoded(broker: Broker) -> None:
    connection, transport = connect(broker)
    for sequence, size in ((1, MAX_BODY), (2, MAX_BODY + 1), (3, 100_000)):
        body = b'{"protocol": 1}'.ljust(size)
        receive(connection, wire.encode(wire.JSON, (sequence, 12), b"GoTask.Hello" + body))
    small, large, larger = transport.replies
    assert not small.flags & wire.ERROR
    for reply in (large, larger):
        assert json.loads(reply.payload[12:])["code"] == "payload_too_large"
    receive(connection, wire.encode(wire.JSON, (4, 14), b"GoTask.Methods" + b"[" * 1000))
    assert not transport.replies[-1].flags & wire.ERROR


def outstanding(connection: Connection, sequence: int) -> Call:
    frame = wire.parse(wire.encode(wire.RAW, (sequence, 1), b"m"))
    call = Call(connection, sequence, b"m", frame, None, 0.0, 0.0)
    connection._calls[sequence] = call
    return call


def test_large_results_that_nobody_reads_are_bounded(broker: Broker) -> None:
    connection, transport = connect(broker, reads=False)
    connection.structured = True
    result = bytearray(wire.encode_header(wire.RAW, (1, 1), 64 * MIB)) + bytearray(64 * MIB + 1)
    kept = 0
    for sequence in range(1, 20):
        segment = Segment(1)
        if connection.answer(outstanding(connection, sequence), memoryview(result), segment):
            kept += 1
        else:
            segment.close()  # as whoever made it does
    assert kept == MAX_UNREAD_LARGE // (64 * MIB) + 1
    assert MAX_UNREAD_LARGE < broker.unread <= MAX_UNREAD_LARGE + 65 * MIB
    # Small ones, and the errors, are told once it reads.
    assert connection.answer(outstanding(connection, 100), wire.encode(wire.RAW, (100, 1), b"m"))
    connection.connection_lost(None)
    assert broker.unread == 0


def test_small_messages_that_nobody_reads_are_bounded_too(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An async method may call back a million times."""
    monkeypatch.setattr("gotask.broker.connection.MAX_UNREAD_LARGE", MIB)
    connection, _ = connect(broker, reads=False)
    connection.structured = True
    call = outstanding(connection, 1)
    message = wire.encode(wire.MSGPACK, (1, CALL, 1), bytes(1000), wire.STREAM)
    for _ in range(3000):
        if call.outcome is WAITING:
            connection.message(call, message)
            connection.flush()
    assert call.outcome is TOLD and MIB < broker.unread < MIB + 3000
    connection.connection_lost(None)


def test_a_closed_connection_keeps_no_message(broker: Broker) -> None:
    connection, _ = connect(broker)
    connection.structured = True
    connection.connection_lost(None)
    segment = Segment(100_000)
    connection.message(outstanding(connection, 1), segment.view, segment)
    assert segment.fd < 0 and broker.unread == 0


def test_large_results_that_nobody_reads_hold_few_descriptors(
    broker: Broker, loop: asyncio.AbstractEventLoop
) -> None:
    connection, transport = connect(broker, reads=False)
    segments = []
    for sequence in range(1, 101):
        frame = wire.encode(wire.RAW, (sequence, 1), b"m" + bytes([sequence]) * 100_000)
        segment = Segment(len(frame))
        segment.write([frame])
        assert connection.answer(outstanding(connection, sequence), segment.view, segment)
        segments.append(segment)
    assert sum(segment.fd >= 0 for segment in segments) == MOST_SEGMENTS
    transport.reads = True
    connection.resume_writing()
    while len(transport.replies) < 100:
        turn(loop)
    assert [frame.payload for frame in transport.replies] == [
        b"m" + bytes([sequence]) * 100_000 for sequence in range(1, 101)
    ]
    assert all(segment.fd < 0 for segment in segments)


def test_who_reads_keeps_its_large_results_whatever_others_leave_unread(
    broker: Broker, loop: asyncio.AbstractEventLoop
) -> None:
    broker.unread = 2**40
    connection, transport = connect(broker)
    reply = wire.encode(wire.RAW, (1, 1), b"m" + bytes(MIB))
    assert connection.answer(outstanding(connection, 1), memoryview(reply), Segment(1))
    while not transport.replies:
        turn(loop)
    assert transport.replies[0].payload == b"m" + bytes(MIB)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_call_is_cancelled_also_where_its_caller_closes_at_once_while_it_is_written_to(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write fails before what the caller sent has been read."""
    made = asyncio.new_event_loop() if kind == "asyncio" else pytest.importorskip("uvloop").new_event_loop()
    broker = make_broker(made)
    cancelled: list[Call] = []
    monkeypatch.setattr(broker, "cancelled", cancelled.append)
    ours, theirs = socket.socketpair()

    async def scene() -> Call:
        connection = Connection(broker)
        await made.connect_accepted_socket(lambda: connection, ours)
        connection.structured = True
        call = outstanding(connection, 1)
        theirs.send(wire.encode(wire.CONTROL, (1,), b"", wire.STOP))
        theirs.close()
        connection.message(call, wire.encode(wire.MSGPACK, (1, CALL, 1), b"half", wire.STREAM))
        connection.flush()
        while not connection.is_closed:
            await asyncio.sleep(0)
        return call

    assert [made.run_until_complete(scene())] == cancelled
    made.close()


# -- heartbeats -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def network() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(
        server.getsockname()
    ) as made:
        yield made


def beats(transport: Transport) -> int:
    return sum(frame.stream == wire.PING for frame in transport.replies)


def test_a_caller_on_another_machine_that_waits_is_shown_that_somebody_is_there(
    broker: Broker, network: socket.socket
) -> None:
    connection, transport = connect(broker, over=network)
    connection.structured = True
    connection.look(0.0)
    assert beats(transport) == 0
    outstanding(connection, 1)
    connection.look(5.0)
    assert beats(transport) == 1


def test_a_caller_whose_call_is_on_its_way_for_long_is_shown_so_too(
    broker: Broker, network: socket.socket
) -> None:
    """It hears nothing else until the call is whole; a slow line takes minutes for a large one."""
    connection, transport = connect(broker, over=network)
    connection.structured = True
    receive(connection, begin(100 * MIB))
    for now in range(0, 20, 5):
        receive(connection, bytes(1000))
        connection.look(float(now))
    assert beats(transport) == 4


def test_a_caller_that_is_not_read_from_since_there_is_no_room_is_shown_so_too(
    broker: Broker, network: socket.socket
) -> None:
    for _ in range(4):
        receive(connect(broker)[0], begin(64 * MIB))
    connection, transport = connect(broker, over=network)
    connection.structured = True
    receive(connection, begin(64 * MIB))
    assert transport.paused
    connection.look(0.0)
    assert beats(transport) == 1


# -- what arrives -------------------------------------------------------------------------------------------------------


def begin(size: int) -> bytes:
    """The first bytes of a large call."""
    return wire.encode_header(wire.RAW, (1, 8), size) + b"App.echo"


def test_large_payloads_that_arrive_are_bounded_over_all_connections(broker: Broker) -> None:
    peers = [connect(broker) for _ in range(8)]
    for connection, _ in peers:
        receive(connection, begin(60 * MIB))
    assert [transport.paused for _, transport in peers] == [False] * 4 + [True] * 4
    # One that leaves makes room for the one that has waited longest.
    peers[1][0].connection_lost(None)
    assert [transport.paused for _, transport in peers[4:]] == [False, True, True, True]
    peers[6][0].connection_lost(None)
    peers[0][0].connection_lost(None)
    assert [transport.paused for _, transport in peers[5:8:2]] == [False, True]


def test_a_payload_larger_than_the_room_arrives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals_module, "ROOM", 100)
    arrivals = Arrivals()
    first, second, third = (Reader(arrivals, size) for size in (1000, 10, 1000))
    assert [reader.regulate() for reader in (first, second, third)] == [True, False, False]
    arrivals.leave(first)  # type: ignore[arg-type]
    assert second.reads and not third.reads
    arrivals.leave(second)  # type: ignore[arg-type]
    assert third.reads


def test_who_can_not_read_when_there_is_room_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals_module, "ROOM", 100)
    arrivals = Arrivals()
    first, second, third = (Reader(arrivals, 100) for _ in range(3))
    for reader in (first, second, third):
        reader.regulate()
    second.able = False
    arrivals.leave(first)  # type: ignore[arg-type]
    assert third.reads and not second.reads
    second.able = True
    assert not second.regulate()
    arrivals.leave(third)  # type: ignore[arg-type]
    assert second.reads


class Reader:
    """What `Arrivals` knows of a connection."""

    def __init__(self, arrivals: Arrivals, size: int) -> None:
        self.arrivals = arrivals
        self.size = size
        self.able = True
        self.reads = False

    def regulate(self) -> bool:
        if self.able:
            self.reads = self.arrivals.enter(self, self.size)  # type: ignore[arg-type]
        return self.reads


@pytest.mark.parametrize("size", [1000, 10 * MIB], ids=["small", "large"])
def test_a_frame_that_does_not_go_on_ends_its_connection(broker: Broker, size: int) -> None:
    connection, transport = connect(broker)
    idle, untouched = connect(broker)
    data = begin(size)
    receive(connection, data[:-2])
    for now in (0.0, 29.0):
        connection.look(now)
        idle.look(now)
    receive(connection, data[-2:-1])
    closed = []
    for now in (31.0, 60.0, 62.0):
        connection.look(now)
        idle.look(now)
        closed.append(transport.closed)
    assert closed == [False, False, True] and not untouched.closed


def test_a_slow_payload_ends_while_others_wait_for_room(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(arrivals_module, "time", clock)
    monkeypatch.setattr(arrivals_module, "ROOM", 10 * MIB)
    slow, slowed = connect(broker)
    receive(slow, begin(10 * MIB))
    closed = []
    for now in range(0, 100, 10):
        receive(slow, b"x")
        slow.look(float(now))
        closed.append(slowed.closed)
    assert True not in closed
    other, waiting = connect(broker)
    receive(other, begin(MIB))
    assert waiting.paused
    receive(slow, b"x")
    slow.look(110.0)
    other.look(110.0)
    assert slowed.closed and not waiting.closed
    slow.connection_lost(None)
    assert not waiting.paused
