"""What leads to a replacement: a worker's memory above a limit, and changed files of the app."""

from __future__ import annotations

import os
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from typing import Any

from ..options import option
from ..wire.names import is_file
from .process import STACKS_TIME, WorkerProcess
from .runtime import Runtime


# Seconds between two looks while calls run; a look costs some 20 µs a worker, with its children some milliseconds.
PAUSE = 0.1
CHILDREN_PAUSE = 1.0
IDLE_PAUSE = 1.0

MIB = 1024 * 1024


class MemoryWatch:
    """Looks at the resident memory of a group's workers and of the processes below them, as psutil knows it.

    While no call runs little grows, and it is looked at rarely. replace: lets go of a worker, and says why. running: how many
    calls run.
    """

    def __init__(
        self, runtime: Runtime, replace: Callable[[WorkerProcess, str], None], running: Callable[[], int]
    ) -> None:
        self._replace = replace
        self._running = running
        self._loop = runtime.loop
        self._soft = runtime.config.max_memory or float("inf")
        self._hard = runtime.config.max_memory_hard or float("inf")
        self._processes: dict[WorkerProcess, Any] = {}
        self._children: dict[WorkerProcess, int] = {}  # bytes, when they were looked at last
        self._children_at = 0.0
        self._killed: set[WorkerProcess] = set()
        self._timer: TimerHandle | None = None

    def watch(self, worker: WorkerProcess) -> None:
        """From now on this worker's memory counts."""
        import psutil

        try:
            self._processes[worker] = psutil.Process(worker.pid)
        except psutil.Error:
            return  # gone already
        self.wake()

    def wake(self) -> None:
        """Calls are about to run."""
        if self._timer is None or self._timer.when() > self._loop.time() + PAUSE:
            self.end()
            self._timer = self._loop.call_later(PAUSE, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        import psutil

        self._timer = None
        with_children = time.monotonic() - self._children_at >= CHILDREN_PAUSE
        if with_children:
            self._children_at = time.monotonic()
        for worker, process in tuple(self._processes.items()):
            if worker.state == "dead":
                del self._processes[worker]
                self._killed.discard(worker)
                self._children.pop(worker, None)
                continue
            try:
                if with_children:
                    self._children[worker] = _resident(process.children(recursive=True))
                size = _resident([process]) + self._children.get(worker, 0)
            except psutil.Error:
                continue
            if size > self._hard and worker not in self._killed:
                self._killed.add(worker)
                limit = f"its memory of {size // MIB} MiB is above the limit ({option('--max-memory-hard')})"
                worker.write_stacks()
                self._loop.call_later(STACKS_TIME, worker.kill, "memory", limit)
            elif size > self._soft:
                self._replace(worker, f"its memory of {size // MIB} MiB is above {option('--max-memory')}")
        if self._running():
            self.wake()
        else:
            self._timer = self._loop.call_later(
                IDLE_PAUSE, self._look
            )  # calls of fast sockets wake nobody here


def _resident(processes: list[Any]) -> int:
    import psutil

    size = 0
    for process in processes:
        try:
            size += process.memory_info().rss
        except psutil.NoSuchProcess:
            pass  # it has ended
    return size


# Seconds between two looks at the files.
FILE_PAUSE = 0.5

# Folders in which nobody edits the app.
_SKIPPED = frozenset(("__pycache__", "node_modules", "site-packages", "vendor", "venv"))

# Files beyond this number are not looked at.
MOST = 10_000


class FileWatch:
    """Looks at the times of the Python files below the app's folder, or the working directory where the app is a module."""

    def __init__(self, loop: AbstractEventLoop, app: str, folder: str, on_change: Callable[[], None]) -> None:
        self._loop = loop
        self._folder = os.path.dirname(os.path.join(folder, app)) if is_file(app) else folder
        self._on_change = on_change
        self._seen = self._times()
        loop.call_later(FILE_PAUSE, self._look)

    def _look(self) -> None:
        times = self._times()
        if times != self._seen:
            self._seen = times
            self._on_change()
        self._loop.call_later(FILE_PAUSE, self._look)

    def _times(self) -> dict[str, int]:
        times: dict[str, int] = {}
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
            for name in files:
                if name.endswith(".py") and len(times) < MOST:
                    path = os.path.join(folder, name)
                    try:
                        times[path] = os.stat(path).st_mtime_ns
                    except OSError:
                        pass  # being replaced: the next look finds it
        return times
