"""System calls of Linux by which processes end together, and which Python lacks. On other systems they do nothing or less."""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """From now on the kernel sends `number` when the parent process is gone; at once if it is gone already.

    "The parent" is the thread that started this process (prctl(2)): parents start their children from threads that stay.
    """
    _prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """From now on descendants whose parent ends become children of this process, not of process 1, which in a container
    hardly ever reaps them.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_group(lifeline: int) -> None:
    """From now on the kernel sends SIGKILL to all of this process's group when the other end of that pipe is closed.

    It does so by itself, whatever this process is doing then (F_SETSIG of fcntl(2)).
    """
    if sys.platform == "linux":
        from fcntl import F_GETFL, F_SETFL, F_SETOWN, F_SETSIG, fcntl

        fcntl(lifeline, F_SETOWN, -os.getpgrp())
        fcntl(lifeline, F_SETSIG, signal.SIGKILL)
        fcntl(lifeline, F_SETFL, fcntl(lifeline, F_GETFL) | os.O_ASYNC)


def signal_main_thread(pid: int, number: int) -> None:
    """Sends a child a signal that none of its other threads takes. Where that can't be said, any may."""
    if sys.platform == "linux":
        import ctypes

        tgkill = getattr(ctypes.CDLL(None), "tgkill", None)
        if tgkill is not None and tgkill(pid, pid, number) == 0:
            return
    os.kill(pid, number)


def name_process(name: str) -> None:
    """What top, htop and ps without arguments call this process: 15 bytes of it."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/comm", "w") as file:
                file.write(name[:15])
        except OSError:
            pass  # there is no /proc


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
