"""What a method can ask about the call that it runs for."""

from __future__ import annotations

import time
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._runner import Job
    from ._slots import Slots

# Async calls run many at a time, each in a context of its own; sync ones one at a time, where an attribute is cheaper.
running_async: ContextVar[Job | None] = ContextVar("gotask_call", default=None)


class _Sync:
    job: Job | None = None


running_sync = _Sync()

# Where a worker reads which call the broker wants to end.
slots: Slots | None = None


class CurrentCall:
    """The call that is running: `id` (unique within its worker's lane), `method` as the caller wrote it.

    A thread that the method starts may look at it, too, and end its work when `cancelled` is true.
    """

    __slots__ = ("id", "method", "deadline", "_job")

    def __init__(self, job: Job) -> None:
        self._job = job
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
        return slots is not None and slots.interrupted == self.id != 0


def current_call() -> CurrentCall:
    """The call that the calling method runs for. RuntimeError outside of one, as in a thread that the method started."""
    job = running_async.get() or running_sync.job
    if job is None:
        raise RuntimeError("no call is running here: current_call() is for a method while it is being called")
    return CurrentCall(job)
