"""The generations of workers: the one that serves, one that is being started to take its place, and those that are ending."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from itertools import chain
from math import inf
from typing import Any

from . import children
from .call import Caller
from .counts import Percentiles
from .generation import Generation
from .group import WorkerGroup
from .process import WorkerProcess
from .running import worker_status
from .runtime import Runtime


class Generations:
    """Replaces one generation by the next without losing a call; the old one goes on where the new one can't be started."""

    def __init__(
        self,
        runtime: Runtime,
        on_serving: Callable[[Generation], None],
        on_start_failed: Callable[[str], None],
    ) -> None:
        self._runtime = runtime
        self._log = runtime.log
        self._on_serving = on_serving
        self._on_start_failed = on_start_failed
        self._number = 0
        self._again = False  # asked for while one was being started
        self._ending = False
        self._leaving: set[Generation] = set()
        self.current: Generation | None = None
        self.coming: Generation | None = None
        self.failure: str | None = None  # of the last reload

    def start(self) -> None:
        """Starts the first generation, or the next one; again if one is being started already, since the code may be newer."""
        if self._ending:
            return
        if self.coming is not None:
            self._again = True
            return
        self._number += 1
        if self.current is not None:
            self._log.event("reloading", generation=self._number, message="the app is loaded again")
        warm = self.current is not None
        self.coming = Generation(self._runtime, self._number, warm, self._ready, self._failed, self._ended)
        self.coming.start()

    def end(self) -> None:
        """No more calls: workers end once they have run what they have."""
        self._ending = True
        if self.coming is not None:
            self.coming.kill()
        for group in self.groups():
            group.end()

    def kill(self) -> None:
        self._ending = True
        for generation in self._all():
            generation.kill()

    def children_ended(self) -> None:
        """Looks which workers have ended, and reaps what workers have left behind."""
        for worker in self.workers:
            worker.look_for_end()
        children.reap_orphans(worker.pid for worker in self.workers)

    # -- what there is ------------------------------------------------------------------------------------------------

    def groups(self) -> Iterator[WorkerGroup]:
        """All that may have calls."""
        return chain.from_iterable(tuple(generation.groups.values()) for generation in self._all())

    @property
    def workers(self) -> list[WorkerProcess]:
        return [worker for group in self.groups() for worker in group.pool.workers]

    @property
    def fast_calls(self) -> int:
        """Calls of fast sockets that the workers have run."""
        return sum(worker.notes.calls for worker in self.workers)

    @property
    def queued(self) -> int:
        return sum(group.queued for group in self.groups())

    @property
    def running(self) -> int:
        return sum(group.running for group in self.groups())

    def hold(self, owner: Caller) -> None:
        """Starts no more calls of a caller that does not read its answers."""
        for group in self.groups():
            group.hold(owner)

    def release(self, owner: Caller) -> None:
        for group in self.groups():
            group.release(owner)

    def discard(self, owner: Caller) -> None:
        """Takes the calls of a caller that is gone out of the queues."""
        for group in self.groups():
            group.discard(owner)

    def workers_status(self) -> Generator[None, None, list[dict[str, Any]]]:
        """That of GoTask.Status; a worker at a time."""
        told = []
        for generation in self._all():
            for group in tuple(generation.groups.values()):
                for worker in tuple(group.pool.workers):
                    if worker.state != "dead":
                        told.append(worker_status(group, worker, generation.number))
                    yield
        return told

    def status(self, percentiles: Percentiles) -> dict[str, Any]:
        """The part of GoTask.Status that is about generations and their groups."""
        reload = None
        if self.coming is not None and self.current is not None:
            reload = {
                "state": "starting",
                "message": "the app is being loaded again",
                "generation": self._number,
            }
        elif self.failure is not None:
            reload = {"state": "failed", "message": self.failure, "generation": self._number}
        serving = (
            [group for group in self.current.groups.values() if not group.is_ending] if self.current else []
        )
        queues = [queue for group in self.groups() for queue in group.waiting]
        oldest = min((queue.oldest() for queue in queues), default=inf)
        return {
            "generation": self.current.number if self.current is not None else 0,
            "reload": reload,
            "failure": next((group.pool.failure for group in serving if group.pool.failure), None),
            "queued": self.queued,
            "queued_bytes": sum(queue.bytes for queue in queues),
            "queued_oldest": max(0.0, time.monotonic() - oldest),
            "services": [group.status(percentiles) for group in serving],
        }

    def _all(self) -> list[Generation]:
        return [*self._leaving, *(found for found in (self.current, self.coming) if found is not None)]

    # -- changes ------------------------------------------------------------------------------------------------------

    def _ready(self, generation: Generation) -> None:
        """Its workers are: from now on it serves."""
        if self._ending:
            return
        old, self.current, self.coming = self.current, generation, None
        self.failure = None
        if old is not None:
            for group in old.groups.values():
                group.retire()
        self._on_serving(generation)
        if self._runtime.fast is not None:
            self._runtime.fast.serve()
        if old is not None:
            self._runtime.counts.events["reloads"] += 1
            self._leaving.add(old)
            for group in tuple(old.groups.values()):
                for call in group.drain():
                    self._runtime.resubmit(call)
            message = "the app has been loaded again; calls run its code as it is now"
            self._log.event("reloaded", generation=generation.number, message=message)
        self._next()

    def _failed(self, generation: Generation, message: str) -> None:
        self._leaving.add(generation)
        self.coming = None
        generation.kill()
        if self.current is None:
            self._on_start_failed(message)
            return
        self.failure = message
        self._runtime.counts.events["reloads_failed"] += 1
        text = f"the app could not be loaded again, and its old code goes on: {message}"
        self._log.event("reload_failed", generation=generation.number, message=text)
        self._next()

    def _ended(self, generation: Generation) -> None:
        self._leaving.discard(generation)

    def _next(self) -> None:
        if self._again:
            self._again = False
            self.start()
