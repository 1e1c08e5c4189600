"""The queue before a lane, against a model: order, turns, limits, and what callers are told about."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gotask.broker.call import ACCEPTED, Call
from gotask.broker.queue import CallQueue
from gotask.wire import frames as wire


class _Owner:
    """Counts what it has waiting, as a connection does."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def queued(self, calls: int, size: int) -> None:
        self.calls += calls
        self.bytes += size


#: In place of a Connection.
Owner: Any = _Owner


def call(owner: Any, sequence: int, size: int = 10, notify: bool = False) -> Call:
    frame = wire.parse(wire.encode(wire.RAW, (sequence, 1), b"m" * size))
    made = Call(owner, sequence, b"m", frame, None, 0.0, 0.0)
    if notify:
        made.conclude(ACCEPTED)
    return made


def test_callers_take_turns_and_each_ones_calls_keep_their_order() -> None:
    queue = CallQueue(100, 10_000)
    first, second, third = Owner(), Owner(), Owner()
    for owner, count in ((first, 3), (second, 1), (third, 2)):
        for sequence in range(count):
            queue.push(call(owner, sequence))
    order = [(item.owner, item.sequence) for item in queue.clear()]
    assert order == [(first, 0), (second, 0), (third, 0), (first, 1), (third, 1), (first, 2)]


def test_what_is_put_back_comes_first() -> None:
    queue = CallQueue(100, 10_000)
    first, second = Owner(), Owner()
    queue.push(call(first, 1))
    queue.push(call(second, 2))
    taken = queue.pop()
    queue.push_front(taken)
    assert [item.sequence for item in queue.clear()] == [1, 2]


def test_who_gets_a_call_back_and_has_more_does_not_lose_its_turn() -> None:
    queue = CallQueue(100, 10_000)
    first, second = Owner(), Owner()
    for sequence in range(3):
        queue.push(call(first, sequence))
        queue.push(call(second, 10 + sequence))
    assert queue.pop().owner is first
    for _ in range(3):
        queue.push_front(queue.pop())
    assert [item.sequence for item in queue.clear()] == [10, 1, 11, 2, 12]


def test_it_is_full_by_calls_and_by_bytes_but_takes_one_of_any_size() -> None:
    queue = CallQueue(2, 100)
    owner = Owner()
    assert not queue.full_for(1000)
    queue.push(call(owner, 1, 60))
    assert queue.full_for(60) and not queue.full_for(10)
    queue.push(call(owner, 2, 1))
    assert queue.full_for(1)


def test_a_caller_that_is_gone_takes_its_calls_along_but_for_its_notifications() -> None:
    queue = CallQueue(100, 10_000)
    gone, stays = Owner(), Owner()
    for sequence in range(4):
        queue.push(call(gone, sequence, notify=sequence == 2))
        queue.push(call(stays, sequence))
    assert [item.sequence for item in queue.discard(gone)] == [0, 1, 3]
    assert queue.discard(Owner()) == []
    left = queue.clear()
    assert [item.sequence for item in left if item.owner is gone] == [2]
    assert [item.sequence for item in left if item.owner is stays] == [0, 1, 2, 3]


steps = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "pop", "front", "discard", "remove", "hold", "release"]),
        st.integers(0, 3),
    ),
    max_size=80,
)


@given(steps)
def test_nothing_is_lost_nothing_comes_twice_and_the_counts_are_right(taken: list[tuple[str, int]]) -> None:
    queue = CallQueue(1000, 1_000_000)
    owners = [Owner() for _ in range(4)]
    waiting: list[Call] = []
    held: set[Any] = set()
    for number, (step, index) in enumerate(taken):
        if step == "push":
            item = call(owners[index], number + 1)
            queue.push(item)
            waiting.append(item)
        elif step == "hold":
            queue.hold(owners[index])
            held.add(owners[index])
        elif step == "release":
            queue.release(owners[index])
            held.discard(owners[index])
        elif step == "remove":
            if index < len(waiting):
                queue.remove(waiting.pop(index))
        elif step == "discard":
            held.discard(owners[index])
            gone = queue.discard(owners[index])
            assert gone == [item for item in waiting if item.owner is owners[index]]
            waiting = [item for item in waiting if item.owner is not owners[index]]
        elif any(item.owner not in held for item in waiting):
            item = queue.pop()
            assert item.owner not in held
            # The first of its owner's, always.
            assert item is next(other for other in waiting if other.owner is item.owner)
            if step == "front":
                queue.push_front(item)
            else:
                waiting.remove(item)
        assert len(queue) == queue.calls + queue.held_calls == len(waiting)
        assert queue.held_calls == len([item for item in waiting if item.owner in held])
        assert queue.bytes == sum(item.size for item in waiting)
        for owner in owners:
            assert owner.calls == len([item for item in waiting if item.owner is owner])
            assert owner.bytes == sum(item.size for item in waiting if item.owner is owner)
    assert sorted(map(id, queue.clear())) == sorted(map(id, waiting))
