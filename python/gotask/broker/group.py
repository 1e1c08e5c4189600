"""Workers of one kind that take from the same queue: of all services that have no workers of their own, or of one.

Queues, pool, deadlines, replies and recovery meet here: what one of them says of a call or of a worker and the others have to
know is settled in one file.
"""

from __future__ import annotations

import json
import time
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any, Protocol

from ..config import Config
from ..errors import DeadlineExceeded, GoTaskError, Unavailable
from ..ipc.messages import FAILED, FAILURE, FAST_SHIFT, LOADED, MALFORMED, READY, SPENT, TAINTED
from ..wire.names import SHARED_GROUP
from .call import LEFT, QUEUED, SENT, Call, Caller
from .counts import NO_PERCENTILES, Percentiles
from .deadlines import CANCELLED, DEADLINE, Deadlines
from .environment import Place
from .kernel_queue import KernelQueue
from .keyed import GroupQueues
from .pool import WorkerPool
from .process import WorkerProcess
from .queue import CallQueue
from .recovery import CrashRecovery
from .replies import Replies
from .runtime import Runtime
from .shared_queue import SharedQueue


class GroupEvents(Protocol):
    """What a group tells its generation, and asks of it."""

    number: int

    @property
    def place(self) -> Place:
        """Where the workers find the app."""

    def loaded(self, offer: dict[str, Any]) -> None:
        """A worker has loaded the app, and says what can be called."""

    def started(self) -> None:
        """A worker is ready."""

    def failed(self, message: str) -> None:
        """A worker can't be started, and none of its group ever could."""

    def ended(self, group: WorkerGroup) -> None:
        """The last worker of a group has ended, and none will follow."""


class WorkerGroup:
    """Brings calls to its workers and answers back; which workers there are is its pool's to decide."""

    def __init__(
        self,
        runtime: Runtime,
        generation: GroupEvents,
        name: str,
        is_async: bool,
        size: tuple[int, int],
        queue_limits: tuple[int, int],
    ) -> None:
        self.name = name
        self.is_async = is_async
        self.takes_fast = name == SHARED_GROUP and not is_async
        self.config: Config = runtime.config
        self.is_multiple: bool = size[1] > 1
        self._generation = generation
        self._runtime = runtime
        self._loop = runtime.loop
        self._timers: set[TimerHandle] = set()
        self.is_ending = False  # it takes no more calls
        self._closed = False
        self._draining = False  # what is not with a worker yet goes elsewhere
        self.refused = 0
        self.deadlines: Deadlines = Deadlines(self, runtime)
        self._queue_limits = queue_limits
        self.queue: SharedQueue = self._make_queue(None)
        self.pool: WorkerPool = WorkerPool(self, runtime, size)
        self._queues = GroupQueues(self.queue, self.pool, self._make_own_queue)
        self.replies: Replies = Replies(runtime, self._queues, self.pool, self.deadlines, is_async)
        self._recovery = CrashRecovery(
            runtime, self.queue, self.begun, self.holders, self.read_answers, self.deadlines.reason
        )

    # -- calls ------------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> bool:
        """Queues the call. False: the queue is full. Unavailable: no worker can be started."""
        pool = self.pool
        if pool.failure is not None and not pool.in_service:
            raise Unavailable(f"no worker can be started: {pool.failure}")
        queue = self.queue if not call.key else self._queues.queue_for(call.key)
        if not queue.submit(call):
            self.refused += 1
            return False
        if queue.waiting.calls:
            self._runtime.touched.add(queue)
            if pool.is_elastic:
                pool.is_short()
        if pool.observes:
            pool.observe()
        if call.deadline and call.deadline < self.deadlines.earliest:
            self._watch(call)
        return True

    def cancel(self, call: Call) -> None:
        """Ends a call that nobody waits for any more, or whose time is over, whether it waits, has been sent or runs."""
        late = 0 < call.deadline <= time.monotonic()
        if call.state is QUEUED:
            queue = self.queue if not call.key else self._queues.queue_with(call)
            queue.waiting.remove(call)
            self.expired(call) if late else call.end()
        elif call.state is SENT:
            self.deadlines.stop(call, DEADLINE if late else CANCELLED)

    def hold(self, owner: Caller) -> None:
        """Starts no more calls of a caller that does not read its answers."""
        for queue in self._queues.all:
            queue.waiting.hold(owner)

    def release(self, owner: Caller) -> None:
        for queue in self._queues.all:
            queue.waiting.release(owner)
        self._runtime.touched.update(self._queues.all)

    def discard(self, owner: Caller) -> None:
        """No more calls of a caller that is gone are begun. Those that run may end, but not take for ever."""
        for queue in self._queues.all:
            for call in queue.waiting.discard(owner):
                call.end()
        left = [
            call
            for call in self._sent()
            if call.owner is owner and call.outcome is LEFT and call.state is SENT
        ]
        if not left:
            return
        limit = time.monotonic() + self.config.shutdown_timeout
        begun = self.begun()
        for call in left:
            if call.number not in begun or call.is_stream:
                self.deadlines.stop(call, CANCELLED)
            elif not call.deadline:
                call.deadline = limit
                self._watch(call)

    @property
    def waiting(self) -> list[CallQueue]:
        """Its calls that wait in the broker."""
        return [queue.waiting for queue in self._queues.all]

    @property
    def queued(self) -> int:
        return sum(map(len, self.waiting))

    @property
    def running(self) -> int:
        queued = sum(queue.running for queue in self._queues.all)
        return queued + sum(worker.notes.has_message for worker in self.pool.workers)

    @property
    def is_starved(self) -> bool:
        """Whether calls wait that no worker has begun."""
        begun = self.begun()
        return self.queued > 0 or any(
            number not in begun for queue in self._queues.all for number in queue.sent
        )

    def status(self, percentiles: Percentiles) -> dict[str, Any]:
        """Its entry in GoTask.Status; times in seconds."""
        return {
            "name": self.name,
            "kind": self.kind,
            "workers": self.pool.in_service,
            "queued": self.queued,
            "running": self.running,
            "calls": self.replies.calls + sum(worker.notes.calls for worker in self.pool.workers),
            "refused": self.refused,
            **percentiles.get((self.name, self.kind), NO_PERCENTILES),
        }

    @property
    def place(self) -> Place:
        """Where its workers find the app."""
        return self._generation.place

    def title(self, number: int) -> tuple[str, str, str, str]:
        """What tells a worker from others in a list of processes."""
        name = self.name or "(shared)"
        return name, self.kind, f"worker-{number}", f"generation-{self._generation.number}"

    @property
    def kind(self) -> str:
        """What kind of methods its workers run."""
        return "async" if self.is_async else "sync"

    def requeue(self, call: Call) -> None:
        """Queues a call that had been taken before, whatever the limits say."""
        queue = self.queue if not call.key else self._queues.queue_for(call.key)
        queue.waiting.push(call)
        self._runtime.touched.add(queue)
        self.pool.is_short()
        self._watch(call)

    def call_of(self, number: int) -> Call | None:
        fast = self._runtime.fast if number >> FAST_SHIFT else None
        if fast is not None:
            return fast.call_of(number)
        return self._queues.queue_of(number).sent.get(number)

    def revoke(self, call: Call) -> bool:
        """Has no worker begin a call that was sent. False: not yet."""
        return self.queue.revoke(call)

    def late(self, now: float) -> float:
        for queue in self._queues.all:
            for call in queue.waiting.expired(now):
                self.expired(call)
        earliest = min(queue.waiting.earliest() for queue in self._queues.all)
        for call in self._sent():
            if not call.deadline or call.state is not SENT:
                continue
            if call.deadline <= now:
                self.deadlines.stop(call, DEADLINE)
            else:
                earliest = min(earliest, call.deadline)
        return earliest

    def _sent(self) -> list[Call]:
        return [call for queue in self._queues.all for call in queue.sent.values()]

    def begun(self) -> set[int]:
        """The calls that workers have begun, and perhaps answered."""
        return {number for worker in self.pool.workers for number in worker.begun()}

    def holders(self, number: int) -> list[WorkerProcess]:
        """The workers that may have received the shared queue's call of that number, or get it yet: those that have begun no
        later one."""
        return [
            worker
            for worker in self.pool.workers
            if max((begun for begun in worker.begun() if not begun & 1), default=0) <= number
        ]

    def find(self, number: int) -> WorkerProcess | None:
        for worker in self.pool.workers:
            if number in worker.begun():
                return worker
        return None

    def read_answers(self) -> None:
        """Takes all answers that workers have given by now, also those that would be read next."""
        for worker in tuple(self.pool.workers):
            worker.read_all()

    # -- life -------------------------------------------------------------------------------------------------------

    def retire(self) -> None:
        """Has its workers run no more calls of fast sockets."""
        for worker in self.pool.workers:
            worker.notes.leave()

    def drain(self) -> list[Call]:
        """Takes no more calls: its workers end once they have answered what they have. Returns what none of them had yet."""
        self._draining = True
        waiting = self.queue.waiting.clear()
        for worker in self.pool.workers:
            waiting += self._queues.take_back(worker)
        self.end()
        self.later(self.patience(), self.kill, even_ending=True)
        return waiting

    def end(self) -> None:
        """No more calls: workers end once they have run what is in their queue."""
        self.is_ending = True
        self.pool.end()
        self.queue.end()
        self._close_if_empty()

    def kill(self) -> None:
        """Ends what is left, at once."""
        self.is_ending = True
        self.pool.end()
        for worker in self.pool.workers:
            worker.kill()
        self._close_if_empty()

    def start_failed(self, message: str) -> None:
        """No worker of this group has ever been ready, and this is why."""
        self._generation.failed(message)

    def take_back(self, number: int, method: bytes) -> None:
        """A call that a worker had received and does not begin goes to another one, or is over."""
        fast = self._runtime.fast if number >> FAST_SHIFT else None
        if fast is not None:
            fast.returned(number, method)
            return
        queue = self._queues.queue_of(number)
        call = queue.sent.get(number)
        if call is not None:
            queue.returned([call])
        self._runtime.touched.add(queue)
        if self._draining:
            self._hand_over()
        elif queue.has_ended:
            self._queue_anew(queue.waiting.clear())

    def record(self, worker: WorkerProcess, kind: int, content: bytes) -> None:
        news = json.loads(content)
        if kind == LOADED:
            self._generation.loaded(news)
        elif kind == READY:
            worker.state = "ready"
            self.pool.started(worker)
            self._generation.started()
            if self._runtime.fast is not None:
                self._runtime.fast.serve()
        elif kind == FAILED:
            worker.failure = news
        elif kind == TAINTED:
            self._runtime.log.warning(news["reason"], pid=worker.pid)
            self.pool.replace(worker, str(news["reason"]))
        elif kind == FAILURE:
            failures = self._runtime.counts.failures
            if not failures.has_room():
                return
            failures.add(news["method"], news["body"].encode("utf-8", "replace"), worker.pid, news["seconds"])
        elif kind == SPENT:
            self.pool.replace_spent(worker)
        elif kind == MALFORMED and self._runtime.fast is not None:
            self._runtime.fast.malformed(news["client"], news["what"])

    # -- death ------------------------------------------------------------------------------------------------------

    def died(self, worker: WorkerProcess) -> None:
        """A worker has ended, and all that it had sent has been read."""
        before, worker.state = worker.state, "dead"
        report = worker.report(self._runtime.oom)
        self.replies.calls += worker.notes.calls
        self._runtime.fast_calls += worker.notes.calls
        self._runtime.counts.retire(worker.notes.counters)
        self.pool.remove(worker)
        self._recovery.settle(worker, report)
        self._queue_anew(self._queues.remove(worker))
        for other in self.pool.workers:
            other.look()  # the kernel may have woken the dead one for a message that lies there
        if not self.pool.workers:
            self.queue.recall()
        self.resize()
        if self._draining:
            self._hand_over()
        self._recovery.look(report)
        self.pool.died(worker, before, report)
        self._close_if_empty()

    def resize(self) -> None:
        """Tells the queue how many calls the workers run at a time that take from it."""
        self._queue_anew(self._queues.balance())
        self.queue.resize(self.pool.in_service * self._concurrency)

    def refuse_waiting(self, error: GoTaskError) -> None:
        for call in self.queue.waiting.clear():
            self._runtime.lost(call, error.message)
            call.fail(error)

    def expired(self, call: Call) -> None:
        """Answers a call whose time was over while it waited here."""
        call.fail(self._expiry(call))

    def give_up(self, call: Call, reason: str) -> None:
        """A call has been revoked before a worker began it. Its message and its memory stay until one has reported that."""
        self._queues.queue_of(call.number).give_up(call)
        if reason == DEADLINE:
            call.tell(self._expiry(call))

    def _expiry(self, call: Call) -> GoTaskError:
        message = f"its time was over before a worker was free; {call.not_run}"
        self._runtime.lost(call, message)
        return DeadlineExceeded(message)

    def _hand_over(self) -> None:
        """What dead workers had not begun goes to those that came after this group."""
        for queue in self._queues.all:
            for call in queue.waiting.clear():
                self._runtime.resubmit(call)

    def _queue_anew(self, calls: list[Call]) -> None:
        """Calls with a key, whose worker will not begin them, go to another one."""
        for call in calls:
            self._runtime.resubmit(call) if self._draining else self.requeue(call)

    @property
    def _concurrency(self) -> int:
        """How many calls a worker runs at a time."""
        return self.config.concurrency if self.is_async else 1

    def _make_queue(self, shared: SharedQueue | None) -> SharedQueue:
        waiting = CallQueue(*self._queue_limits)
        return SharedQueue(KernelQueue(self._loop), waiting, time.monotonic, self.expired, shared)

    def _make_own_queue(self) -> SharedQueue:
        """One worker's own."""
        queue = self._make_queue(self.queue)
        queue.resize(self._concurrency)
        return queue

    def _watch(self, call: Call) -> None:
        if 0 < call.deadline < self.deadlines.earliest:
            self.deadlines.watch(call.deadline)

    # -- small things -----------------------------------------------------------------------------------------------

    def patience(self) -> float:
        """Seconds that workers get to leave: as long as their calls may take, and the shutdown timeout at least."""
        now = time.monotonic()
        deadlines = [call.deadline - now for call in self._sent()]
        return max([self.config.shutdown_timeout, *deadlines])

    def later(
        self, delay: float, callback: Callable[..., None], *arguments: Any, even_ending: bool = False
    ) -> None:
        """Calls back unless the group has been told to end by then; with `even_ending` also if it has."""

        def run() -> None:
            self._timers.discard(timer)
            if even_ending or not self.is_ending:
                callback(*arguments)

        timer: TimerHandle = self._loop.call_later(delay, run)
        self._timers.add(timer)

    def _close_if_empty(self) -> None:
        if not self.is_ending or self.pool.workers or self._closed:
            return
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        self.deadlines.close()
        self._recovery.close()
        self.queue.close()
        self._generation.ended(self)
