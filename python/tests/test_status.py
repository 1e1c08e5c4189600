"""GoTask.Status holds up no calls, however many methods and workers there are to tell of."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from gotask.broker import aside
from gotask.broker.aside import SLICE, Aside
from gotask.broker.counts import Counts
from gotask.errors import InvalidResult
from gotask.ipc.counters import SIZE, Counters
from gotask.wire.codec import JSON, MSGPACK, RAW, decode, encode, ending_with

from .simulation.loop import Clock, Loop


def test_what_has_time_is_done_in_between_and_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(aside, "time", clock)
    loop = Loop(clock, Random(1), [1.0] * 4)
    done: list[str] = []

    def work(name: str) -> Iterator[None]:
        for step in range(3):
            done.append(f"{name}{step}")
            clock.now += SLICE
            yield

    def call() -> None:
        done.append("call")
        if "b2" not in done:
            loop.call_soon(call)

    does = Aside(loop)  # type: ignore[arg-type]
    does.do(work("a"))
    does.do(work("b"))
    call()
    while loop.step():
        pass
    assert [name for name in done if name != "call"] == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert all("call" in pair for pair in zip(done, done[1:]))


def test_what_is_short_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(aside, "time", clock)
    work = iter([None] * 100)
    Aside(Loop(clock, Random(1), [1.0] * 4)).do(work)  # type: ignore[arg-type]
    assert list(work) == []


def test_each_step_tells_of_one_method_or_reads_one_worker() -> None:
    counts = Counts()
    for n in range(50):
        counts.of(f"App.m{n}").answered(0.1, 1, 2, 3)
    for n in range(10):
        counters = Counters(memoryview(bytearray(SIZE)))
        counters.add(counters.row("App.m0"), n, 1000, 1000, 1, 1)
        counts.living.append(counters)
    told: list[dict[str, Any]] = []
    steps = counts.status(told.append)
    seen = []
    for _ in steps:
        seen.append(len(told))
        if len(seen) == 5:
            counts.retire(counts.living[-1])  # it ends meanwhile
    assert seen == [0] * 9 + list(range(1, 51))
    assert told[0]["name"] == "App.m0" and told[0]["calls"] == 11
    assert len(list(counts.snapshot())) == 9 + 50


@pytest.mark.parametrize("codec", [MSGPACK, JSON])
@pytest.mark.parametrize("items", [[], [{"name": "é", "buckets": [[None, 1]]}, 2]])
def test_a_map_is_the_same_whose_list_was_encoded_piece_by_piece(codec: int, items: list[Any]) -> None:
    body = ending_with(codec, {"pid": 7}, "methods", [encode(codec, item) for item in items])
    assert decode(codec, body) == {"pid": 7, "methods": items}


def test_what_the_codec_can_not_hold_is_said() -> None:
    with pytest.raises(InvalidResult, match="RAW can't hold"):
        ending_with(RAW, {"pid": 7}, "methods", [])
