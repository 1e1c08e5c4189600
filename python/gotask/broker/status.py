"""What GoTask.Status tells."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

from ..version import VERSION
from ..wire.codec import encode, ending_with
from .generations import Generations
from .runtime import Runtime

# What is counted beside calls and deaths.
COUNTERS: Final = ("connections", "refused", "recycled", "reloads", "reloads_failed", "slow")


class Status:
    """Of one broker; `of_broker` has what it alone knows."""

    def __init__(
        self, runtime: Runtime, generations: Generations, of_broker: Callable[[], dict[str, Any]]
    ) -> None:
        self._runtime = runtime
        self._counts = runtime.counts
        self._generations = generations
        self._of_broker = of_broker
        self._started_at = time.time()

    def body(self, codec: int) -> Generator[None, None, bytes]:
        """That in bytes; GoTaskError: the codec can't hold it. It is made in steps, so many methods and workers hold up no
        call. Each of them is told as it is at that moment: the answer is no picture of one moment, and has all that was
        counted before it was asked for."""
        methods, percentiles = yield from self._counts.status(partial(encode, codec))
        workers = yield from self._generations.workers_status()
        status: dict[str, Any] = {
            "pid": os.getpid(),
            "version": VERSION,
            "python": platform.python_version(),
            "loop": type(self._runtime.loop).__module__.partition(".")[0],
            "uptime": time.time() - self._started_at,
            "addresses": [str(address) for address in self._runtime.config.addresses],
            **self._of_broker(),
            "running": self._generations.running,
            **self._generations.status(percentiles),
            "workers": workers,
            "counters": {
                **{name: self._counts.events[name] for name in COUNTERS},
                "deaths": dict(self._counts.deaths),
            },
        }
        return ending_with(codec, status, "methods", methods)
