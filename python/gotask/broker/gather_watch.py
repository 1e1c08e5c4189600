"""Looks after calls that share a message: when one takes long for once, those behind it go to other workers, and the replies
to those before it are fetched.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from typing import TYPE_CHECKING, NamedTuple

from ..ipc.messages import SYNC

if TYPE_CHECKING:
    from .group import WorkerGroup
    from .process import WorkerProcess

# Seconds between two looks, and between the last ones while they find nothing to do: a call that runs for minutes is not worth
# more. Methods whose calls share messages take a tenth of the first.
PAUSE, LONGEST_PAUSE = 0.002, 0.064


class _Seen(NamedTuple):
    """What a worker was found at."""

    begun: int
    mark: tuple[int, int]
    revoked: tuple[int, ...]  # what it has been told not to begin


class GatherWatch:
    """Of one group of workers.

    What a worker has not begun is taken back in two steps, as it may be about to begin it. The first tells it, in its notes.
    A worker writes down what it begins and then looks whether that was taken back; if so it says that it has not run it.
    So when its notes are the same at the next look, it will run nothing that is behind, and all of that can go elsewhere.
    """

    def __init__(self, group: WorkerGroup, loop: AbstractEventLoop) -> None:
        self._group = group
        self._loop = loop
        self._timer: TimerHandle | None = None
        self._pause = PAUSE
        self._last = 0
        self._seen: dict[WorkerProcess, _Seen] = {}

    def sent(self, last: int) -> None:
        """A message with several calls has been sent, `last` the last one of them."""
        self._last = last
        if self._timer is None or self._pause > PAUSE:
            self._schedule(PAUSE)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._seen.clear()

    def _schedule(self, pause: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._pause = pause
        self._timer = self._loop.call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        seen, self._seen = self._seen, {}
        is_stuck = False
        for worker in tuple(self._group.pool.workers):
            is_stuck |= self._look_at(worker, seen.get(worker))
        oldest = next(iter(self._group.lanes[SYNC].sent), None)
        if oldest is not None and oldest <= self._last and self._timer is None:
            self._schedule(PAUSE if is_stuck else min(2 * self._pause, LONGEST_PAUSE))
        if is_stuck:
            self._group.batch()

    def _look_at(self, worker: WorkerProcess, before: _Seen | None) -> bool:
        """Whether it holds anything up, or may soon."""
        notes = worker.notes
        begun, mark = notes.begun, notes.gathered.mark()
        lane = self._group.lanes[SYNC]
        waiting = [number for number in notes.waiting_sync() if number in lane.sent]
        if not waiting and not mark[1]:
            return False
        revoked: tuple[int, ...] = ()
        if before is not None and before.begun == begun:
            worker.fetch(before.mark)
            if before.revoked:
                # Not what waits now: since `begun` was read it may have gone on, to a message that nobody has revoked.
                self._group.take_back(SYNC, before.revoked)
            elif waiting:
                notes.revoke(waiting[-1])
                revoked = tuple(waiting)
        self._seen[worker] = _Seen(begun, mark, revoked)
        return bool(waiting) or before is None or before.mark != mark
