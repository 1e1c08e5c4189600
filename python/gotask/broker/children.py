"""The processes below this one: how a child ended, what a worker has left behind, and orphans that became children."""

from __future__ import annotations

import os
import resource  # noqa: F401 os.wait4() imports it once it has reaped; without a free descriptor the status would be lost
import signal
import sys
from collections.abc import Callable, Iterable

# multiprocessing's resource trackers that were left to end by themselves, each with the pipe that would kill it when closed.
_trackers: dict[int, int] = {}

# Where a child can't be looked at without being reaped, as on macOS before Python 3.13.
_reaped: dict[int, tuple[int, int]] = {}

# Looks at a group whose members are killed one by one, since they may fork meanwhile.
_LOOKS = 20


def has_ended(pid: int) -> bool:
    """Whether the child has ended. Until wait() its number, and that of its group, is its own."""
    try:
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    if ended:
        _reaped[pid] = _status(status, usage)
    return ended != 0


def wait(pid: int) -> tuple[int, int]:
    """Reaps a child that has ended: its status as of subprocess.Popen.returncode, and the most bytes of memory it ever had."""
    if pid in _reaped:
        return _reaped.pop(pid)
    try:
        return _status(*os.wait4(pid, 0)[1:])
    except ChildProcessError:
        return 0, 0  # somebody else has reaped it


def _status(status: int, usage: resource.struct_rusage) -> tuple[int, int]:
    return os.waitstatus_to_exitcode(status), int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def reap_orphans(known: Iterable[int]) -> None:
    """Reaps children that have ended and are none of `known`."""
    known = frozenset(known)
    while hasattr(os, "waitid"):
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in known:
            return  # the signal of its death is on its way
        os.waitpid(ended.si_pid, os.WNOHANG)
        has_trackers()


def kill_group(leader: int, has_heirs: bool, lifeline: int) -> None:
    """SIGKILL to what is left of a group whose leader has ended and is not reaped yet; closes the lifeline.

    has_heirs: there may be processes that inherited the leader's output, which multiprocessing's resource tracker does. It is
    spared: it removes the shared memory that the others leave, and ends when they have.
    """
    killed: set[int] = set()
    for _ in range(_LOOKS if has_heirs and sys.platform == "linux" else 0):
        try:
            members = _members(leader) - killed
        except OSError:
            break  # no descriptor is left
        trackers = set(filter(_is_tracker, members))
        if not trackers:
            break
        if members == trackers:
            _trackers[trackers.pop()] = lifeline
            return
        for pid in members - trackers:
            _send(os.kill, pid)
            killed.add(pid)
    _send(os.killpg, leader)
    os.close(lifeline)


def has_trackers() -> bool:
    """Whether any that was spared is still at work."""
    for pid in tuple(_trackers):
        if not _is_alive(pid):
            os.close(_trackers.pop(pid))
    return bool(_trackers)


def _members(group: int) -> set[int]:
    """Those that live."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, _, its_group = file.read().rpartition(b")")[2].split()[:3]
            except OSError:
                continue  # it has ended
            if int(its_group) == group and state not in b"ZX":
                found.add(int(name))
    return found


def _is_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"multiprocessing.resource_tracker" in file.read()
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _send(kill: Callable[[int, int], None], number: int) -> None:
    try:
        kill(number, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
