"""What the broker finds around it: the environment for workers, the place of the app, processors, limits of the host."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .service_manager import VARIABLES

# Numerical libraries start a thread for each processor, in each worker; several workers want one each.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

# What Python is given to run a broker or a worker.
MAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__main__.py")

# Always kept from workers.
_SECRET = ("GOTASK_KEY", *VARIABLES)


def worker_environment(
    parent: Mapping[str, str], secret: tuple[str, ...], log_level: str, is_multiple: bool, folder: str = ""
) -> dict[str, str]:
    """`parent`, less the shared key and the variables named in `secret`. is_multiple: several workers share the processors.
    folder: their working directory."""
    environment = {**parent, "GOTASK_LOG_LEVEL": log_level}
    if folder:
        environment["PWD"] = folder
    for name in (*_SECRET, *secret):
        environment.pop(name, None)
    if is_multiple:
        for name in _THREAD_VARIABLES:
            environment.setdefault(name, "1")
    return environment


class Place(NamedTuple):
    """What the links lead to at one time. `folder` is empty where there is no working directory any more.

    Paths stay as they were given, and each generation looks them up anew: releases are often switched by a symbolic link, and a
    path that was resolved once would lead to the first release for ever.
    """

    app: str  # a module's name, or a file's path
    folder: str

    @property
    def is_there(self) -> bool:
        """Whether it still is: a release may have been deleted."""
        return os.path.isdir(self.folder) and (not os.path.isabs(self.app) or os.path.isfile(self.app))


def look_up(app: str, folder: str, is_file: bool) -> Place:
    """Follows the links of the folders as they are now. A link that is the app's file itself stays, as Python keeps it."""
    if is_file:
        path = os.path.join(folder, app)
        app = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return Place(app, os.path.realpath(folder) if folder and os.path.isdir(folder) else "")


def working_directory(environment: Mapping[str, str]) -> str:
    """By the name that the starter knows it by, which the variable PWD holds; empty where it is gone."""
    named = environment.get("PWD", "")
    try:
        here = os.getcwd()
    except OSError:
        return named if os.path.isdir(named) else ""
    try:
        return named if os.path.isabs(named) and os.path.samefile(named, here) else here
    except OSError:
        return here


def available_processors() -> int:
    """How many processors this process may use: those it may run on, within the quota of its control groups; at least 1.

    A quota that is no whole number counts as the next one.
    """
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


_REMEDIES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the host's limit of open files (fs.file-max)",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), which counts for shared memory, too",
    errno.ENOMEM: "raise the limit of memory",
    errno.EAGAIN: "raise the limit of processes (ulimit -u, or pids.max of the control group)",
}


def is_limit(error: OSError) -> bool:
    return error.errno in _REMEDIES


def reason(error: OSError) -> str:
    """What the system says, and what to do where that is known."""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{error}: {remedy}" if remedy else str(error)
