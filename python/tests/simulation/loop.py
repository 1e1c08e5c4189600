"""An event loop and a clock without a machine: time passes when the scheduler says so, and one callback runs at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Any, Protocol


class Source(Protocol):
    """What a loop can watch."""

    @property
    def readable(self) -> bool:
        ...

    @property
    def writable(self) -> bool:
        ...


class Clock:
    """Stands in for the module `time`. `now`: seconds, as of time.monotonic()."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = perf_counter = monotonic

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)


class Timer:
    """As of asyncio's TimerHandle."""

    __slots__ = ("when", "callback", "arguments", "is_cancelled")

    def __init__(self, when: float, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.when = when
        self.callback: Callable[..., Any] | None = callback
        self.arguments = arguments
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.callback, self.arguments = None, ()

    def cancelled(self) -> bool:
        return self.is_cancelled


class Loop:
    """The part of an event loop that the broker uses. step() runs one callback of those that may run now."""

    def __init__(self, clock: Clock, chance: Random, order: list[float]) -> None:
        self._order = order
        self._clock = clock
        self._chance = chance
        self._soon: deque[Timer] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._readers: dict[Any, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
        self._writers: dict[Any, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def time(self) -> float:
        return self._clock.now

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> Timer:
        timer = Timer(self._clock.now, callback, arguments)
        self._soon.append(timer)
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> Timer:
        return self.call_at(self._clock.now + delay, callback, *arguments)

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> Timer:
        timer = Timer(when, callback, arguments)
        self._serial += 1
        heappush(self._timers, (when, self._serial, timer))
        return timer

    def add_reader(self, source: Any, callback: Callable[..., Any], *arguments: Any) -> None:
        self._readers[source] = callback, arguments

    def remove_reader(self, source: Any) -> bool:
        return self._readers.pop(source, None) is not None

    def add_writer(self, source: Any, callback: Callable[..., Any], *arguments: Any) -> None:
        self._writers[source] = callback, arguments

    def remove_writer(self, source: Any) -> bool:
        return self._writers.pop(source, None) is not None

    # -- the scheduler's side -----------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        """When the next timer is due; infinite where there is none."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        return timers[0][0] if timers else inf

    def later(self) -> list[Timer]:
        """All that is to be called, and has not been."""
        return [*self._soon, *(timer for _, _, timer in self._timers if not timer.is_cancelled)]

    def step(self) -> str:
        """Runs one callback of those that may run; returns its name, empty where there is none."""
        kinds: list[int] = []
        if self._soon:
            kinds.append(0)
        if self.next_timer() <= self._clock.now:
            kinds.append(1)
        readers = [entry for source, entry in self._readers.items() if source.readable]
        if readers:
            kinds.append(2)
        writers = (
            [entry for source, entry in self._writers.items() if source.writable] if self._writers else []
        )
        if writers:
            kinds.append(3)
        if not kinds:
            return ""
        kind = (
            kinds[0]
            if len(kinds) == 1
            else self._chance.choices(kinds, [self._order[kind] for kind in kinds])[0]
        )
        if kind < 2:
            timer = self._soon.popleft() if kind == 0 else heappop(self._timers)[2]
            callback, arguments = timer.callback, timer.arguments
            if callback is None:
                return "a cancelled callback"
        else:
            callback, arguments = self._chance.choice(readers if kind == 2 else writers)
        callback(*arguments)
        return getattr(callback, "__qualname__", "a callback")
