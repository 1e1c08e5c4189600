"""A client with a fast socket that keeps the rules of docs/protocol.md, and sees each outcome that comes by either socket."""

from __future__ import annotations

import select
import time
import zlib

import msgpack

from gotask.errors import from_body
from gotask.wire import frames as wire
from gotask.wire.frames import Frame

from ..fast import LATE, TAKE_BACK, FastPeer
from .clients import Strict

#: Seconds after which a call that was sent on the fast socket is taken back.
OVERDUE = 0.01

#: Seconds that the broker has to say that a call's time is over.
GRACE = 5.0

#: Bytes of a body that takes the fast path.
SMALL = 8192

#: Outcomes that are remembered, to be compared with what comes later.
REMEMBERED = 2000


class _Call:
    """One that is under way; it keeps its token however often it is given back."""

    def __init__(
        self, token: str, body: bytes, times: int, method: str, payload: bytes, late_at: float
    ) -> None:
        self.token = token
        self.body = body
        self.times = times
        self.method = method
        self.payload = payload
        self.late_at = late_at
        self.overdue_at = 0.0  # once it was sent on the fast socket; inf: it was taken back
        self.stopped = False


class Fast(Strict):
    """Up to `window` calls at a time: those that may go on the fast socket do, up to six in a message, others by the broker."""

    window = 8  # the broker does not read from a connection with too many unread answers

    def _talk(self, under_way: dict[int, tuple[str, bytes, int]]) -> None:
        peer = FastPeer(self.address, open=False, hello=False)
        try:
            _Talk(self, peer, under_way).run()
        finally:
            peer.close()


class _Talk:
    """One connection's. `under_way` tells its caller of the calls that have no outcome when it breaks."""

    def __init__(self, caller: Fast, peer: FastPeer, under_way: dict[int, tuple[str, bytes, int]]) -> None:
        self._caller = caller
        self._peer = peer
        self._under_way = under_way
        self._calls: dict[int, _Call] = {}
        self._settled: dict[
            int, tuple[int, int]
        ] = {}  # by sequence of a fast call: what was believed, of the last ones
        self._is_open = False

    def run(self) -> None:
        caller, peer = self._caller, self._peer
        peer.socket.settimeout(caller.timeout)
        peer.call_raw("GoTask.Hello", b'{"protocol": 1}', wire.JSON)
        self._open()
        while self._calls or not caller.ended.is_set():
            # It rests between calls alone: those that it has sent are overdue soon.
            if not caller.pause or not self._calls:
                caller.rest()
                while len(self._calls) < caller.window and not caller.ended.is_set():
                    self._send(min(caller._random.randint(1, 6), caller.window - len(self._calls)))
            self._wait()
            self._look_after(time.monotonic())

    def _open(self) -> None:
        """Behind a proxy in another process there is no fast path, and where a broker has as many clients as may be."""
        invitation = self._peer.invitation()
        if "token" not in invitation:
            return
        try:
            self._peer.fast = self._peer.connect(**invitation)
        except EOFError:
            return
        self._peer.fast.settimeout(0)
        self._is_open = True

    def _send(self, count: int) -> None:
        """So many calls; those of them that may be fast are one message."""
        fast: list[tuple[int, bytes]] = []
        for _ in range(count):
            token, method, given = self._caller.call()
            late_at = time.monotonic() + self._caller.timeout
            call = _Call(token, given[2], given[3], method, msgpack.packb([given, {}]), late_at)
            if not self._is_open or method != "Sync.work" or len(call.payload) > SMALL:
                self._send_by_broker(call)
                continue
            self._peer.fast_sequence += 1
            sequence = self._peer.fast_sequence
            options = (sequence, len(method), int(self._caller.timeout * 1000), wire.ARGS)
            fast.append((sequence, wire.encode(wire.MSGPACK, options, method.encode() + call.payload)))
            call.overdue_at = time.monotonic() + OVERDUE
            self._expect(sequence, call)
        if not fast:
            return
        try:
            self._peer.post(*(frame for _, frame in fast))
        except OSError as error:
            for sequence, _ in fast:
                self._send_by_broker(self._forget(sequence))
            if not isinstance(error, BlockingIOError):
                self._lose()

    def _send_by_broker(self, call: _Call) -> None:
        call.overdue_at = 0.0
        # Expected before it is sent: what breaks meanwhile is its outcome.
        self._expect(self._peer.sequence + 1, call)
        timeout = max(int((call.late_at - time.monotonic()) * 1000), 1)
        self._peer.send_raw(call.method, call.payload, wire.MSGPACK, timeout, wire.ARGS)

    def _wait(self) -> None:
        """Reads what is there; of a fast call, the fast socket's word counts first."""
        peer = self._peer
        sockets = [peer.socket, peer.fast] if self._is_open else [peer.socket]
        pause = OVERDUE if any(call.overdue_at for call in self._calls.values()) else 1.0
        ready = select.select(sockets, [], [], pause)[0]
        try:
            if peer.socket in ready:
                peer.read()
        finally:
            ordinary, peer.outcomes = peer.outcomes, {}
            self._drain()
            for sequence, frames in ordinary.items():
                for frame in frames:
                    self._told_by_broker(sequence, frame)
        for sequence in tuple(peer.replies):
            frame = peer.replies.pop(sequence)
            if sequence in self._calls:
                self._end(sequence, frame)
            else:
                self._twice(sequence, frame)

    def _drain(self) -> None:
        """Reads the fast socket dry."""
        while self._is_open:
            try:
                is_end = not self._peer.receive(0)
            except BlockingIOError:
                break
            except OSError:
                is_end = True
            if is_end:
                self._lose()
        found, self._peer.outcomes = self._peer.outcomes, {}
        for sequence, frames in found.items():
            for frame in frames:
                if sequence in self._calls:
                    self._believe(sequence, frame)
                elif _mark(frame) != self._settled.get(sequence):
                    self._twice(sequence, frame)

    def _told_by_broker(self, sequence: int, frame: Frame) -> None:
        """A copy of a reply, and what the broker could not know better, are no second outcome."""
        if sequence in self._calls:
            self._believe(sequence, frame)
        elif not frame.flags & (wire.CONTROL | wire.ERROR) and _mark(frame) != self._settled.get(sequence):
            self._twice(sequence, frame)

    def _believe(self, sequence: int, frame: Frame) -> None:
        self._settled[sequence] = _mark(frame)
        if len(self._settled) > REMEMBERED:
            del self._settled[next(iter(self._settled))]
        if frame.flags & wire.CONTROL:
            self._send_by_broker(self._forget(sequence))
        else:
            self._end(sequence, frame)

    def _end(self, sequence: int, frame: Frame) -> None:
        call = self._forget(sequence)
        body = frame.payload[frame.options[1] :]
        if frame.flags & wire.ERROR:
            self._caller.book.failed(call.token, from_body(body))
        else:
            self._caller.book.returned(call.token, call.body, call.times, msgpack.unpackb(body))

    def _look_after(self, now: float) -> None:
        """Takes back what is overdue, and has the broker end what is late."""
        for sequence, call in tuple(self._calls.items()):
            if now >= call.late_at + GRACE:
                raise TimeoutError
            if not call.overdue_at:
                continue
            if now >= call.late_at and not call.stopped:
                call.stopped = True
                self._peer.stop(sequence, LATE)
            elif call.overdue_at <= now:
                call.overdue_at = float("inf")
                self._peer.stop(sequence, TAKE_BACK)

    def _lose(self) -> None:
        """The fast socket has ended alone: what is outstanding on it is taken back."""
        self._is_open = False
        for call in self._calls.values():
            call.overdue_at = min(call.overdue_at, time.monotonic())

    def _twice(self, sequence: int, frame: Frame) -> None:
        self._caller.book.twice.append(
            f"{self._caller.name} sequence {sequence:#x}: {frame}, behind {self._settled.get(sequence)}"
        )

    def _expect(self, sequence: int, call: _Call) -> None:
        self._calls[sequence] = call
        self._under_way[sequence] = call.token, call.body, call.times

    def _forget(self, sequence: int) -> _Call:
        del self._under_way[sequence]
        return self._calls.pop(sequence)


def _mark(frame: Frame) -> tuple[int, int]:
    """The same for copies of one reply, whichever way they came."""
    return frame.flags, zlib.crc32(frame.payload)
