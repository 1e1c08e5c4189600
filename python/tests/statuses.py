"""A status as a broker tells it, of what tests say has happened."""

from __future__ import annotations

from typing import Any

from gotask.wire.histogram import BOUNDS


def times(*seconds: float) -> dict[str, Any]:
    """Calls that took so long."""
    buckets = [[bound, sum(bound is None or taken <= bound for taken in seconds)] for bound in BOUNDS]
    ordered = sorted(seconds) or [0.0]
    p50, p99 = (ordered[min(int(part * len(ordered)), len(ordered) - 1)] for part in (0.5, 0.99))
    return {"sum": sum(seconds), "p50": p50, "p99": p99, "buckets": buckets}


def method(
    name: str, *seconds: float, service: str = "", cancelled: int = 0, **errors: int
) -> dict[str, Any]:
    return {
        "name": name,
        "service": service,
        "kind": "sync",
        "calls": len(seconds),
        "cancelled": cancelled,
        "errors": errors,
        "received": 100 * len(seconds),
        "sent": 1000 * len(seconds),
        "wait": times(*(taken / 10 for taken in seconds)),
        "run": times(*seconds),
    }


def worker(pid: int, state: str = "idle", cpu: float = 1.5, **more: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "service": "",
        "kind": "sync",
        "generation": 1,
        "state": state,
        "calls": 7,
        "age": 60.0,
        "running": [{"method": "App.hi", "seconds": 0.5}] if state == "busy" else [],
        "memory": 30_000_000,
        "cpu": cpu,
        **more,
    }


def status(
    *methods: dict[str, Any], workers: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "pid": 4711,
        "version": "1.2.3",
        "python": "3.11.7",
        "loop": "uvloop",
        "state": "ready",
        "uptime": 3600.0,
        "addresses": ["unix:///run/gotask/default.sock"],
        "connections": 2,
        "calls": sum(each["calls"] for each in methods),
        "running": 1,
        "generation": 1,
        "reload": None,
        "failure": None,
        "queued": 3,
        "queued_bytes": 300,
        "queued_oldest": 0.25,
        "methods": list(methods),
        "workers": [worker(101, "busy"), worker(102)] if workers is None else workers,
        "services": [],
        "counters": {
            "connections": 5,
            "refused": 0,
            "deaths": {},
            "recycled": 0,
            "reloads": 0,
            "reloads_failed": 0,
            "slow": 0,
        },
        **more,
    }
