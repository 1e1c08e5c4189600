"""Streams, progress, input, calls back to PHP, keys, and results of many kinds."""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import gotask


@dataclass
class Line:
    name: str
    price: Decimal
    ordered: date


@gotask.service
class Ways:
    def countdown(self, start: int):
        """A stream: PHP gets each element as it comes."""
        yield from range(start, 0, -1)

    async def words(self, text: str):
        """A stream of an async method: many of them at a time in one process."""
        for word in text.split():
            await asyncio.sleep(0.001)
            yield word

    def convert(self, frames: int) -> str:
        """Says how far it is."""
        call = gotask.current_call()
        for frame in range(frames):
            call.progress(frame / frames, "converting", {"frame": frame})
            time.sleep(0.001)
        call.progress(1.0, "done")
        return f"{frames} frames"

    def total(self, column: str) -> float:
        """Reads what PHP sends along, as it comes."""
        return sum(row[column] for row in gotask.current_call().input)

    async def greet(self, user: int) -> str:
        """Asks PHP for what PHP knows."""
        php = gotask.current_call().php
        name, greeting = await asyncio.gather(php.call("Users.name", user), php.call("Texts.get", "greeting"))
        return f"{greeting}, {name}!"

    def process(self) -> int:
        return os.getpid()

    def order(self, lines: list[Line]) -> Line:
        """Annotations convert what comes, and dataclasses, dates and decimals are sent as they are."""
        return max(lines, key=lambda line: line.price)
