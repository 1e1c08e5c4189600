"""The worker of an app with async methods: many async calls at a time, or one sync call."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from ._entry import MESSAGE_SIZE
from ._loop import run_in_loop
from ._records import ASYNC, READY
from ._registry import default_registry
from ._runner import Job, Runner, parse_job
from ._slots import Slots
from ._worker import Channel, Worker, report_close, report_failure


def serve(
    channel: Channel,
    slots: Slots,
    runner: Runner,
    sync: Worker,
    lanes: tuple[socket.socket, socket.socket],
    concurrency: int,
) -> int:
    """The life of the worker, in a loop of its own: uvloop's where that is installed. Returns the exit code."""

    async def run() -> int:
        try:
            for _, opens in default_registry.opening():
                opening = opens()
                if opening is not None:
                    await opening
        except BaseException as error:
            return report_failure(channel, error)
        worker = AsyncWorker(channel, slots, runner, sync, concurrency)
        await worker.serve(*lanes, lambda: channel.record(READY, {"methods": default_registry.describe()}))
        for name, closes in default_registry.closing():
            try:
                closing = closes()
                if closing is not None:
                    await closing
            except Exception as error:
                report_close(name, error)
        return 0

    return run_in_loop(run())


class AsyncWorker:
    """Takes from both lanes while it is idle, and from the async one alone while async calls run."""

    def __init__(
        self, channel: Channel, slots: Slots, runner: Runner, sync: Worker, concurrency: int
    ) -> None:
        self._channel = channel
        self._slots = slots
        self._runner = runner
        self._sync = sync
        self._concurrency = concurrency
        self._running: set[asyncio.Task[None]] = set()
        self._listening: set[socket.socket] = set()
        self._open_lanes = 2
        self._yielding = False  # to a sync call, once those that run have ended

    async def serve(
        self, sync_lane: socket.socket, async_lane: socket.socket, ready: Callable[[], None]
    ) -> None:
        """Until both lanes have ended and what was taken from them has been answered."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._sync_lane, self._async_lane = sync_lane, async_lane
        self._loop.add_reader(self._channel.fileno(), self._asked)
        ready()
        self._listen()
        await self._ended.wait()

    def _listen(self) -> None:
        """Watches the lanes that it may take a call from now."""
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

    def _receive(self, lane: socket.socket) -> bytes:
        """The next message; empty where another worker was quicker, or at the lane's end."""
        try:
            # The lane's end is shared by all workers, so it is not to be made non-blocking as such.
            message = lane.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return b""
        if not message:
            self._watch(lane, False, self._listen)
            lane.close()
            self._open_lanes -= 1
            self._listen()
        return message

    def _asked(self) -> None:
        """The broker asks to make room for a sync call."""
        if self._channel.receive():
            self._yielding = True
            self._listen()
        else:
            self._loop.remove_reader(self._channel.fileno())

    def _take_sync(self) -> None:
        if self._running:
            return
        message = self._receive(self._sync_lane)
        if message:
            try:
                self._sync.run(message)
            except BaseException:
                _die()

    def _take_async(self) -> None:
        while len(self._running) < self._concurrency and not self._yielding:
            message = self._receive(self._async_lane)
            if not message:
                break
            try:
                self._begin(parse_job(message, 0))
            except BaseException:
                _die()
        self._listen()

    def _begin(self, job: Job) -> None:
        slot = self._slots.take(job.number)
        task = self._loop.create_task(self._run(job, slot))
        self._running.add(task)
        task.add_done_callback(self._done)

    async def _run(self, job: Job, slot: int) -> None:
        if job.deadline and job.deadline <= time.monotonic():
            reply = self._runner.expired(job)
        else:
            reply = await self._runner.run_async(job)
        try:
            self._channel.reply(job, ASYNC, reply)
        except BaseException:
            _die()
        self._slots.give_back(slot)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._listen()


def _die() -> NoReturn:
    """Something other than a method failed, for want of descriptors or memory as a rule, and with it a call is lost. The loop
    would only log that and its caller wait for ever; when this process ends, the broker tells all whose calls it had.
    """
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
