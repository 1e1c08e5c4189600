"""Times as GoTask.Status tells them: how many calls took less than each of some bounds, the same ones for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# Bucket i has the times below 2^i µs that no earlier one has; the last one, all longer ones.
BUCKETS: Final = 32
BOUNDS: Final = (*(2**place / 1e6 for place in range(BUCKETS - 1)), None)


def percentile(buckets: Sequence[tuple[float | None, int]], part: float) -> float | None:
    """Seconds within which that part of the calls lies, by buckets of upper bound and calls up to it, evenly within each.
    None: there was no call. What lies beyond the last bound counts as that bound."""
    total = buckets[-1][1] if buckets else 0
    if not total:
        return None
    low, below = 0.0, 0
    for high, upto in buckets:
        if high is None:
            break
        if upto >= part * total:
            return low + (high - low) * (part * total - below) / (upto - below) if upto > below else high
        low, below = high, upto
    return low
