"""What is counted of each method: calls, errors, bytes, and how long calls wait and run.

Calls that go through the broker are counted here, those of fast sockets by the workers that run them (see `ipc.counters`). What
a worker has counted is added here when it ends, so a reload, a death or a replacement loses nothing and counts nothing twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..errors import Cancelled, GoTaskError, code_of
from ..ipc.counters import Counters
from ..wire.names import Catalogue
from .failures import Failures

# Bucket i has the times below 2^i µs that no earlier one has; the last one, all longer ones.
BUCKETS: Final = 32
BOUNDS: Final = (*(2**place / 1e6 for place in range(BUCKETS - 1)), None)
_LAST: Final = BUCKETS - 1

# Methods that are counted each on its own; the others share one row.
MAX_METHODS: Final = 1024
OTHERS: Final = "(other)"

# Seconds between two snapshots, and how many of them are kept: a minute.
PAUSE: Final = 5.0
SNAPSHOTS: Final = 13


class MethodCounts:
    """Of one method. Times are seconds, sizes are bytes of bodies. `waits` and `runs` have a number for each bucket.

    A call that no worker has begun is in `calls` and `errors`, and in no bucket.
    """

    __slots__ = (
        "name",
        "service",
        "kind",
        "calls",
        "errors",
        "received",
        "sent",
        "waited",
        "ran",
        "waits",
        "runs",
        "_failures",
    )

    def __init__(self, name: str, failures: Failures) -> None:
        self.name = name
        self.service = ""
        self.kind = "sync"
        self.calls = 0
        self.errors: Counter[str] = Counter()
        self.received = 0
        self.sent = 0
        self.waited = 0.0
        self.ran = 0.0
        self.waits = [0] * BUCKETS
        self.runs = [0] * BUCKETS
        self._failures = failures

    def answered(self, between: float, took: int, received: int, sent: int) -> None:
        """A worker has answered a call `between` seconds after it had come, and its method ran for `took` microseconds."""
        self.calls += 1
        self.received += received
        self.sent += sent
        wait = max(0, int(between * 1e6) - took)
        self.waited += wait / 1e6
        self.ran += took / 1e6
        self.waits[min(wait.bit_length(), _LAST)] += 1
        self.runs[min(took.bit_length(), _LAST)] += 1

    def answered_with_error(self, body: bytes, is_wanted: bool, pid: int, seconds: float) -> None:
        """That answer was an error. Where nobody waited for it any more, the call was cancelled."""
        self.errors[code_of(body) if is_wanted else Cancelled.code] += 1
        if is_wanted:
            self._failures.add(self.name, body, pid, seconds)

    def failed(self, error: GoTaskError, seconds: float) -> None:
        """The broker itself ends a call with an error, `seconds` after it had come."""
        self.calls += 1
        self.errors[error.code] += 1
        if error.code != Cancelled.code:
            self._failures.add(self.name, error.body(), (error.data or {}).get("pid", 0), seconds)

    def add(self, other: MethodCounts) -> None:
        self.service, self.kind = other.service, other.kind
        self.calls += other.calls
        self.errors.update(other.errors)
        self.received += other.received
        self.sent += other.sent
        self.waited += other.waited
        self.ran += other.ran
        self.waits = [a + b for a, b in zip(self.waits, other.waits)]
        self.runs = [a + b for a, b in zip(self.runs, other.runs)]


_Times = tuple[list[int], list[int]]  # waits and runs
_NEVER: Final[_Times] = ([0] * BUCKETS, [0] * BUCKETS)


class Counts:
    """Of all methods, and of what happens beside calls.

    methods: of brokered calls, and of all calls of workers that have ended. living: what the others have counted.
    """

    def __init__(self) -> None:
        self.failures = Failures()
        self.methods: dict[str, MethodCounts] = {}
        self.living: list[Counters] = []
        self.catalogue = Catalogue([])  # of the methods that there are now
        self.events: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()  # of workers, by what ended them
        self._snapshots: deque[dict[str, _Times]] = deque(maxlen=SNAPSHOTS)

    def of(self, name: str) -> MethodCounts:
        """Those of a method, in whatever spelling, which are the same object for ever. OTHERS: there is no such method."""
        description = self.catalogue.resolve(name)
        name = description["name"] if description is not None else name if name in self.methods else OTHERS
        found = self.methods.get(name)
        if found is None:
            if len(self.methods) >= MAX_METHODS:
                name, description = OTHERS, None
            found = self.methods.setdefault(name, MethodCounts(name, self.failures))
        if description is not None:
            found.service, found.kind = description["group"], "async" if description["async"] else "sync"
        return found

    def retire(self, counters: Counters) -> None:
        """Its worker has ended."""
        self.living.remove(counters)
        _merge(counters, self.of)

    def total(self) -> dict[str, MethodCounts]:
        """Those of all methods that were called, with what workers have counted that live."""
        total: dict[str, MethodCounts] = {}

        def sum_of(name: str) -> MethodCounts:
            counts = self.of(name)
            found = total.get(counts.name)
            if found is None:
                found = total[counts.name] = MethodCounts(counts.name, self.failures)
                found.add(counts)
            return found

        for name, counts in self.methods.items():
            if counts.calls:
                sum_of(name)
        for counters in self.living:
            _merge(counters, sum_of)
        return total

    def snapshot(self) -> None:
        """To be taken every PAUSE seconds: what came since is told apart from what came before."""
        self._snapshots.append(
            {name: (counts.waits.copy(), counts.runs.copy()) for name, counts in self.total().items()}
        )

    def status(self) -> list[dict[str, Any]]:
        """Its entries in GoTask.Status."""
        return [
            {
                "name": counts.name,
                "service": counts.service,
                "kind": counts.kind,
                "calls": counts.calls,
                "errors": dict(counts.errors),
                "received": counts.received,
                "sent": counts.sent,
                "wait": _told(counts.waited, counts.waits, waits),
                "run": _told(counts.ran, counts.runs, runs),
            }
            for counts, (waits, runs) in sorted(self._recent(), key=lambda found: found[0].name)
        ]

    def percentiles(self, service: str, kind: str) -> dict[str, float]:
        """Of the last minute's calls of a service's methods of one kind, in seconds; 0.0 where there were none."""
        recent = [
            times for counts, times in self._recent() if (counts.service, counts.kind) == (service, kind)
        ]
        return {
            f"{name}_p{percent}": percentile(
                [sum(column) for column in zip(*(times[place] for times in recent))], percent
            )
            for place, name in enumerate(("wait", "run"))
            for percent in (50, 99)
        }

    def _recent(self) -> Iterable[tuple[MethodCounts, _Times]]:
        """Each method's counts, and how many calls of the last minute are in each bucket."""
        before = self._snapshots[0] if len(self._snapshots) == SNAPSHOTS else {}
        for name, counts in self.total().items():
            waits, runs = before.get(name, _NEVER)
            yield counts, (_less(counts.waits, waits), _less(counts.runs, runs))


def _merge(counters: Counters, of: Callable[[str], MethodCounts]) -> None:
    """Adds what a worker has counted."""
    rows: dict[str, MethodCounts] = {}
    for name, run, wait, (calls, ran, waited, received, sent) in counters.cells():
        counts = rows.get(name)
        if counts is None:
            counts = rows[name] = of(name or OTHERS)
        counts.calls += calls
        counts.ran += ran / 1e9
        counts.waited += waited / 1e9
        counts.received += received
        counts.sent += sent
        counts.runs[min(run, _LAST)] += calls
        counts.waits[min(wait, _LAST)] += calls
    for name, not_begun, errors in counters.errors():
        counts = of(name or OTHERS)
        counts.calls += not_begun
        counts.errors.update(errors)


def _less(now: list[int], before: list[int]) -> list[int]:
    return [a - b for a, b in zip(now, before)]


def _told(seconds: float, buckets: list[int], recent: list[int]) -> dict[str, Any]:
    total, told = 0, []
    for bound, count in zip(BOUNDS, buckets):
        total += count
        told.append([bound, total])
    return {"sum": seconds, "p50": percentile(recent, 50), "p99": percentile(recent, 99), "buckets": told}


def percentile(buckets: list[int], percent: float) -> float:
    """In seconds, and 0.0 where nothing is in the buckets. Within a bucket the times are taken for evenly spread."""
    wanted = sum(buckets) * percent / 100
    if not wanted:
        return 0.0
    below = 0
    for place, count in enumerate(buckets):
        if count and below + count >= wanted:
            high = 2.0**place
            low = high / 2 if place else 0.0
            high = high if place < _LAST else low
            return (low + (high - low) * (wanted - below) / count) / 1e6
        below += count
    return 0.0
