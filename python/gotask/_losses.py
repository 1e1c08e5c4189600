"""What becomes of the calls that a worker had when it died."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ._deadlines import DEADLINE
from ._errors import Cancelled, DeadlineExceeded, GoTaskError, WorkerCrashed
from ._records import SYNC

if TYPE_CHECKING:
    from ._broker import Broker
    from ._certificate import Certificate
    from ._group import WorkerGroup
    from ._lane import Lane
    from ._queue import Call
    from ._worker_handle import WorkerHandle

# A worker that lives and has received a call notes it within microseconds, once it gets to run. What left the kernel and
# nobody has noted at two looks, so many seconds apart, was lost.
CHECK = 0.25

# A call of an idempotent method that was lost with its worker is made again after a pause of up to so many seconds.
RETRY_PAUSE = 0.1


class _Doubt:
    """Whether calls of a lane were with a worker when it died: any of those up to the number `newest`."""

    __slots__ = ("certificate", "newest", "suspects")

    def __init__(self, certificate: Certificate, newest: int) -> None:
        self.certificate = certificate
        self.newest = newest
        self.suspects: set[int] = set()


class Losses:
    """Of one group. Each call that was begun fails with the worker's certificate, or is made again where that does no harm.

    Those that were not begun go to other workers.
    """

    def __init__(self, group: WorkerGroup, broker: Broker) -> None:
        self._group = group
        self._broker = broker
        self._doubts: dict[int, _Doubt] = {}  # by lane

    def settle(self, worker: WorkerHandle, certificate: Certificate) -> None:
        """Settles what the worker had noted; all that it had sent has been read."""
        for number, lane in enumerate(self._group.lanes):
            self._settle(worker, number, lane, certificate)

    def look(self, certificate: Certificate) -> None:
        """Begins to look for what it may have received and not noted."""
        for number, lane in enumerate(self._group.lanes):
            if not lane.sent:
                continue
            newest = next(reversed(lane.sent))
            doubt = self._doubts.get(number)
            if doubt is None:
                doubt = self._doubts[number] = _Doubt(certificate, newest)
                self._broker.loop.call_later(CHECK, self._look_for_lost, number, doubt)
            doubt.certificate, doubt.newest = certificate, newest

    def _settle(self, worker: WorkerHandle, number: int, lane: Lane, certificate: Certificate) -> None:
        if number == SYNC:
            begun, waiting = worker.slots.begun_sync(), worker.slots.waiting_sync()
        else:
            begun, waiting = worker.slots.running_async(), []
        for call in map(lane.answered, begun):
            if call is not None:
                self._crash(call, certificate, self._group.deadlines.reason(call))
        lane.returned([lane.sent[taken] for taken in waiting if taken in lane.sent])

    def _look_for_lost(self, number: int, doubt: _Doubt) -> None:
        """Finds calls that the dead worker had received and not noted yet. They never began.

        It looks until each call that may be such a one has been noted or answered: as long as the kernel has calls, one of them
        may be in there, behind others that all workers are busy before.
        """
        lane = self._group.lanes[number]
        if lane.is_closed:
            return
        noted: set[int] = set()
        for worker in self._group.staff.workers:
            slots = worker.slots
            noted.update(
                slots.begun_sync() + slots.waiting_sync() if number == SYNC else slots.running_async()
            )
        suspects = set()
        for call in lane.lost(noted):
            if call.number not in doubt.suspects:
                # A worker that has received it and stands still will not begin it when it goes on.
                if lane.revoke(call):
                    suspects.add(call.number)
                continue
            lane.answered(call.number)
            message = f"{doubt.certificate.death('as it received the call')}; it has not run"
            self._fail(call, WorkerCrashed(message, doubt.certificate.data(call.number, call.method)))
        doubt.suspects = suspects
        if any(sent <= doubt.newest and sent not in noted for sent in lane.sent):
            self._broker.loop.call_later(CHECK, self._look_for_lost, number, doubt)
        else:
            del self._doubts[number]
        lane.pump()
        self._group.batch()

    def _crash(self, call: Call, certificate: Certificate, reason: str) -> None:
        """Answers a call that was running in a worker that died, or makes it again where that does no harm.

        `reason`: why the call was to end, if it was.
        """
        data = certificate.data(call.number, call.method)
        message = certificate.death(f"while it ran {call.name}")
        if call.over:
            call.release()
        elif reason and certificate.reason == reason:
            error = DeadlineExceeded if reason == DEADLINE else Cancelled
            self._fail(call, error(f"{certificate.why}; its worker was killed", data))
        elif self._broker.retries.allow(call):
            self._broker.log.warning(f"{message}; it is idempotent and made again")
            self._broker.loop.call_later(random.uniform(0, RETRY_PAUSE), self._broker.resubmit, call)
        else:
            self._fail(call, WorkerCrashed(message, data))

    def _fail(self, call: Call, error: GoTaskError) -> None:
        if not call.over:
            self._broker.lost(call, error.message)
        call.owner.fail(call, error)
