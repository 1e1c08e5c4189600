"""A lane: the queue that workers take their calls from, kept by the kernel.

All workers of a lane receive from the same end of one socket pair that keeps message boundaries, so the kernel hands each
message to exactly one of those that are ready: no call waits behind a busy worker while another is idle, and
nobody keeps a book of who is idle. The broker lets only a few messages wait in the kernel; the others wait in its own
queue, where limits, fairness, cancellation and deadlines apply.

A worker notes in memory shared with the broker which calls it has taken (see `ipc.notes`), so that even after a kill -9 it is
known which calls must never run again and which may run elsewhere.

A call is `sent` from the moment when its message leaves until a worker has answered it, has reported that it did not begin it,
or is seen to have died with it. Nothing that happens to its caller meanwhile ends that: what need not run any more is revoked,
and whichever worker takes it sees that and reports it. Until then it keeps its number and its memory.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import termios
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ..ipc.messages import ENTRY, MESSAGES, MESSAGE_SIZE, QUICK, SHARED
from ..ipc.notes import Revocations
from ..wire.frames import EXACT, LARGE, STRUCTURED, Buffer
from .queue import Call, CallQueue

# Calls that may lie in the kernel beyond those that a worker can start on at once: as many as take about AHEAD_TIME seconds,
# by the pace of the last answers. Enough that a worker finds the next call waiting when it ends one; few enough that the
# broker's own queue decides the order, and that little is started of what was cancelled meanwhile.
AHEAD_TIME: Final = 0.002
MIN_AHEAD: Final = 2
MAX_AHEAD: Final = 128

# How many calls may share a message while every worker is busy, if their methods are quick. In all they take about half of
# AHEAD_TIME: no longer does one wait behind the others of its message while another worker is idle.
GATHER: Final = 64
_QUICK: Final = int(QUICK * 1e6)  # microseconds

# Seconds until the next attempt where the kernel has no room for a descriptor under way: those of all processes of this user
# that nobody has received yet may be no more than RLIMIT_NOFILE (unix(7), ETOOMANYREFS).
FULL_PAUSE: Final = 0.01
_FULL: Final = (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)


class SharedQueue:
    """One shared queue.

    `shares`: whether calls may share a message, which only those that run one after the other can. `on_expired` answers a call
    whose time is over; `on_gathered` is told the number of the last call of a message with several.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        queue: CallQueue,
        shares: bool,
        on_expired: Callable[[Call], None],
        on_gathered: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._shares = shares
        self._on_expired = on_expired
        self._on_gathered = on_gathered
        self._capacity = 0  # calls that the workers run at a time
        self._ahead = MIN_AHEAD
        self._room = 0
        self._answers = 0  # since
        self._since = 0.0
        self._blocked = False
        self._ended = False
        self._number = 0
        self.fresh: list[Call] = []  # that have room and leave at the next pump, together
        self.queue = queue
        self.sent: dict[int, Call] = {}  # in the kernel or with a worker, in the order of their numbers
        self.revoked = Revocations()
        self._over = 0  # how many of those that are sent have their outcome
        self._sender, self.receiver = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self._sender.setblocking(False)
        self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)

    def resize(self, capacity: int) -> None:
        """Says how many calls the workers that take from this lane run at a time now."""
        self._capacity = 0 if self._ended else capacity
        self._room = self._capacity + self._ahead if self._capacity else 0
        self.pump()

    def submit(self, call: Call) -> bool:
        """Sends the call on if the lane is idle, else lets it wait for the next `pump`. False: the queue is full."""
        queue = self.queue
        if not queue.calls:
            if len(self.sent) + len(self.fresh) < self._room and not queue.held and not self._blocked:
                if self.sent or self.fresh:
                    self.fresh.append(call)
                    if len(self.fresh) >= GATHER:
                        # A worker begins with them while the rest of what came is looked at.
                        self._send_fresh()
                else:
                    self._send((call,))
                return True
            # The pace is measured while calls wait, which is when it matters.
            self._since, self._answers = time.monotonic(), 0
        if queue.full_for(call.size):
            return False
        queue.push(call)
        return True

    def answered(self, number: int) -> Call | None:
        """Takes out the call that an answer has come for."""
        self._answers += 1
        call = self.sent.pop(number, None)
        if call is not None and call.over:
            self._over -= 1
        return call

    @property
    def running(self) -> int:
        """How many calls are sent and wait for their outcome."""
        return len(self.sent) - self._over

    def revoke(self, call: Call) -> bool:
        """Has no worker begin this call, which is sent. It may have been begun already, or be about to: see Revocations.

        False: an outstanding call has its place there, so it can't be revoked yet.
        """
        other = self.revoked.in_place_of(call.number)
        if other != call.number:
            if other in self.sent:
                return False
            self.revoked.add(call.number)
        return True

    def give_up(self, call: Call) -> None:
        """Takes note that a call that was revoked has its outcome."""
        if not call.over:
            call.over = True
            self._over += 1

    def pump(self) -> None:
        """Hands on what waits, as far as the kernel's part has room."""
        if self.fresh:
            self._send_fresh()
        if self._answers and self.queue.calls:
            self._measure()
        while self.queue.calls and len(self.sent) < self._room and not self._blocked:
            calls = self._next_calls()
            if calls:
                self._send(calls)

    def returned(self, calls: Iterable[Call]) -> None:
        """Calls that a worker will not begin: they go to another one, before all others, unless they are given up."""
        for call in sorted(calls, key=lambda call: call.number, reverse=True):
            if self.sent.pop(call.number, None) is not None and call.over:
                self._over -= 1
            if call.is_given_up:
                call.release()
            else:
                self.queue.push_front(call)

    def recall(self) -> None:
        """With no worker there: takes back what lies in the kernel, and what the last worker had received and not begun."""
        try:
            while self.receiver.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT):
                pass
        except OSError:
            pass
        self.returned(list(self.sent.values()))

    def has_untaken(self, begun: Iterable[int]) -> bool:
        """Whether a call waits for a worker, the newest ones begun being `begun`."""
        return bool(self.queue.calls) or (
            bool(self.sent) and next(reversed(self.sent)) > max(begun, default=0)
        )

    def lost(self, taken: Iterable[int]) -> list[Call]:
        """The calls that are neither in the kernel nor, by the workers' notes, with any worker.

        Those that left the kernel are the ones before the newest one taken; and all of them when the kernel has none left.
        Only a worker that was killed between receiving and noting can leave such a call, and for an instant any worker.
        """
        noted = set(taken)
        outstanding = [number for number in self.sent if number not in noted]
        if not self._kernel_is_empty():
            newest = max(noted, default=0)
            outstanding = [number for number in outstanding if number < newest]
        return [self.sent[number] for number in outstanding]

    def end(self) -> None:
        """No more calls: each worker sees the end of the lane once it has emptied it."""
        self._ended = True
        self._capacity = self._room = 0
        self._unblock()
        self._sender.close()

    def close(self) -> None:
        self.end()
        if not self.is_closed:
            self.receiver.close()
            self.revoked.close()

    @property
    def is_closed(self) -> bool:
        return self.receiver.fileno() < 0

    def _measure(self) -> None:
        now = time.monotonic()
        pace = (now - self._since) / self._answers
        self._since, self._answers = now, 0
        ahead = int(AHEAD_TIME / pace) if pace > 0 else MAX_AHEAD
        self._ahead = max(MIN_AHEAD, min(ahead, 2 * self._ahead, MAX_AHEAD))
        if self._capacity:
            self._room = self._capacity + self._ahead

    def _next_calls(self) -> list[Call]:
        """The calls of one message. All but the first are of quick methods, and the first too if there are more."""
        calls: list[Call] = []
        queue = self.queue
        size = 0
        now = time.monotonic()
        most = self._most(queue.calls)
        while queue.calls:
            call = queue.pop()
            if call.is_given_up:
                call.release()
                continue
            if call.deadline and call.deadline <= now:
                self._on_expired(call)
                continue
            is_quick = _is_quick(call)
            if calls and not (is_quick and size + call.size <= LARGE):
                queue.push_front(call)
                break
            calls.append(call)
            size += call.size + ENTRY.size
            if not is_quick or len(calls) >= most:
                break
        return calls

    def _most(self, waiting: int) -> int:
        """How many of so many calls may share the next message."""
        if not self._shares:
            return 1
        idle = self._capacity - len(self.sent)
        if idle > 0:
            # As many for each worker as it would get one by one, but it is woken once.
            return min(GATHER, -(-waiting // idle))
        return min(GATHER, self._ahead // (2 * self._capacity), -(-waiting // self._capacity))

    def _send_fresh(self) -> None:
        """The same for calls that have come since the last time and found room: they need no turn in the queue."""
        calls = []
        for call in self.fresh:
            if call.is_given_up:
                call.release()
            else:
                calls.append(call)
        self.fresh.clear()
        place, count = 0, len(calls)
        while place < count and not self._blocked:
            stop = place + 1
            most = min(place + self._most(count - place), count)
            if stop < most and _is_quick(calls[place]):
                size = calls[place].size + ENTRY.size
                while stop < most and _is_quick(calls[stop]) and size + calls[stop].size <= LARGE:
                    size += calls[stop].size + ENTRY.size
                    stop += 1
            self._send(calls[place:stop])
            place = stop
        for call in calls[place:]:
            self.queue.push(call)

    def _send(self, calls: Sequence[Call]) -> None:
        parts: list[Buffer] = []
        descriptors: list[int] = []
        for call in calls:
            self._number += 1
            call.number = self._number
            self.sent[self._number] = call
            options = call.frame.options
            flags = STRUCTURED if call.owner.structured else 0
            if len(options) == 4 and options[3] & 1:
                flags |= EXACT
            if call.segment is None:
                parts.append(ENTRY.pack(call.number, call.deadline, call.size, flags))
                parts.append(call.frame.raw)
            else:
                parts.append(ENTRY.pack(call.number, call.deadline, call.size, flags | SHARED))
                descriptors.append(call.segment.fd)
        try:
            if descriptors:
                socket.send_fds(self._sender, parts, descriptors)
            else:
                self._sender.send(b"".join(parts))
            if len(parts) > 2:
                self._on_gathered(self._number)
        except (BlockingIOError, InterruptedError):
            self._hold_back(calls)
            self._loop.add_writer(self._sender, self._writable)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._hold_back(calls)
            self._loop.call_later(FULL_PAUSE, self._writable)

    def _hold_back(self, calls: Sequence[Call]) -> None:
        for call in reversed(calls):
            del self.sent[call.number]
            self.queue.push_front(call)
        self._blocked = True

    def _writable(self) -> None:
        self._unblock()
        self.pump()

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self._loop.remove_writer(self._sender)

    def _kernel_is_empty(self) -> bool:
        waiting = fcntl.ioctl(self._sender, termios.TIOCOUTQ, b"\0\0\0\0")
        return waiting == b"\0\0\0\0"


def _is_quick(call: Call) -> bool:
    return call.route is not None and call.route.took < _QUICK
