"""The figures for Prometheus: one list of families, written by prometheus_client where it is installed, else here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

from .feed import Status

# https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

# Kinds of death that are there before the first one: Prometheus can't tell that a series began with a death.
DEATHS = {"SIGKILL": 0, "SIGSEGV": 0, "memory": 0, "start": 0}

WORKER_STATES = ("starting", "idle", "busy", "leaving")


class Sample(NamedTuple):
    """One line: what stands behind the family's name, the labels, the value."""

    suffix: str
    labels: dict[str, str]
    value: float


class Family(NamedTuple):
    """Of one name. kind: gauge, counter (whose samples end in _total) or histogram."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


class Places:
    """The numbers that workers have here: each the lowest that is free, so that a worker in the place of another goes on with
    its series, and there are only as many as workers at a time."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def of(self, pids: Iterable[int]) -> dict[int, int]:
        """By process."""
        pids = tuple(pids)
        self._numbers = {pid: number for pid, number in self._numbers.items() if pid in pids}
        taken = frozenset(self._numbers.values())
        free = (number for number in count() if number not in taken)
        for pid in pids:
            if pid not in self._numbers:
                self._numbers[pid] = next(free)
        return self._numbers


def exposition(status: Status | None, places: Places, accept: str) -> tuple[bytes, str]:
    """What Prometheus reads, and its content type. status: None where the broker does not answer. `accept`: the formats that
    the reader knows."""
    found = list(families(status, places))
    try:
        from prometheus_client.exposition import choose_encoder
        from prometheus_client.metrics_core import Metric
    except ImportError:
        return text(found), _TEXT
    encoder, kind = choose_encoder(accept)
    collected: Any = _Collected([_metric(family, Metric) for family in found])
    content: bytes = encoder(collected)
    return content, kind


def text(found: list[Family]) -> bytes:
    """In Prometheus's text format."""
    lines = []
    for name, kind, help, samples in found:
        shown = f"{name}_total" if kind == "counter" else name
        lines += [f"# HELP {shown} {help}", f"# TYPE {shown} {kind}"]
        for suffix, labels, value in samples:
            inner = ",".join(f'{label}="{_escaped(labels[label])}"' for label in sorted(labels))
            lines.append(f"{name}{suffix}{{{inner}}} {value!r}" if inner else f"{name}{suffix} {value!r}")
    return "\n".join([*lines, ""]).encode()


def families(status: Status | None, places: Places) -> Iterator[Family]:
    """All of them; of a broker that does not answer only that."""
    yield _gauge("gotask_up", "Whether the broker answers.", 0 if status is None else 1)
    if status is None:
        return
    about = {name: str(status[name]) for name in ("version", "python", "loop")}
    yield Family("gotask_info", "gauge", "Versions of what runs.", [Sample("", about, 1.0)])
    yield _gauge("gotask_uptime_seconds", "Seconds since the broker started.", status["uptime"])
    yield _gauge("gotask_connections", "Connections that are open.", status["connections"])
    yield _gauge("gotask_running_calls", "Calls that run.", status["running"])
    yield _gauge("gotask_queue_calls", "Calls that wait for a worker.", status["queued"])
    yield _gauge("gotask_queue_bytes", "Bytes of their payloads.", status["queued_bytes"])
    yield _gauge(
        "gotask_queue_oldest_seconds", "How long the first of them has waited.", status["queued_oldest"]
    )
    yield from _methods(status["methods"])
    yield from _workers(status["workers"], places)
    yield from _counters(status["counters"])


def _methods(methods: list[dict[str, Any]]) -> Iterator[Family]:
    labels = [{"method": method["name"], "service": method["service"]} for method in methods]

    def counter(name: str, help: str, key: str) -> Family:
        samples = [Sample("_total", own, float(method[key])) for own, method in zip(labels, methods)]
        return Family(name, "counter", help, samples)

    def histogram(name: str, help: str, key: str) -> Family:
        samples = [one for own, method in zip(labels, methods) for one in _histogram(own, method[key])]
        return Family(name, "histogram", help, samples)

    yield counter("gotask_calls", "Calls that have ended, failed and cancelled ones included.", "calls")
    yield counter("gotask_cancelled_calls", "Calls whose callers waited no more.", "cancelled")
    errors = [
        Sample("_total", {**own, "code": code}, float(count))
        for own, method in zip(labels, methods)
        for code, count in method["errors"].items()
    ]
    yield Family("gotask_errors", "counter", "Calls that have failed, by the code of the error.", errors)
    yield counter("gotask_received_bytes", "Bytes of payloads of calls.", "received")
    yield counter("gotask_sent_bytes", "Bytes of results.", "sent")
    yield histogram("gotask_call_wait_seconds", "How long calls have waited for a worker.", "wait")
    yield histogram("gotask_call_run_seconds", "How long methods have run.", "run")


def _histogram(labels: dict[str, str], times: dict[str, Any]) -> Iterator[Sample]:
    count = 0.0
    for bound, upto in times["buckets"]:
        count = float(upto)
        yield Sample("_bucket", {**labels, "le": "+Inf" if bound is None else repr(float(bound))}, count)
    yield Sample("_count", labels, count)
    yield Sample("_sum", labels, float(times["sum"]))


def _workers(workers: list[dict[str, Any]], places: Places) -> Iterator[Family]:
    groups = sorted({(worker["service"], worker["kind"]) for worker in workers})
    states = [(worker["service"], worker["kind"], worker["state"]) for worker in workers]
    yield Family(
        "gotask_workers",
        "gauge",
        "Worker processes, by what they do.",
        [
            Sample(
                "",
                {"service": service, "kind": kind, "state": state},
                float(states.count((service, kind, state))),
            )
            for service, kind in groups
            for state in WORKER_STATES
        ],
    )
    numbers = places.of(worker["pid"] for worker in workers)
    labels = [
        {"service": worker["service"], "kind": worker["kind"], "worker": str(numbers[worker["pid"]])}
        for worker in workers
    ]
    memory = [Sample("", own, float(worker["memory"])) for own, worker in zip(labels, workers)]
    yield Family("gotask_worker_memory_bytes", "gauge", "Resident memory of a worker.", memory)
    cpu = [Sample("_total", own, float(worker["cpu"])) for own, worker in zip(labels, workers)]
    yield Family("gotask_worker_cpu_seconds", "counter", "Processor time of a worker.", cpu)


def _counters(counters: dict[str, Any]) -> Iterator[Family]:
    for key, name, help in (
        ("connections", "gotask_connections_accepted", "Connections that were accepted."),
        ("refused", "gotask_refused_calls", "Calls that were turned away, as the queue was full."),
        ("recycled", "gotask_workers_recycled", "Workers that were replaced as limits say."),
        ("reloads", "gotask_reloads", "How often the app was loaded again."),
        ("reloads_failed", "gotask_reloads_failed", "How often it could not be."),
        ("slow", "gotask_slow_calls", "Calls that ran longer than the limit for the log."),
    ):
        yield Family(name, "counter", help, [Sample("_total", {}, float(counters[key]))])
    deaths = {**DEATHS, **counters["deaths"]}
    samples = [Sample("_total", {"reason": reason}, float(n)) for reason, n in deaths.items()]
    yield Family("gotask_worker_deaths", "counter", "Workers that died, by how.", samples)


def _gauge(name: str, help: str, value: float) -> Family:
    return Family(name, "gauge", help, [Sample("", {}, float(value))])


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class _Collected(NamedTuple):
    """What prometheus_client takes for a registry."""

    metrics: list[Any]

    def collect(self) -> list[Any]:
        return self.metrics


def _metric(family: Family, make: Any) -> Any:
    metric = make(family.name, family.help, family.kind)
    for suffix, labels, value in family.samples:
        metric.add_sample(family.name + suffix, labels, value)
    return metric
