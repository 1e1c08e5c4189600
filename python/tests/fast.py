"""A client that has a fast socket, on the level of messages."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import msgpack

from gotask.ipc.messages import FAST_BIT, SENT
from gotask.wire import frames as wire
from gotask.wire.frames import Decoder, Frame

from .peer import BrokerProcess, Peer

CANCELLED, LATE, TAKE_BACK, GIVEN_BACK = 0, 1, 2, 3


class FastPeer(Peer):
    """Replies come by either socket, and are one map; `given_back` has the sequences of calls that have not run."""

    def __init__(self, address: str, open: bool = True, hello: bool = True) -> None:
        super().__init__(address, hello)
        self.fast_sequence = FAST_BIT
        self.given_back: list[int] = []
        self.outcomes: dict[int, list[Frame]] = {}  # by fast sequence, in the order in which they came
        if open:
            self.fast = self.connect(**self.invitation())

    def invitation(self) -> dict[str, str]:
        found: dict[str, str] = self.call("GoTask.FastPath")
        return found

    def connect(self, path: str, token: str) -> socket.socket:
        """EOFError: it was turned away."""
        fast = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fast.settimeout(20.0)
        fast.connect(path)
        fast.send(bytes.fromhex(token))
        if fast.recv(16) != b"\x01":
            fast.close()
            raise EOFError("the broker closed the fast socket")
        return fast

    def frame(self, method: str, payload: Any, timeout: int = 0, flags: int = 0) -> bytes:
        """The next call's frame; `fast_sequence` is its sequence then."""
        self.fast_sequence += 1
        name = method.encode()
        options = (self.fast_sequence, len(name), timeout, flags)
        return wire.encode(wire.MSGPACK, options, name + msgpack.packb(payload))

    def post(self, *frames: bytes, sent: int | None = None) -> None:
        """Sends calls in one message."""
        self.fast.send(SENT.pack(time.monotonic_ns() if sent is None else sent) + b"".join(frames))

    def send_fast(self, method: str, payload: Any = None, timeout: int = 0) -> int:
        self.post(self.frame(method, payload, timeout))
        return self.fast_sequence

    def send_many(self, *calls: tuple[str, Any]) -> list[int]:
        """Sends several calls in one message."""
        first = self.fast_sequence + 1
        self.post(*[self.frame(method, payload) for method, payload in calls])
        return list(range(first, first + len(calls)))

    def receive(self, timeout: float = 20.0) -> list[Frame]:
        """What the next message of the fast socket has; nothing at its end. TimeoutError."""
        self.fast.settimeout(timeout)
        events = Decoder().feed(self.fast.recv(200_000))
        for event in events:
            assert isinstance(event, Frame)
            self.note(event)
        return [event for event in events if isinstance(event, Frame)]

    def read(self) -> None:
        super().read()
        for frame in self.others:
            if frame.options[1:] == (GIVEN_BACK,):
                self.note(frame)
        self.others = [frame for frame in self.others if frame.options[1:] != (GIVEN_BACK,)]

    def take(self, reply: Frame) -> None:
        """A reply that was fetched from behind a slow call may come again."""
        if reply.options[0] & FAST_BIT:
            self.note(reply)
        else:
            super().take(reply)

    def note(self, frame: Frame) -> None:
        self.outcomes.setdefault(frame.options[0], []).append(frame)
        if frame.flags & wire.CONTROL:
            self.given_back.append(frame.options[0])

    def stop(self, sequence: int, reason: int) -> None:
        self.socket.sendall(wire.encode(wire.CONTROL, (sequence, reason), b"", wire.STOP))

    def fast_result(self, sequence: int) -> Any:
        """The value that came by the fast socket, or the error's map; GIVEN_BACK where it has not run."""
        while sequence not in self.outcomes:
            assert self.receive(), "the fast socket has ended"
        return self.value(sequence)

    def ordinary_result(self, sequence: int) -> Any:
        """The same for what comes by the ordinary connection."""
        while sequence not in self.outcomes:
            self.read()
        return self.value(sequence)

    def value(self, sequence: int) -> Any:
        (frame,) = self.outcomes.pop(sequence)
        if frame.flags & wire.CONTROL:
            return GIVEN_BACK
        body = frame.payload[frame.options[1] :]
        if frame.flags & wire.ERROR:
            return wire_error(body)
        return msgpack.unpackb(body, strict_map_key=False)

    def call_fast(self, method: str, payload: Any = None, timeout: int = 0) -> Any:
        return self.fast_result(self.send_fast(method, payload, timeout))

    def close(self) -> None:
        super().close()
        if hasattr(self, "fast"):
            self.fast.close()

    __del__ = close


def wire_error(body: bytes) -> Any:
    import json

    return json.loads(body)


def fast_peer(broker: BrokerProcess) -> Iterator[FastPeer]:
    """For a fixture."""
    assert broker.address is not None
    opened = FastPeer(broker.address)
    yield opened
    opened.close()
