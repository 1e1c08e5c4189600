"""Limits of a worker's memory: above the soft one it is replaced between calls, above the hard one it is killed at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ._options import option
from ._worker_handle import STACKS_TIME

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from ._broker import Broker
    from ._group import WorkerGroup
    from ._staff import Staff
    from ._worker_handle import WorkerHandle

# Seconds between two looks while calls run; a look costs some 20 µs a worker, with its children some milliseconds.
PAUSE = 0.1
CHILDREN_PAUSE = 1.0

MIB = 1024 * 1024


class MemoryWatch:
    """Looks at the resident memory of a group's workers and of the processes below them, as psutil knows it.

    While no call runs nothing grows, and nothing is looked at.
    """

    def __init__(self, staff: Staff, group: WorkerGroup, broker: Broker) -> None:
        self._staff = staff
        self._group = group
        self._loop = broker.loop
        self._soft = broker.config.max_memory or float("inf")
        self._hard = broker.config.max_memory_hard or float("inf")
        self._processes: dict[WorkerHandle, Any] = {}
        self._children: dict[WorkerHandle, int] = {}  # bytes, when they were looked at last
        self._children_at = 0.0
        self._killed: set[WorkerHandle] = set()
        self._timer: TimerHandle | None = None

    def watch(self, worker: WorkerHandle) -> None:
        """From now on this worker's memory counts."""
        import psutil

        try:
            self._processes[worker] = psutil.Process(worker.pid)
        except psutil.Error:
            return  # gone already
        self.wake()

    def wake(self) -> None:
        """Calls are about to run."""
        if self._timer is None:
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
                self._staff.replace(
                    worker, f"its memory of {size // MIB} MiB is above {option('--max-memory')}"
                )
        if self._group.running:
            self.wake()


def _resident(processes: list[Any]) -> int:
    import psutil

    size = 0
    for process in processes:
        try:
            size += process.memory_info().rss
        except psutil.NoSuchProcess:
            pass  # it has ended
    return size
