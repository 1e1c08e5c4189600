"""Clients, simulated: each is a process with one connection that speaks PHP's protocol."""

from __future__ import annotations

import json
from typing import Any

from gotask.wire import frames as wire

from .kernel import Transport
from .ledger import Entry, Violation
from .workers import DEADLY, PAYLOAD, QUICK, RAISING, SLOW, STUBBORN, methods


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
        self.is_gone = False

    def __repr__(self) -> str:
        return f"client {self.serial}"

    @property
    def wakes_at(self) -> float:
        return self._pauses_until if self._pauses_until > self._world.clock.now and not self.is_gone else 0.0

    def step(self) -> str:
        """Does one thing; returns what, empty where there is nothing to do."""
        if self.is_gone:
            return ""
        if not self._greeted:
            self._greeted = True
            self._send(b"GoTask.Hello", json.dumps({"protocol": 1}).encode(), flags=wire.JSON)
            return "says Hello"
        can_read = self._pauses_until <= self._world.clock.now and (
            self.transport.to_client or self.transport.broker_is_gone
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
        self.transport.hang_up(self._chance.random() < 0.5)
        for entry in self.outstanding.values():
            entry.waits = False
        self.outstanding.clear()

    # -- what it sends ------------------------------------------------------------------------------------------------

    def _send(
        self, method: bytes, body: bytes, timeout: int = 0, option: int = 0, flags: int = wire.RAW
    ) -> int:
        self._sequence += 1
        options = (
            (self._sequence, len(method), timeout, option)
            if timeout or option
            else (self._sequence, len(method))
        )
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
        name = method["name"].encode()
        option = wire.NOTIFY if entry.notify else 0
        entry.deadline = self._world.clock.now + timeout / 1000 if timeout else 0.0
        sequence = self._send(name, body, timeout, option)
        self.outstanding[sequence] = entry
        return f"calls {method['name']} ({entry}, sequence {sequence}, {len(body)} bytes, behaviour {entry.behaviour})"

    def _cancel(self) -> str:
        sequence, entry = self._chance.choice(list(self.outstanding.items()))
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
        if not transport.to_client:
            # The broker has closed the connection: what was outstanding is lost, and may have run.
            for entry in self.outstanding.values():
                entry.waits = False
            self.outstanding.clear()
            self.is_gone = True
            return "sees the end of its connection"
        data = transport.receive(self._chance.choice((10, 1000, 100_000)))
        said = []
        for event in self._decoder.feed(data):
            assert isinstance(event, wire.Frame)
            said.append(self._frame(event))
        assert self._decoder.error is None
        return f"reads {len(data)} bytes: {', '.join(said)}"

    def _frame(self, frame: wire.Frame) -> str:
        if frame.flags & wire.CONTROL:
            return "a control frame"
        sequence, length = frame.options[:2]
        body = frame.payload[length:]
        if sequence == 1:
            return "Hello"
        entry = self.outstanding.pop(sequence, None)
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
            ledger.answered(entry, entry.token if entry.notify else int.from_bytes(body[:4], "little"))
            return f"the result of {entry}"
        error = json.loads(body)
        ledger.failed(entry, error["code"], error["message"])
        number = error.get("data", {}).get("call")
        if "as it received the call" in error["message"] and not self._world.was_received(number):
            raise Violation(f"{entry} is said to have been lost by a worker that had received it: {number}")
        return f"{error['code']} for {entry}: {error['message'][:120]}"
