"""Clients, simulated: each is a process with one connection that speaks PHP's protocol."""

from __future__ import annotations

import json
from typing import Any

from gotask.ipc.messages import FAST_BIT, GIVEN_BACK, SENT
from gotask.wire import frames as wire

from .kernel import Transport
from .ledger import Entry, Violation
from .workers import DEADLY, PAYLOAD, QUICK, RAISING, SLOW, STUBBORN, methods


# Seconds after which an unanswered call of the fast path is taken back; with less time than HASTE left, calls go to the broker.
OVERDUE, HASTE = 0.01, 0.03


class Client:
    """One process that calls, cancels, waits, reads late, and may go away at any time."""

    def __init__(self, world: Any, calls: int) -> None:
        self._world = world
        self._chance = world.chance
        self.serial = world.serial()
        self.calls_left = calls
        self.transport: Transport = world.connect()
        self._decoder = wire.Decoder()
        self._sequence = 0
        self.outstanding: dict[int, Entry] = {}
        self._told: dict[int, Entry] = {}  # that have their outcome, or are given up
        self._greeted = False
        self._pauses_until = 0.0  # in reading
        self._quick: dict[bytes, int] = {}  # microseconds that methods took when they were called last
        self._question = 0  # the sequence of GoTask.FastPath
        self._opening: Any = None
        self._fast: Any = None
        self._may_be_fast = world.plan.fast
        self._fast_sequence = FAST_BIT
        self._held: list[Entry] = []  # that leave together
        self._brokered_until = 0.0
        self.is_gone = False

    def __repr__(self) -> str:
        return f"client {self.serial}"

    @property
    def wakes_at(self) -> float:
        if self.is_gone:
            return 0.0
        times = [self._pauses_until] if self._pauses_until > self._world.clock.now else []
        times += [entry.fast_since + OVERDUE for entry in self.outstanding.values() if entry.fast_since > 0]
        times += [
            entry.deadline for entry in self.outstanding.values() if entry.fast_since and not entry.is_late
        ]
        return min((time for time in times if time > 0), default=0.0)

    def step(self) -> str:
        """Does one thing; returns what, empty where there is nothing to do."""
        if self.is_gone:
            return ""
        if not self._greeted:
            self._greeted = True
            self._send(
                b"GoTask.Hello",
                json.dumps({"protocol": 1, "fast": self._may_be_fast}).encode(),
                flags=wire.JSON,
            )
            return "says Hello"
        looked_after = self._look_after_fast()
        if looked_after:
            return looked_after
        can_read = self._pauses_until <= self._world.clock.now and (
            self.transport.to_client or self.transport.broker_is_gone or self._has_fast_news()
        )
        chance = self._chance.random()
        calm = self._world.is_calm
        if can_read and (calm or chance < 0.5):
            return self._read()
        if calm:
            return ""
        plan = self._world.plan
        if self.outstanding and chance > 1 - plan.cancels:
            return self._cancel()
        if chance > 1 - plan.cancels - plan.dawdles:
            self._pauses_until = self._world.clock.now + self._chance.random() * 0.2
            return "does not read for a while"
        if self.calls_left and len(self.outstanding) < plan.outstanding and self._greeted:
            self.calls_left -= 1
            return self._call()
        return self._read() if can_read else ""

    def leave(self) -> None:
        """Its process ends."""
        self.is_gone = True
        if self._fast is not None:
            self._fast.hang_up()
        if self._opening is not None:
            self._opening.hang_up()
        self.transport.hang_up(self._chance.random() < 0.5)
        self._forget_all()

    def _forget_all(self) -> None:
        for entry in [*self.outstanding.values(), *self._held]:
            entry.waits = False
        self.outstanding.clear()
        self._held.clear()

    @property
    def is_waiting(self) -> bool:
        return bool(self.outstanding or self._held)

    # -- what it sends ------------------------------------------------------------------------------------------------

    def _send(
        self,
        method: bytes,
        body: bytes,
        timeout: int = 0,
        option: int = 0,
        flags: int = wire.RAW,
        key: int = 0,
    ) -> int:
        self._sequence += 1
        options: tuple[int, ...] = (self._sequence, len(method))
        if key:
            options += timeout, option, 0, key
        elif timeout or option:
            options += timeout, option
        self.transport.send(wire.encode(flags, options, method + body))
        return self._sequence

    def _call(self) -> str:
        chance, plan = self._chance, self._world.plan
        entry = self._world.ledger.made(self, self._sequence + 1)
        method = chance.choice(methods(plan))
        entry.idempotent = bool(method["idempotent"])
        entry.behaviour = chance.choices((QUICK, SLOW, STUBBORN, DEADLY, RAISING), plan.behaviours)[0]
        entry.size = (
            chance.choice((0, 0, 10, 300)) if chance.random() > plan.large else chance.randrange(500, 3000)
        )
        entry.notify = chance.random() < plan.notifications
        result = chance.choice((0, 0, 0, 10)) if chance.random() > plan.large else chance.randrange(400, 3000)
        timeout = chance.choice((1, 5, 20, 50, 200)) if chance.random() < plan.deadlines else 0
        milliseconds = 0
        if entry.behaviour == SLOW:
            milliseconds = chance.choice((1, 2, 5, 20, 100))
        elif entry.behaviour == STUBBORN:
            is_endless = timeout and not entry.notify and chance.random() < 0.2
            milliseconds = 60_000 if is_endless else chance.randrange(150)
        body = PAYLOAD.pack(entry.token, entry.behaviour, milliseconds, result) + bytes(entry.size)
        entry.method, entry.body = method["name"].encode(), body
        option = wire.NOTIFY if entry.notify else 0
        entry.deadline = self._world.clock.now + timeout / 1000 if timeout else 0.0
        key = chance.randint(1, plan.keys) if plan.keyed and chance.random() < plan.keyed else 0
        if not key and self._can_be_fast(entry):
            self._held.append(entry)
            if len(self._held) == 16 or chance.random() < plan.batch:
                self._send_held()
            return f"calls {method['name']} on the fast path ({entry}, behaviour {entry.behaviour})"
        sequence = self._send(entry.method, body, timeout, option, key=key)
        self.outstanding[sequence] = entry
        more = f"{len(body)} bytes, behaviour {entry.behaviour}, key {key}"
        return f"calls {method['name']} ({entry}, sequence {sequence}, {more})"

    def _cancel(self) -> str:
        sequence, entry = self._chance.choice(list(self.outstanding.items()))
        if entry.fast_since and self._chance.random() < 0.7:
            del self.outstanding[sequence]
            self._told[sequence] = entry
            entry.cancelled, entry.waits = True, False
            self._stop(sequence, 0)
            return f"cancels {entry}, of the fast path"
        if self._chance.random() < 0.3 and not entry.notify:
            self.transport.send(wire.encode(wire.CONTROL, (sequence, 1), b"", wire.STOP))
            return f"says that the time of {entry} is over"
        self.transport.send(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))
        del self.outstanding[sequence]
        self._told[sequence] = entry
        entry.cancelled = True
        entry.waits = False
        return f"cancels {entry}"

    # -- what it reads ------------------------------------------------------------------------------------------------

    def _read(self) -> str:
        transport = self.transport
        said = self._drain_fast()
        if not transport.to_client:
            if not transport.broker_is_gone:
                return f"reads its fast socket: {', '.join(said)}"
            # The broker has closed the connection: what was outstanding is lost, and may have run.
            self._forget_all()
            self.is_gone = True
            return "sees the end of its connection"
        data = transport.receive(self._chance.choice((10, 1000, 100_000)))
        for event in self._decoder.feed(data):
            assert isinstance(event, wire.Frame)
            said.append(self._frame(event))
        assert self._decoder.error is None
        return f"reads {len(data)} bytes: {', '.join(said)}"

    def _drain_fast(self) -> list[str]:
        """What a worker sent before counts before what the broker says."""
        said: list[str] = []
        while self._fast is not None:
            message = self._fast.receive()
            if message is None:
                said.append("the end of the fast socket")
                self._close_fast()
            elif not message:
                break
            else:
                for event in wire.Decoder().feed(message):
                    assert isinstance(event, wire.Frame)
                    said.append(self._frame(event))
        return said

    def _frame(self, frame: wire.Frame) -> str:
        if frame.flags & wire.CONTROL:
            return self._given_back(frame)
        sequence, length = frame.options[:2]
        body = frame.payload[length:]
        if sequence == 1:
            return "Hello"
        if sequence == self._question:
            return self._offered(frame, body)
        entry = self.outstanding.pop(sequence, None)
        if entry is None and sequence & FAST_BIT:
            entry = self._told.get(sequence)
            if entry is None:
                raise Violation(f"{self} gets an answer to {sequence:#x}, which it never sent")
            if not frame.flags & wire.ERROR and int.from_bytes(body[:4], "little") != entry.token:
                raise Violation(f"{self} gets another call's result for {entry}")
            return f"once more what came of {entry}"
        if entry is None:
            entry = self._told.get(sequence)
            if entry is None or not entry.cancelled:
                raise Violation(
                    f"{self} gets an answer to sequence {sequence}, which is not outstanding: {entry}"
                )
            return f"what came of {entry}, which it had cancelled"
        self._told[sequence] = entry
        ledger = self._world.ledger
        if not frame.flags & wire.ERROR:
            if len(frame.options) == 3:
                if frame.options[2] < 500:
                    self._quick[entry.method] = frame.options[2]
                else:
                    self._quick.pop(entry.method, None)
            ledger.answered(entry, entry.token if entry.notify else int.from_bytes(body[:4], "little"))
            return f"the result of {entry}"
        error = json.loads(body)
        ledger.failed(entry, error["code"], error["message"])
        number = error.get("data", {}).get("call")
        if "as it received the call" in error["message"] and not self._world.was_received(number):
            raise Violation(f"{entry} is said to have been lost by a worker that had received it: {number}")
        return f"{error['code']} for {entry}: {error['message'][:120]}"

    # -- the fast path ------------------------------------------------------------------------------------------------

    def _can_be_fast(self, entry: Entry) -> bool:
        now = self._world.clock.now
        if self._fast is None:
            self._open_fast()
            return False
        return (
            entry.method in self._quick
            and not entry.notify
            and now >= self._brokered_until
            and not 0 < entry.deadline < now + HASTE
            and sum(1 for other in self.outstanding.values() if other.fast_since) < 64
        )

    def _open_fast(self) -> None:
        if not self._may_be_fast or not self._greeted:
            return
        if self._opening is not None:
            answer = self._opening.receive()
            if answer == b"\x01":
                self._fast, self._opening = self._opening, None
            elif answer != b"":
                self._may_be_fast, self._opening = False, None
        elif not self._question:
            self._question = self._send(b"GoTask.FastPath", b"", flags=wire.JSON)

    def _offered(self, frame: wire.Frame, body: bytes) -> str:
        if frame.flags & wire.ERROR:
            self._may_be_fast = False
            return "no fast path"
        self._opening = self._world.connect_fast()
        self._opening.send_message(bytes.fromhex(json.loads(body)["token"]))
        return "an offer of a fast path"

    def _send_held(self) -> None:
        """In one message; by the broker where there is no room for it."""
        entries, self._held = self._held, []
        now = self._world.clock.now
        parts = [SENT.pack(self._world.clock.monotonic_ns())]
        sequences = []
        for entry in entries:
            self._fast_sequence += 1
            sequences.append(self._fast_sequence)
            timeout = max(1, int((entry.deadline - now) * 1000)) if entry.deadline else 0
            options = (self._fast_sequence, len(entry.method), timeout, 0)
            parts.append(wire.encode(wire.RAW, options, entry.method + entry.body))
        if self._fast is not None and self._fast.send_message(b"".join(parts)):
            for sequence, entry in zip(sequences, entries):
                entry.fast_since, entry.sequence = now, sequence
                self.outstanding[sequence] = entry
            return
        for entry in entries:
            self._send_again(entry)

    def _send_again(self, entry: Entry) -> None:
        """By the broker."""
        now = self._world.clock.now
        timeout = max(1, int((entry.deadline - now) * 1000)) if entry.deadline else 0
        entry.fast_since = 0.0
        entry.sequence = self._send(entry.method, entry.body, timeout)
        self.outstanding[entry.sequence] = entry

    def _stop(self, sequence: int, reason: int) -> None:
        self.transport.send(wire.encode(wire.CONTROL, (sequence, reason), b"", wire.STOP))

    def _given_back(self, frame: wire.Frame) -> str:
        if len(frame.options) < 2 or frame.options[1] != GIVEN_BACK:
            return "a control frame"
        sequence = frame.options[0]
        entry = self.outstanding.pop(sequence, None)
        if entry is None:
            return f"{sequence:#x} is given back, and is over"
        self._told[sequence] = entry
        self._quick.pop(entry.method, None)
        self._send_again(entry)
        return f"{entry} is given back"

    def _has_fast_news(self) -> bool:
        return self._fast is not None and (bool(self._fast.to_client) or self._fast.is_shut)

    def _look_after_fast(self) -> str:
        """Takes back what is overdue, and tells of what is late."""
        now = self._world.clock.now
        if self._held and (self._world.is_calm or self._chance.random() < self._world.plan.batch / 2):
            self._send_held()
            return "sends what was held"
        for sequence, entry in self.outstanding.items():
            if 0 < entry.fast_since <= now - OVERDUE:
                entry.fast_since = -1.0
                self._brokered_until = now + 0.05
                self._stop(sequence, 2)
                return f"takes {entry} back"
            if entry.fast_since and 0 < entry.deadline <= now and not entry.is_late:
                self._drain_fast()
                if self.outstanding.get(sequence) is entry:
                    entry.is_late = True
                    self._stop(sequence, 1)
                return f"says that the time of {entry} is over"
        return ""

    def _close_fast(self) -> None:
        """Its other end is gone: what is outstanding there is taken back."""
        self._fast.hang_up()
        self._fast, self._may_be_fast = None, False
        for sequence, entry in self.outstanding.items():
            if entry.fast_since > 0:
                entry.fast_since = -1.0
                self._stop(sequence, 2)
