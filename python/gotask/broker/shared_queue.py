"""The queue that workers of one group take their calls from, kept by the kernel.

All of them receive from the same end of one socket pair that keeps message boundaries, so the kernel hands each call to exactly
one of those that are ready: no call waits behind a busy worker while another is idle, and nobody keeps a book of who is idle.
The broker lets only a few calls wait in the kernel; the others wait in its own queue, where limits, fairness, cancellation and
deadlines apply.

A worker notes in memory shared with the broker which calls it has begun (see `ipc.notes`), so that even after a kill -9 it is
known which calls must never run again and which may run elsewhere.

A call is `sent` from the moment when its message leaves until a worker has answered it, has reported that it did not begin it,
or is seen to have died with it. Nothing that happens to its caller meanwhile ends that (see `broker.call`): what need not run
any more is revoked, and whichever worker takes it sees that and reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Final

from ..ipc.messages import ENTRY, SHARED
from ..ipc.notes import Revocations
from ..wire.frames import ARGS, EXACT, SPECIAL, SPECIAL_SHIFT, STRUCTURED, TIMED
from .call import RECEIVED, REVOKED, SENT, Call
from .kernel_queue import KernelQueue
from .queue import CallQueue

# Calls that may lie in the kernel beyond those that a worker can start on at once: as many as take about AHEAD_TIME seconds,
# by the pace of the last answers. Enough that a worker finds the next call waiting when it ends one; few enough that the
# broker's own queue decides the order, and that little is started of what was cancelled meanwhile.
AHEAD_TIME: Final = 0.002
MIN_AHEAD: Final = 2
MAX_AHEAD: Final = 128


class SharedQueue:
    """The calls that wait for the workers of a group, and those that these have.

    clock: seconds, as deadlines count them. on_expired answers a call whose time was over before a worker was free.
    shared: the queue of all workers, where this one is a single worker's own (see `keyed`). The numbers of calls in such queues
    are odd.
    """

    def __init__(
        self,
        kernel: KernelQueue,
        waiting: CallQueue,
        clock: Callable[[], float],
        on_expired: Callable[[Call], None],
        shared: SharedQueue | None = None,
    ) -> None:
        self._clock = clock
        self._on_expired = on_expired
        self._capacity = 0  # calls that the workers run at a time
        self._ahead = MIN_AHEAD
        self._room = 0
        self._answers = 0  # since
        self._since = 0.0
        self._blocked = False  # the kernel takes nothing for now
        self._ended = False
        self.odd_numbers: Iterator[int] = count(1, 2) if shared is None else shared.odd_numbers
        self._numbers: Iterator[int] = count(2, 2) if shared is None else shared.odd_numbers
        self._is_shared = shared is None
        self.waiting = waiting
        self.sent: dict[int, Call] = {}  # in the kernel or with a worker, in the order of their numbers
        self.revoked: Revocations = Revocations() if shared is None else shared.revoked
        self._revoked = 0  # how many of those that are sent no worker will begin
        self.kernel = kernel
        kernel.on_room = self._has_room

    def resize(self, capacity: int) -> None:
        """Says how many calls the workers that take from here run at a time now."""
        self._capacity = 0 if self._ended else capacity
        self._room = self._capacity + self._ahead if self._capacity else 0
        self.pump()

    def submit(self, call: Call) -> bool:
        """Sends the call on if there is room, else lets it wait for the next `pump`. False: the queue is full."""
        waiting = self.waiting
        if not waiting.calls:
            if len(self.sent) < self._room and not waiting.held and not self._blocked:
                self._send(call)
                return True
            # The pace is measured while calls wait, which is when it matters.
            self._since, self._answers = self._clock(), 0
        if waiting.full_for(call.size):
            return False
        waiting.push(call)
        return True

    def answered(self, number: int) -> Call | None:
        """Takes out the call that an answer has come for, or that its worker has died with; it is then to be ended, or made
        again."""
        self._answers += 1
        call = self.sent.pop(number, None)
        self.revoked.free(number)
        if call is not None and call.state is REVOKED:
            self._revoked -= 1
        return call

    @property
    def running(self) -> int:
        """How many calls are sent and wait for their outcome."""
        return len(self.sent) - self._revoked

    def revoke(self, call: Call) -> bool:
        """Has no worker begin this call, which is sent. It may have been begun already, or be about to: see Revocations.

        False: an outstanding call has its place there, so it can't be revoked yet.
        """
        return self.revoked.add(call.number)

    def give_up(self, call: Call) -> None:
        """Takes note that no worker will begin a call that was revoked."""
        call.move(REVOKED)
        self._revoked += 1

    def abandon(self, call: Call) -> None:
        """Counts a call no longer that was given up, and that a worker may yet come upon or not: its revocation stays."""
        del self.sent[call.number]
        self._revoked -= 1

    def pump(self) -> None:
        """Hands on what waits, as far as the kernel's part has room."""
        waiting = self.waiting
        if not waiting.calls:
            return
        now = self._clock()
        if self._answers:
            self._measure(now)
        while waiting.calls and len(self.sent) < self._room and not self._blocked:
            call = waiting.pop()
            if call.deadline and call.deadline <= now:
                self._on_expired(call)
            else:
                self._send(call)

    def returned(self, calls: Iterable[Call]) -> None:
        """Calls that a worker will not begin: they go to another one, before all others, unless they are over."""
        for call in sorted(calls, key=lambda call: call.number, reverse=True):
            del self.sent[call.number]
            self.revoked.free(call.number)
            if call.state is REVOKED:
                self._revoked -= 1
                call.end()
            elif call.is_wanted:
                call.move(RECEIVED)
                self.waiting.push_front(call)
            else:
                call.end()

    def recall(self) -> None:
        """With no worker there: takes back what lies in the kernel."""
        self.kernel.clear()
        self.returned(list(self.sent.values()))

    def take_back(self) -> list[Call]:
        """Of a worker's own queue: no more calls. Returns those that the worker has not received."""
        self.returned([self.sent[number] for number in self.kernel.clear()])
        self.end()
        return self.waiting.clear()

    def lost(self, begun: Iterable[int]) -> list[Call]:
        """The calls that are neither in the kernel nor, by the workers' notes, begun by any of them.

        Those that left the kernel are the ones before the newest one begun; and all of them when the kernel has none left.
        Only a worker that was killed between receiving and noting can leave such a call, and for an instant any worker.
        """
        noted = {number for number in begun if not number & 1}
        outstanding = [number for number in self.sent if number not in noted]
        if not self.kernel.is_empty:
            newest = max(noted, default=0)
            outstanding = [number for number in outstanding if number < newest]
        return [self.sent[number] for number in outstanding]

    def end(self) -> None:
        """No more calls: each worker sees the end of the queue once it has emptied it."""
        self._ended = True
        self._capacity = self._room = 0
        self._blocked = False
        self.kernel.end()

    def close(self) -> None:
        self.end()
        if not self.is_closed:
            self.kernel.close()
            if self._is_shared:
                self.revoked.close()

    @property
    def has_ended(self) -> bool:
        return self._ended

    @property
    def is_closed(self) -> bool:
        return self.kernel.is_closed

    def _measure(self, now: float) -> None:
        pace = (now - self._since) / self._answers
        self._since, self._answers = now, 0
        ahead = int(AHEAD_TIME / pace) if pace > 0 else MAX_AHEAD
        self._ahead = max(MIN_AHEAD, min(ahead, 2 * self._ahead, MAX_AHEAD))
        if self._capacity:
            self._room = self._capacity + self._ahead

    def _send(self, call: Call) -> None:
        call.number = number = next(self._numbers)
        options = call.frame.options
        flags = STRUCTURED if call.owner.structured else 0
        if call.owner.timed:
            flags |= TIMED
        if len(options) >= 4 and options[3]:
            flags |= (options[3] & ARGS and EXACT) | (options[3] & SPECIAL) << SPECIAL_SHIFT
        if call.segment is None:
            entry = ENTRY.pack(number, call.deadline, call.size, flags)
            taken = self.kernel.send(b"".join((entry, call.frame.raw)))
        else:
            entry = ENTRY.pack(number, call.deadline, call.size, flags | SHARED)
            taken = self.kernel.send(entry, call.segment.fd)
        if taken:
            call.move(SENT)
            self.sent[number] = call
        else:
            self.waiting.push_front(call)
            self._blocked = True

    def _has_room(self) -> None:
        self._blocked = False
        self.pump()
