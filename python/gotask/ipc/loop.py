"""The event loop: uvloop's if that is installed, else asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
try:
    import uvloop

    _new_loop = uvloop.new_event_loop
except ImportError:
    pass

# Seconds that tasks which a service has left running get to end after they were cancelled.
TASK_GRACE = 3.0


def run_in_loop(main: Coroutine[Any, Any, int]) -> int:
    """What asyncio.run does, with the loop of our choice, and bounded; asyncio.Runner comes only with Python 3.11."""
    loop = _new_loop()
    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(main)
        while True:
            try:
                return loop.run_until_complete(task)
            except (RuntimeError, SystemExit, KeyboardInterrupt) as error:
                if task.done():
                    raise
                # Raised in a callback or a task that a method has left, or loop.stop(): other calls go on.
                message = "code of the app stopped the event loop, which goes on"
                loop.call_exception_handler({"message": message, "exception": error})
    finally:
        loop.run_until_complete(_cancel_tasks(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


async def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    ended, _ = await asyncio.wait(tasks, timeout=TASK_GRACE)
    for task in ended:
        if not task.cancelled() and (error := task.exception()) is not None:
            message = "a task that was cancelled at the end has failed"
            loop.call_exception_handler({"message": message, "exception": error, "task": task})
