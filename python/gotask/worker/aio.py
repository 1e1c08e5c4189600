"""The worker of an app with async methods: many async calls at a time, or one sync call."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import traceback
from asyncio import Task, TimerHandle
from collections.abc import Callable
from typing import NoReturn
from weakref import WeakSet

from ..app.context import Job, running_async
from ..app.registry import default_registry
from ..app.runner import Runner, keep_alarm
from ..app.runner_async import run_async
from ..ipc.loop import run_in_loop
from ..ipc.messages import ASYNC, CANCEL, ENTRY, LEAVE, REQUEST, TAINTED, YIELD, receive
from ..ipc.notes import Revocations, WorkerNotes
from ..wire.frames import Buffer
from . import interrupts
from .channel import Channel, NoRoom
from .jobs import NoPayload, TakenJob, parse_job
from .main import report_close, report_failure, report_ready
from .sync import Worker


def serve(
    channel: Channel,
    notes: WorkerNotes,
    revoked: Revocations,
    runner: Runner,
    sync: Worker,
    lanes: tuple[socket.socket, socket.socket],
    concurrency: int,
    group: str,
    grace: float,
) -> int:
    """The life of the worker, in a loop of its own: uvloop's where that is installed. Returns the exit code."""

    async def run() -> int:
        try:
            for _, opens in default_registry.opening(group):
                opening = opens()
                if opening is not None:
                    await opening
        except BaseException as error:
            return report_failure(channel, error)
        worker = AsyncWorker(channel, notes, revoked, runner, sync, concurrency, grace)
        await worker.serve(*lanes, lambda: report_ready(channel))
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
    """An async call that runs: answered by its task, or by whoever gives that up."""

    __slots__ = ("job", "slot", "task", "began", "patience")

    def __init__(self, job: TakenJob, slot: int) -> None:
        self.job = job
        self.slot = slot
        self.task: Task[None] | None = None
        self.began = 0.0
        self.patience: TimerHandle | None = None


class AsyncWorker:
    """Takes from both lanes while it is idle, and from the async one alone while async calls run.

    grace: seconds after which a cancelled call that goes on is killed with its worker; at the half of it, it is given up here.
    """

    def __init__(
        self,
        channel: Channel,
        notes: WorkerNotes,
        revoked: Revocations,
        runner: Runner,
        sync: Worker,
        concurrency: int,
        grace: float,
    ) -> None:
        self._channel = channel
        self._notes = notes
        self._revoked = revoked
        self._runner = runner
        self._sync = sync
        self._concurrency = concurrency
        self._patience = grace / 2
        self._running: dict[int, _Running] = {}  # by number
        self._tasks: dict[Task[None] | None, TakenJob] = {}  # those given up among them
        self._listening: set[socket.socket] = set()
        self._open_lanes = 2
        self._yielding = False  # to a sync call, once those that run have ended
        self._is_forked = False
        self._forker: Job | None = None  # the call that made this process, which is a copy of the worker

    async def serve(
        self, sync_lane: socket.socket, async_lane: socket.socket, ready: Callable[[], None]
    ) -> None:
        """Until both lanes have ended and what was taken from them has been answered."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._sync_lane, self._async_lane = sync_lane, async_lane
        interrupts.listen_in_loop(self._notes, asyncio.current_task, WeakSet())
        keep_alarm()
        self._loop.add_reader(self._channel.fileno(), self._asked)
        os.register_at_fork(after_in_child=self._forked)
        ready()
        self._listen()
        while not self._ended.is_set():
            try:
                await self._ended.wait()
            except asyncio.CancelledError:
                pass  # a method has cancelled all tasks of the loop, but this one ends with its lanes alone

    def _listen(self) -> None:
        """Watches the lanes that it may take a call from now."""
        self._stay_out()
        running = len(self._running)
        if not running and self._yielding:
            self._yielding = False
            self._loop.call_soon(self._take_sync)
        self._watch(self._sync_lane, not running, self._take_sync)
        self._watch(self._async_lane, running < self._concurrency and not self._yielding, self._take_async)
        if not self._open_lanes and not running:
            self._ended.set()

    def _watch(self, lane: socket.socket, wanted: bool, callback: Callable[[], None]) -> None:
        if lane.fileno() < 0 or wanted == (lane in self._listening):
            return
        if wanted:
            self._listening.add(lane)
            self._loop.add_reader(lane, callback)
        else:
            self._listening.discard(lane)
            self._loop.remove_reader(lane)

    def _receive(self, lane: socket.socket) -> tuple[bytes, int]:
        """The next message as of receive(); empty where another worker was quicker, too."""
        self._stay_out()
        if lane.fileno() < 0:
            return b"", -1
        try:
            # The lane's end is shared by all workers, so it is not to be made non-blocking as such.
            message, fd = receive(lane, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return b"", -1
        if not message:
            self._close(lane)
            self._listen()
        return message, fd

    def _close(self, lane: socket.socket) -> None:
        if lane.fileno() >= 0:
            self._watch(lane, False, self._listen)
            lane.close()
            self._open_lanes -= 1

    # -- what the broker asks -----------------------------------------------------------------------------------------

    def _asked(self) -> None:
        self._stay_out()
        while True:
            try:
                request = self._channel.receive()
            except (BlockingIOError, InterruptedError):
                return
            if not request:
                self._loop.remove_reader(self._channel.fileno())
                return
            kind, number = REQUEST.unpack(request)
            if kind == YIELD:
                self._yielding = True
                self._listen()
            elif kind == CANCEL:
                self._cancel(number)
            elif kind == LEAVE:
                self._close(self._sync_lane)
                self._close(self._async_lane)
                self._listen()

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

    def _take_sync(self) -> None:
        if self._running:
            return
        message, fd = self._receive(self._sync_lane)
        if message:
            try:
                self._sync.run(message, fd)
            except BaseException:
                _die()

    def _take_async(self) -> None:
        while len(self._running) < self._concurrency and not self._yielding:
            message, fd = self._receive(self._async_lane)
            if not message:
                break
            try:
                self._take(message, fd)
            except BaseException:
                _die()
        self._listen()

    def _take(self, message: bytes, fd: int) -> None:
        number = int(ENTRY.unpack_from(message)[0])
        slot = self._notes.take(number)
        if self._revoked.has(number):
            if fd >= 0:
                os.close(fd)
            self._channel.returned(ASYNC, number, number)
            self._notes.give_back(slot)
            return
        try:
            job = parse_job(message, 0, fd)
        except NoPayload as error:
            self._channel.refused(ASYNC, number, error)
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
            reply = await run_async(self._runner, job)
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
                self._channel.reply(running.job, ASYNC, reply, took)
            except NoRoom as error:
                self._channel.reply(running.job, ASYNC, self._runner.lost(running.job, str(error)), took)
        except BaseException:
            _die()
        self._notes.give_back(running.slot)
        del self._running[running.job.number]

    def _done(self, task: Task[None]) -> None:
        job = self._tasks.pop(task)
        running = self._running.get(job.number)
        if running is not None and running.task is task:
            # Cancelled before it had begun: what would have answered never ran.
            self._answer(running, self._runner.cancelled(job))
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
