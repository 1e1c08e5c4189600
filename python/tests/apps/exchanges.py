"""Streams, progress, input and calls back, for both kinds of workers."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gotask
from gotask import current_call


def note(path: str, word: str) -> None:
    with open(path, "a") as file:
        file.write(word + "\n")


@gotask.service
class App:
    def pid(self) -> int:
        return os.getpid()

    def echo(self, value: Any) -> Any:
        return value

    async def async_pid(self) -> int:
        return os.getpid()

    # -- streams

    def rows(self, count: int, size: int = 0) -> Iterator[Any]:
        for index in range(count):
            yield {"id": index, "text": "x" * size} if size else index
        return "all"

    async def async_rows(self, count: int, size: int = 0) -> AsyncIterator[Any]:
        for index in range(count):
            yield {"id": index, "text": "x" * size} if size else index

    def some(self, what: str) -> Any:
        return {"list": [1, 2], "tuple": (1, 2), "range": range(3), "none": None, "dict": {}, "text": "x"}[
            what
        ]

    async def async_some(self, what: str) -> Any:
        return self.rows(3) if what == "rows" else self.some(what)

    def mutable(self) -> Iterator[Any]:
        row: dict[str, int] = {}
        for index in range(100):
            row["id"] = index
            yield row

    def slow_rows(self, gaps: list[float]) -> Iterator[float]:
        for gap in gaps:
            yield time.monotonic()
            time.sleep(gap)

    async def async_slow_rows(self, gaps: list[float]) -> AsyncIterator[float]:
        for gap in gaps:
            yield time.monotonic()
            await asyncio.sleep(gap)

    def bad_rows(self, good: int, how: str) -> Iterator[Any]:
        yield from range(good)
        if how == "raise":
            raise ValueError("no more")
        if how == "kill":
            time.sleep(0.05)
            os.kill(os.getpid(), 9)
        if how == "large":
            yield "x" * 3_000_000
            time.sleep(0.1)
        yield object()

    async def async_bad_rows(self, good: int, how: str) -> AsyncIterator[Any]:
        for index in range(good):
            yield index
        if how == "raise":
            raise ValueError("no more")
        if how == "kill":
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), 9)
        if how == "large":
            yield "x" * 3_000_000
            await asyncio.sleep(0.1)
        yield object()

    def cleaning(self, path: str, rows: int, pause: float) -> Iterator[Any]:
        """Notes when it is over; works long after `rows`."""
        try:
            for index in range(rows):
                yield "x" * 1000
            note(path, "working")
            while True:
                time.sleep(pause)
        finally:
            note(path, "closed")

    async def async_cleaning(self, path: str, rows: int, pause: float) -> AsyncIterator[Any]:
        try:
            for index in range(rows):
                yield "x" * 1000
            note(path, "working")
            while True:
                await asyncio.sleep(pause)
        finally:
            note(path, "closed")

    # -- progress

    def convert(self, steps: int, from_thread: bool = False) -> str:
        call = current_call()

        def run() -> None:
            for step in range(steps):
                call.progress(step / steps, f"step {step}", {"step": step})

        if from_thread:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        else:
            run()
        return "done"

    async def async_convert(self, steps: int, from_thread: bool = False) -> str:
        call = current_call()

        def run() -> None:
            for step in range(steps):
                call.progress(step / steps, f"step {step}", {"step": step})

        if from_thread:
            await asyncio.to_thread(run)
        else:
            run()
        return "done"

    def large_progress(self) -> str:
        for step in range(20):
            current_call().progress(None, str(step))
        current_call().progress(None, "x" * 2_100_000)
        return "done"

    async def async_large_progress(self) -> str:
        return self.large_progress()

    def progress_then(self, count: int, seconds: float) -> str:
        for step in range(count):
            current_call().progress(None, str(step))
        time.sleep(seconds)
        return "done"

    # -- input

    def total(self, start: int, slowly: float = 0.0) -> int:
        for number in current_call().input:
            start += number if isinstance(number, int) else len(number)
            if slowly:
                time.sleep(slowly)
        return start

    async def async_total(self, start: int, slowly: float = 0.0) -> int:
        async for number in current_call().input:
            start += number if isinstance(number, int) else len(number)
            if slowly:
                await asyncio.sleep(slowly)
        return start

    def no_input(self) -> None:
        current_call().input

    def doubled(self) -> Iterator[Any]:
        for number in current_call().input:
            yield 2 * number

    async def async_doubled(self) -> AsyncIterator[Any]:
        async for number in current_call().input:
            yield 2 * number

    # -- calls back

    def ask(self, name: str, count: int = 1) -> list[Any]:
        return [current_call().php.call(name, index, key="k") for index in range(count)]

    async def async_ask(self, name: str, count: int = 1) -> list[Any]:
        php = current_call().php
        return list(await asyncio.gather(*(php.call(name, index, key="k") for index in range(count))))

    def asks_for_its_end(self, step: str) -> None:
        """Is killed before it calls back, while it does so again and again, or after an answer."""
        if step == "called":
            threading.Timer(0.05, os.kill, (os.getpid(), 9)).start()
        if step == "answered":
            current_call().php.call("Config.get")
        while step == "called":
            current_call().php.call("Config.get")
        os.kill(os.getpid(), 9)

    async def async_asks_for_its_end(self, step: str) -> None:
        if step == "called":
            threading.Timer(0.05, os.kill, (os.getpid(), 9)).start()
        if step == "answered":
            await current_call().php.call("Config.get")
        while step == "called":
            await current_call().php.call("Config.get")
        os.kill(os.getpid(), 9)

    def ask_with_alarms(self, count: int) -> int:
        """A call back each, which an alarm ends or not."""

        def ring(number: int, frame: Any) -> None:
            if waits:
                raise TimeoutError

        signal.signal(signal.SIGALRM, ring)
        rung, waits = 0, False
        for _ in range(count):
            try:
                waits = True
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                current_call().php.call("x" * 60_000)
                waits = False
            except Exception:  # of which it may be the cause
                waits = False
                rung += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        return rung

    def ask_and_note(self, path: str) -> None:
        try:
            current_call().php.call("Config.get")
        except BaseException as error:
            note(path, type(error).__name__)
            raise
        finally:
            note(path, "closed")

    async def async_ask_and_note(self, path: str) -> None:
        try:
            await current_call().php.call("Config.get")
        except BaseException as error:
            note(path, type(error).__name__)
            raise
        finally:
            note(path, "closed")

    def ask_from_thread(self) -> str:
        call, said = current_call(), []

        def run() -> None:
            try:
                call.php.call("Config.get")
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return said[0]

    @gotask.method(idempotent=True)
    def streams_and_dies(self, path: str) -> Iterator[int]:
        note(path, "run")
        yield 1
        os.kill(os.getpid(), 9)

    @gotask.method(idempotent=True)
    async def async_streams_and_dies(self, path: str) -> AsyncIterator[int]:
        note(path, "run")
        yield 1
        os.kill(os.getpid(), 9)

    @gotask.method(idempotent=True)
    def asks_and_dies(self, path: str) -> None:
        note(path, "run")
        current_call().php.call("Config.get")
        os.kill(os.getpid(), 9)

    @gotask.method(idempotent=True)
    async def async_asks_and_dies(self, path: str) -> None:
        note(path, "run")
        await current_call().php.call("Config.get")
        os.kill(os.getpid(), 9)

    def ask_from_child(self) -> str:
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            try:
                current_call().php.call("Config.get")
            except RuntimeError as error:
                os.write(writes, str(error).encode())
            finally:
                os._exit(0)
        os.close(writes)
        with open(reads) as said:
            text = said.read()
        os.waitpid(child, 0)
        return text

    def asks_and_streams(self, count: int) -> Iterator[Any]:
        for index in range(count):
            yield current_call().php.call("Config.get", index)

    def wait_for_file(self, path: str) -> str:
        while not Path(path).exists():
            time.sleep(0.005)
        return "there"


if __name__ == "__main__":
    gotask.run()
