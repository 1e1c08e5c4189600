"""How long calls wait by who gives them to workers, where that costs nothing.

Times are in seconds; calls are in the order in which they come.
"""

from collections import deque
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

from .times import Seconds


def shared(arrivals: Seconds, times: Seconds, workers: int) -> Seconds:
    """One queue for all: the worker that is free first takes the call that has waited longest. So does GoTask (`product`)."""
    free = [0.0] * workers
    waits = []
    for arrival, time in zip(arrivals.tolist(), times.tolist()):
        start = free[0] if free[0] > arrival else arrival
        heapreplace(free, start + time)
        waits.append(start - arrival)
    return np.array(waits)


def idle_first(arrivals: Seconds, times: Seconds, workers: int) -> Seconds:
    """To a worker that is idle; where none is, to each in turn, and there it stays. Swoole's TaskWorker."""
    free = [0.0] * workers
    idle = deque(range(workers))
    ends: list[tuple[float, int]] = []
    turn = 0
    waits = []
    for arrival, time in zip(arrivals.tolist(), times.tolist()):
        while ends and ends[0][0] <= arrival:
            end, worker = heappop(ends)
            # Another call may have come behind the one that ends here.
            if free[worker] == end:
                idle.append(worker)
        if idle:
            worker = idle.popleft()
            start = arrival
        else:
            turn = worker = (turn + 1) % workers
            start = free[worker]
        free[worker] = start + time
        heappush(ends, (free[worker], worker))
        waits.append(start - arrival)
    return np.array(waits)


def least_loaded(arrivals: Seconds, times: Seconds, machines: int, workers: int) -> Seconds:
    """Several machines, each with a shared queue: a call goes to the one with the fewest calls, as one client's do."""
    free = [[0.0] * workers for _ in range(machines)]
    for each in free:
        heapify(each)
    calls = [0] * machines
    ends: list[tuple[float, int]] = []
    last = 0
    waits = []
    for arrival, time in zip(arrivals.tolist(), times.tolist()):
        while ends and ends[0][0] <= arrival:
            calls[heappop(ends)[1]] -= 1
        # In turn among equals.
        last = min(range(last + 1, last + 1 + machines), key=lambda place: calls[place % machines]) % machines
        queue = free[last]
        start = max(queue[0], arrival)
        heapreplace(queue, start + time)
        heappush(ends, (start + time, last))
        calls[last] += 1
        waits.append(start - arrival)
    return np.array(waits)


def round_robin(arrivals: Seconds, times: Seconds, workers: int) -> Seconds:
    """To each worker in turn, whatever it has to do."""
    return assigned(arrivals, times, np.arange(len(arrivals)) % workers, workers)


def by_connection(
    arrivals: Seconds, times: Seconds, workers: int, random: np.random.Generator, connections: int = 4
) -> Seconds:
    """Each connection belongs to a worker, `connections` of them to each, all with as many calls: the best case of it."""
    connection = random.integers(0, workers * connections, len(arrivals))
    return assigned(arrivals, times, connection % workers, workers)


def assigned(arrivals: Seconds, times: Seconds, places: NDArray[np.int64], workers: int) -> Seconds:
    """Each worker has a queue of its own (Lindley's recursion)."""
    order = np.argsort(places, kind="stable")
    waits = np.empty(len(arrivals))
    for mine in np.split(order, np.cumsum(np.bincount(places, minlength=workers))[:-1]):
        sums = np.concatenate([np.zeros(1), np.cumsum(times[mine][:-1] - np.diff(arrivals[mine]))])[
            : len(mine)
        ]
        waits[mine] = sums - np.minimum.accumulate(sums)
    return waits
