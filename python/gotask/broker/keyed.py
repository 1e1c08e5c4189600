"""Calls with a key: those with the same one go to the same worker, while it is there, for what it keeps in its memory.

A worker that gets such calls has a queue of its own beside the shared one. It is made when the first of them comes, and the
worker takes from it as from the other: what holds for a call in the shared queue holds here, too.

Each worker that takes calls has a place, a number from 0, and the key decides among the places by rendezvous hashing. A worker
that follows another one takes its place. So when a worker dies or is replaced, no other worker's keys go anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .call import Call
from .pool import WorkerPool
from .process import WorkerProcess
from .shared_queue import SharedQueue


# Keys whose worker is remembered.
MAX_CHOSEN: Final = 65_536

_BITS: Final = 2**64 - 1


def _weight(key: int, place: int) -> int:
    """A number without order; the key goes to the place that has the greatest."""
    mixed = (key << 16 ^ place) * 0x9E3779B97F4A7C15 & _BITS
    return (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93 & _BITS


class GroupQueues:
    """The queues of one group: `all` of them, the shared one first. make: a worker's own. OSError: it can't be made.

    Calls that are returned here are to be queued anew.
    """

    def __init__(self, shared: SharedQueue, pool: WorkerPool, make: Callable[[], SharedQueue]) -> None:
        self.shared = shared
        self._pool = pool
        self._make = make
        self.all = [shared]
        self._chosen: dict[int, WorkerProcess] = {}

    def queue_for(self, key: int) -> SharedQueue:
        """Where a call with that key waits: the shared one where no worker takes calls, or its own can't be had."""
        worker = self._chosen.get(key)
        if worker is None or not worker.in_service:
            serving = [worker for worker in self._pool.workers if worker.in_service]
            if not serving:
                return self.shared
            worker = max(serving, key=lambda worker: _weight(key, worker.place))
            if len(self._chosen) < MAX_CHOSEN:
                self._chosen[key] = worker
        if worker.waits is not None:
            return self.shared  # whom it waits for may make this call
        return worker.own or self._add(worker)

    def queue_of(self, number: int) -> SharedQueue:
        """The queue that the call of that number was sent by."""
        return next((queue for queue in self.all if number in queue.sent), self.shared)

    def queue_with(self, call: Call) -> SharedQueue:
        """The queue that a call waits in."""
        return next(queue for queue in self.all if call in queue.waiting)

    def balance(self) -> list[Call]:
        """Other workers take calls now."""
        self._chosen.clear()
        workers = self._pool.workers
        free = set(range(len(workers))) - {worker.place for worker in workers if worker.in_service}
        moved = self.shared.waiting.keyed() if self._pool.in_service else []
        for call in moved:
            self.shared.waiting.remove(call)
        for worker in workers:
            if not worker.in_service:
                moved += self.take_back(worker)
            elif worker.place < 0:
                worker.place = min(free)
                free.remove(worker.place)
        return moved

    def take_back(self, worker: WorkerProcess) -> list[Call]:
        """The worker gets no more such calls; it may have received some, and runs these."""
        return worker.own.take_back() if worker.own is not None and not worker.own.has_ended else []

    def remove(self, worker: WorkerProcess) -> list[Call]:
        """The worker is dead, and what it had begun is settled: nobody has received the others."""
        queue = worker.own
        if queue is None:
            return []
        queue.recall()
        queue.close()
        self.all.remove(queue)
        self._share_limits()
        return queue.waiting.clear()

    def _add(self, worker: WorkerProcess) -> SharedQueue:
        try:
            queue = self._make()
        except OSError:
            return self.shared
        if not worker.add_queue(queue):
            queue.close()
            return self.shared
        for owner in self.shared.waiting.held:
            queue.waiting.hold(owner)
        self.all.append(queue)
        self._share_limits()
        return queue

    def _share_limits(self) -> None:
        together = [queue.waiting for queue in self.all]
        for queue in self.all:
            queue.waiting.together = together
