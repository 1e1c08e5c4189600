"""Methods that say something to their caller while they run: streams, progress, calls back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import gotask
from gotask.errors import PhpError

call = gotask.current_call


@contextlib.contextmanager
def leaving(path: str) -> Iterator[None]:
    """Leaves a file behind that says that what it was around has ended."""
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write("ended")


@gotask.service
class Rows:
    def count(self, count: int) -> Iterator[int]:
        yield from range(count)
        return count

    async def count_async(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    def small(self, count: int) -> Iterator[dict[str, Any]]:
        for number in range(count):
            yield {"id": number, "name": "Jo"}

    def large(self, count: int, size: int) -> Iterator[bytes]:
        for _ in range(count):
            yield bytes(size)

    def endless(self, path: str) -> Iterator[int]:
        with leaving(path):
            number = 0
            while True:
                yield number
                number += 1

    async def endless_async(self, path: str) -> AsyncIterator[int]:
        with leaving(path):
            number = 0
            while True:
                yield number
                number += 1

    def fail_after(self, count: int) -> Iterator[int]:
        yield from range(count)
        raise ValueError("as told")

    def die_after(self, count: int) -> Iterator[int]:
        yield from range(count)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    def stall_after(self, count: int, path: str) -> Iterator[int]:
        with leaving(path):
            yield from range(count)
            time.sleep(60)

    def list(self, count: int) -> list[int]:
        return list(range(count))

    def produced(self, count: int, path: str) -> Iterator[bytes]:
        """The file has so many bytes as elements have been asked for."""
        for _ in range(count):
            with open(path, "ab") as file:
                file.write(b".")
            yield bytes(1024)


@gotask.service
class Work:
    def steps(self, count: int) -> int:
        for number in range(count):
            call().progress(number / count, f"step {number}", {"number": number})
        return count

    async def steps_async(self, count: int) -> int:
        for number in range(count):
            call().progress(number / count, f"step {number}", {"number": number})
        return count

    def wait(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    async def wait_async(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    def hang(self, path: str) -> None:
        with leaving(path):
            call().progress(None, "begun")
            time.sleep(60)

    def between(self, count: int) -> Iterator[int]:
        for number in range(count):
            call().progress(number / count)
            yield number


@gotask.service
class Inputs:
    def list(self, first: Any = None) -> list[Any]:
        return [first, *call().input]

    async def list_async(self, first: Any = None) -> list[Any]:
        return [first, *[element async for element in call().input]]

    def digest(self) -> list[Any]:
        digest, size = hashlib.sha256(), 0
        for element in call().input:
            digest.update(element)
            size += len(element)
        return [size, digest.hexdigest()]

    def first(self, count: int) -> list[Any]:
        return [element for _, element in zip(range(count), call().input)]

    def ignored(self) -> str:
        return "done"

    def failing(self) -> list[Any]:
        elements = []
        try:
            for element in call().input:
                elements.append(element)
        except PhpError as error:
            return [elements, error.type, error.message]
        return elements

    def plain(self) -> int:
        return sum(call().input)

    def doubled(self, path: str = "/dev/null") -> Iterator[Any]:
        """And writes a byte for each that has come."""
        with open(path, "w", buffering=1) as file:
            for element in call().input:
                file.write("\n")
                yield element * 2


@gotask.service
class Back:
    def call(self, name: str, *args: Any, **named: Any) -> Any:
        return call().php.call(name, *args, **named)

    async def call_async(self, name: str, *args: Any, **named: Any) -> Any:
        return await call().php.call(name, *args, **named)

    def times(self, count: int) -> int:
        return sum(call().php.call("Numbers.next", number) for number in range(count))

    async def times_async(self, count: int) -> int:
        return sum([await call().php.call("Numbers.next", number) for number in range(count)])

    async def gather(self, count: int) -> int:
        return sum(
            await asyncio.gather(*[call().php.call("Numbers.next", number) for number in range(count)])
        )

    def deep(self, level: int) -> list[str]:
        return ["Python", *(call().php.call("Numbers.deep", level - 1) if level else [])]

    async def deep_async(self, level: int) -> list[str]:
        return ["Python", *(await call().php.call("Numbers.deepAsync", level - 1) if level else [])]

    def caught(self, name: str) -> list[Any]:
        try:
            return ["returned", call().php.call(name)]
        except PhpError as error:
            return [error.type, error.message, (error.data or {}).get("code"), os.path.basename(error.where)]

    def rows(self, count: int) -> Iterator[Any]:
        for number in range(count):
            yield call().php.call("Numbers.next", number)

    def hang(self, path: str) -> None:
        with leaving(path):
            call().php.call("Numbers.hang")
