"""Calls that run in the broker itself: methods marked `inline`, or all of them where there are no workers.

The shortest way, and without isolation: a sync method holds up everything, and what kills it kills the broker.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..app.context import Job
from ..app.failures import failure_text
from ..app.loader import forget, load, restore
from ..app.registry import Registry, default_registry
from ..app.runner import Runner
from ..app.runner_async import run_async
from ..wire import frames as wire
from ..wire.frames import EXACT, STRUCTURED, Buffer
from .environment import Place
from .queue import Call

if TYPE_CHECKING:
    from .broker import Broker


class InlineRunner:
    """Loads the app into this process and runs calls on its loop: sync ones at once, async ones side by side."""

    def __init__(self, broker: Broker, place: Place, before: Place) -> None:
        """`before`: where the generation that serves found the app."""
        self._place, self._before = place, before
        self._broker = broker
        self._config = broker.config
        self._log = broker.log
        self._loop = broker.loop
        self._flush = broker.flush
        self._registry = Registry()
        self._runner = Runner(self._registry, broker.config.max_payload)
        self._job = Job(0, 0.0, 0, 0, 0, b"", b"")
        self._tasks: dict[Call, tuple[Job, asyncio.Task[list[Buffer]]]] = {}

    def open(self, then: Callable[[], None], on_failed: Callable[[str], None]) -> None:
        """Imports the app as it is now and opens its services, then says so."""

        async def run() -> None:
            before = forget(self._before.app)
            try:
                if self._place.folder:
                    os.chdir(self._place.folder)
                load(self._place.app)
                self._registry.adopt(default_registry.detach())
                for _, opens in self._registry.opening():
                    opening = opens()
                    if opening is not None:
                        await opening
            except BaseException as error:
                default_registry.detach()
                forget(self._place.app)
                restore(self._before.app, before)
                on_failed(failure_text(error))
                return
            then()

        self._opening = self._loop.create_task(run())

    def retire(self) -> None:
        """Closes the services once what runs has ended: other code has taken this one's place."""

        async def run() -> None:
            await asyncio.gather(*(task for _, task in self._tasks.values()), return_exceptions=True)
            await self.close()

        self._retiring = self._loop.create_task(run())

    async def close(self) -> None:
        """Ends what is running, and closes the services."""
        for _, task in tuple(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*(task for _, task in self._tasks.values()), return_exceptions=True)
        for name, closes in self._registry.closing():
            try:
                closing = closes()
                if closing is not None:
                    await closing
            except Exception as error:
                self._log.error(f"closing {name} failed", error=repr(error))

    @property
    def running(self) -> int:
        return len(self._tasks)

    def describe(self) -> list[dict[str, Any]]:
        return self._registry.describe()

    def run(
        self, deadline: float, codec: int, sequence: int, method: bytes, body: Buffer, structured: bool
    ) -> list[Buffer]:
        """Runs a sync call at once; the parts of its reply."""
        job = self._job  # such calls never overlap: one job serves them all
        job.deadline = deadline
        job.flags = STRUCTURED if structured else 0
        job.codec, job.sequence, job.method, job.body = codec, sequence, method, body
        return self._runner.run(job)

    def submit(self, call: Call, is_async: bool) -> None:
        job = _job(call)
        if not is_async:
            self._answer(call, self._runner.run(job))
            return
        task = self._loop.create_task(run_async(self._runner, job))
        self._tasks[call] = job, task
        task.add_done_callback(lambda task: self._ended(call, task))
        if call.deadline:
            # A little later: a timer may be early by the clock's resolution, and an early one is no deadline yet.
            pause = call.deadline - time.monotonic() + 0.001
            timer = self._loop.call_later(pause, self.cancel, call)
            task.add_done_callback(lambda task: timer.cancel())

    def cancel(self, call: Call) -> None:
        job, task = self._tasks.get(call, (None, None))
        if job is not None and task is not None:
            job.cancelled = True
            task.cancel()

    def _ended(self, call: Call, task: asyncio.Task[list[Buffer]]) -> None:
        """Answers out here and not in the task: a transport that has to wait would go on in the context of that call."""
        del self._tasks[call]
        if not task.cancelled():
            self._answer(call, task.result())
            self._flush()

    def _answer(self, call: Call, reply: list[bytes]) -> None:
        call.release()
        frame = b"".join(reply)
        if not call.notify:
            call.owner.answer(call, frame)
        elif frame[1] & wire.ERROR:
            self._broker.failed(call, frame)


def _job(call: Call) -> Job:
    frame = call.frame
    flags = STRUCTURED if call.owner.structured else 0
    if len(frame.options) == 4 and frame.options[3] & wire.ARGS:
        flags |= EXACT
    body = frame.raw[frame.start + len(call.method) :]
    return Job(0, call.deadline, flags, frame.flags & wire.CODECS, call.sequence, call.method, body)
