"""Work that has time, such as telling of all methods: it is done a little at a time, and calls come in between."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Iterator
from typing import Final

# Seconds of such work in one turn of the loop.
SLICE: Final = 0.001


class Aside:
    """Does one piece of work after the other, each in steps that are iterated over. A short one is done at once."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._works: deque[Iterator[None]] = deque()
        self._goes_on = False

    def do(self, work: Iterator[None]) -> None:
        self._works.append(work)
        if not self._goes_on:
            self._go_on()

    def _go_on(self) -> None:
        self._goes_on = False
        until = time.monotonic() + SLICE
        while self._works:
            work = self._works.popleft()
            for _ in work:
                if time.monotonic() >= until:
                    self._works.appendleft(work)
                    self._goes_on = True
                    self._loop.call_soon(self._go_on)
                    return
