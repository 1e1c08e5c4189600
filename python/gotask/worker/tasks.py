"""Where the tasks of an async worker are: what GoTask.Dump and the log of slow calls say of them."""

from __future__ import annotations

import asyncio
import os
from asyncio import Task
from collections.abc import Iterator, Mapping
from itertools import islice
from types import FrameType
from typing import Any, Final

from ..app.context import Job

# Tasks that are told, and frames of each.
MOST: Final = 200
MAX_FRAMES: Final = 50

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def where_tasks_are(calls: Mapping[Task[None] | None, Job], number: int) -> str:
    """The stack of each task that waits, innermost line first, as faulthandler writes those of threads.

    calls: which of them run calls. number: of the one call whose task is wanted; 0: all tasks.
    """
    told = []
    if number:
        wanted = [task for task, job in calls.items() if task is not None and job.number == number]
    else:
        there = asyncio.all_tasks()
        # Calls first: their methods may have made many others.
        first = [task for task in calls if task in there]
        wanted = [*first, *there.difference(first)][:MOST]
    for task in wanted:
        job = calls.get(task)
        coroutine = task.get_coro()
        code = getattr(coroutine, "cr_code", None)
        if job is None and code is not None and code.co_filename.startswith(_OURS):
            continue  # the worker's own
        frames = list(islice(_frames(coroutine), MAX_FRAMES))
        what = (
            f"Call {job.number} of {job.method.decode('utf-8', 'replace')}"
            if job
            else f"Task {task.get_name()}"
        )
        lines = [
            f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}'
            for frame in reversed(frames)
        ]
        # Without a line of others it waits in GoTask itself.
        how = (
            " (most recent call first):" if lines else ": waits for its executor, or for who reads its stream"
        )
        told.append("\n".join((f"{what}{how}", *lines)))
    return "\n\n".join(told)


def _frames(awaited: Any) -> Iterator[FrameType]:
    """From the outermost inwards, without GoTask's own."""
    while awaited is not None:
        frame = inner = None
        for prefix, next_one in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if hasattr(awaited, next_one):
                frame, inner = getattr(awaited, f"{prefix}_frame"), getattr(awaited, next_one)
        if frame is not None and not frame.f_code.co_filename.startswith(_OURS):
            yield frame
        awaited = inner
