"""GoTask itself, event by event, with what its parts cost: the brokered path and the fast path. All times in seconds.

Left out: the limit of calls that wait in the kernel (the broker's `AHEAD_TIME` lets it cost nothing), several calls
that share a message by chance, and the order in which several sockets wake one worker (here: in turn).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from heapq import heappop, heappush, heapreplace
from itertools import count as numbers

import numpy as np
from numpy.typing import NDArray

from .times import Seconds

#: As in src/Protocol/FastCalls.php and FastConnection.php.
QUICK, MOST, LEAST = 500e-6, 5e-3, 20e-6
OVERDUE, BROKERED = 10e-3, 50e-3
BATCH = 16

#: Messages that the broker takes before it looks again: about as many as it reads from its sockets at once.
AT_ONCE = 256


@dataclass(frozen=True)
class Costs:
    """What a call costs beside its method; measured by `costs.measure`."""

    turn: float  #: of the broker, each time it wakes up, however much there is to do
    request: float  #: of the broker, to hand a call on
    reply: float  #: of the broker, to hand its reply on
    worker: float  #: of the worker from the end of one method to the beginning of the next, brokered path
    fast_worker: float  #: the same on the fast path
    way: float  #: from the caller's call() to the method, brokered path, everybody idle, less the broker's part
    fast_way: float  #: the same on the fast path

    @property
    def broker(self) -> float:
        """Of the broker a call, where it is never idle."""
        return self.request + self.reply

    def json(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """Of calls in the order in which they came: how long each waited for its method, and when its answer left."""

    waits: Seconds
    ends: Seconds
    given_back: int = 0


def brokered(arrivals: Seconds, times: Seconds, workers: int, costs: Costs) -> Run:
    """Every call goes by the broker, one process for requests and replies. It takes what is there, then looks again."""
    free = [0.0] * workers
    replies: list[tuple[float, int]] = []
    came = (arrivals + costs.way / 2).tolist()
    starts, ends = [0.0] * len(came), [0.0] * len(came)
    took = times.tolist()
    clock, call, count = 0.0, 0, len(came)
    while call < count or replies:
        earliest = min(came[call] if call < count else np.inf, replies[0][0] if replies else np.inf)
        answered: list[int] = []
        seen, first = max(clock, earliest), call
        while call - first + len(answered) < AT_ONCE:
            asked = came[call] if call < count else np.inf
            if replies and replies[0][0] <= min(asked, seen):
                answered.append(heappop(replies)[1])
            elif asked <= seen:
                call += 1
            else:
                break
        clock = seen + costs.turn + (call - first) * costs.request + len(answered) * costs.reply
        for each in answered:
            ends[each] = clock
        for each in range(first, call):
            start = max(clock + costs.way / 2, free[0])
            starts[each] = start
            heapreplace(free, start + took[each] + costs.worker)
            heappush(replies, (start + took[each] + costs.worker, each))
    return Run(np.array(starts) - arrivals, np.array(ends))


class Caller:
    """A connection: what it knows of the method's time, and which of its calls take the fast path."""

    def __init__(self) -> None:
        self.last: float | None = LEAST  # seconds that the method took last, if it is quick
        self.expected = 0.0  # seconds that its calls on the fast path are expected to take
        self.brokered_until = 0.0
        self.socket: deque[list[int]] = deque()  # messages that no worker has taken


def fast(
    arrivals: Seconds,
    times: Seconds,
    callers: NDArray[np.int64],
    workers: int,
    costs: Costs,
    overdue: float = OVERDUE,
) -> Run:
    """Calls go to the socket of their caller, from which an idle worker takes a message; those that come at one moment from one
    caller share it. Calls of a method that was slow when called last, and those not begun after `overdue`, go by the broker.
    """
    came, took, of = arrivals.tolist(), times.tolist(), callers.tolist()
    count = len(came)
    known = [Caller() for _ in range(max(of) + 1)]
    queue: deque[list[int]] = deque()  # what the broker has handed on
    starts, ends = [-1.0] * count, [0.0] * count
    expected = [0.0] * count  # of calls on the fast path; 0: brokered
    taken_back = [False] * count
    ready: deque[deque[list[int]]] = deque()
    events: list[tuple[float, int, Callable[[], None]]] = []
    order = numbers()
    given_back = 0
    idle = workers

    def later(when: float, then: Callable[[], None]) -> None:
        heappush(events, (when, next(order), then))

    def arrive(place: deque[list[int]], message: list[int]) -> None:
        if not place:
            ready.append(place)
        place.append(message)

    def by_broker(now: float, call: int) -> None:
        expected[call] = 0.0
        later(now + costs.way + costs.turn + costs.request, lambda: arrive(queue, [call]))

    def send(now: float, call: int, end: int) -> None:
        """All calls from `call` to before `end`, which come at once from one caller."""
        caller = known[of[call]]
        message = []
        for each in range(call, end):
            micros = caller.last
            if micros is None or caller.expected + micros > MOST or now < caller.brokered_until:
                by_broker(now, each)
                continue
            expected[each] = micros
            caller.expected += micros
            message.append(each)
            if len(message) == BATCH:
                post(now, caller, message)
                message = []
        if message:
            post(now, caller, message)

    def post(now: float, caller: Caller, message: list[int]) -> None:
        later(now + costs.fast_way, lambda: arrive(caller.socket, message))
        later(now + overdue, lambda: take_back(now + overdue, caller, message))

    def take_back(now: float, caller: Caller, message: list[int]) -> None:
        nonlocal given_back
        for call in message:
            if starts[call] < 0:
                taken_back[call] = True
                given_back += 1
                caller.brokered_until = now + BROKERED
                caller.expected -= expected[call]
                by_broker(now, call)

    def run(now: float, message: list[int], place: int) -> None:
        """The worker begins the next call of its message that was not taken back meanwhile."""
        nonlocal idle
        is_fast = place >= 0
        while place < len(message) and is_fast and taken_back[message[place]]:
            place += 1
        if place >= len(message):
            idle += 1
            return
        call = message[place] if is_fast else message[0]
        starts[call] = now
        end = now + took[call] + (costs.fast_worker if is_fast else costs.worker)
        later(end, lambda: answer(end, message, call, place + 1 if is_fast else len(message)))

    def answer(now: float, message: list[int], call: int, place: int) -> None:
        caller = known[of[call]]
        caller.expected -= expected[call]
        caller.last = max(took[call], LEAST) if took[call] < QUICK else None
        ends[call] = now
        run(now, message, place)

    call = 0
    while call < count or events:
        if call < count and (not events or came[call] <= events[0][0]):
            now, first = came[call], call
            while call < count and came[call] == now and of[call] == of[first]:
                call += 1
            send(now, first, call)
        else:
            now, _, then = heappop(events)
            then()
        while idle and ready:
            place = ready.popleft()
            message = place.popleft()
            if place:
                ready.append(place)
            idle -= 1
            run(now, message, -1 if place is queue else 0)
    return Run(np.array(starts) - arrivals, np.array(ends), given_back)
