"""How many processors this process may use: those it may run on, and no more than a control group's quota lets it have."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator


def available() -> int:
    """At least 1. A quota that is no whole number counts as the next one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = list(_quotas("/proc/self", "/sys/fs/cgroup"))
    return max(1, min(count, math.ceil(min(quotas, default=count))))


def _quotas(process: str, mount: str) -> Iterator[float]:
    """Those of the control groups that the process is in, and of the groups above: processors, as fractions."""
    for line in _read(f"{process}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # In a container the path is that of the host, and the group is mounted at the root.
            for folder in _folders(mount, path):
                quota, _, period = _read(f"{folder}/cpu.max").partition(" ")
                yield from _quota(quota, period)
        elif "cpu" in controllers.split(","):
            for name in {"cpu", controllers}:
                for folder in _folders(f"{mount}/{name}", path):
                    yield from _quota(
                        _read(f"{folder}/cpu.cfs_quota_us"), _read(f"{folder}/cpu.cfs_period_us")
                    )


def _folders(mount: str, path: str) -> Iterator[str]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield "/".join([mount, *parts[:length]])


def _quota(quota: str, period: str) -> Iterator[float]:
    """None where it has no limit: "max" (v2), -1 (v1), or no such file."""
    try:
        if int(quota) > 0 and int(period) > 0:
            yield int(quota) / int(period)
    except ValueError:
        pass


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
