"""When calls come, and how long their methods take. Seconds; the same seed gives the same calls."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Draw = Callable[[Generator, float, int], Seconds]

#: Of lognormal times: σ of the logarithm. The squared coefficient of variation is e^σ² − 1, about 8.
SIGMA = 1.5

#: Of Pareto times: the tail P(x) ~ x^−ALPHA has a mean and no variance, but that a deadline ends what takes over CUT means.
ALPHA, CUT = 1.8, 1000.0

#: Of a mix, so many are slow, and take so many times as long as the quick ones.
SLOW_SHARE, SLOW_TIMES = 0.01, 100.0


def constant(random: Generator, mean: float, count: int) -> Seconds:
    return np.full(count, mean)


def exponential(random: Generator, mean: float, count: int) -> Seconds:
    return random.exponential(mean, count)


def lognormal(random: Generator, mean: float, count: int) -> Seconds:
    return random.lognormal(np.log(mean) - SIGMA**2 / 2, SIGMA, count)


def pareto(random: Generator, mean: float, count: int) -> Seconds:
    return np.minimum(mean * (ALPHA - 1) / ALPHA * (1 + random.pareto(ALPHA, count)), CUT * mean)


def mix(random: Generator, mean: float, count: int) -> Seconds:
    quick = mean / (1 - SLOW_SHARE + SLOW_SHARE * SLOW_TIMES)
    return np.where(random.random(count) < SLOW_SHARE, quick * SLOW_TIMES, quick)


TIMES: dict[str, Draw] = {
    "constant": constant,
    "exponential": exponential,
    "lognormal": lognormal,
    "1 % take 100 times as long": mix,
    "Pareto": pareto,
}


def poisson(random: Generator, rate: float, count: int) -> Seconds:
    """Calls of many callers that know nothing of each other, so many a second."""
    return np.cumsum(random.exponential(1 / rate, count))
