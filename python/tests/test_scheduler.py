"""The scheduler against a model, step by step: the broker's queue, and the shared queue with its workers."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gotask.broker.call import ACCEPTED, REVOKED, STOPPING, Call
from gotask.broker.kernel_queue import KernelQueue
from gotask.broker.queue import CallQueue
from gotask.broker.shared_queue import SharedQueue
from gotask.ipc.messages import ENTRY, MESSAGE_SIZE
from gotask.ipc.notes import PLACES
from gotask.ipc.segment import Segment
from gotask.wire import frames as wire


OWNERS = 3
MAX_CALLS, MAX_BYTES = 20, 3000

owners = st.integers(0, OWNERS - 1)
sizes = st.sampled_from([1, 1, 10, 10, 100, 400, 3000])


class Owner:
    """Counts what it has waiting, as a connection does."""

    structured = True
    timed = False

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def queued(self, calls: int, size: int) -> None:
        self.calls += calls
        self.bytes += size


def make(owner: Any, size: int, deadline: float = 0.0, notify: bool = False) -> Call:
    frame = wire.parse(wire.encode(wire.RAW, (1, 1), b"m" * size))
    call = Call(owner, 1, b"m", frame, None, deadline, 0.0)
    if notify:
        call.conclude(ACCEPTED)
    return call


class QueueMachine(RuleBasedStateMachine):
    """The model: each owner's calls in order, who is held, and since when each could have been served."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = CallQueue(MAX_CALLS, MAX_BYTES)
        self.owners: list[Any] = [Owner() for _ in range(OWNERS)]
        self.waiting: dict[Any, list[Call]] = {owner: [] for owner in self.owners}
        self.held: set[Any] = set()
        self.clock = 0
        self.eligible_since: dict[Any, int] = {}
        self.served = {owner: -1 for owner in self.owners}

    def calls(self) -> list[Call]:
        return [call for calls in self.waiting.values() for call in calls]

    @rule(index=owners, size=sizes, deadline=st.sampled_from([0.0, 1.0, 2.0, 3.0]), notify=st.booleans())
    def push(self, index: int, size: int, deadline: float, notify: bool) -> None:
        call = make(self.owners[index], size, deadline, notify)
        there = self.calls()
        used = sum(other.size for other in there)
        full = len(there) >= MAX_CALLS or bool(there) and used + call.size > MAX_BYTES
        assert self.queue.full_for(call.size) == full
        if not full:
            self.queue.push(call)
            self.waiting[call.owner].append(call)

    @precondition(lambda self: bool(self.eligible_since))
    @rule(back=st.booleans())
    def pop(self, back: bool) -> None:
        call = self.queue.pop()
        owner: Any = call.owner
        assert owner not in self.held
        assert self.waiting[owner][0] is call, "a caller's calls keep their order"
        for other, since in self.eligible_since.items():
            fair = since >= self.served[owner] or self.served[other] > self.served[owner]
            assert other is owner or fair, "one caller is served twice while another waits"
        if back:
            self.queue.push_front(call)
            return
        self.waiting[owner].pop(0)
        self.served[owner] = self.clock

    @rule(index=owners, place=st.integers(0, 5))
    def remove(self, index: int, place: int) -> None:
        calls = self.waiting[self.owners[index]]
        if place < len(calls):
            self.queue.remove(calls.pop(place))

    @rule(index=owners)
    def hold(self, index: int) -> None:
        self.queue.hold(self.owners[index])
        self.held.add(self.owners[index])

    @rule(index=owners)
    def release(self, index: int) -> None:
        self.queue.release(self.owners[index])
        self.held.discard(self.owners[index])

    @rule(now=st.sampled_from([0.5, 1.0, 2.5]))
    def expire(self, now: float) -> None:
        late = [call for call in self.calls() if 0 < call.deadline <= now]
        assert Counter(map(id, self.queue.expired(now))) == Counter(map(id, late))
        for call in late:
            self.waiting[call.owner].remove(call)
        left = [call.deadline for call in self.calls() if call.deadline]
        assert self.queue.earliest() == min(left, default=float("inf"))

    @rule(index=owners)
    def discard(self, index: int) -> None:
        owner = self.owners[index]
        gone = [call for call in self.waiting[owner] if not call.is_notification]
        assert self.queue.discard(owner) == gone
        self.waiting[owner] = [call for call in self.waiting[owner] if call.is_notification]
        self.held.discard(owner)

    @rule()
    def clear(self) -> None:
        assert Counter(map(id, self.queue.clear())) == Counter(map(id, self.calls()))
        self.waiting = {owner: [] for owner in self.owners}
        self.held.clear()

    @invariant()
    def counts_are_right(self) -> None:
        self.clock += 1
        held = sum(len(self.waiting[owner]) for owner in self.held)
        assert (self.queue.held_calls, len(self.queue)) == (held, len(self.calls()))
        assert self.queue.bytes == sum(call.size for call in self.calls())
        for owner, calls in self.waiting.items():
            assert (owner.calls, owner.bytes) == (len(calls), sum(call.size for call in calls))
            if calls and owner not in self.held:
                self.eligible_since.setdefault(owner, self.clock)
            else:
                self.eligible_since.pop(owner, None)


class SharedQueueMachine(RuleBasedStateMachine):
    """Workers that take, answer and die; the model knows where each call must be."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.expired: list[Call] = []
        self.kernel = KernelQueue(self.loop)
        self.waiting = CallQueue(MAX_CALLS, 100_000)
        self.queue = SharedQueue(self.kernel, self.waiting, lambda: 1.0, self.expired.append)
        self.owners: list[Any] = [Owner() for _ in range(OWNERS)]
        self.capacity = 0
        self.open: dict[int, Call] = {}  # by id: accepted, with no outcome yet
        self.taken: list[int] = []  # numbers of the calls that workers have

    def teardown(self) -> None:
        self.queue.close()
        self.loop.close()

    @rule(capacity=st.integers(0, 3))
    def resize(self, capacity: int) -> None:
        self.capacity = capacity
        self.queue.resize(capacity)

    @rule(ahead=st.sampled_from([2, 16, 128]))
    def change_pace(self, ahead: int) -> None:
        """Answers come quicker or slower."""
        self.queue._ahead = ahead
        self.queue.resize(self.capacity)

    @rule(burst=st.lists(st.tuples(owners, st.booleans()), max_size=8))
    def submit(self, burst: list[tuple[int, bool]]) -> None:
        for index, late in burst:
            call = make(self.owners[index], 10, 0.5 if late else 1e12)
            full = len(self.waiting) >= MAX_CALLS
            if self.queue.submit(call):
                self.open[id(call)] = call
            else:
                assert full
        self.queue.pump()

    @rule()
    def take(self) -> None:
        """A worker receives a call."""
        try:
            message = self.kernel.receiver.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        number, _, size, _ = ENTRY.unpack_from(message)
        assert ENTRY.size + size == len(message)
        if self.queue.revoked.has(number):
            assert self.queue.sent[number].state is REVOKED
            self.queue.returned([self.queue.sent[number]])
            return
        assert number in self.queue.sent
        assert number > max(self.taken, default=0), "handed out twice, or not in order"
        self.taken.append(number)

    @rule(place=st.integers(0, 5))
    def revoke(self, place: int) -> None:
        """Its time is over while it lies in the kernel, and it gets its outcome."""
        sent = self.queue.sent
        there = [
            call for number, call in sent.items() if number not in self.taken and call.state is not REVOKED
        ]
        if place < len(there):
            assert self.queue.revoke(there[place])
            there[place].move(STOPPING)
            self.queue.give_up(there[place])
            del self.open[id(there[place])]

    @precondition(lambda self: bool(self.taken))
    @rule(place=st.integers(0, 5))
    def answer(self, place: int) -> None:
        """A worker answers, or has died: its call is over."""
        self.end(self.taken.pop(place % len(self.taken)))
        self.queue.pump()

    @precondition(lambda self: bool(self.taken))
    @rule(place=st.integers(0, 5))
    def die_before_noting(self, place: int) -> None:
        """Nobody has noted the call: it is found once the kernel has nothing left."""
        lost = self.taken.pop(place % len(self.taken))
        found = [call.number for call in self.queue.lost(self.taken)]
        in_kernel = self.queue.sent.keys() - set(self.taken) - {lost}
        assert not set(found) & in_kernel, "a call in the kernel is taken for lost"
        if not in_kernel:
            assert found == [lost]
        self.end(lost)
        self.queue.pump()

    @rule()
    def recall(self) -> None:
        """The last worker is gone."""
        while self.taken:
            self.end(self.taken.pop())
        self.queue.resize(0)
        self.capacity = 0
        self.queue.recall()

    def end(self, number: int) -> None:
        call = self.queue.answered(number)
        assert call is not None and self.queue.answered(number) is None
        call.end()
        del self.open[id(call)]

    @invariant()
    def each_call_is_in_one_place(self) -> None:
        for call in self.expired:
            assert call.deadline == 0.5
            del self.open[id(call)]
        self.expired.clear()
        waiting = [id(call) for owner in self.owners for call in self.waiting._waiting.get(owner, ())]
        sent = [id(call) for call in self.queue.sent.values() if call.state is not REVOKED]
        assert self.queue.running == len(sent)
        assert Counter(waiting + sent) == Counter(self.open.keys())
        assert set(self.taken) <= self.queue.sent.keys()
        if self.capacity and len(self.waiting):
            assert self.queue.sent, "calls wait although there are workers and nothing is under way"


def test_a_call_whose_place_an_outstanding_one_has_is_revoked_later() -> None:
    loop = asyncio.new_event_loop()
    queue = SharedQueue(KernelQueue(loop), CallQueue(MAX_CALLS, 100_000), lambda: 1.0, lambda call: None)
    queue.resize(2)
    owner = Owner()
    first, second = make(owner, 10), make(owner, 10)
    assert queue.submit(first) and queue.revoke(first)
    queue._numbers = count(first.number + PLACES)
    assert queue.submit(second)
    assert second.number == first.number + PLACES
    assert not queue.revoke(second) and queue.revoked.has(first.number)
    queue.returned([first])
    assert queue.revoke(second) and queue.revoked.has(second.number)
    queue.close()
    loop.close()


def test_large_calls_wait_while_the_kernel_takes_no_more_descriptors() -> None:
    loop = asyncio.new_event_loop()
    kernel = KernelQueue(loop)
    queue = SharedQueue(kernel, CallQueue(MAX_CALLS, 1_000_000), lambda: 1.0, lambda call: None)
    queue.resize(1)
    call = make(Owner(), 70_000)
    call.segment = Segment(70_000)
    full = SimpleNamespace(sendmsg=refuse_descriptors, fileno=kernel._sender.fileno)
    sender, kernel._sender = kernel._sender, cast(socket.socket, full)
    assert queue.submit(call)
    assert not queue.sent and len(queue.waiting) == 1
    kernel._sender = sender
    until = loop.time() + 10
    while not queue.sent:
        assert loop.time() < until
        loop.run_until_complete(asyncio.sleep(0))
    ancillary = kernel.receiver.recvmsg(MESSAGE_SIZE, socket.CMSG_SPACE(4))[1]
    assert ancillary, "the descriptor comes with the message"
    queue.answered(call.number)
    call.end()
    queue.close()
    loop.close()


def test_what_lies_in_a_queue_that_has_ended_is_still_seen() -> None:
    """A worker may die when its generation has ended already: what it had received and not noted is looked for then, too."""
    loop = asyncio.new_event_loop()
    queue = SharedQueue(KernelQueue(loop), CallQueue(MAX_CALLS, 1_000_000), lambda: 1.0, lambda call: None)
    queue.resize(2)
    calls = [make(Owner(), 10) for _ in range(2)]
    for call in calls:
        assert queue.submit(call)
    queue.end()
    assert queue.lost([]) == []
    queue.kernel.receiver.recv(MESSAGE_SIZE)
    assert queue.lost([]) == []
    queue.kernel.receiver.recv(MESSAGE_SIZE)
    assert queue.lost([]) == calls
    queue.close()
    loop.close()


def refuse_descriptors(*given: Any) -> None:
    raise OSError(errno.ETOOMANYREFS, "too many descriptors under way")


bounded = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestQueue: Any = QueueMachine.TestCase
TestQueue.settings = bounded
TestSharedQueue: Any = SharedQueueMachine.TestCase
TestSharedQueue.settings = bounded
