"""What the standard library does not offer of Linux: to end with one's parent. Elsewhere it does nothing."""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """From now on the kernel sends `number` when the parent process is gone; at once if it is gone already.

    "The parent" is the thread that started this process (prctl(2)): parents start their children from threads that stay.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
