"""Fairness between the lanes of a group: async calls that never cease keep no sync one waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ipc.messages import ASYNC, SYNC

if TYPE_CHECKING:
    from .group import WorkerGroup

# Seconds that a sync call may wait while workers run async calls, before one of them makes room for it.
PATIENCE = 0.05


class Fairness:
    """A worker with async calls takes no sync one; now and then one of them is asked to take no more async calls before it."""

    def __init__(self, group: WorkerGroup) -> None:
        self._group = group
        self._looking = False

    def look(self) -> None:
        """A sync call has come while async ones run."""
        if not self._looking:
            self._looking = True
            self._group.later(PATIENCE, self._help)

    def _help(self) -> None:
        self._looking = False
        group = self._group
        running = group.lanes[ASYNC].sent
        ready = [worker for worker in group.pool.workers if worker.in_service]
        begun = [number for worker in ready for number in worker.notes.begun_sync()]
        if not running or not group.lanes[SYNC].has_untaken(begun):
            return
        loads = [
            (sum(number in running for number in worker.notes.running_async()), index)
            for index, worker in enumerate(ready)
            if worker.is_async and not worker.yielding
        ]
        if loads:
            ready[min(loads)[1]].yield_to_sync()
        self.look()
