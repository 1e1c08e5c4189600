"""A call's life: which moves are allowed, and that no other is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gotask.broker import call as life
from gotask.broker.call import Call, IllegalMove
from gotask.errors import Unavailable
from gotask.ipc.segment import Segment
from gotask.wire import frames as wire


def make() -> Call:
    owner: Any = Mock()
    return Call(owner, 1, b"App.hi", wire.parse(wire.encode(wire.RAW, (1, 6), b"App.hi")), None, 0.0, 0.0)


@given(st.lists(st.sampled_from(sorted(life.MOVES)), max_size=20))
def test_a_call_goes_where_the_table_says_and_nowhere_else(wanted: list[str]) -> None:
    call = make()
    for state in wanted:
        before = call.state
        if state in life.MOVES[before]:
            call.move(state)
            assert call.state == state
        else:
            with pytest.raises(IllegalMove, match=f"App.hi is {before} and can't become {state}"):
                call.move(state)
            assert call.state == before


def test_every_place_can_be_reached_and_left_for_the_end() -> None:
    for start in life.MOVES:
        reached = {start}
        for _ in life.MOVES:
            reached |= {after for state in reached for after in life.MOVES[state]}
        assert life.ENDED in reached
        assert start is life.RECEIVED or any(start in after for after in life.MOVES.values())


def test_what_no_worker_will_begin_never_comes_back_into_a_queue() -> None:
    assert life.MOVES[life.REVOKED] == (life.ENDED,) and life.MOVES[life.ENDED] == ()


@pytest.mark.parametrize("first", [life.ACCEPTED, life.TOLD, life.LEFT])
@pytest.mark.parametrize("second", [life.ACCEPTED, life.TOLD, life.LEFT])
def test_there_is_one_outcome(first: str, second: str) -> None:
    call = make()
    assert call.is_wanted
    call.conclude(first)
    with pytest.raises(IllegalMove, match=f"has {first}, not also {second}"):
        call.conclude(second)
    assert call.is_wanted == call.is_notification == (first == life.ACCEPTED)


def test_its_memory_is_given_back_once_and_at_the_end() -> None:
    call = make()
    segment: Any = Mock()
    call.segment = segment
    call.move(life.SENT)
    assert not segment.close.called
    call.fail(Unavailable("no"))
    assert segment.close.call_count == 1 and call.segment is None
    with pytest.raises(IllegalMove):
        call.end()


@pytest.mark.parametrize("end", [Call.end, Call.take_segment])
def test_who_keeps_a_call_keeps_none_of_the_memory_that_it_gave_back(end: Callable[[Call], object]) -> None:
    """A view of it would keep the pages, and the mapping's own descriptor."""
    frame = wire.encode(wire.RAW, (1, 6), b"App.hi" + bytes(70_000))
    before = os.listdir("/proc/self/fd")
    segment = Segment(len(frame))
    segment.write([frame])
    call = Call(Mock(), 1, b"App.hi", wire.parse(segment.view[: len(frame)]), segment, 0.0, 0.0)
    end(call)
    if segment.fd >= 0:
        segment.close()
    assert os.listdir("/proc/self/fd") == before
    assert call.segment is None and call.size == len(frame)


def test_one_that_was_lost_with_its_worker_counts_it() -> None:
    call = make()
    call.move(life.SENT)
    call.lose()
    assert (call.state, call.attempts) == (life.RECEIVED, 1)
