"""Looking at workers while they run: their stacks now, which calls are slow; and having one replaced."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from typing import Any, Final

from ..errors import InvalidArguments
from ..ipc.signals import STACKS_END
from ..options import option
from .crash import as_text
from .generations import Generations
from .group import WorkerGroup
from .process import STACKS_TIME, WorkerProcess
from .running import Running, running, state
from .runtime import Runtime

# Seconds that a worker gets to write its stacks, and the loop of an async one to tell its tasks.
PATIENCE: Final = 2.0
TASKS_PATIENCE: Final = 1.0

# Seconds that its Python gets to tell of all threads, where the main one has told of itself.
MAIN_PATIENCE: Final = 0.3

# Seconds between two looks for slow calls: a quarter of what is slow, within these.
PAUSES: Final = (0.02, 1.0)

RECYCLED: Final = "recycled"


class Inspection:
    """Of one broker."""

    def __init__(self, runtime: Runtime, generations: Generations) -> None:
        self._runtime = runtime
        self._loop = runtime.loop
        self._generations = generations
        self._limit = runtime.config.slow_log
        self._slow: set[tuple[int, int]] = set()  # pid and number of slow calls that were told and go on
        self._threads: dict[WorkerProcess, Task[str]] = {}  # whose stacks are being read
        self._tasks: set[Future[Any]] = set()  # the loop itself holds none
        if self._limit:
            self._pause = min(max(PAUSES[0], self._limit / 4), PAUSES[1])
            self._loop.call_later(self._pause, self._look)

    # -- stacks -----------------------------------------------------------------------------------------------------

    async def dump(self, payload: Any) -> list[dict[str, Any]]:
        """The answer of GoTask.Dump: of all workers, or of that whose `pid` is given. InvalidArguments: there is none."""
        if payload is None or payload == {} or payload == []:
            wanted = [
                (group, worker) for group in self._generations.groups() for worker in group.pool.workers
            ]
        else:
            wanted = [self._find(payload)]
        texts = await asyncio.gather(*(self._read(worker) for _, worker in wanted))
        return [
            {
                "pid": worker.pid,
                "service": group.name,
                "kind": group.kind,
                "state": state(worker, running(group, worker)),
                "stacks": text,
            }
            for (group, worker), text in zip(wanted, texts)
        ]

    async def _read(self, worker: WorkerProcess, number: int = 0) -> str:
        """The stacks of one worker's threads and tasks; with an async call's number of its task, where the loop answers.
        Empty where the worker has died."""
        if worker.state == "dead":
            return ""
        tasks = worker.ask_for_tasks(number) if worker.is_async and worker.state != "starting" else None
        # Who asks while they are being written gets the same.
        threads = self._threads.get(worker)
        if threads is None:
            threads = self._threads[worker] = self._loop.create_task(self._read_threads(worker))
            threads.add_done_callback(lambda done: self._threads.pop(worker, None))
        text = await asyncio.shield(threads)
        if tasks is None:
            return text
        done, _ = await asyncio.wait((tasks,), timeout=TASKS_PATIENCE)
        if not done:
            return f"{text}\n\n(its event loop did not answer within {TASKS_PATIENCE:g} s: something holds it up)"
        return tasks.result() if number else f"{text}\n\n{tasks.result()}".strip()

    async def _read_threads(self, worker: WorkerProcess) -> str:
        if worker.state == "dead":
            return ""
        reading = worker.begin_stacks()
        began = self._loop.time()
        told = b""
        while STACKS_END not in told and self._loop.time() < began + (MAIN_PATIENCE if told else PATIENCE):
            await asyncio.sleep(STACKS_TIME)
            if worker.state == "dead":
                return ""
            told = worker.told_stacks(reading)
        worker.end_stacks(reading)
        return as_text(told)

    # -- slow calls -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        going_on = set()
        for group in self._generations.groups():
            for worker in group.pool.workers:
                for call in running(group, worker):
                    key = worker.pid, call.number
                    if call.seconds < self._limit:
                        break  # the oldest are first
                    going_on.add(key)
                    if key not in self._slow:
                        self._runtime.counts.events["slow"] += 1
                        self.hold(self._loop.create_task(self._tell(group, worker, call)))
        self._slow = going_on
        self._loop.call_later(self._pause, self._look)

    async def _tell(self, group: WorkerGroup, worker: WorkerProcess, call: Running) -> None:
        """Logs a slow call, with where it is unless it has ended meanwhile."""
        stack = await self._read(worker, call.number)
        now = running(group, worker, call.number) if stack else []
        context = {
            "method": call.method,
            "pid": worker.pid,
            "seconds": round((now or [call])[0].seconds, 3),
            "waited": round(call.waited, 3),
        }
        slow = f"slow call: {call.method} has run for more than {self._limit:g} s ({option('--slow-log')})"
        self._runtime.log.record(
            {"level": "warning", "message": slow, "context": context, "exception": stack if now else None}
        )

    def hold(self, task: Future[Any]) -> None:
        """Keeps a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- replacing --------------------------------------------------------------------------------------------------

    def recycle(self, payload: Any) -> dict[str, int]:
        """What GoTask.Recycle does: replaces a worker after the calls that it has, or kills it."""
        group, worker = self._find(payload)
        if worker.state == "starting":
            raise InvalidArguments(f"worker {worker.pid} is starting: it is replaced by itself if that fails")
        if payload.get("kill"):
            worker.kill(RECYCLED, "an operator asked for it")
        else:
            group.pool.replace(worker, "an operator asked for it")
        return {"pid": worker.pid}

    def _find(self, payload: Any) -> tuple[WorkerGroup, WorkerProcess]:
        pid = payload.get("pid") if isinstance(payload, dict) else None
        if type(pid) is not int:
            raise InvalidArguments('a worker is meant by a map with its "pid", a whole number')
        workers = {w.pid: (group, w) for group in self._generations.groups() for w in group.pool.workers}
        if pid not in workers:
            there = ", ".join(map(str, workers)) or "none"
            raise InvalidArguments(
                f"there is no worker {pid}: there are {there} now (`gotask status` lists them)"
            )
        return workers[pid]
