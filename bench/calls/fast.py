"""fast.py CALLS: so many calls that a worker takes from a fast socket, one a message, without any I/O."""

import socket
import sys
from types import SimpleNamespace
from typing import Any

from gotask.app.registry import Registry
from gotask.app.runner import Runner
from gotask.ipc.messages import FAST_BIT, SENT
from gotask.ipc.notes import Revocations, WorkerNotes
from gotask.wire import frames as wire
from gotask.wire.codec import encode
from gotask.worker.sync import Worker, _Client


def hi(value: object) -> object:
    return value


registry = Registry()
registry.register(hi)
runner = Runner(registry, wire.MAX_PAYLOAD)
queue, end = socket.socketpair()
channel = SimpleNamespace(is_forked=False, fileno=end.fileno)
parts: Any = (channel, WorkerNotes(0), Revocations(), runner, queue, lambda method: True)
worker = Worker(*parts)
payload = encode(wire.MSGPACK, {"name": "Reasno", "values": [1, 2.5, True, None], "text": "x" * 40})
message = SENT.pack(0) + wire.encode(wire.MSGPACK, (FAST_BIT + 1, 2, 0, 0), b"hi" + payload)


def receive(inbox: memoryview, size: int, flags: int) -> int:
    inbox[: len(message)] = message
    return len(message)


fast: Any = SimpleNamespace(recv_into=receive, send=lambda frames, flags: None)
client = _Client(1, fast)
for _ in range(int(sys.argv[1])):
    worker._take_fast(client)
