"""What a method can ask about the call that it runs for."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runner import Job
    from ..ipc.notes import WorkerNotes

# Async calls run many at a time, each in a context of its own, which tasks and threads inherit that it starts
# (asyncio.to_thread); sync ones one at a time, where an attribute is cheaper.
running_async: ContextVar[Job | None] = ContextVar("gotask_call", default=None)


class _Sync:
    job: Job | None = None
    is_open = False  # the method runs now, and has not been interrupted yet


running_sync = _Sync()

# Where a worker reads which call the broker wants to end.
notes: WorkerNotes | None = None


class CurrentCall:
    """The call that is running: `id` (unique within its worker's lane), `method` as the caller wrote it.

    A thread that the method starts may look at it, too, and end its work when `cancelled` is true.
    """

    __slots__ = ("id", "method", "deadline", "_job", "_is_sync")

    def __init__(self, job: Job, is_sync: bool) -> None:
        self._job = job
        self._is_sync = is_sync
        self.id = job.number
        self.method = job.method.decode("utf-8", "replace")
        #: of time.monotonic(), in seconds; None where the caller set none
        self.deadline = job.deadline or None

    def remaining(self) -> float | None:
        """Seconds until the caller gives up, not below 0; None where it never does."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: the caller cancelled the call, or its time is over."""
        if self._job.cancelled or self.deadline is not None and self.deadline <= time.monotonic():
            return True
        return self._is_sync and notes is not None and notes.is_unwanted(self.id) and self.id != 0


def current_call() -> CurrentCall:
    """The call that the calling method runs for. RuntimeError outside of one.

    A thread of a sync method's gets the call that runs at that moment: one that may outlast its own is to be given the object.
    """
    is_sync = running_sync.job is not None
    job = running_sync.job or running_async.get()
    if job is None:
        raise RuntimeError("no call is running here: current_call() is for a method while it is being called")
    return CurrentCall(job, is_sync)
