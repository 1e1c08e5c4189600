"""The executors of an async worker: each call of a method that has one goes there, and its outcome becomes the reply."""

from __future__ import annotations

from asyncio import CancelledError, gather
from typing import Any

from ..app.context import Job, exchange_of
from ..app.runner import DURABLE, EXCHANGES, HAS_INPUT, WANTS_ITEMS, Runner
from ..app.runner_async import run_async
from ..errors import DeadlineExceeded, GoTaskError, InvalidArguments, InvalidRequest, Unavailable
from ..wire.codec import decode
from ..wire.frames import Buffer
from ..wire.names import OUTCOME
from .engine import Call, Engine
from .futures import Futures


_OUTCOME = OUTCOME.encode()


class Executors:
    """Of one async worker, each made when its first call comes."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._engines: dict[int | str, Engine] = {}

    async def run(self, runner: Runner, job: Job) -> list[Buffer]:
        """Like `run_async()`."""
        if job.method == _OUTCOME:
            return await self._outcome(runner, job)
        try:
            method = runner.method(job.method)
        except GoTaskError:
            return await run_async(runner, job)  # which says it
        if method.settings.executor is None:
            return await run_async(runner, job)
        if job.flags & DURABLE and method.settings.executor != "celery":
            return runner.not_durable(job)
        if job.flags & (WANTS_ITEMS | HAS_INPUT):
            text = f"{method.name} has an executor, so it has neither a stream nor an input: call it without; it has not run"
            return runner.failed(job, InvalidRequest(text).body())
        exchange = exchange_of(job) if job.flags & EXCHANGES else None
        call = Call(self._app, method, job, runner.max_payload)
        job.body = b""
        try:
            engine: Any = self._engine(method.settings.executor)
            if call.is_durable:
                return runner.result(job, await engine.publish(call))
            is_error, body = await engine.run(call)
        except CancelledError:
            call.is_cancelled = True
            return runner.failed(job, _left(call).body()) if call.has_begun else runner.cancelled(job)
        except Unavailable as error:
            # So that callers don't take it for the broker's.
            error.data = {"executor": method.executor}
            return runner.failed(job, error.body())
        except GoTaskError as error:
            return runner.failed(job, error.body())
        except Exception as error:
            return runner.raised(job, error, False)
        finally:
            if exchange is not None:
                exchange.close()
        return runner.failed(job, body) if is_error else runner.parts(job, body)

    async def _outcome(self, runner: Runner, job: Job) -> list[Buffer]:
        """What has become of a durable call. The payload is its id."""
        try:
            id = decode(job.codec, job.body)
            if type(id) is not str:
                raise InvalidArguments(
                    f"what has become of a durable call is asked by its id, a string, not {id!r}"
                )
            celery: Any = self._engine("celery")
            return runner.result(job, await celery.outcome(id))
        except GoTaskError as error:
            return runner.failed(job, error.body())

    async def close(self) -> None:
        await gather(*[engine.close() for engine in self._engines.values()], return_exceptions=True)

    def _engine(self, executor: Any) -> Engine:
        key: int | str = executor if isinstance(executor, str) else id(executor)
        engine = self._engines.get(key)
        if engine is None:
            engine = self._engines[key] = _make(executor)
        return engine


def _left(call: Call) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"the time of {call.name} was over while its executor had it: if it has begun, it goes on there until it looks at"
        " current_call().cancelled",
        {"method": call.name},
    )


def _make(executor: Any) -> Engine:
    if not isinstance(executor, str):
        return Futures(executor)
    from importlib import import_module

    # Each has a module, which imports a large package, and in it a class of its name.
    engine: Engine = getattr(import_module(f"{__package__}.{executor}"), executor.capitalize())()
    return engine
