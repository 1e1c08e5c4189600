"""Clients of all kinds that call without a pause, and note what becomes of each call."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import msgpack

from gotask import Args, AsyncClient, Client, GoTaskError
from gotask.errors import ConnectionLost, DeadlineExceeded, from_body
from gotask.wire import frames as wire

from ..peer import Peer
from .calls import GROUPS, METHODS, Book, arguments

ROOT = Path(__file__).parents[3]
PHP_CLIENT = ROOT / "tests" / "Integration" / "Fixtures" / "load.php"

#: Seconds between two attempts to reach a broker that is not there.
PAUSE = 0.02

#: Seconds beyond its timeout after which a call that has not ended counts as one that hangs.
HANG = 15.0


def php() -> str | None:
    """The PHP that can run the client, if there is one."""
    found = shutil.which(os.environ.get("PHP", "php"))
    return found if found and (ROOT / "vendor" / "autoload.php").exists() else None


class Caller(ABC):
    """Calls until it is told to stop, which ends it within a call's timeout and HANG.

    timeout: of each call, in seconds. sleep: of the slow ones among them. pause: between two rounds of calls, if any.
    """

    def __init__(
        self, name: str, address: str, book: Book, timeout: float, sleep: float, pause: float = 0.0
    ) -> None:
        self.name = name
        self.address = address
        self.book = book
        self.timeout = timeout
        self.sleep = sleep
        self.pause = pause
        self.failure: BaseException | None = None
        self.ended = threading.Event()
        self._numbers = itertools.count()
        self._random = random.Random(name)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.ended.set()

    def join(self) -> None:
        self._thread.join(self.timeout + HANG)
        assert not self._thread.is_alive(), f"{self.name} hangs in a call"
        if self.failure is not None:
            raise AssertionError(f"{self.name} failed") from self.failure

    def call(self) -> tuple[str, str, list[Any]]:
        """The next one: token, method, arguments."""
        token = f"{self.name}-{next(self._numbers)}"
        method = METHODS[self._random.choice(GROUPS)]
        self.book.begin(token)
        return token, method, arguments(self._random, token, self.sleep)

    def rest(self) -> None:
        """Between two rounds of calls."""
        if self.pause:
            self.ended.wait(self.pause)

    def failed(self, token: str, error: GoTaskError) -> None:
        self.book.failed(token, error)
        if error.code in ("connect_failed", "unavailable", "connection_lost"):
            time.sleep(PAUSE)

    @abstractmethod
    def run(self) -> None:
        ...

    def _run(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self.failure = error


class Blocking(Caller):
    """gotask.Client: one call at a time, or several together."""

    def run(self) -> None:
        with Client(self.address, self.timeout, self.timeout) as client:
            while not self.ended.is_set():
                self.rest()
                calls = [self.call() for _ in range(self._random.choice((1, 1, 20)))]
                try:
                    values = client.call_many(
                        [(method, Args(*given)) for _, method, given in calls], return_errors=True
                    )
                except GoTaskError as error:
                    values = [error] * len(calls)
                for (token, _, given), value in zip(calls, values):
                    if isinstance(value, GoTaskError):
                        self.failed(token, value)
                    else:
                        self.book.returned(token, given[2], given[3], value)


class Asynchronous(Caller):
    """gotask.AsyncClient: many tasks, some of which are cancelled."""

    tasks = 12

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        async with AsyncClient(self.address, self.timeout, self.timeout) as client:
            await asyncio.gather(*(self._one(client) for _ in range(self.tasks)))

    async def _one(self, client: AsyncClient) -> None:
        while not self.ended.is_set():
            await asyncio.sleep(self.pause * self.tasks)
            token, method, given = self.call()
            task = asyncio.ensure_future(client.call(method, Args(*given)))
            if self._random.random() < 0.05:
                asyncio.get_running_loop().call_later(self._random.random() * self.sleep, task.cancel)
            try:
                self.book.returned(token, given[2], given[3], await task)
            except GoTaskError as error:
                self.book.failed(token, error)
                await asyncio.sleep(PAUSE)
            except asyncio.CancelledError:
                self.book.end(token, "given up")


class Strict(Caller):
    """Frames, pipelined: it sees whatever the broker sends, so an answer too many as well."""

    window = 8

    def run(self) -> None:
        while not self.ended.is_set():
            under_way: dict[int, tuple[str, bytes, int]] = {}
            try:
                self._talk(under_way)
            except (OSError, EOFError) as error:
                late = isinstance(error, TimeoutError)
                for token, _, _ in under_way.values():
                    code = DeadlineExceeded.code if late else ConnectionLost.code
                    self.book.end(token, code)
                time.sleep(PAUSE)

    def _talk(self, under_way: dict[int, tuple[str, bytes, int]]) -> None:
        peer = Peer(self.address, hello=False)
        try:
            peer.socket.settimeout(self.timeout)
            peer.call_raw("GoTask.Hello", b'{"protocol": 1}', wire.JSON)
            while under_way or not self.ended.is_set():
                self.rest()
                while len(under_way) < self.window and not self.ended.is_set():
                    token, method, given = self.call()
                    under_way[peer.sequence + 1] = token, given[2], given[3]
                    body = msgpack.packb([given, {}])
                    peer.send_raw(method, body, wire.MSGPACK, int(self.timeout * 1000), 1)
                peer.read()
                for sequence in tuple(peer.replies):
                    frame = peer.replies.pop(sequence)
                    if sequence not in under_way:
                        self.book.twice.append(f"{self.name} sequence {sequence}")
                        continue
                    token, sent, times = under_way.pop(sequence)
                    body = frame.payload[frame.options[1] :]
                    if frame.flags & wire.ERROR:
                        self.book.failed(token, from_body(body))
                    else:
                        self.book.returned(token, sent, times, msgpack.unpackb(body))
        finally:
            peer.close()


class Process(Caller):
    """A client in a process of its own, which says on standard output what becomes of its calls, as lines of JSON."""

    command: list[str]
    more: tuple[str, ...] = ()  # arguments
    pid = 0
    killed = False

    def run(self) -> None:
        numbers = map(str, (self.timeout, self.sleep, self.pause))
        command = [*self.command, self.address, self.name, *numbers, *self.more]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT / "python"
        ) as process:
            self.pid = process.pid
            watch = threading.Thread(target=self._end, args=(process,), daemon=True)
            watch.start()
            assert process.stdout is not None
            for line in process.stdout:
                if line.endswith(b"\n"):
                    self._note(**json.loads(line))
            self.ended.set()
            watch.join()
        if self.killed:
            self.book.give_up(self.name)
            return
        assert process.returncode == 0, f"it ended with {process.returncode}"

    def kill(self) -> None:
        """Its calls that have no outcome get none, and may run."""
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)

    def _note(self, token: str, event: str, message: str) -> None:
        if event == "begun":
            self.book.begin(token)
        elif event == "wrong":
            self.book.wrong.append(token)
            self.book.end(token, "ok")
        else:
            self.book.end(token, event, message)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        while not self.ended.wait(0.05) and process.poll() is None:
            pass
        process.stdin.close()
        try:
            process.wait(self.timeout + HANG)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


class PythonProcess(Process):
    """All kinds of Python clients in one process."""

    command = [sys.executable, "-m", "tests.chaos.caller"]


class Php(Process):
    """The PHP client: single calls and parallel ones."""

    command = [php() or "php", str(PHP_CLIENT)]
