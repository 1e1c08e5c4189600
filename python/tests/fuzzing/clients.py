"""Clients against a server whose answers are mutated: each call has one outcome, within its time."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gotask import AsyncClient, Client, GoTaskError
from gotask.wire import frames as wire

from ..chaos.clients import ROOT, php
from .mutations import Result, frame, mutated, with_checksum

PHP_CLIENT = ROOT / "tests" / "Integration" / "Fixtures" / "fuzz.php"

#: Seconds that a call may take, and so many more before it counts as one that hangs.
TIMEOUT, HANG = 0.05, 10.0


def run(cases: int, seconds: float, seed: int, kind: str) -> Result:
    """kind: "blocking" and "async" of Python's clients, "php"."""
    with tempfile.TemporaryDirectory(prefix="gotask-fuzz-") as folder:
        path = f"{folder}/s.sock"
        with _server(path, seed):
            if kind == "php":
                return _php(path, cases, seconds)
            if kind == "async":
                return asyncio.run(_async(path, cases, seconds))
            return _blocking(path, cases, seconds)


@contextmanager
def _server(path: str, seed: int) -> Iterator[None]:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    chance = random.Random(seed)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(connection, chance), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(HANG)


def _serve(connection: socket.socket, chance: random.Random) -> None:
    decoder = wire.Decoder()
    with connection:
        try:
            while data := connection.recv(65536):
                for event in decoder.feed(data):
                    if isinstance(event, wire.Frame) and not event.flags & wire.CONTROL:
                        connection.sendall(_answer(event, chance))
        except OSError:
            pass


def _answer(call: wire.Frame, chance: random.Random) -> bytes:
    """An echo, which in most cases is no longer one when it leaves."""
    length = call.options[1] if len(call.options) > 1 else 0
    method = call.payload[:length]
    body = call.payload[length:]
    flags = call.flags
    if method == b"GoTask.Hello":
        body = b'{"protocol": 1, "peer": "python", "version": "0.1.0", "max_payload": 67108864, "pid": 1}'
    elif chance.random() < 0.3:
        body, flags = b'{"code": "worker_crashed", "message": "m", "data": {}}', wire.ERROR | wire.JSON
    data = wire.encode(flags, (call.options[0], length), method + body)
    if chance.random() < 0.3:
        return data
    if chance.random() < 0.1:
        data += frame(chance)
    data = mutated(chance, data)
    return with_checksum(data) if len(data) >= 12 and chance.random() < 0.6 else data


def _payload(number: int) -> list[object]:
    return [number, "x" * (number % 50), {"a": None}]


def _blocking(path: str, cases: int, seconds: float) -> Result:
    findings = []
    until = time.monotonic() + seconds
    done = 0
    client = Client(f"unix://{path}", timeout=TIMEOUT, connect_timeout=TIMEOUT)
    while done < cases and time.monotonic() < until:
        done += 1
        began = time.monotonic()
        try:
            client.call("App.echo", _payload(done))
        except GoTaskError:
            pass
        except Exception as error:
            findings.append(f"call {done}: {error!r}")
        if time.monotonic() - began > TIMEOUT + HANG:
            findings.append(f"call {done} took {time.monotonic() - began:.1f} s")
    client.close()
    return Result(done, findings)


async def _async(path: str, cases: int, seconds: float) -> Result:
    findings = []
    until = time.monotonic() + seconds
    done = 0
    async with AsyncClient(f"unix://{path}", timeout=TIMEOUT, connect_timeout=TIMEOUT) as client:
        while done < cases and time.monotonic() < until:
            calls = [client.call("App.echo", _payload(done + index)) for index in range(4)]
            done += len(calls)
            tasks = [asyncio.ensure_future(call) for call in calls]
            _, late = await asyncio.wait(tasks, timeout=TIMEOUT + HANG)
            for task in tasks:
                if task in late:
                    task.cancel()
                    findings.append(f"a call near {done} has no outcome")
                elif not isinstance(task.exception(), GoTaskError | None):
                    findings.append(f"a call near {done}: {task.exception()!r}")
    return Result(done, findings)


def _php(path: str, cases: int, seconds: float) -> Result:
    command = [php() or "php", str(PHP_CLIENT), f"unix://{path}", str(cases), str(seconds), str(TIMEOUT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=seconds + TIMEOUT + 2 * HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        return Result(0, ["the PHP client hangs"])
    lines = output.splitlines()
    try:
        report = json.loads(lines[-1])
    except (ValueError, IndexError):
        return Result(0, [f"the PHP client ended with {process.returncode}: {output[-2000:]}"])
    slow = report["slowest"] > TIMEOUT + HANG
    findings = [*report["findings"], *([f"a call took {report['slowest']} s"] if slow else [])]
    return Result(report["cases"], findings)
