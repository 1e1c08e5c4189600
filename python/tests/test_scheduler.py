"""The scheduler against a model, step by step: the queue before a lane, and the lane with its workers."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gotask.broker.queue import Call, CallQueue
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

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def queued(self, calls: int, size: int) -> None:
        self.calls += calls
        self.bytes += size


def make(owner: Any, size: int, deadline: float = 0.0, notify: bool = False, took: float = 0.0) -> Call:
    frame = wire.parse(wire.encode(wire.RAW, (1, 1), b"m" * size))
    call = Call(owner, 1, b"m", frame, None, deadline, 0.0, notify)
    route: Any = SimpleNamespace(took=took)  # microseconds
    call.route = route
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
            assert self.queue.remove(calls[place])
            assert not self.queue.remove(calls.pop(place))
        else:
            assert not self.queue.remove(make(self.owners[index], 1))

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
        gone = [call for call in self.waiting[owner] if not call.notify]
        assert self.queue.discard(owner) == gone
        self.waiting[owner] = [call for call in self.waiting[owner] if call.notify]
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


class LaneMachine(RuleBasedStateMachine):
    """Workers that take, answer and die; the model knows where each call must be."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.queue = CallQueue(MAX_CALLS, 100_000)
        self.expired: list[Call] = []
        self.lane = SharedQueue(self.loop, self.queue, True, self.expired.append, lambda last: None)
        self.owners: list[Any] = [Owner() for _ in range(OWNERS)]
        self.capacity = 0
        self.open: dict[int, Call] = {}  # by id: accepted, with no outcome yet
        self.messages: list[list[int]] = []  # with workers: numbers of calls, in the order in which they run

    def teardown(self) -> None:
        self.lane.close()
        self.loop.close()

    @rule(capacity=st.integers(0, 3))
    def resize(self, capacity: int) -> None:
        self.capacity = capacity
        self.lane.resize(capacity)

    @rule(ahead=st.sampled_from([2, 16, 128]))
    def change_pace(self, ahead: int) -> None:
        """Answers come quicker or slower: with many ahead, quick calls share messages."""
        self.lane._ahead = ahead
        self.lane.resize(self.capacity)

    @rule(burst=st.lists(st.tuples(owners, st.booleans(), st.sampled_from([1e6, 0.0, 0.0])), max_size=8))
    def submit(self, burst: list[tuple[int, bool, float]]) -> None:
        for index, late, took in burst:
            # Long past, or long ahead: the machine's own time is no part of it.
            call = make(self.owners[index], 10, 0.5 if late else 1e12, took=took)
            full = len(self.queue) >= MAX_CALLS
            if self.lane.submit(call):
                self.open[id(call)] = call
            else:
                assert full
        self.lane.pump()

    @rule()
    def take(self) -> None:
        """A worker receives a message."""
        try:
            message = self.lane.receiver.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        numbers, offset = [], 0
        while offset < len(message):
            number, _, size, _ = ENTRY.unpack_from(message, offset)
            if self.lane.revoked.has(number):
                assert self.lane.sent[number].over
                self.lane.returned([self.lane.sent[number]])
            else:
                numbers.append(number)
            offset += ENTRY.size + size
        if not numbers:
            return
        assert numbers == sorted(numbers) and all(number in self.lane.sent for number in numbers)
        assert not set(numbers) & {number for taken in self.messages for number in taken}, "handed out twice"
        self.messages.append(numbers)

    @rule(place=st.integers(0, 5))
    def revoke(self, place: int) -> None:
        """Its time is over while it lies in the kernel, and it gets its outcome."""
        taken = {number for numbers in self.messages for number in numbers}
        there = [call for number, call in self.lane.sent.items() if number not in taken and not call.over]
        if place < len(there):
            assert self.lane.revoke(there[place])
            self.lane.give_up(there[place])
            del self.open[id(there[place])]

    @precondition(lambda self: bool(self.messages))
    @rule(place=st.integers(0, 5))
    def answer(self, place: int) -> None:
        taken = self.messages[place % len(self.messages)]
        number = taken.pop(0)
        call = self.lane.answered(number)
        assert call is not None and self.lane.answered(number) is None
        del self.open[id(call)]
        if not taken:
            self.messages.remove(taken)
        self.lane.pump()

    @precondition(lambda self: bool(self.messages))
    @rule(place=st.integers(0, 5))
    def die(self, place: int) -> None:
        """The first call of the message had begun and is lost; the others are made elsewhere."""
        begun, *others = self.messages.pop(place % len(self.messages))
        lost = self.lane.answered(begun)
        assert lost is not None
        del self.open[id(lost)]
        self.lane.returned([self.lane.sent[number] for number in others])
        self.lane.pump()

    @precondition(lambda self: bool(self.messages))
    @rule(place=st.integers(0, 5))
    def die_before_noting(self, place: int) -> None:
        """Nobody has noted the calls of this message: they are found once the kernel has nothing left."""
        lost = self.messages.pop(place % len(self.messages))
        noted = [number for taken in self.messages for number in taken]
        found = [call.number for call in self.lane.lost(noted)]
        in_kernel = self.lane.sent.keys() - set(noted) - set(lost)
        assert not set(found) & in_kernel, "a call in the kernel is taken for lost"
        if not in_kernel:
            assert set(found) == set(lost)
        for number in lost:
            call = self.lane.answered(number)
            assert call is not None
            del self.open[id(call)]
        self.lane.pump()

    @rule()
    def recall(self) -> None:
        """The last worker is gone."""
        begun = [taken[0] for taken in self.messages]
        for number in begun:
            call = self.lane.answered(number)
            assert call is not None
            del self.open[id(call)]
        self.messages.clear()
        self.lane.resize(0)
        self.capacity = 0
        self.lane.recall()

    @invariant()
    def each_call_is_in_one_place(self) -> None:
        for call in self.expired:
            assert call.deadline == 0.5
            del self.open[id(call)]
        self.expired.clear()
        waiting = [id(call) for owner in self.owners for call in self.queue._waiting.get(owner, ())]
        sent = [id(call) for call in self.lane.sent.values() if not call.over]
        assert self.lane.running == len(sent)
        assert Counter(waiting + sent) == Counter(self.open.keys())
        taken = [number for numbers in self.messages for number in numbers]
        assert set(taken) <= self.lane.sent.keys()
        if self.capacity and len(self.queue):
            assert self.lane.sent, "calls wait although there are workers and nothing is under way"


def test_a_call_whose_place_an_outstanding_one_has_is_revoked_later() -> None:
    loop = asyncio.new_event_loop()
    lane = SharedQueue(loop, CallQueue(MAX_CALLS, 100_000), True, lambda call: None, lambda last: None)
    lane.resize(2)
    owner = Owner()
    first, second = make(owner, 10), make(owner, 10)
    assert lane.submit(first) and lane.revoke(first)
    lane._number += PLACES - 1
    assert lane.submit(second)
    lane.pump()
    assert second.number == first.number + PLACES
    assert not lane.revoke(second) and lane.revoked.has(first.number)
    lane.returned([first])
    assert lane.revoke(second) and lane.revoked.has(second.number)
    lane.close()
    loop.close()


def test_large_calls_wait_while_the_kernel_takes_no_more_descriptors() -> None:
    loop = asyncio.new_event_loop()
    lane = SharedQueue(loop, CallQueue(MAX_CALLS, 1_000_000), False, lambda call: None, lambda last: None)
    lane.resize(1)
    call = make(Owner(), 70_000)
    call.segment = Segment(70_000)
    full = SimpleNamespace(sendmsg=refuse_descriptors, fileno=lane._sender.fileno)
    sender, lane._sender = lane._sender, cast(socket.socket, full)
    assert lane.submit(call)
    assert not lane.sent and len(lane.queue) == 1
    lane._sender = sender
    until = loop.time() + 10
    while not lane.sent:
        assert loop.time() < until
        loop.run_until_complete(asyncio.sleep(0))
    assert lane.receiver.recvmsg(MESSAGE_SIZE, socket.CMSG_SPACE(4))[
        1
    ], "the descriptor comes with the message"
    call.release()
    lane.close()
    loop.close()


def refuse_descriptors(*given: Any) -> None:
    raise OSError(errno.ETOOMANYREFS, "too many descriptors under way")


bounded = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestQueue: Any = QueueMachine.TestCase
TestQueue.settings = bounded
TestLane: Any = LaneMachine.TestCase
TestLane.settings = bounded
