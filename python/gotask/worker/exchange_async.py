"""Messages within an async call: many calls wait at the same time, each in its own tasks."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, Future, TimerHandle, sleep
from math import inf
from threading import get_ident
from typing import Any

from ..app.context import Job
from ..wire.exchange import MAX_ITEMS
from .channel import Channel
from .exchange import HOLD, Exchange


class AsyncExchange(Exchange):
    """Of one call of the loop."""

    def __init__(self, channel: Channel, job: Job, max_payload: int, loop: AbstractEventLoop) -> None:
        super().__init__(channel, job, max_payload)
        self._loop = loop
        self._thread = get_ident()
        self._waiting: set[Future[None]] = set()  # for credit, or for the input
        self._calling: dict[int, Future[None]] = {}  # for the answer of that number
        self._size = 0  # of the elements that are held
        self._timer: TimerHandle | None = None  # that sends them
        self._sent_at = -inf
        self._pack = self._packer()
        self._failure: Exception | None = None
        self._later: TimerHandle | None = None  # that sends progress

    # -- waiting ------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until something has come. ConnectionLost: nothing will."""
        self._check()
        future: Future[None] = self._loop.create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _wake(self, *futures: Future[None]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)

    def receive(self, content: bytes, fd: int) -> None:
        count = len(self._answers)
        super().receive(content, fd)
        if self._held and self._credit > 0:
            self._send_soon()
        if self.is_gone:
            self.gone()
        elif len(self._answers) > count:  # for the newest one; thousands may wait for others
            self._wake(self._calling[next(reversed(self._answers))])
        else:
            self._wake(*self._waiting)

    def gone(self) -> None:
        """The caller is."""
        self.is_gone = True
        self._wake(*self._waiting, *self._calling.values())

    def _send(self, kind: int, number: int, *body: bytes) -> None:
        job = self._job
        was, job.interruptible = job.interruptible, False  # no signal raises in the middle of a message
        try:
            super()._send(kind, number, *body)
        finally:
            job.interruptible = was

    # -- elements -----------------------------------------------------------------------------------------------------

    async def stream(self, result: Any) -> Any:
        """Sends what an iterable gives, async or not. An async generator is closed whatever happens."""
        try:
            if hasattr(result, "__aiter__"):
                each = result.__aiter__()
                try:
                    async for item in each:
                        if self._hold(item):
                            await self._flush()
                finally:
                    if hasattr(each, "aclose"):
                        await each.aclose()
                return None
            for item in self._each(result):
                if self._hold(item):
                    await self._flush()
            return self._returned
        finally:
            if not self._job.cancelled and not self.is_gone:
                await self._flush()

    def _hold(self, item: object) -> bool:
        """Takes one more element. True: so many are held that they are to be sent before the next one."""
        try:
            data = self._pack(item)
        except Exception:
            data = self._encode(item)  # or this says why not
            self._pack = self._packer()
        self._held.append(data)
        self._size += len(data)
        if self._timer is None:
            # What comes slowly goes as soon as the method waits for something, what comes quickly waits for more.
            pause = HOLD if time.monotonic() - self._sent_at < HOLD else 0.0
            self._timer = self._loop.call_later(pause, self._send_soon)
        return self._size >= MAX_ITEMS

    def _send_soon(self) -> None:
        try:
            self._send_held()
        except Exception as error:  # for the method's task, which goes on
            self._failure = error
            self._wake(*self._waiting)

    def _send_held(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._held and self._credit > 0 and not self.is_gone:
            self._send_items()
        if not self._held:
            self._size = 0
            self._sent_at = time.monotonic()

    async def _flush(self) -> None:
        # A generator that awaits nothing would hold up the other calls of its loop until the credit is used up.
        await sleep(0)
        self._send_held()
        while self._held:
            await self._wait()
            self._send_held()
        self._check()

    # -- input --------------------------------------------------------------------------------------------------------

    async def next_items(self) -> list[Any] | None:
        """The next elements of the input; None at its end."""
        self._begin_input()
        while not self._messages:
            await self._wait()
        return self._take_items()

    # -- calls back and progress --------------------------------------------------------------------------------------

    async def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._check()
        number = self._send_call(name, args, named)
        self._calling[number] = future = self._loop.create_future()
        try:
            await future
            if number not in self._answers:
                self._check()
            return self._answer(number)
        finally:
            self._forget(number)
            del self._calling[number]

    def progress(self, fraction: float | None, text: str, data: Any) -> None:
        if get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._say_progress, fraction, text, data)
        else:
            self._say_progress(fraction, text, data)

    def _say_progress(self, fraction: float | None, text: str, data: Any) -> None:
        if not self._closed:
            pause = self._progress(fraction, text, data)
            if pause and self._later is None:
                self._later = self._loop.call_later(pause, self._send_kept)

    def _send_kept(self) -> None:
        self._later = None
        if not self._closed:
            self._send_progress()

    def close(self) -> None:
        """The method has ended: nothing is said any more, whatever tasks it has left."""
        for timer in (self._timer, self._later):
            if timer is not None:
                timer.cancel()
        if not self.is_gone:
            self._send_progress()
        self._closed = True
        for message in (*self._messages, *self._answers.values()):
            message.close()
