"""Runs one async call."""

from __future__ import annotations

import builtins
from asyncio import CancelledError

from ..errors import GoTaskError
from ..wire.codec import decode
from ..wire.frames import EXACT, Buffer
from .context import Interrupted, Job, exchange_of, running_async
from .runner import DURABLE, EXCHANGES, WANTS_ITEMS, Runner

# What a task group raises, from Python 3.11 on.
_Group: type[BaseException] | tuple[()] = getattr(builtins, "BaseExceptionGroup", ())


async def run_async(runner: Runner, job: Job) -> list[Buffer]:
    """Like Runner.run(), for an async method: the reply, whatever the method raises."""
    try:
        method = runner.method(job.method)
        payload = decode(job.codec, job.body)
    except GoTaskError as error:
        return runner.failed(job, error.body())
    finally:
        job.body = b""
    if job.flags & DURABLE:
        return runner.not_durable(job)
    running_async.set(job)
    exchange = exchange_of(job) if job.flags & EXCHANGES else None
    job.interruptible = True
    try:
        try:
            result = method.invoke_exact(payload) if job.flags & EXACT else method.invoke(payload)
            if hasattr(result, "__await__"):
                result = await result
            if exchange is not None and job.flags & WANTS_ITEMS:
                result = await exchange.stream(result)
        finally:
            job.interruptible = False
            if job.exchange is not None:
                job.exchange.close()
    except BaseException as error:
        stopped = _is_interrupt(error) or job.cancelled and issubclass(type(error), CancelledError)
        return runner.raised(job, error, stopped)
    return runner.result(job, result)


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is an Interrupted, or a task group's exception that holds one."""
    if issubclass(type(error), _Group):
        return any(map(_is_interrupt, error.exceptions))  # type: ignore[attr-defined]
    return issubclass(type(error), Interrupted)
