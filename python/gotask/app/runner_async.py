"""Runs one async call."""

from __future__ import annotations

import builtins
from asyncio import CancelledError

from ..errors import GoTaskError
from ..wire.codec import decode
from ..wire.frames import EXACT, Buffer
from .context import Interrupted, Job, running_async
from .runner import Runner

# From Python 3.11 on: what a task group raises.
_Group: type[BaseException] | tuple[()] = getattr(builtins, "BaseExceptionGroup", ())


async def run_async(runner: Runner, job: Job) -> list[Buffer]:
    """What `Runner.run` is for a sync method: the reply, whatever the method raises."""
    try:
        method = runner.method(job.method)
        payload = decode(job.codec, job.body)
    except GoTaskError as error:
        return runner.failed(job, error.body())
    finally:
        job.body = b""
    running_async.set(job)
    job.interruptible = True
    try:
        try:
            result = await (method.invoke_exact(payload) if job.flags & EXACT else method.invoke(payload))
        finally:
            job.interruptible = False
    except BaseException as error:
        stopped = _is_interrupt(error) or job.cancelled and issubclass(type(error), CancelledError)
        return runner.raised(job, error, stopped)
    return runner.result(job, result)


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is what a method was interrupted by, or a task of its own was, within the exceptions of its task group."""
    if issubclass(type(error), _Group):
        return any(map(_is_interrupt, error.exceptions))  # type: ignore[attr-defined]
    return issubclass(type(error), Interrupted)
