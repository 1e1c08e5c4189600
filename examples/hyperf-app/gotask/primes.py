"""Work that takes a processor."""

import math


def primes(low: int, high: int) -> int:
    """How many primes there are from `low` up to `high`, found the slow way."""
    return sum(1 for n in range(max(low, 2), high) if all(n % d for d in range(2, math.isqrt(n) + 1)))
