"""A peer that exchanges messages with the methods that it calls, on the level of frames."""

from __future__ import annotations

import json
import select
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgpack

from gotask.wire import frames as wire
from gotask.wire.exchange import ANSWER, CREDIT, END, ITEMS, PROGRESS
from gotask.wire.frames import Frame

from .peer import BrokerProcess, Peer

EXACT = wire.ARGS


class Exchanger(Peer):
    """Keeps the messages of each call until they are looked at."""

    def __init__(self, address: str) -> None:
        self.messages: dict[int, list[Frame]] = defaultdict(list)
        super().__init__(address)

    def take(self, reply: Frame) -> None:
        if reply.stream & wire.STREAM:
            assert (
                len(reply.options) == 3 and reply.options[0] not in self.replies
            ), "a message after the outcome"
            self.messages[reply.options[0]].append(reply)
        else:
            super().take(reply)

    def begin(self, method: str, *args: Any, flags: int = 0, remaining: int = 0) -> int:
        """Calls with these arguments; returns the sequence."""
        return self.send(method, [list(args), {}], remaining, EXACT | flags)

    def stream(self, method: str, *args: Any) -> int:
        return self.begin(method, *args, flags=wire.WANTS_ITEMS)

    def say(
        self, sequence: int, kind: int, number: int = 0, body: bytes = b"", flags: int = wire.MSGPACK
    ) -> None:
        data = memoryview(wire.encode(flags, (sequence, kind, number), body, wire.STREAM))
        while data:
            # Who has much to read and only writes is not read from.
            readable, writable, _ = select.select([self.socket], [self.socket], [], 20.0)
            assert readable or writable, "the broker neither reads nor writes"
            if writable:
                data = data[self.socket.send(data, socket.MSG_DONTWAIT) :]
            else:
                self.read()

    def next(self, sequence: int) -> tuple[int, int, Any] | None:
        """Kind, number and value of the next message of that call. None: it has its outcome, and there is none."""
        while not self.messages[sequence]:
            if sequence in self.replies:
                return None
            self.read()
        frame = self.messages[sequence].pop(0)
        _, kind, number = frame.options
        return kind, number, msgpack.unpackb(frame.payload, strict_map_key=False) if frame.payload else None

    def items(self, sequence: int, until: int = 1 << 40, credit: bool = True) -> list[Any]:
        """The elements up to so many, or to the end. Gives credit for what it has read."""
        found: list[Any] = []
        while len(found) < until:
            size = len(self.messages[sequence][0].payload) if self.messages[sequence] else 0
            message = self.next(sequence)
            if message is None:
                break
            kind, number, value = message
            assert kind == ITEMS and number == len(value)
            found += value
            if credit:
                self.say(sequence, CREDIT, size or len(msgpack.packb(value)))
        return found

    def credit(self, sequence: int) -> int:
        """Waits for credit; how much."""
        message = self.next(sequence)
        assert message is not None and message[0] == CREDIT and message[1] > 0
        return message[1]

    def feed(self, sequence: int, elements: Iterable[Any], credit: int = 0) -> int:
        """Sends an input, each element in a message of its own, as far as there is credit, and its end. Bytes sent."""
        sent = 0
        for element in elements:
            while credit <= 0:
                credit += self.credit(sequence)
            body = msgpack.packb([element])
            self.say(sequence, ITEMS, 1, body)
            credit -= len(body)
            sent += len(body)
        if not credit and not sent:
            self.credit(sequence)
        self.say(sequence, END)
        return sent

    def serve(self, sequence: int, service: Callable[..., Any]) -> int:
        """Answers calls back until the outcome; how many."""
        count = 0
        while (message := self.next(sequence)) is not None:
            kind, number, (name, args, named) = message
            count += 1
            try:
                self.say(sequence, ANSWER, number, msgpack.packb(service(name, *args, **named)))
            except Exception as error:
                self.refuse(sequence, number, type=type(error).__name__, message=str(error))
        return count

    def refuse(self, sequence: int, number: int, code: str = "remote_error", **fields: Any) -> None:
        body = json.dumps({"code": code, **fields}).encode()
        self.say(sequence, ANSWER, number, body, wire.JSON | wire.ERROR)

    def progress(self, sequence: int) -> list[Any]:
        """All that the call says until its outcome."""
        said = []
        while (message := self.next(sequence)) is not None:
            assert message[0] == PROGRESS and message[1] == 0
            said.append(message[2])
        return said

    def cancel(self, sequence: int) -> None:
        self.socket.sendall(wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP))


def lines(path: Path, count: int) -> list[str]:
    """What a method has noted, once there are so many lines."""
    until = time.monotonic() + 10
    while not path.exists() or path.read_text().count("\n") < count:
        assert time.monotonic() < until, "nothing was noted"
        time.sleep(0.002)
    return path.read_text().split()


def exchanger(broker: BrokerProcess) -> Iterator[Exchanger]:
    """For a fixture: a peer, and after the test a look whether the broker goes on, whatever the test did."""
    assert broker.address is not None
    made = Exchanger(broker.address)
    yield made
    assert Exchanger(broker.address).call("App.echo", "still there") == "still there"
    made.close()
