"""Formulas of queueing theory, which the simulation must agree with where they hold. Seconds, calls a second."""

from math import log


def erlang_c(workers: int, load: float) -> float:
    """The share of calls that wait in M/M/c; load: of each worker, from 0 to below 1."""
    offered = workers * load
    blocked = 1.0
    for number in range(1, workers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - load * (1 - blocked))


def mmc_wait(workers: int, load: float, mean: float) -> float:
    """The mean wait in M/M/c."""
    return erlang_c(workers, load) * mean / (workers * (1 - load))


def mmc_wait_quantile(workers: int, load: float, mean: float, share: float) -> float:
    """What this share of calls waits at most in M/M/c."""
    waits = erlang_c(workers, load)
    return max(0.0, log(waits / (1 - share)) * mean / (workers * (1 - load)))


def mg1_wait(load: float, mean: float, variance: float) -> float:
    """The mean wait in M/G/1 (Pollaczek and Khinchine)."""
    return load * (mean + variance / mean) / (2 * (1 - load))
