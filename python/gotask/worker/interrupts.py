"""A worker's side of being interrupted: exceptions land in user code and nowhere else, and a call that is over is left alone.

The broker writes what it wants into the shared notes and sends INTERRUPT. The handler of a Python signal runs between two
bytecodes of the main thread, wherever that is: it raises only while the very call that is meant runs its method, and once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, MutableSet
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from ..app.context import Interrupted, running_async, running_sync
from ..ipc.notes import NONE, WorkerNotes
from ..ipc.signals import (
    INTERRUPT,
    STACK_SIGNALS,
    STACKS_BEGIN,
    STACKS_END,
    TELL_STACK,
    TELL_STACKS,
)
from .exchange_sync import interrupt

if TYPE_CHECKING:
    from asyncio import Task  # an app without async methods loads no asyncio


def listen(notes: WorkerNotes) -> None:
    """From now on INTERRUPT interrupts the sync call that the broker names."""

    def look(number: int, frame: FrameType | None) -> None:
        notes.hold(NONE)
        job = running_sync.job
        if job is not None and running_sync.is_open and notes.is_unwanted(job.number):
            interrupt(job)

    signal.signal(INTERRUPT, look)


def listen_in_loop(
    notes: WorkerNotes, current_task: Callable[[], Task[Any] | None], interrupted: MutableSet[Task[Any]]
) -> None:
    """The same for an async worker.

    The context says whose code runs at this moment: the call's own, that of a task that it has started, or a callback's. Each
    task is interrupted once, since it may clean up then; other tasks of the same call may hold up the loop after it.
    `interrupted` keeps those that have been.
    """

    def look(number: int, frame: FrameType | None) -> None:
        job = running_async.get()
        notes.hold(NONE if job is None else job.number)
        if job is None or not job.interruptible:
            return
        task = current_task()
        if task not in interrupted and notes.is_unwanted_async(job.number):
            if task is not None:
                interrupted.add(task)
            raise Interrupted("the caller waits no longer, and the event loop is held up")

    signal.signal(INTERRUPT, look)


# Of more threads faulthandler writes the newest alone, and this one, which runs the calls, is the oldest.
MOST_THREADS: Final = 100


def write_stacks(fd: int) -> None:
    """From now on a fatal signal, or one of STACK_SIGNALS, leaves Python stacks in that file."""
    import faulthandler

    def tell(number: int, frame: FrameType | None) -> None:
        os.write(fd, STACKS_BEGIN)
        if len(sys._current_frames()) > MOST_THREADS:
            faulthandler.dump_traceback(fd, all_threads=False)
        # The other threads wait for the interpreter meanwhile.
        faulthandler.dump_traceback(fd, all_threads=True)
        os.write(fd, STACKS_END)

    faulthandler.enable(fd, all_threads=True)
    faulthandler.register(TELL_STACK, fd, all_threads=False, chain=False)
    signal.signal(TELL_STACKS, tell)
    signal.siginterrupt(TELL_STACKS, False)  # no library in C is disturbed that the kernel can spare it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STACK_SIGNALS)
