"""What becomes of the calls that a worker had when it died: an error, or once more where that does no harm."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..errors import Cancelled, DeadlineExceeded, GoTaskError, WorkerCrashed
from .call import REVOKED, SENT, STOPPING, Call
from .crash import CrashReport
from .deadlines import DEADLINE
from .process import WorkerProcess
from .runtime import Runtime
from .shared_queue import SharedQueue


# A worker that lives and has received a call notes it within microseconds, once it gets to run. What left the kernel and
# nobody has noted at two looks, so many seconds apart, was lost.
CHECK = 0.25

# A call of an idempotent method that was lost with its worker is made again after a pause of up to so many seconds.
RETRY_PAUSE = 0.1


class _Doubt:
    """Whether calls were with a worker when it died: any of those up to the number `newest`."""

    __slots__ = ("report", "newest", "suspects")

    def __init__(self, report: CrashReport, newest: int) -> None:
        self.report = report
        self.newest = newest
        self.suspects: set[int] = set()


class CrashRecovery:
    """Of one group. Each call that was begun fails with the worker's report, or is made again where that does no harm.

    Those that were not begun go to other workers. begun: the calls that workers have begun, and perhaps answered; holders:
    the workers that may have received the call of that number, or get it yet; read_answers: takes all that workers have given;
    reason: why a call that has ended was asked to.
    """

    def __init__(
        self,
        runtime: Runtime,
        queue: SharedQueue,
        begun: Callable[[], set[int]],
        holders: Callable[[int], list[WorkerProcess]],
        read_answers: Callable[[], None],
        reason: Callable[[Call], str],
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._begun = begun
        self._holders = holders
        self._read_answers = read_answers
        self._reason = reason
        self._doubt: _Doubt | None = None
        # Calls that are lost, unless one of these workers stands still with them.
        self._abandoned: list[tuple[Call, list[WorkerProcess]]] = []

    def settle(self, worker: WorkerProcess, report: CrashReport) -> None:
        """Settles what the worker had noted; all that it had sent has been read."""
        for number in worker.begun():
            queue = worker.own if number & 1 and worker.own is not None else self._queue
            call = queue.answered(number)
            if call is not None:
                self._crash(call, report, self._reason(call))
        message = worker.notes.message()
        if message is not None and self._runtime.fast is not None:
            self._runtime.fast.settle(message, worker.notes, report, self._crash)

    def look(self, report: CrashReport) -> None:
        """Begins to look for what it may have received and not noted."""
        self._end_abandoned()
        sent = self._queue.sent
        if not sent:
            return
        newest = next(reversed(sent))
        if self._doubt is None:
            self._doubt = _Doubt(report, newest)
            self._runtime.loop.call_later(CHECK, self._look_for_lost, self._doubt)
        self._doubt.report, self._doubt.newest = report, newest

    def _look_for_lost(self, doubt: _Doubt) -> None:
        """Finds calls that the dead worker had received and not noted yet. They never began.

        It looks until each call that may be such a one has been noted or answered: as long as the kernel has calls, one of them
        may be in there, behind others that all workers are busy before.
        """
        queue = self._queue
        if queue.is_closed:
            return
        self._end_abandoned()
        self._read_answers()
        begun = self._begun()
        suspects = set()
        for call in queue.lost(begun):
            if call.number not in doubt.suspects:
                # A worker that has received it and stands still will not begin it when it goes on.
                if queue.revoke(call):
                    suspects.add(call.number)
                continue
            message = f"{doubt.report.death('as it received the call')}; {call.not_run}"
            error = WorkerCrashed(message, doubt.report.data(call.number, call.method))
            holders = self._holders(call.number)
            if holders:
                self._abandon(call, holders, error)
            else:
                queue.answered(call.number)
                self._fail(call, error)
        doubt.suspects = suspects
        if any(sent <= doubt.newest and sent not in begun for sent in queue.sent):
            self._runtime.loop.call_later(CHECK, self._look_for_lost, doubt)
        else:
            self._doubt = None
        queue.pump()
        self._runtime.flush()

    def _abandon(self, call: Call, holders: list[WorkerProcess], error: GoTaskError) -> None:
        """Answers a call that a worker may have which stands still: until that goes on, its revocation and its memory stay."""
        if call.state is not REVOKED:
            self._runtime.lost(call, error.message)
            if call.state is SENT:
                call.move(STOPPING)
            self._queue.give_up(call)
        self._queue.abandon(call)
        self._abandoned.append((call, holders))
        call.tell(error)

    def _end_abandoned(self) -> None:
        for entry in tuple(self._abandoned):
            call, holders = entry
            if not set(holders).intersection(self._holders(call.number)):
                self._abandoned.remove(entry)
                self._queue.revoked.free(call.number)
                call.end()

    def close(self) -> None:
        """All workers have ended."""
        self._end_abandoned()

    def _crash(self, call: Call, report: CrashReport, reason: str) -> None:
        """Answers a call that was running in a worker that died, or makes it again where that does no harm.

        `reason`: why the call was to end, if it was.
        """
        data = report.data(call.number, call.method)
        message = report.death(f"while it ran {call.name}")
        if call.state is REVOKED:
            call.end()
        elif reason and report.reason == reason:
            error = DeadlineExceeded if reason == DEADLINE else Cancelled
            self._fail(call, error(f"{report.why}; its worker was killed", data))
        elif self._runtime.retry_budget.allow(call):
            self._runtime.log.warning(f"{message}; it is idempotent and made again")
            call.lose()
            self._runtime.loop.call_later(random.uniform(0, RETRY_PAUSE), self._runtime.resubmit, call)
        else:
            self._fail(call, WorkerCrashed(message, data))

    def _fail(self, call: Call, error: GoTaskError) -> None:
        if call.state is not REVOKED:
            self._runtime.lost(call, error.message)
        call.fail(error)
