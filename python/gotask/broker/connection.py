"""One caller's connection to the broker: frames in, frames out, limits in both directions.

Reading, answering and writing regulate each other, so they are in one file.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from socket import AF_UNIX
from typing import Any, Final, cast

from ..errors import GoTaskError, InvalidRequest, ProtocolError
from ..ipc.messages import GIVEN_BACK
from ..ipc.segment import Segment
from ..wire.frames import (
    CONTROL,
    ERROR,
    JSON,
    LARGE,
    MSGPACK,
    NOTIFY,
    PING,
    PONG,
    STOP,
    STREAM,
    Buffer,
    Decoder,
    Event,
    Frame,
    Oversized,
    encode,
)
from ..wire.names import DESCRIBE, OUTCOME
from . import arrivals, heartbeat
from .access import Credentials, credentials_of
from .answers import accepted_frame, error_frame, too_large, unread
from .broker import Broker
from .call import ACCEPTED, LEFT, TOLD, WAITING, Call, KeyedCall
from .call_frame import what_is_wrong
from .deadlines import CANCELLED, DEADLINE, TAKEN_BACK
from .sending import SendBuffer


# Reading stops while a caller has so much waiting for a worker, and goes on at the half of it.
MAX_WAITING_CALLS: Final = 1024
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024

# And while so many bytes of answers wait for it to read them: what a peer asks for and never takes must not fill the memory.
MAX_UNREAD_BYTES: Final = 1024 * 1024

# With so many bytes of answers unread, no more of the peer's calls are started either: each may add a large one.
MAX_UNREAD_RESULTS: Final = 16 * 1024 * 1024

# The calls that had begun by then still answer. A large result is dropped, and an error told instead, while its caller has more
# than so many bytes unread; or all callers together have so many, and its own more than MAX_UNREAD_RESULTS.
MAX_UNREAD_LARGE: Final = 512 * 1024 * 1024
MAX_UNREAD_OF_ALL: Final = 1024 * 1024 * 1024

# Seconds of the broker's loop that what came from one peer may take at a time, then the others have their turn.
TURN: Final = 0.005

# Seconds that a peer has to take the last answer, and to say goodbye where TLS asks for it.
LINGER: Final = 1.0

MAX_PING: Final = 256

# What the loop receives into, for one connection at a time.
INBOX: Final = memoryview(bytearray(256 * 1024))

# The system method that a worker answers.
_OF_WORKERS: Final = (DESCRIBE.encode(), OUTCOME.encode())

# What a client wants with STOP for a call of its fast socket, by the second option.
_REASONS: Final = (CANCELLED, DEADLINE, TAKEN_BACK)


class Connection(asyncio.BufferedProtocol):
    """Speaks with one peer. Until Hello it is a plain Goridge peer and is told errors as text."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._transport: asyncio.Transport | None = None
        self._decoder = Decoder(broker.config.max_payload, self._allocate)
        self._segments: deque[
            Segment
        ] = deque()  # of large payloads that are arriving, or have and are looked at next
        self._pending: deque[Event] = deque()  # that came, and is handled once it is this peer's turn again
        self._going_on = False  # with them, at the loop's next turn
        self._has_room = False  # for the large payload that is arriving
        self._seen = (0.0, 0)  # how far the frame that is arriving was, and since when
        self._since = 0.0
        self._calls: dict[int, Call] = {}  # by sequence
        self._out: list[bytes] = []  # gathered, to be written at the next flush
        self._send_buffer = SendBuffer()
        self._drains_on = False  # at the loop's next turn
        self._held = False  # its calls are not started for now
        self._is_network = False
        self._writable = True
        self._reading = True
        self._closing = False
        self._now = 0.0  # when what is handled now has come, of time.monotonic()
        self._handling = False  # what is gathered now is written as soon as all that came is handled
        self._waiting_calls = 0
        self._waiting_bytes = 0
        self.structured: bool = False
        self.timed: bool = False  # it is told how long methods took
        self.fast: int = 0  # the number of its client's fast socket

    # -- asyncio's side ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Whatever the socket takes is written at once, and not only when the loop comes round.
        # Not 0: TLS's transport takes "none is left" for too much then.
        self._transport.set_write_buffer_limits(high=1)
        connected = transport.get_extra_info("socket")
        self._is_network = connected is not None and connected.family != AF_UNIX
        self._broker.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._transport is not None and not self._decoder.large:
            self._read_last(self._transport)
        self._transport = None
        self._closing = True
        self._out.clear()
        self._broker.unread -= self._send_buffer.size
        self._send_buffer.clear()
        self._pending.clear()
        self._decoder.close()
        self._has_room = False
        self._broker.arrivals.leave(self)
        while self._segments:
            self._segments.popleft().close()
        for call in self._calls.values():
            call.conclude(LEFT)
            if call.exchange is not None:
                call.exchange.gone()
        self._calls.clear()
        self._broker.disconnected(self)

    def _read_last(self, transport: asyncio.Transport) -> None:
        """Where writing has failed, what the peer had sent before it closed is still there: which calls it takes back."""
        if transport.get_extra_info("ssl_object") is not None:
            return
        try:
            while data := os.read(transport.get_extra_info("socket").fileno(), len(INBOX)):
                self._handle(self._decoder.feed(data))
        except OSError:
            pass  # there is no more

    def get_buffer(self, sizehint: int) -> memoryview:
        """A large payload is received where it stays."""
        large = self._decoder.receive_buffer()
        return INBOX if large is None else large

    def buffer_updated(self, count: int) -> None:
        decoder = self._decoder
        if not decoder.large:
            self._handle(decoder.feed(bytes(INBOX[:count])))
            if decoder.large:
                self.regulate()
        elif events := decoder.received(count):
            self._has_room = False
            self._broker.arrivals.leave(self)
            self._handle(events)

    def _handle(self, events: list[Event]) -> None:
        if self._pending:
            self._pending.extend(events)
            return
        self._handling = True
        self._now = time.monotonic()
        place = 0
        try:
            for event in events:
                place += 1
                if isinstance(event, Frame):
                    self._frame(event)
                else:
                    self._oversized(event)
                if place < len(events) and (not self._reading or time.monotonic() - self._now > TURN):
                    self._pending.extend(events[place:])
                    self.regulate()
                    break
        except ProtocolError as error:
            self._abort(str(error))
        else:
            # Not raised: with a traceback it would hold on to these frames, and to the memory of large ones.
            if self._decoder.error is not None and not self._pending:
                self._abort(str(self._decoder.error))
        self._handling = False
        if self._out:
            self.flush()
        self._broker.flush()

    def _go_on(self) -> None:
        self._going_on = False
        if self._transport is None or self._closing:
            return
        events = list(self._pending)
        self._pending.clear()
        self._handle(events)
        self.regulate()

    def eof_received(self) -> bool:
        if not self._decoder.idle:
            self._broker.log.often("a peer closed its connection within a frame", self.peer)
        return False

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._write_on()

    def _write_on(self) -> None:
        self._drain()
        self.regulate()
        self._broker.flush()

    # -- the broker's side ------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        return self._transport is None

    @property
    def credentials(self) -> Credentials | None:
        connected = self._transport.get_extra_info("socket") if self._transport is not None else None
        return credentials_of(connected) if connected is not None and connected.family == AF_UNIX else None

    @property
    def peer(self) -> str:
        if self._transport is None:
            return "closed"
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix socket"

    @property
    def is_unread(self) -> bool:
        transport = self._transport
        return transport is not None and (self._send_buffer.size > 0 or transport.get_write_buffer_size() > 0)

    def regulate(self) -> None:
        """Reads only while the broker is ready, not too much of this caller waits, it reads its answers, and what came has been
        handled. A large payload that has room is read to its end."""
        if self._transport is None or self._transport.is_closing():
            return
        reading = (
            self._broker.ready
            and self._send_buffer.size <= MAX_UNREAD_BYTES
            and (
                self._waiting_calls <= MAX_WAITING_CALLS
                and self._waiting_bytes <= MAX_WAITING_BYTES
                # What waits may need a worker that itself waits for an answer of this peer.
                or any(call.exchange is not None for call in self._calls.values())
            )
        )
        if self._pending:
            if reading and not self._going_on:
                self._going_on = True
                self._broker.loop.call_soon(self._go_on)
            reading = False
        large = self._decoder.large
        if self._has_room:
            reading = True
        elif large and reading:
            reading = self._has_room = self._broker.arrivals.enter(self, large)
        if reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def answer(self, call: Call, frame: Buffer, segment: Segment | None = None) -> bool:
        """Sends a call's reply, unless nobody waits for it any more: then False, and `segment` stays the caller's to close."""
        if call.outcome is not WAITING or self._closing:
            return False
        call.conclude(TOLD)
        del self._calls[call.sequence]
        if segment is not None and self._reads_too_little():
            error = unread(len(frame), self._send_buffer.size)
            self._send(error_frame(call.sequence, call.method, call.frame.flags, error, self.structured))
            return False
        self._send(frame, segment)
        return True

    def _reads_too_little(self) -> bool:
        """Whether so much is unread that no large result can be kept for it."""
        size = self._send_buffer.size
        return size > MAX_UNREAD_LARGE or (
            size > MAX_UNREAD_RESULTS and self._broker.unread > MAX_UNREAD_OF_ALL
        )

    def look(self, now: float) -> None:
        seen = self._now, self._decoder.progress
        if seen != self._seen or self._decoder.idle or not self._reading:
            self._seen, self._since = seen, now
        elif now - self._since > arrivals.PATIENCE:
            self._abort(f"nothing came for {now - self._since:.0f} s in the middle of a frame")
            return
        if self._broker.arrivals.is_late(self, now):
            self._abort("its large payload took too long while others waited for room")
        if self._transport is not None and self._is_network:
            self._beat(self._transport)

    @property
    def _is_receiving(self) -> bool:
        return not self._decoder.idle or not self._reading

    def _beat(self, transport: asyncio.Transport) -> None:
        """Shows a caller on another machine that this one is there, or finds that the other one is not. Whoever sends a call
        that has not come whole yet, or is not read from, waits, too."""
        if heartbeat.is_gone(transport.get_extra_info("socket")):
            self._broker.log.often(
                "a connection was given up", f"its machine, or the network, is down ({self.peer})"
            )
            transport.abort()
        elif self.structured and not self.is_unread and (self._calls or self._is_receiving):
            self._send(heartbeat.FRAME)
            self.flush()

    def tell(self, call: Call, error: GoTaskError) -> None:
        """Answers a call with an error, unless nobody waits for it any more."""
        if call.outcome is not WAITING or self._closing:
            return
        call.conclude(TOLD)
        del self._calls[call.sequence]
        self._send(error_frame(call.sequence, call.method, call.frame.flags, error, self.structured))

    def message(self, call: Call, frame: Buffer, segment: Segment | None = None) -> None:
        """Sends a message within a call; an error instead, which ends the call, where the peer reads too little. Nothing where
        the connection is closed: what it would keep then, it would keep for ever."""
        if self._closing or self._reads_too_little():
            if not self._closing:
                call.tell(unread(len(frame), self._send_buffer.size))
            if segment is not None:
                segment.close()
            return
        self._send(frame, segment)
        if not self._reading:
            self.regulate()

    def expected(self, sequence: int) -> Call | None:
        return self._calls.get(sequence)

    def expect(self, call: Call) -> None:
        """A call that came by the fast path is answered here."""
        self._calls[call.sequence] = call

    def forget(self, call: Call) -> None:
        if call.outcome is WAITING:
            call.conclude(LEFT)
            del self._calls[call.sequence]

    def give_back(self, call: Call) -> None:
        if call.outcome is WAITING:
            self.forget(call)
            self.pass_on(encode(CONTROL, (call.sequence, GIVEN_BACK), b"", STOP))

    def pass_on(self, frames: bytes) -> None:
        if not self._closing:
            self._send(frames)

    def accepted(self, call: Call) -> None:
        """Answers a notification, whose result nobody waits for."""
        call.conclude(ACCEPTED)
        del self._calls[call.sequence]
        self._send(accepted_frame(call.sequence, call.method, call.frame.flags))

    def queued(self, calls: int, size: int) -> None:
        """Counts what waits for a worker; a caller with too much of it is not read from."""
        self._waiting_calls += calls
        self._waiting_bytes += size
        if self._reading:
            if self._waiting_calls > MAX_WAITING_CALLS or self._waiting_bytes > MAX_WAITING_BYTES:
                self.regulate()
        elif calls < 0 and self._waiting_calls <= MAX_WAITING_CALLS // 2:
            self.regulate()

    def flush(self) -> None:
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        if self._transport is None:
            return
        if self._writable and not self._send_buffer.size:
            self._transport.write(data)
        else:
            self._hold(data, None)

    def go_away(self) -> None:
        if self.structured:
            self._send(encode(CONTROL, (0,), b"", STOP))
            self.flush()

    def close(self) -> None:
        """Closes after what is still to be written. Where all was answered the peer is told: what it sent since has not run."""
        if not self._calls:
            self.go_away()
        self.flush()
        self._closing = True
        if self._transport is not None and not self._send_buffer.size:
            self._transport.close()

    # -- frames -----------------------------------------------------------------------------------------------------

    def _frame(self, frame: Frame) -> None:
        segment = None
        if frame.raw.__class__ is memoryview:
            segment = self._segments.popleft()
        if frame.stream & ~STREAM or frame.flags & CONTROL:
            self._control(frame, segment)
            return
        if frame.stream:
            self._message(frame, segment)
            return
        wrong = what_is_wrong(frame, self.structured, self.fast != 0)
        if wrong:
            self._malformed(frame, segment, wrong)
            return
        options = frame.options
        count, sequence, length = len(options), options[0], options[1]
        if sequence in self._calls:
            if segment is not None:
                segment.close()
            raise ProtocolError(
                f"sequence {sequence} is used for a second call while the first one is outstanding"
            )
        start = frame.start
        method = frame.raw[start : start + length]
        if not isinstance(method, bytes):
            method = bytes(method)
        deadline, flags = 0.0, 0
        if count >= 4:
            flags = options[3]
            if options[2] and not flags & NOTIFY:
                # Nobody waits for the result of a notification: its caller's time is that for its being accepted.
                deadline = self._now + options[2] / 1000.0
        if count == 6 and options[5]:
            call: Call = KeyedCall(self, sequence, method, frame, segment, deadline, self._now)
            call.key = options[5]  # type: ignore[misc]
        else:
            call = Call(self, sequence, method, frame, segment, deadline, self._now)
        self._calls[sequence] = call
        route = self._broker.routes.get(method)
        if route is None and method.startswith(b"GoTask.") and method not in _OF_WORKERS:
            self._broker.system_call(call)
            self.flush()  # else the answers to many that came together would be held together
            return
        try:
            self._broker.submit(call, route)
        except GoTaskError as error:
            call.fail(error)
        else:
            if flags & NOTIFY:
                self.accepted(call)

    def _message(self, frame: Frame, segment: Segment | None) -> None:
        """A message within a call. It is ignored where the call has its outcome, which it may have crossed."""
        if not self.structured:
            self._malformed(frame, segment, "messages within a call need a peer that has said Hello")
            return
        if len(frame.options) != 3 or frame.flags & ~ERROR not in (MSGPACK, JSON):
            wrong = "it has three options, and MessagePack or JSON as its codec"
        else:
            call = self._calls.get(frame.options[0])
            if call is None:
                wrong = ""
            elif call.exchange is None:
                wrong = "the worker has sent none that it could answer"
            else:
                wrong = call.exchange.tell(frame, segment)
                if call.counts is not None:
                    call.counts.received += len(frame.raw) - frame.start
                segment = None if not wrong else segment
        if segment is not None:
            segment.close()
        if wrong:
            raise ProtocolError(f"a message within a call is wrong: {wrong}")

    def hello(self, body: Any) -> None:
        """From here on the peer is one of ours."""
        if not isinstance(body, dict) or not isinstance(body.get("protocol"), int) or body["protocol"] < 1:
            raise InvalidRequest('GoTask.Hello takes a map with "protocol", a whole number from 1')
        self.structured = True
        self.timed = body.get("fast") is True

    def _control(self, frame: Frame, segment: Segment | None) -> None:
        if frame.stream & PING:
            size = len(frame.raw) - frame.start
            if size > MAX_PING:
                if segment is not None:
                    segment.close()
                raise ProtocolError(f"a ping of {size} bytes: at most {MAX_PING} are allowed")
            self._send(encode(CONTROL, frame.options, frame.payload, PONG))
        elif frame.stream & STOP and self.fast and len(frame.options) == 2 and frame.options[0] >> 30 == 1:
            if frame.options[1] < len(_REASONS) and self._broker.fast is not None:
                self._broker.fast.stop(self, frame.options[0], _REASONS[frame.options[1]])
        elif frame.stream & STOP and frame.options[1:] == (1,):
            # Its caller's time is over, which it could not tell with the call: what becomes of it is still waited for.
            call = self._calls.get(frame.options[0])
            if call is not None:
                call.deadline = self._now
                self._broker.cancelled(call)
        elif frame.stream & STOP and frame.options:
            call = self._calls.pop(frame.options[0], None)
            if call is not None:
                call.conclude(LEFT)
                self._broker.cancelled(call)
        elif not frame.stream & PONG:
            self._broker.log.often("an unknown control frame was ignored", repr(frame), "debug")
        if segment is not None:
            segment.close()

    def _malformed(self, frame: Frame, segment: Segment | None, reason: str) -> None:
        """A frame that is whole but no call. Its sender is told, if it has a sequence that no outstanding call has."""
        if segment is not None:
            segment.close()
        if not frame.options or frame.options[0] in self._calls:
            raise ProtocolError(f"a frame that is no call: {reason}")
        self._send(error_frame(frame.options[0], b"", JSON, InvalidRequest(reason), self.structured))

    def _oversized(self, frame: Oversized) -> None:
        error = too_large(frame.length, self._broker.config.max_payload)
        if not frame.options or frame.flags & CONTROL or frame.stream:
            raise ProtocolError(error.message)
        self._send(error_frame(frame.options[0], b"", JSON, error, self.structured))

    def _allocate(self, size: int) -> memoryview:
        segment = self._broker.segments.take(size)
        try:
            view = segment.view[:size]
        except OSError:
            segment.close()
            raise
        self._segments.append(segment)
        return view

    def _abort(self, reason: str) -> None:
        self._broker.log.often("a connection was closed", f"{reason} ({self.peer})")
        self.flush()
        self._closing = True
        self._pending.clear()
        if self._transport is not None:
            self._transport.close()
            self._broker.loop.call_later(LINGER, self._transport.abort)

    # -- writing ----------------------------------------------------------------------------------------------------

    def _send(self, frame: Buffer, segment: Segment | None = None) -> None:
        if segment is None and len(frame) < LARGE:
            if not self._out and not self._handling:
                self._broker.runtime.dirty.append(self)
            self._out.append(frame)
            return
        self.flush()
        self._hold(frame, segment)
        self._drain()

    def _hold(self, data: Buffer, segment: Segment | None) -> None:
        """Keeps what the peer is to read, until the transport takes it."""
        self._broker.unread += len(data)
        self._send_buffer.put(data, segment)
        if self._send_buffer.size > MAX_UNREAD_BYTES and self._reading:
            self.regulate()
        if self._send_buffer.size > MAX_UNREAD_RESULTS and not self._held:
            self._held = True
            self._broker.generations.hold(self)

    def _drain(self) -> None:
        """Gives the transport as much as it takes: a large reply in pieces, so that little of it is ever copied."""
        if self._drains_on:
            return
        began = time.monotonic()
        while self._send_buffer.size and self._writable and self._transport is not None:
            if time.monotonic() - began > TURN:  # the peer reads as quickly as this is written
                self._drains_on = True
                self._broker.loop.call_soon(self._drain_on)
                return
            piece = self._send_buffer.take()
            self._broker.unread -= len(piece)
            self._transport.write(piece)
        if not self._reading and self._send_buffer.size <= MAX_UNREAD_BYTES:
            self.regulate()
        if self._held and self._send_buffer.size <= MAX_UNREAD_RESULTS:
            self._held = False
            self._broker.generations.release(self)
        if self._closing and not self._send_buffer.size and self._transport is not None:
            self._transport.close()

    def _drain_on(self) -> None:
        self._drains_on = False
        self._write_on()
