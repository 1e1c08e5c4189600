"""Ends calls whose time is over, or that were cancelled: those that wait, and those that run.

A call that was sent and is not begun is revoked: no worker begins it any more. One that runs is asked first: a sync one by an
exception in its method, an async one by its cancellation. What has not ended within the grace is killed with its worker.
"""

from __future__ import annotations

import time
from asyncio import TimerHandle
from math import inf
from typing import Protocol

from .call import SENT, STOPPING, Call
from .process import STACKS_TIME, WorkerProcess
from .runtime import Runtime


# Looking for late calls goes through all that wait; it is not done more often than this, in seconds.
MIN_PAUSE = 0.02

# A worker notes a call, and then looks whether it was revoked. What it noted before it could see that is in memory by the next
# look of ours, so many seconds later: within nanoseconds it has left its core's store buffer.
SURE = 0.01

# Seconds beyond its grace that a worker gets at most while it waits for a processor: on a busy machine that may take long.
BUSY_LIMIT = 1.0

DEADLINE, CANCELLED = "deadline", "cancelled"

# Not ended, but taken back by its client where it has not begun.
TAKEN_BACK = "taken back"


class HasCalls(Protocol):
    """Whose calls are ended: a group of workers, or the fast path."""

    def call_of(self, number: int) -> Call | None:
        """The call of that number if it was sent and has not been answered."""

    def find(self, number: int) -> WorkerProcess | None:
        """The worker that has begun a call, and perhaps answered it."""

    def revoke(self, call: Call) -> bool:
        """Has no worker begin the call. False: not yet, see Revocations."""

    def read_answers(self) -> None:
        """Takes all answers that workers have given by now."""

    def give_up(self, call: Call, reason: str) -> None:
        """No worker will begin the call, which was revoked."""

    def late(self, now: float) -> float:
        """Ends the calls whose time is over; returns the next deadline."""


class _Stop:
    """One call that was sent and is to end."""

    __slots__ = ("call", "reason", "worker", "sure_at", "again_at", "kill_at", "limit")

    def __init__(self, call: Call, reason: str) -> None:
        self.call = call
        self.reason = reason
        self.worker: WorkerProcess | None = None  # which was asked
        self.sure_at = inf  # when it is known that no worker will begin it, unless one has
        self.again_at = inf
        self.kill_at = inf
        # Until when it is waited for a worker that has no processor; 0: its first grace is not over.
        self.limit = 0.0


class Deadlines:
    """Of one group of workers. `earliest` is to be compared with each call's deadline before it is watched here."""

    def __init__(self, group: HasCalls, runtime: Runtime) -> None:
        self._group = group
        self._loop = runtime.loop
        self._flush = runtime.flush
        self._grace = runtime.config.interrupt_grace
        self.earliest = inf
        self._timer: TimerHandle | None = None
        self._stops: dict[int, _Stop] = {}  # by number of the call
        self._stop_timer: TimerHandle | None = None

    def watch(self, deadline: float) -> None:
        """A call has come with a deadline before all others."""
        self.earliest = deadline
        if self._timer is not None:
            self._timer.cancel()
        pause = max(deadline - time.monotonic(), MIN_PAUSE)
        self._timer = self._loop.call_later(pause, self._look)

    def stop(self, call: Call, reason: str) -> None:
        """Ends a call that was sent."""
        call.move(STOPPING)
        self._stops[call.number] = stop = _Stop(call, reason)
        self._advance(stop, time.monotonic())
        self._schedule()

    def change(self, call: Call, reason: str) -> None:
        """Another reason than the one that it was stopped for."""
        if call.number in self._stops:
            self._stops[call.number].reason = reason

    def reason(self, call: Call) -> str:
        """Why a call that has ended was asked to; empty where it was not."""
        stop = self._stops.pop(call.number, None) if self._stops else None
        return stop.reason if stop is not None else ""

    def close(self) -> None:
        for timer in (self._timer, self._stop_timer):
            if timer is not None:
                timer.cancel()
        self._stops.clear()

    def _look(self) -> None:
        self._timer = None
        self.earliest = inf
        earliest = self._group.late(time.monotonic())
        if earliest < inf:
            self.watch(earliest)
        self._flush()

    def _schedule(self) -> None:
        if self._stops and self._stop_timer is None:
            pause = min(MIN_PAUSE, self._grace / 4)
            self._stop_timer = self._loop.call_later(pause, self._advance_all)

    def _advance_all(self) -> None:
        self._stop_timer = None
        now = time.monotonic()
        for number, stop in tuple(self._stops.items()):
            if self._group.call_of(number) is not stop.call:
                self._stops.pop(number, None)  # answered, or on its way to another worker
                if 0 < stop.call.deadline < self.earliest:
                    self.watch(stop.call.deadline)  # no worker may be there to take it
            else:
                self._advance(stop, now)
        self._schedule()
        self._flush()

    def _advance(self, stop: _Stop, now: float) -> None:
        worker = stop.worker
        if worker is None or worker.state == "dead":
            found = self._group.find(stop.call.number)
            if found is not None:
                stop.worker = found
                self._begin_grace(stop, now)
                found.stop(stop.call.number)
            elif stop.call.state is STOPPING:  # else it was seen to be over
                self._revoke(stop, now)
        elif now >= stop.kill_at:
            self._end(stop, worker, now)
        elif now >= stop.again_at:
            # A signal that comes just before a system call only shows when that ends: hence a second one. And a loop
            # that has not heeded the request is held up, by this call or by another. Each interrupt ends one of the tasks that
            # a call has started, and the next one may hold up the loop as well. That does not go on for ever: between two of
            # them the loop comes to give the call up by itself.
            if not worker.is_async:
                stop.again_at = inf
            elif worker.has_heeded(stop.call.number):
                stop.kill_at = now + self._grace
            worker.interrupt(stop.call.number)

    def _revoke(self, stop: _Stop, now: float) -> None:
        """Ends one that no worker has begun, by its notes: in two steps, as one may be about to begin it."""
        call = stop.call
        if stop.sure_at == inf:
            if self._group.revoke(call):
                stop.sure_at = now + SURE
        elif now >= stop.sure_at:
            # A worker may have answered it, or reported it, and noted the next one.
            self._group.read_answers()
            self._stops.pop(call.number, None)  # its answer may have been among them
            if call.state is STOPPING:
                self._group.give_up(call, stop.reason)

    def _begin_grace(self, stop: _Stop, now: float) -> None:
        stop.again_at = now + self._grace / 2
        stop.kill_at = now + self._grace

    def _end(self, stop: _Stop, worker: WorkerProcess, now: float) -> None:
        """The grace is over."""
        other = self._group.call_of(worker.held_by_other(stop.call.number))
        has_looked = worker.has_looked
        if other is not None and other.state is SENT:
            # It is another call that holds up the loop, within its time: all others of that loop are not to die for it.
            self._begin_grace(stop, now)
            worker.interrupt(stop.call.number)
            return
        if not has_looked:
            worker.interrupt(stop.call.number)  # the broker may have been too late itself to do so before
        stop.again_at = stop.kill_at = inf
        stop.limit = stop.limit or now + BUSY_LIMIT
        worker.write_stacks()
        self._loop.call_later(STACKS_TIME, self._kill, stop, worker, 0, has_looked)

    def _kill(self, stop: _Stop, worker: WorkerProcess, seen: int, had_looked: bool) -> None:
        """Kills it when it has written its stacks. `seen`: bytes of them at the last look; `had_looked`: within its grace."""
        if worker.state == "dead" or self._group.call_of(stop.call.number) is None:
            return
        written, now = worker.stacks_written(), time.monotonic()
        if now < stop.limit:
            if written == 0 or written != seen:
                self._loop.call_later(STACKS_TIME, self._kill, stop, worker, written, had_looked)
                return
            if worker.has_looked and not had_looked:
                # It had no processor within its grace. What holds up the loop, if anything does, is known only now.
                self._begin_grace(stop, now)
                worker.interrupt(stop.call.number)
                return
        what = "was cancelled" if stop.reason == CANCELLED else "had run out of time"
        words = f"{stop.call.name} {what} and did not end when it was asked to"
        worker.kill_if_running(stop.call.number, stop.reason, words)
