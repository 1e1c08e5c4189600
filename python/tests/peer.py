"""A peer on the level of frames, for what no client of ours would ever send, and a broker to send it to."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack

from gotask.wire import frames as wire
from gotask.wire.frames import Decoder, Frame

PACKAGE = Path(__file__).parents[1]
APPS = Path(__file__).parent / "apps"

#: Seconds that only what hangs takes, however busy the machine is.
PATIENCE = 60.0


class BrokerProcess:
    """A managed broker under test."""

    def __init__(
        self,
        app: str | Path,
        *arguments: str,
        workers: int = 1,
        address: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        preexec: Callable[[], object] | None = None,
        package: Path = PACKAGE,
    ) -> None:
        command = [sys.executable, str(package / "gotask" / "__main__.py"), str(app), "--managed"]
        command += ["--workers", str(workers), *arguments]
        if address is not None:
            command += ["--address", address]
        self.address = address
        self.records: list[dict[str, Any]] = []
        self._rest = b""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            preexec_fn=preexec,
        )

    def wait_for(self, event: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The record of `event`, of those that have come or will."""
        return self._find(lambda record: record.get("event") == event, f"event {event!r}", timeout)

    def logged(self, text: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """The log record whose message holds `text`."""
        return self._find(lambda record: text in record.get("message", ""), f"record with {text!r}", timeout)

    def _find(self, wanted: Callable[[dict[str, Any]], bool], what: str, timeout: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        until = time.monotonic() + timeout
        seen = 0
        while True:
            for record in self.records[seen:]:
                if wanted(record):
                    return record
            seen = len(self.records)
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert (
                data
            ), f"no {what} came; it said {self.records[-20:]}, {self.stderr() if ready else 'and lives'}"
            *lines, self._rest = (self._rest + data).split(b"\n")
            self.records += map(json.loads, lines)

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = PATIENCE) -> int:
        """Signals it, and waits for its end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code

    def __del__(self) -> None:
        """Of a test that failed: it leaves nothing for the next ones."""
        if hasattr(self, "process"):
            self.end(signal.SIGKILL)


def serving(folder: Path, app: str | Path, *arguments: str, workers: int = 1) -> Iterator[BrokerProcess]:
    """For a fixture: a broker with a socket in the folder, which is ready, and ends well."""
    started = BrokerProcess(app, *arguments, workers=workers, address=f"unix://{folder}/b.sock")
    started.wait_for("ready")
    yield started
    assert started.end() == 0


class Peer:
    """Sends frames, and waits for the reply of a sequence."""

    def __init__(self, address: str, hello: bool = True) -> None:
        scheme, _, rest = address.partition("://")
        if scheme == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            self.socket = socket.create_connection((host, int(port)))
        self.socket.settimeout(PATIENCE)
        self.decoder = Decoder()
        self.sequence = 0
        self.replies: dict[int, Frame] = {}
        self.others: list[Frame] = []
        if hello:
            self.hello = json.loads(self.call_raw("GoTask.Hello", b'{"protocol": 1}', wire.JSON))

    def send(self, method: str, payload: Any, *options: int) -> int:
        return self.send_raw(method, msgpack.packb(payload), wire.MSGPACK, *options)

    def send_raw(self, method: str, body: bytes, flags: int, *options: int) -> int:
        self.sequence += 1
        name = method.encode()
        self.socket.sendall(wire.encode(flags, (self.sequence, len(name), *options), name + body))
        return self.sequence

    def reply(self, sequence: int) -> Frame:
        while sequence not in self.replies:
            self.read()
        return self.replies.pop(sequence)

    def read(self) -> None:
        """Reads once. EOFError: the peer has closed."""
        data = self.socket.recv(262144)
        if not data:
            raise EOFError("the broker closed the connection")
        for event in self.decoder.feed(data):
            assert isinstance(event, Frame)
            if event.flags & wire.CONTROL:
                self.others.append(event)
            else:
                self.take(event)

    def take(self, reply: Frame) -> None:
        assert reply.options[0] not in self.replies, "answered twice"
        self.replies[reply.options[0]] = reply

    def result(self, sequence: int) -> Any:
        """The reply's value, or the error's map."""
        frame = self.reply(sequence)
        body = frame.payload[frame.options[1] :]
        if frame.flags & wire.ERROR:
            return json.loads(body) if frame.flags & wire.JSON else body.decode()
        return msgpack.unpackb(body, strict_map_key=False)

    def call(self, method: str, payload: Any = None, *options: int) -> Any:
        return self.result(self.send(method, payload, *options))

    def call_raw(self, method: str, body: bytes, flags: int, *options: int) -> bytes:
        frame = self.reply(self.send_raw(method, body, flags, *options))
        return frame.payload[frame.options[1] :]

    def close(self) -> None:
        self.socket.close()

    __del__ = close


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(ask: Callable[[], Any], what: str = "what is waited for", seconds: float = PATIENCE) -> Any:
    """The answer, once it is true."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < until, f"{what} does not come: {answer!r}"
        time.sleep(0.005)
    return answer


def free_port() -> int:
    """One that the kernel gives no connection, which others that run at the same time open, before it is listened at."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass  # it is taken


def gone(pids: list[int], timeout: float) -> bool:
    """Whether all of the processes end within `timeout` seconds."""
    until = time.monotonic() + timeout
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True
