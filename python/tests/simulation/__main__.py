"""`python3 -m tests.simulation [--seed N | --steps N | --minutes N]`, in the folder python: one seed, or many."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback

from .ledger import Violation
from .world import World

STEPS = 3000  # of one world, before it becomes calm


def replay(seed: int, steps: int = STEPS, lines: int = 200) -> str:
    """What happens in the world of that seed, as text; it ends with what does not hold, if anything."""
    world = World(seed, trace=True)
    end = ""
    try:
        world.run(steps)
    except Exception as error:
        end = f"\nseed {seed}, step {world.steps}: {type(error).__name__}: {error}"
        if not isinstance(error, Violation):
            end += "\n" + traceback.format_exc()
    assert world.trace is not None
    return "\n".join(list(world.trace)[-lines:]) + end


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.simulation")
    parser.add_argument("--seed", type=int, help="run this seed alone and print what happens")
    parser.add_argument("--first", type=int, default=1, help="the first seed of many")
    parser.add_argument("--lines", type=int, default=4000, help="how much of what happens is printed")
    parser.add_argument("--steps", type=int, default=1_000_000, help="in all")
    parser.add_argument("--minutes", type=float, help="instead of --steps")
    given = parser.parse_args()
    if given.seed is not None:
        print(replay(given.seed, lines=given.lines))
        return 0
    began = time.monotonic()
    seed, steps, bad = given.first, 0, 0
    while steps < given.steps if given.minutes is None else time.monotonic() - began < given.minutes * 60:
        world = World(seed)
        try:
            world.run(STEPS)
        except Exception as error:
            bad += 1
            print(f"seed {seed}, step {world.steps}: {type(error).__name__}: {error}", flush=True)
        steps += world.steps
        seed += 1
    print(
        f"{steps} steps of {seed - given.first} worlds in {time.monotonic() - began:.0f} s, {bad} of them not as they should be"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
