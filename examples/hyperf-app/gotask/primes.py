"""Work that takes a processor."""

import math

import gotask


def primes(low: int, high: int) -> int:
    """How many primes there are from `low` up to `high`, found the slow way."""
    return sum(1 for n in range(max(low, 2), high) if all(n % d for d in range(2, math.isqrt(n) + 1)))


def survey(below: int) -> dict[str, int]:
    """Counts the primes below a number, and tells how far it is."""
    found, step = 0, max(1, below // 200)
    for low in range(0, below, step):
        high = min(low + step, below)
        found += primes(low, high)
        gotask.current_call().progress(high / below, f"{found} primes below {high}", {"found": found})
    return {"below": below, "primes": found}
