"""Which workers a group has: how many, when one is replaced, and what follows when one dies or can't be started."""

from __future__ import annotations

import random
import sys
import time
from asyncio import TimerHandle
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from ..errors import GoTaskError, Unavailable
from ..options import option
from .call import Call
from .crash import CrashReport
from .environment import reason
from .process import STACKS_TIME, WorkerEvents, WorkerProcess
from .runtime import Runtime
from .shared_queue import SharedQueue
from .watches import MemoryWatch


# Replacements of the dead within WINDOW seconds that are started at once; beyond, there is a pause. While starts fail, it
# doubles up to LAST_PAUSE; workers that started and died later may be what keeps callers served, so theirs stays short.
QUICK_STARTS = 5
WINDOW = 10.0
FIRST_PAUSE = 0.5
LAST_PAUSE = 30.0

# Limits of calls and of age are lowered by up to this part of them, each time anew, lest all workers be replaced at once.
JITTER = 0.1

# Where all workers of sync methods wait for their callers' answers, and calls wait for a worker, further ones are started: an
# answer may need such a call. So many for each one that there may be otherwise.
EXTRA = 8

# Seconds that calls wait before a further worker is started, where fewer than the most are there.
SHORT = 0.05

# Seconds between two requests to leave: see `broker.deadlines` on signals that come too early.
ASK_AGAIN = 0.5


class Group(WorkerEvents, Protocol):
    """What a pool knows of its group."""

    queue: SharedQueue

    @property
    def queued(self) -> int:
        """Calls that wait."""

    @property
    def running(self) -> int:
        """Calls that were sent and wait for their outcome."""

    @property
    def is_starved(self) -> bool:
        """Whether calls wait that no worker has begun."""

    def resize(self) -> None:
        """Workers take calls now, or no more."""

    def patience(self) -> float:
        """Seconds that workers get to leave."""

    def later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> None:
        """Calls back unless the group has been told to end by then."""

    def start_failed(self, message: str) -> None:
        """No worker has ever been ready, and this is why."""

    def refuse_waiting(self, error: GoTaskError) -> None:
        """Answers all that waits with an error."""


class WorkerPool:
    """The workers of one group: as many as are needed, between `size`'s two numbers.

    A worker that is to be replaced goes on until the one that takes its place is ready, and ends when it has answered all.
    """

    def __init__(self, group: Group, runtime: Runtime, size: tuple[int, int]) -> None:
        self._group = group
        self._runtime = runtime
        self._config = runtime.config
        self._log = runtime.log
        self._loop = runtime.loop
        self._least, self.most = size
        self._wanted = size[0]
        self._ending = False
        self._deaths: list[float] = []  # when workers died, within the window
        self._pause = FIRST_PAUSE
        self._pausing = False  # before the next start
        self._growing = False
        self._lends = False  # a worker has waited for its caller's answer
        self._peak = 0  # calls at a time since the last look whether all workers are needed
        self._shrinking = False
        self._memory = (
            MemoryWatch(runtime, self.replace, lambda: group.running)
            if runtime.config.watches_memory
            else None
        )
        self._timers: dict[WorkerProcess, list[TimerHandle]] = {}
        self.ever_ready = False
        self.failure: str | None = None  # why no worker can be started at present
        self.workers: list[WorkerProcess] = []
        self.is_elastic = self._least < self.most  # see is_short()
        self.observes = self._memory is not None or self.is_elastic  # see observe()

    def start(self) -> None:
        """Starts as many as there are to be at the beginning."""
        self._balance()

    def end(self) -> None:
        """Starts none any more."""
        self._ending = True
        if self._memory is not None:
            self._memory.end()

    @property
    def in_service(self) -> int:
        """How many workers take calls."""
        return sum(worker.in_service for worker in self.workers)

    @property
    def is_warm(self) -> bool:
        """Whether all that are wanted take calls."""
        return self.in_service >= self._wanted

    # -- who is wanted ------------------------------------------------------------------------------------------------

    def is_short(self) -> None:
        """Calls wait. Where they do so for long, a further worker is started, up to the most there may be."""
        if self._wanted < self.most and not self._growing:
            self._growing = True
            self._group.later(SHORT, self._grow)

    def lend(self, worker: WorkerProcess, call: Call) -> bool:
        """A worker begins to wait for its caller's answer. False: it must not: all others wait, and no more may be started."""
        others = [other.waits for other in self._staying() if other is not worker]
        if len(others) + 1 >= self.most * (1 + EXTRA) and None not in others:
            return False
        worker.asking = call
        self._lends = self.observes = True
        return True

    def _waits(self) -> list[tuple[int, int] | None]:
        """Which call back each of them waits for; empty where one does not wait."""
        waits = [worker.waits for worker in self._staying()]
        return [] if None in waits else waits

    def look_at_waiting(self) -> None:
        """Where all workers wait, and calls for one of them, a further one is started, unless an answer comes soon."""
        waits = self._waits()
        if waits and not self._growing:
            self._growing = True
            self._group.later(SHORT, self._grow_beyond, waits)

    def _grow_beyond(self, waits: list[tuple[int, int] | None]) -> None:
        self._growing = False
        if waits == self._waits() and self._group.is_starved and not self._pausing:
            self._log.info("all workers wait for answers of PHP, and calls for a worker: one more is started")
            self._wanted = len(waits) + 1
            self._balance()
        elif self._group.is_starved:
            self.look_at_waiting()

    def _staying(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if not worker.unwanted and worker.state != "dead"]

    def replace(self, worker: WorkerProcess, why: str) -> None:
        """Lets go of a worker as soon as another one has taken its place."""
        if worker.unwanted or worker.state == "dead":
            return
        worker.unwanted = why
        self._runtime.counts.events["recycled"] += 1
        worker.max_calls = sys.maxsize
        self._log.info(f"worker {worker.pid} is replaced: {why}", calls=worker.calls)
        self._balance()

    def replace_spent(self, worker: WorkerProcess) -> None:
        self.replace(worker, "it has run its number of calls")

    def _grow(self) -> None:
        self._growing = False
        if self._group.queued and self._wanted < self.most:
            self._wanted += 1
            self._balance()
            self.is_short()

    def _look_after_idle(self) -> None:
        """Lets go of workers that were not needed at any time since the last look."""
        self._shrinking = False
        lent = sum(worker.waits is not None for worker in self.workers)
        needed = max(self._least, min(self._peak, self.most + lent))
        self._peak = self._group.running
        if needed < self._wanted and not self._group.queued:
            self._log.info(
                f"{self._wanted - needed} workers were not needed for {self._config.idle_time:g} s"
            )
            self._wanted = needed
            self._balance()
        self._watch_idle()

    def _watch_idle(self) -> None:
        if self._wanted > self._least and not self._shrinking:
            self._shrinking = True
            self._group.later(self._config.idle_time, self._look_after_idle)

    def observe(self) -> None:
        """A call has been taken."""
        self._peak = max(self._peak, self._group.running)
        if self._lends:
            self.look_at_waiting()
        if self._memory is not None:
            self._memory.wake()

    def _balance(self) -> None:
        """Starts who is missing and lets go of who is too many."""
        if self._ending:
            return
        staying = self._staying()
        staying.sort(key=lambda worker: worker.in_service)  # those that have not started go first
        for worker in staying[: max(0, len(staying) - self._wanted)]:
            worker.unwanted = "it is not needed"
        for _ in range(self._wanted - len(staying)):
            if not self._pausing and not self._ending:
                self._spawn()
        for worker in self.workers:
            if worker.unwanted and worker.in_service and self.in_service > self._wanted:
                self._let_go(worker)
            elif worker.unwanted and worker.state == "starting":
                worker.kill("unwanted", worker.unwanted)
        self._watch_idle()

    def _let_go(self, worker: WorkerProcess) -> None:
        self._ask_to_leave(worker)
        self._group.resize()
        self._after(
            worker, self._group.patience(), worker.kill, "leaving", "it had been asked to leave and did not"
        )

    def _ask_to_leave(self, worker: WorkerProcess) -> None:
        worker.leave()
        self._after(worker, ASK_AGAIN, self._ask_to_leave, worker)

    # -- starting -----------------------------------------------------------------------------------------------------

    def _spawn(self) -> None:
        taken = {worker.number for worker in self.workers}
        number = next(number for number in count(1) if number not in taken)
        max_calls = int(self._config.max_calls * (1 - random.random() * JITTER))
        try:
            worker = WorkerProcess(self._group, self._group.queue, number, max_calls)
        except OSError as error:
            self._start_failed(f"no process could be started for it: {reason(error)}")
            return
        self.workers.append(worker)
        self._runtime.counts.living.append(worker.notes.counters)
        worker.watch(self._runtime)
        self._after(worker, self._config.start_timeout, self._check_started, worker)

    def _check_started(self, worker: WorkerProcess) -> None:
        if worker.state == "starting":
            worker.write_stacks()
            self._after(worker, STACKS_TIME, self._give_up, worker)

    def _give_up(self, worker: WorkerProcess) -> None:
        if worker.state == "starting":
            seconds = self._config.start_timeout
            worker.failure = {
                "message": f"the worker was not ready within {seconds:g} s ({option('--start-timeout')})"
            }
            worker.kill()

    def started(self, worker: WorkerProcess) -> None:
        """A worker is ready."""
        worker.forget_stacks()
        self.ever_ready = True
        self.failure = None
        self._pause = FIRST_PAUSE
        self._log.debug("worker ready", pid=worker.pid)
        if self._config.max_age:
            age = self._config.max_age * (1 - random.random() * JITTER)
            self._after(worker, age, self.replace, worker, "it has reached its age")
        if self._memory is not None:
            self._memory.watch(worker)
        self._balance()
        self._group.resize()

    # -- ends ---------------------------------------------------------------------------------------------------------

    def remove(self, worker: WorkerProcess) -> None:
        """A worker has ended."""
        self.workers.remove(worker)
        for timer in self._timers.pop(worker, ()):
            timer.cancel()

    def died(self, worker: WorkerProcess, before: str, report: CrashReport) -> None:
        """What follows from a worker's end, once its calls are settled; `before` is the state that it was in."""
        if self._ending:
            return
        if before == "starting":
            if not worker.unwanted:
                failure = worker.failure or {
                    "message": report.death("before it was ready") + report.last_words()
                }
                self._runtime.counts.deaths["start"] += 1
                where = report.stack and f"; it was here:\n{report.stack}"
                self._start_failed(f"{failure['message']}{where}")
            return
        if report.status == 0 or before == "leaving" and not report.is_own_doing:
            self._log.info("worker ended", pid=worker.pid)
        else:
            self._runtime.counts.deaths[report.cause] += 1
            self._log.error(
                f"{report.death()}; a new one is started",
                stderr=report.stderr[-2000:],
                stack=report.stack,
                peak_memory=report.peak_memory,
            )
        if before == "leaving":
            self._balance()
        else:
            self._respawn(FIRST_PAUSE)

    def _start_failed(self, message: str) -> None:
        if not self.ever_ready:
            self._group.start_failed(message)
            return
        self.failure = message
        self._log.error("a worker could not start; it is tried again", exception=message)
        if not self.in_service:
            self._group.refuse_waiting(Unavailable(f"no worker can be started: {message}"))
        if self._respawn(self._pause):
            self._pause = min(LAST_PAUSE, self._pause * 2)

    def _respawn(self, pause: float) -> bool:
        """Whether the next start is only after that pause, in seconds."""
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < WINDOW] + [now]
        if len(self._deaths) <= QUICK_STARTS or self._pausing:
            self._balance()
            return False
        self._log.error(
            f"{len(self._deaths)} workers died within {WINDOW:g} s; the next one is started in {pause:g} s"
        )
        self._pausing = True
        self._group.later(pause, self._go_on)
        return True

    def _go_on(self) -> None:
        self._pausing = False
        self._balance()

    def _after(
        self, worker: WorkerProcess, delay: float, callback: Callable[..., object], *arguments: object
    ) -> None:
        """Calls back unless the worker has ended by then."""
        timer = self._loop.call_later(delay, callback, *arguments)
        self._timers.setdefault(worker, []).append(timer)
