"""The broker's own queue before a lane: bounded, fair between callers, without I/O and without a clock."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ._protocol import Frame

if TYPE_CHECKING:
    from ._connection import Connection
    from ._memory import Segment


class Call:
    """One call on its way. `owner` is the connection it came from; `number` its place in the lane, once it is there."""

    __slots__ = (
        "owner",
        "sequence",
        "method",
        "frame",
        "segment",
        "size",
        "deadline",
        "notify",
        "dropped",
        "number",
    )

    def __init__(
        self,
        owner: Connection,
        sequence: int,
        method: bytes,
        frame: Frame,
        segment: Segment | None,
        deadline: float,
        notify: bool,
    ) -> None:
        self.owner = owner
        self.sequence = sequence
        self.method = method
        self.frame = frame
        self.segment = segment
        self.size = len(frame.raw)
        self.deadline = deadline  # of time.monotonic(), 0.0 for none
        self.notify = notify
        self.dropped = False  # nobody waits for it any more
        self.number = 0

    def release(self) -> None:
        """Lets go of a large payload's memory."""
        if self.segment is not None:
            self.segment.close()
            self.segment = None


class CallQueue:
    """First come, first served within one caller; callers in turn, so that one's thousand calls don't hold up another's one."""

    def __init__(self, max_calls: int, max_bytes: int) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._waiting: dict[Connection, deque[Call]] = {}
        self._turns: deque[Connection] = deque()
        self.calls = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self.calls

    def full_for(self, size: int) -> bool:
        """Whether a call of `size` bytes is to be refused. An empty queue takes one of any size."""
        return self.calls >= self._max_calls or (self.calls > 0 and self.bytes + size > self._max_bytes)

    def push(self, call: Call) -> None:
        calls = self._waiting.get(call.owner)
        if calls is None:
            calls = self._waiting[call.owner] = deque()
            self._turns.append(call.owner)
        calls.append(call)
        size = call.size
        self.calls += 1
        self.bytes += size
        call.owner.queued(1, size)

    def push_front(self, call: Call) -> None:
        """Puts back a call that came out earlier, before everything else of its owner."""
        calls = self._waiting.get(call.owner)
        if calls is None:
            calls = self._waiting[call.owner] = deque()
            self._turns.appendleft(call.owner)
        calls.appendleft(call)
        self._count(call, 1)

    def pop(self) -> Call:
        """The next call; the queue must not be empty."""
        owner = self._turns.popleft()
        calls = self._waiting[owner]
        call = calls.popleft()
        if calls:
            self._turns.append(owner)
        else:
            del self._waiting[owner]
        size = call.size
        self.calls -= 1
        self.bytes -= size
        owner.queued(-1, -size)
        return call

    def discard(self, owner: Connection) -> list[Call]:
        """Takes out what `owner` has waiting, but for its notifications, which were promised to run."""
        calls = self._waiting.pop(owner, None)
        if calls is None:
            return []
        kept = deque(call for call in calls if call.notify)
        if kept:
            self._waiting[owner] = kept
        else:
            self._turns.remove(owner)
        gone = [call for call in calls if not call.notify]
        for call in gone:
            self._count(call, -1)
        return gone

    def clear(self) -> list[Call]:
        """Takes out everything."""
        gone = []
        while self.calls:
            gone.append(self.pop())
        return gone

    def _count(self, call: Call, sign: int) -> None:
        self.calls += sign
        self.bytes += sign * call.size
        call.owner.queued(sign, sign * call.size)
