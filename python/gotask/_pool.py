"""The workers of a broker: starts them, hands their answers on, and when one dies settles its calls and replaces it."""

from __future__ import annotations

import json
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _protocol as wire
from ._config import Config
from ._errors import DeadlineExceeded, RemoteError, Unavailable, WorkerCrashed
from ._lane import Lane
from ._log import Log
from ._memory import Segment, SegmentPool
from ._protocol import Buffer, parse
from ._queue import Call, CallQueue
from ._records import ASYNC, FAILED, READY, SYNC
from ._worker_handle import WorkerHandle

if TYPE_CHECKING:
    from ._connection import Connection

# Replacements within WINDOW seconds that are started at once; beyond, there is a pause. While starts fail, it doubles up to
# LAST_PAUSE; workers that started and died later may be what keeps callers served, so theirs stays short.
QUICK_STARTS = 5
WINDOW = 10.0
FIRST_PAUSE = 0.5
LAST_PAUSE = 30.0

# Seconds that a sync call may wait while workers run async calls, before one of them makes room for it.
SYNC_PATIENCE = 0.05

# A worker that lives and has received a call notes it within microseconds. What nobody has noted after two looks was lost.
LOST_CHECK = 0.05


class WorkerPool:
    """Keeps `config.workers` workers running. The first ones to start decide whether the broker starts at all."""

    def __init__(
        self,
        config: Config,
        log: Log,
        loop: AbstractEventLoop,
        scratch: memoryview,
        segments: SegmentPool,
        on_ready: Callable[[list[dict[str, Any]]], None],
        on_start_failed: Callable[[str], None],
        on_batch: Callable[[], None],
    ) -> None:
        self._config = config
        self._log = log
        self._loop = loop
        self._scratch = scratch
        self._segments = segments
        self._on_ready = on_ready
        self._on_start_failed = on_start_failed
        self._on_batch = on_batch
        self._served = False  # a worker of this pool has been ready once
        self._ending = False
        self._deaths: list[float] = []  # when workers died, within the window
        self._pause = FIRST_PAUSE
        self._timers: set[TimerHandle] = set()
        self._suspects: dict[int, set[int]] = {}
        self._looking_after_sync = False
        self.touched: set[Lane] = set()  # to be pumped
        self.failure: str | None = None  # why no worker can be started at present
        self.workers: list[WorkerHandle] = []
        self.lanes = (self._lane(1, config.workers == 1), self._lane(config.concurrency, False))

    def start(self) -> None:
        for _ in range(self._config.workers):
            self._spawn()

    def submit(self, call: Call, is_async: bool) -> bool:
        """Queues the call. False: the queue is full. Unavailable: no worker can be started."""
        if self.failure is not None and not self._alive():
            raise Unavailable(f"no worker can be started: {self.failure}")
        lane = self.lanes[ASYNC if is_async else SYNC]
        taken = lane.submit(call)
        if lane.queue.calls:
            self.touched.add(lane)
        if not is_async and not self._looking_after_sync and self.lanes[ASYNC].sent:
            self._look_after_sync()
        return taken

    def cancel(self, call: Call) -> None:
        """Takes a call that nobody waits for any more out of its queue, if it is still there."""
        if any(lane.queue.remove(call) for lane in self.lanes):
            call.release()

    def hold(self, owner: Connection) -> None:
        """Starts no more calls of a caller that does not read its answers."""
        for lane in self.lanes:
            lane.queue.hold(owner)

    def release(self, owner: Connection) -> None:
        for lane in self.lanes:
            lane.queue.release(owner)
            self.touched.add(lane)

    def pump(self) -> None:
        """Hands on what waits in lanes where something has changed."""
        touched, self.touched = self.touched, set()
        for lane in touched:
            lane.pump()

    def discard(self, owner: Connection) -> None:
        """Takes the calls of a caller that is gone out of the queues."""
        for lane in self.lanes:
            for call in lane.queue.discard(owner):
                call.release()

    @property
    def queued(self) -> int:
        return sum(len(lane.queue) for lane in self.lanes)

    @property
    def running(self) -> int:
        return sum(len(lane.sent) for lane in self.lanes)

    def end(self) -> None:
        """No more calls: workers end once they have run what is in their lanes."""
        self._ending = True
        for timer in self._timers:
            timer.cancel()
        for lane in self.lanes:
            lane.end()

    def kill(self) -> None:
        """Ends what is left, at once."""
        self._ending = True
        for worker in self.workers:
            worker.kill()

    # -- starting ---------------------------------------------------------------------------------------------------

    def batch(self) -> None:
        """All that a worker has sent so far is handled."""
        self._on_batch()

    def _lane(self, per_worker: int, gather: bool) -> Lane:
        queue = CallQueue(self._config.queue_calls, self._config.queue_bytes)
        return Lane(self._loop, queue, per_worker, gather, self._expired)

    def _spawn(self) -> None:
        config = self._config
        try:
            worker = WorkerHandle(
                config.app,
                (self.lanes[SYNC].receiver, self.lanes[ASYNC].receiver),
                config.concurrency,
                config.max_payload,
                config.workers > 1,
                config.log_level,
            )
        except OSError as error:
            self._start_failed(f"no process could be started for it: {error}")
            return
        self.workers.append(worker)
        worker.watch(self._loop, self, self._scratch, self._log)
        self._later(config.start_timeout, self._check_started, worker)

    def _check_started(self, worker: WorkerHandle) -> None:
        if worker.state == "starting":
            seconds = self._config.start_timeout
            worker.failure = {"message": f"the worker was not ready within {seconds:g} s (--start-timeout)"}
            worker.kill()

    def _started(self, worker: WorkerHandle, ready: dict[str, Any]) -> None:
        worker.state = "ready"
        worker.is_async = any(method["async"] for method in ready["methods"])
        self.failure = None
        self._pause = FIRST_PAUSE
        self._resize()
        self._log.debug("worker ready", pid=worker.pid)
        if not self._served:
            self._served = True
            self._on_ready(ready["methods"])

    def _resize(self) -> None:
        ready = [worker for worker in self.workers if worker.state == "ready"]
        self.lanes[SYNC].resize(len(ready))
        self.lanes[ASYNC].resize(sum(1 for worker in ready if worker.is_async))

    def _alive(self) -> bool:
        return any(worker.state == "ready" for worker in self.workers)

    # -- answers ----------------------------------------------------------------------------------------------------

    def reply(self, worker: WorkerHandle, lane_number: int, number: int, frame: bytes) -> None:
        """An ordinary reply has come."""
        lane = self.lanes[lane_number]
        if lane_number == SYNC:
            worker.yielding = False
        call = lane.answered(number)
        if lane.queue.calls:
            self.touched.add(lane)
        if call is not None:
            worker.calls += 1
            if call.segment is not None:
                call.release()
            if not call.owner.answer(call, frame) and call.notify and frame[1] & wire.ERROR:
                self._failed_notification(call, frame)

    def large_reply(
        self, worker: WorkerHandle, lane_number: int, number: int, content: Segment | int | None
    ) -> None:
        """A reply in a segment of its own, or in so many bytes of the segment that the call came in.

        None: it could not be received.
        """
        lane = self.lanes[lane_number]
        self.touched.add(lane)
        call = lane.answered(number)
        segment = self._segments.adopt(content) if isinstance(content, Segment) else None
        if call is not None:
            worker.calls += 1
            if content is None:
                call.owner.fail(
                    call, RemoteError("the result is lost: the broker has no descriptor left (ulimit -n)")
                )
                return
            if segment is None:
                segment, call.segment = call.segment, None
            call.release()
            if segment is not None:
                frame = segment.view if isinstance(content, Segment) else segment.view[:content]
                if call.owner.answer(call, frame, segment):
                    return
        if segment is not None:
            segment.close()

    def record(self, worker: WorkerHandle, kind: int, content: bytes) -> None:
        if kind == READY:
            self._started(worker, json.loads(content))
        elif kind == FAILED:
            worker.failure = json.loads(content)

    def _failed_notification(self, call: Call, frame: Buffer) -> None:
        error = bytes(frame[parse(frame).start + len(call.method) :]).decode("utf-8", "replace")
        method = call.method.decode("utf-8", "replace")
        self._log.error("a notification failed", method=method, error=error)

    # -- fairness between the lanes ---------------------------------------------------------------------------------

    def _look_after_sync(self) -> None:
        self._looking_after_sync = True
        self._later(SYNC_PATIENCE, self._help_sync)

    def _help_sync(self) -> None:
        """Async calls that never cease would keep a sync one waiting: one worker then takes no more of them before it."""
        self._looking_after_sync = False
        running = self.lanes[ASYNC].sent
        ready = [worker for worker in self.workers if worker.state == "ready"]
        begun = [number for worker in ready for number in worker.slots.begun_sync()]
        if not running or not self.lanes[SYNC].has_untaken(begun):
            return
        loads = [
            (sum(number in running for number in worker.slots.running_async()), index)
            for index, worker in enumerate(ready)
            if worker.is_async and not worker.yielding
        ]
        if loads:
            ready[min(loads)[1]].yield_to_sync()
        self._look_after_sync()

    # -- death ------------------------------------------------------------------------------------------------------

    def died(self, worker: WorkerHandle) -> None:
        was_ready = worker.state == "ready"
        worker.state = "dead"
        self.workers.remove(worker)
        how, data = worker.how_it_died()
        for number, lane in enumerate(self.lanes):
            self._settle(worker, number, lane, how, data)
        if not self.workers:
            for lane in self.lanes:
                lane.recall()
        self._resize()
        if self._ending:
            return
        if not was_ready:
            failure = worker.failure or {"message": f"the worker {how} before it was ready"}
            self._start_failed(str(failure["message"]))
            return
        if worker.process.returncode == 0:
            self._log.info("worker ended", pid=worker.pid)
        else:
            self._log.error(f"worker {worker.pid} {how}; a new one is started", stderr=data["stderr"][-2000:])
        for number, lane in enumerate(self.lanes):
            if lane.sent:
                self._later(LOST_CHECK, self._look_for_lost, number, how, data, False)
        self._respawn(FIRST_PAUSE)

    def _settle(self, worker: WorkerHandle, number: int, lane: Lane, how: str, data: dict[str, Any]) -> None:
        if number == SYNC:
            begun, waiting = worker.slots.begun_sync(), worker.slots.waiting_sync()
        else:
            begun, waiting = worker.slots.running_async(), []
        for taken in begun:
            call = lane.answered(taken)
            if call is not None:
                self._crash(
                    call, f"the worker {how} while it ran {call.method.decode('utf-8', 'replace')}", data
                )
        lane.returned([lane.sent[taken] for taken in waiting if taken in lane.sent])

    def _look_for_lost(self, number: int, how: str, data: dict[str, Any], sure: bool) -> None:
        """Finds calls that the dead worker had received and not noted yet. They never began."""
        lane = self.lanes[number]
        taken: list[int] = []
        for worker in self.workers:
            slots = worker.slots
            taken += slots.begun_sync() + slots.waiting_sync() if number == SYNC else slots.running_async()
        lost = lane.lost(taken)
        previous = self._suspects.pop(number, set())
        if not sure:
            if lost:
                self._suspects[number] = {call.number for call in lost}
                self._later(LOST_CHECK, self._look_for_lost, number, how, data, True)
            return
        for call in lost:
            if call.number in previous:
                lane.answered(call.number)
                self._crash(call, f"the worker {how} as it received the call; it has not run", data)
        lane.pump()
        self._on_batch()

    def _crash(self, call: Call, message: str, data: dict[str, Any]) -> None:
        if call.notify:
            self._log.error(f"a notification was lost: {message}")
        call.owner.fail(call, WorkerCrashed(message, data))

    def _start_failed(self, message: str) -> None:
        if not self._served:
            self._on_start_failed(message)
            return
        self.failure = message
        self._log.error("a worker could not start; it is tried again", exception=message)
        if not self._alive():
            for lane in self.lanes:
                for call in lane.queue.clear():
                    call.owner.fail(call, Unavailable(f"no worker can be started: {message}"))
        self._respawn(self._pause)
        self._pause = min(LAST_PAUSE, self._pause * 2)

    def _respawn(self, pause: float) -> None:
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < WINDOW] + [now]
        if len(self._deaths) <= QUICK_STARTS:
            self._spawn()
            return
        self._log.error(
            f"{len(self._deaths)} workers died within {WINDOW:g} s; the next one is started in {pause:g} s"
        )
        self._later(pause, self._spawn)

    def _later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            self._timers.discard(timer)
            if not self._ending:
                callback(*arguments)

        timer = self._loop.call_later(delay, run)
        self._timers.add(timer)

    def _expired(self, call: Call) -> None:
        message = "its time was over before a worker was free; it has not run"
        if call.notify:
            self._log.error(
                f"a notification was lost: {message}", method=call.method.decode("utf-8", "replace")
            )
        call.owner.fail(call, DeadlineExceeded(message))
