"""An async worker: runs many calls of async methods at a time, in one event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import traceback
from asyncio import Task, TimerHandle
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakSet

from ..app import context
from ..app.context import Job, running_async
from ..app.loader import import_own
from ..app.registry import default_registry
from ..app.runner import Runner
from ..app.runner_async import run_async
from ..ipc.loop import run_in_loop
from ..ipc.messages import (
    CANCEL,
    ENDED,
    ENTRY,
    GONE,
    LEAVE,
    NO_QUEUE,
    QUEUE,
    READY,
    TAINTED,
    TASKS,
    TELL,
    receive,
)
from ..ipc.notes import Revocations, WorkerNotes
from ..wire.frames import Buffer
from . import interrupts
from .channel import Channel, NoRoom
from .exchange_async import AsyncExchange
from .jobs import NoPayload, TakenJob, parse_job
from .main import report_close, report_failure
from .tasks import where_tasks_are

if TYPE_CHECKING:
    from ..executors.router import Executors


def serve(worker: AsyncWorker, channel: Channel, group: str, app: str) -> int:
    """The life of the worker, in a loop of its own: uvloop's where that is installed. Returns the exit code."""
    made: Executors | None = None
    if default_registry.has_executors():
        executors: Executors = import_own("gotask.executors.router", app).Executors(app)
        made, worker.run_job = executors, executors.run

    async def run() -> int:
        try:
            for _, opens in default_registry.opening(group, True):
                opening = opens()
                if opening is not None:
                    await opening
        except BaseException as error:
            return report_failure(channel, error)
        await worker.serve()
        if made is not None:
            await made.close()
        for name, closes in default_registry.closing():
            try:
                closing = closes()
                if closing is not None:
                    await closing
            except Exception as error:
                report_close(name, error)
        return 0

    return run_in_loop(run())


class _Running:
    """A call that runs: answered by its task, or by whoever gives that up."""

    __slots__ = ("job", "slot", "task", "began", "patience")

    def __init__(self, job: TakenJob, slot: int) -> None:
        self.job = job
        self.slot = slot
        self.task: Task[None] | None = None
        self.began = 0.0
        self.patience: TimerHandle | None = None


class AsyncWorker:
    """Takes calls from the queue while fewer than `concurrency` run.

    grace: seconds after which a cancelled call that goes on is killed with its worker; at the half of it, it is given up here.
    """

    def __init__(
        self,
        channel: Channel,
        notes: WorkerNotes,
        revoked: Revocations,
        runner: Runner,
        queue: socket.socket,
        concurrency: int,
        grace: float,
    ) -> None:
        self.run_job: Callable[[Runner, Job], Awaitable[list[Buffer]]] = run_async
        self._channel = channel
        self._notes = notes
        self._revoked = revoked
        self._runner = runner
        # The shared one, and once there are calls whose keys are this worker's, its own.
        self._queues = [queue]
        self._queue = queue
        self._concurrency = concurrency
        self._patience = grace / 2
        self._running: dict[int, _Running] = {}  # by number
        self._tasks: dict[Task[None] | None, TakenJob] = {}  # those given up among them
        self._listening = False
        self._is_forked = False
        self._forker: Job | None = None  # the call that made this process, which is a copy of the worker

    async def serve(self) -> None:
        """Until the queue has ended and what was taken from it has been answered."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        context.make_exchange = lambda job: AsyncExchange(
            self._channel, job, self._runner.max_payload, self._loop
        )
        interrupts.listen_in_loop(self._notes, asyncio.current_task, WeakSet())
        self._loop.add_reader(self._channel.fileno(), self._asked)
        os.register_at_fork(after_in_child=self._forked)
        self._channel.record(READY, None)
        self._listen()
        while not self._ended.is_set():
            try:
                await self._ended.wait()
            except asyncio.CancelledError:
                pass  # a method has cancelled all tasks of the loop, but this one ends with its queue alone

    def _listen(self) -> None:
        """Watches the queue while it may take a call from it."""
        self._stay_out()
        is_open = self._queue.fileno() >= 0
        wanted = is_open and len(self._running) < self._concurrency
        if wanted != self._listening:
            self._listening = wanted
            for queue in self._queues:
                if wanted:
                    self._loop.add_reader(queue, self._take_all)
                else:
                    self._loop.remove_reader(queue)
        if not is_open and not self._running:
            self._ended.set()

    def _close(self) -> None:
        """Takes no more calls."""
        while self._queues:
            self._close_queue(self._queues[-1])
        self._listening = False
        self._listen()

    def _close_queue(self, queue: socket.socket) -> None:
        if self._listening:
            self._loop.remove_reader(queue)
        self._queues.remove(queue)
        queue.close()

    # -- what the broker asks -----------------------------------------------------------------------------------------

    def _asked(self) -> None:
        self._stay_out()
        while True:
            try:
                kind, number, fd, content = self._channel.asked()
            except (BlockingIOError, InterruptedError):
                return
            if kind == CANCEL:
                self._cancel(number)
            elif kind == QUEUE:
                self._add_own(fd)
            elif kind == ENDED:
                self._loop.remove_reader(self._channel.fileno())
                return
            elif kind == LEAVE:
                self._close()
            elif kind == TASKS:
                self._channel.tasks(number, where_tasks_are(self._tasks, number))
            elif kind == TELL or kind == GONE:
                self._tell(number, content, fd)

    def _tell(self, number: int, content: bytes, fd: int) -> None:
        """A message of the caller's within a call, or that it is gone."""
        running = self._running.get(number)
        exchange = running.job.exchange if running is not None else None
        if isinstance(exchange, AsyncExchange):
            exchange.receive(content, fd) if content else exchange.gone()
        elif fd >= 0:
            os.close(fd)  # it has crossed the end of its call

    def _add_own(self, fd: int) -> None:
        if fd < 0:
            self._channel.record(TAINTED, {"reason": NO_QUEUE})
            return
        queue = socket.socket(fileno=fd)
        if self._queue.fileno() < 0:
            queue.close()
            return
        self._queues.append(queue)
        if self._listening:
            self._loop.add_reader(queue, self._take_all)

    def _cancel(self, number: int) -> None:
        running = self._running.get(number)
        if running is None or running.task is None or running.job.cancelled:
            return
        running.job.cancelled = True
        running.task.cancel()
        running.patience = self._loop.call_later(self._patience, self._give_up, running)

    def _give_up(self, running: _Running) -> None:
        """The method has swallowed its cancellation. Its caller is told, its place is free, and it ends with this worker."""
        job = running.job
        self._answer(running, self._runner.unstoppable(job))
        method = job.method.decode("utf-8", "replace")
        self._channel.record(TAINTED, {"reason": f"{method} went on after it was cancelled"})
        self._listen()

    def _forked(self) -> None:
        self._is_forked, self._forker = True, running_async.get()
        self._loop.call_soon(_end_child)

    def _stay_out(self) -> None:
        """Ends a process that a method has forked: calls, and what the loop watches, are its parent's."""
        if self._is_forked:
            _end_child()

    # -- calls --------------------------------------------------------------------------------------------------------

    def _take_all(self) -> None:
        self._stay_out()
        queues = self._queues.copy()
        while queues and len(self._running) < self._concurrency:
            queue = queues.pop(0)
            try:
                # All workers share this end of the queue, so it is not to be made non-blocking as such.
                message, fd = receive(queue, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                continue  # another worker was quicker, too
            if message:
                try:
                    self._take(message, fd)
                except BaseException:
                    _die()
                queues.append(queue)  # the queues have their turns
            elif queue is self._queue:
                self._close()
                return
            else:
                self._close_queue(queue)
        self._listen()

    def _take(self, message: bytes, fd: int) -> None:
        number = int(ENTRY.unpack_from(message)[0])
        slot = self._notes.take(number)
        if self._revoked.has(number):
            if fd >= 0:
                os.close(fd)
            self._channel.returned(number)
            self._notes.give_back(slot)
            return
        try:
            job = parse_job(message, fd)
        except NoPayload as error:
            self._channel.refused(number, error)
            self._notes.give_back(slot)
            return
        self._begin(_Running(job, slot))

    def _begin(self, running: _Running) -> None:
        job = running.job
        running.task = task = self._loop.create_task(self._run(running))
        self._running[job.number] = running
        self._tasks[task] = job
        task.add_done_callback(self._done)

    async def _run(self, running: _Running) -> None:
        self._stay_out()
        job = running.job
        running.began = time.monotonic()
        if job.deadline and job.deadline <= running.began:
            reply = self._runner.expired(job)
        else:
            reply = await self.run_job(self._runner, job)
        if self._running.get(job.number) is running:
            self._answer(running, reply)

    def _answer(self, running: _Running, reply: list[Buffer]) -> None:
        if running.job is not self._forker:
            self._stay_out()
        if running.patience is not None:
            running.patience.cancel()
        took = time.monotonic() - running.began
        try:
            try:
                self._channel.reply(running.job, reply, took)
            except NoRoom as error:
                self._channel.reply(running.job, self._runner.lost(running.job, str(error)), took)
        except BaseException:
            _die()
        self._notes.give_back(running.slot)
        del self._running[running.job.number]

    def _done(self, task: Task[None]) -> None:
        job = self._tasks.pop(task)
        running = self._running.get(job.number)
        if running is not None and running.task is task:
            if task.cancelled():
                # Before it had begun: what would have answered never ran.
                self._answer(running, self._runner.cancelled(job))
            elif (error := task.exception()) is not None:
                self._answer(running, self._runner.raised(job, error, False))
        elif not task.cancelled() and task.exception() is not None:
            traceback.print_exception(task.exception())  # of a call that had been given up
        self._listen()


def _end_child() -> NoReturn:
    """A process that an async method forked has come back to the loop, where it would go on with its parent's calls."""
    from ..app.fork import end_by

    words = "a process that an async method has forked can't await anything: end it by os._exit(), or fork in a sync method"
    end_by(RuntimeError(words))


def _die() -> NoReturn:
    """Something other than a method failed, for want of descriptors or memory as a rule, and with it a call is lost. The loop
    would only log that and its caller wait for ever; when this process ends, the broker tells all whose calls it had.
    """
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
