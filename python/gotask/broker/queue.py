"""The broker's own queue before the kernel's: bounded, fair between callers, without I/O and without a clock."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from math import inf

from .call import QUEUED, RECEIVED, Call, Caller


class CallQueue:
    """First come, first served within one caller; callers in turn, so that one's thousand calls don't hold up another's one."""

    def __init__(self, max_calls: int, max_bytes: int) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._waiting: dict[Caller, OrderedDict[Call, None]] = {}
        self._turns: deque[Caller] = deque()
        self.held: set[Caller] = set()  # whose calls are not started for now
        self.calls = 0  # that may be taken
        self.held_calls = 0  # of callers that are not to get more answers for now
        self.bytes = 0
        self.together: Iterable[CallQueue] = (self,)  # the limits are for all these together

    def __len__(self) -> int:
        return self.calls + self.held_calls

    def full_for(self, size: int) -> bool:
        """Whether a call of `size` bytes is to be refused. An empty queue takes one of any size."""
        calls, used = 0, size
        for queue in self.together:
            calls += queue.calls + queue.held_calls
            used += queue.bytes
        return calls >= self._max_calls or (calls > 0 and used > self._max_bytes)

    def push(self, call: Call) -> None:
        call.move(QUEUED)
        owner = call.owner
        calls = self._waiting.get(owner)
        if calls is None:
            calls = self._waiting[owner] = OrderedDict()
            if owner not in self.held:
                self._turns.append(owner)
        calls[call] = None
        size = call.size
        if self.held and owner in self.held:
            self.held_calls += 1
        else:
            self.calls += 1
        self.bytes += size
        owner.queued(1, size)

    def push_front(self, call: Call) -> None:
        """Puts back a call that came out earlier, before everything else: it is its owner's turn again."""
        owner = call.owner
        self.push(call)
        self._waiting[owner].move_to_end(call, last=False)
        if owner not in self.held:
            if self._turns[-1] is not owner:
                self._turns.remove(owner)
                self._turns.append(owner)
            self._turns.rotate(1)

    def pop(self) -> Call:
        """The next call; there must be one that may be taken."""
        owner = self._turns.popleft()
        calls = self._waiting[owner]
        call, _ = calls.popitem(last=False)
        if calls:
            self._turns.append(owner)
        else:
            del self._waiting[owner]
        size = call.size
        self.calls -= 1
        self.bytes -= size
        owner.queued(-1, -size)
        call.move(RECEIVED)
        return call

    def remove(self, call: Call) -> None:
        """Takes out a call that is here."""
        call.move(RECEIVED)
        owner = call.owner
        calls = self._waiting[owner]
        del calls[call]
        is_held = owner in self.held
        if is_held:
            self.held_calls -= 1
        else:
            self.calls -= 1
        self.bytes -= call.size
        owner.queued(-1, -call.size)
        if not calls:
            del self._waiting[owner]
            if not is_held:
                self._turns.remove(owner)

    def __contains__(self, call: Call) -> bool:
        return call in self._waiting.get(call.owner, ())

    def keyed(self) -> list[Call]:
        """Those that have a key."""
        return [call for calls in self._waiting.values() for call in calls if call.key]

    def hold(self, owner: Caller) -> None:
        """Starts no more calls of `owner` until `release`: it does not read its answers."""
        if owner not in self.held:
            self.held.add(owner)
            calls = self._waiting.get(owner)
            if calls:
                self._turns.remove(owner)
                self.calls -= len(calls)
                self.held_calls += len(calls)

    def release(self, owner: Caller) -> None:
        if owner in self.held:
            self.held.discard(owner)
            calls = self._waiting.get(owner)
            if calls:
                self._turns.append(owner)
                self.calls += len(calls)
                self.held_calls -= len(calls)

    def expired(self, now: float) -> list[Call]:
        """Takes out the calls whose time is over; they wait no longer, whoever's turn it is."""
        late = [call for calls in self._waiting.values() for call in calls if 0 < call.deadline <= now]
        for call in late:
            self.remove(call)
        return late

    def earliest(self) -> float:
        """The first deadline of those that wait; infinite where none has one."""
        return min(
            (call.deadline for calls in self._waiting.values() for call in calls if call.deadline),
            default=inf,
        )

    def oldest(self) -> float:
        """When the first of those that wait came; infinite where none waits."""
        return min((next(iter(calls)).arrived for calls in self._waiting.values()), default=inf)

    def discard(self, owner: Caller) -> list[Call]:
        """Takes out what `owner`, who is gone, has waiting, but for its notifications, which were promised to run."""
        self.release(owner)
        gone = [call for call in self._waiting.get(owner, ()) if not call.is_notification]
        for call in gone:
            self.remove(call)
        return gone

    def clear(self) -> list[Call]:
        """Takes out everything."""
        for owner in tuple(self.held):
            self.release(owner)
        gone = []
        while self.calls:
            gone.append(self.pop())
        return gone
