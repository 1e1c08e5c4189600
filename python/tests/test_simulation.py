"""The broker's decisions in simulated worlds: a million steps of any interleaving (see `simulation.world`)."""

from __future__ import annotations

import pytest

from .simulation.__main__ import STEPS, replay
from .simulation.faults import FAULTS, Fault
from .simulation.world import World

PARTS, STEPS_OF_EACH = 8, 125_000

# Worlds of a fault's theme in which it must show.
SEEDS = 300


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_each_call_has_one_outcome_and_all_is_given_back(part: int) -> None:
    seed, steps = part * 1000 + 1, 0
    while steps < STEPS_OF_EACH:
        world = World(seed)
        try:
            world.run(STEPS)
        except Exception:
            pytest.fail(replay(seed), pytrace=False)
        steps += world.steps
        seed += 1


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.what.replace(" ", "_") for fault in FAULTS])
def test_a_fault_that_is_put_back_is_found(fault: Fault) -> None:
    with fault.put_back():
        assert any(
            breaks(seed, fault.theme) for seed in range(fault.first, fault.first + SEEDS)
        ), f"nothing shows that {fault.what}"


def breaks(seed: int, theme: str) -> bool:
    try:
        World(seed, theme=theme).run(STEPS)
    except Exception:
        return True
    return False


def test_a_seed_is_replayed_exactly() -> None:
    assert replay(7) == replay(7) != replay(8)
