"""A worker's side of being interrupted: exceptions land in user code and nowhere else, and a call that is over is left alone.

The broker writes what it wants into the shared notes and sends SIGNAL. The handler of a Python signal runs between two
bytecodes of the main thread, wherever that is: it raises only while the very call that is meant runs its method, and once.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from ._context import running_sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ._slots import Slots

# Makes a worker look into its notes.
SIGNAL = signal.SIGUSR2

# Makes it write the Python stack of each thread into its certificate: by faulthandler, in C, so even while something holds
# the GIL (https://docs.python.org/3/library/faulthandler.html).
STACKS_SIGNAL = signal.SIGQUIT


class Interrupted(BaseException):
    """Raised in a sync method whose caller waits no longer: its time is over, or it was cancelled.

    Let it through: clean up in `finally`, within the broker's --interrupt-grace. A worker whose method goes on is killed.
    """


def listen(slots: Slots, lane: socket.socket) -> None:
    """From now on SIGNAL interrupts the sync call that the broker names, or ends the worker that receives from `lane`."""
    ended, other = socket.socketpair()
    other.close()

    def look(number: int, frame: FrameType | None) -> None:
        if slots.leaving:
            # recv() on the lane is tried again after a signal (PEP 475), and then finds the end of another socket. A message
            # that had come before is not lost, as it would be if this raised.
            os.dup2(ended.fileno(), lane.fileno(), inheritable=False)
        job = running_sync.job
        if job is not None and job.number == slots.interrupted:
            running_sync.job = None
            raise Interrupted("the caller waits no longer")

    signal.signal(SIGNAL, look)


def listen_in_loop(slots: Slots, held_by: Callable[[], tuple[int, bool]]) -> None:
    """The same for a worker with an event loop, which is asked to end by other means.

    `held_by()`: the number of the async call whose code runs now, or 0, and whether that may be interrupted.
    """

    def look(number: int, frame: FrameType | None) -> None:
        wanted = slots.interrupted
        job = running_sync.job
        if job is not None:
            if job.number == wanted:
                running_sync.job = None
                raise Interrupted("the caller waits no longer")
            return
        holder, open_to_it = held_by()
        slots.hold(holder)
        if holder == wanted and open_to_it:
            raise Interrupted("the caller waits no longer, and the event loop is held up")

    signal.signal(SIGNAL, look)


def write_stacks(fd: int) -> None:
    """From now on a fatal signal, or STACKS_SIGNAL, leaves the Python stack of each thread in that file."""
    import faulthandler

    faulthandler.enable(fd, all_threads=True)
    if sys.platform != "win32":
        faulthandler.register(STACKS_SIGNAL, fd, all_threads=True, chain=False)
