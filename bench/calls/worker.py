"""worker.py CALLS: so many calls from the bytes that the broker receives to those of the reply, without any I/O."""

import sys

from gotask.app.registry import Registry
from gotask.app.runner import Runner
from gotask.ipc.messages import ENTRY
from gotask.wire import frames as wire
from gotask.wire.codec import encode
from gotask.wire.frames import Frame
from gotask.worker.jobs import parse_job


def hi(value: object) -> object:
    return value


registry = Registry()
registry.register(hi)
runner = Runner(registry, wire.MAX_PAYLOAD)
decoder = wire.Decoder()
payload = encode(wire.MSGPACK, {"name": "Reasno", "values": [1, 2.5, True, None], "text": "x" * 40})
for sequence in range(1, int(sys.argv[1]) + 1):
    data = wire.encode(wire.MSGPACK, (sequence, 2, 30_000, 0), b"hi" + payload)
    for frame in decoder.feed(data):
        assert isinstance(frame, Frame)
        job = parse_job(ENTRY.pack(sequence, 0.0, len(frame.raw), 0) + frame.raw, -1)
        b"".join(runner.run(job))
