"""Whether the kernel's out-of-memory killer was at work, as far as a process without rights can tell.

It says so in the counter `oom_kill` of the control group that the process is in (cgroup v2: memory.events, v1:
memory.oom_control), and in that of the whole system (/proc/vmstat, since Linux 4.13). Which process it chose is only in the
kernel's log; a worker that ended by a SIGKILL that nobody here sent, while a counter went up, is taken for its victim.
"""

from __future__ import annotations

from collections.abc import Iterable

_KEY = "oom_kill "


class OomCounter:
    """Counts kills since it was asked last."""

    def __init__(self) -> None:
        self._paths = [path for path in (*_cgroup_files(), "/proc/vmstat") if _count(path) is not None]
        self._last = self._counts()

    @property
    def is_available(self) -> bool:
        """Whether this can be known here."""
        return bool(self._paths)

    def has_killed(self) -> bool:
        """Whether the killer has ended any process since the last time this was asked, of this group where it has a counter."""
        before, self._last = self._last, self._counts()
        # The group's own counter is the more exact one, and stands first.
        return any(now > then for now, then in zip(self._last[:1], before[:1]))

    def _counts(self) -> list[int]:
        return [_count(path) or 0 for path in self._paths]


def _count(path: str) -> int | None:
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(_KEY):
                    return int(line[len(_KEY) :])
    except (OSError, ValueError):
        pass
    return None


def _cgroup_files() -> Iterable[str]:
    try:
        with open("/proc/self/cgroup") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            # In a container the path is that of the host, and the group is mounted at the root.
            yield f"/sys/fs/cgroup{path.rstrip('/')}/memory.events"
            yield "/sys/fs/cgroup/memory.events"
        elif "memory" in controllers.split(","):
            yield f"/sys/fs/cgroup/memory{path.rstrip('/')}/memory.oom_control"
            yield "/sys/fs/cgroup/memory/memory.oom_control"
