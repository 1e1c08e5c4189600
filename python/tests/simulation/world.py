"""One simulated world: a broker, made of the real code that decides, and around it only what this package has.

A seed decides all: which clients, workers and faults there are (`Plan`), and what happens next, step by step. A step is one
callback of the broker's loop, one step of a worker's protocol, one thing that a client does, some time that passes, or a fault.
Nothing else moves, so the same seed is the same run.
"""

from __future__ import annotations

import random
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any

import gotask.broker.server  # noqa: F401 with all that it imports
from gotask.broker import access, children, environment
from gotask.broker.broker import Broker
from gotask.broker.call import QUEUED, REVOKED, SENT, STOPPING
from gotask.broker.connection import Connection
from gotask.broker.crash import OomCounter
from gotask.broker.fastpath import FastPath
from gotask.broker.generation import Generation
from gotask.broker.kernel_queue import KernelQueue
from gotask.broker.process import WorkerProcess
from gotask.broker.shared_queue import SharedQueue
from gotask.config import Config, parse_arguments
from gotask.ipc.segment import Segment, SegmentPool

from .clients import Client
from .fast import CREDENTIALS, Ends, FastListener, FastSocket
from .kernel import SharedMessages, Transport
from .ledger import Ledger, Violation
from .loop import Clock, Loop
from .memory import LocalSegment, Memory, WatchedPool
from .workers import Children, Process, Worker

CONFIG = parse_arguments(["app.py"], {"GOTASK_ADDRESS": "unix:///tmp/simulated"}, "0")

# Sizes and limits that are the same thing at any size, small enough that a run meets them.
SMALL = {
    "LARGE": 512,
    "MAX_UNREAD_BYTES": 1_000,
    "MAX_UNREAD_RESULTS": 2_500,
    "MAX_UNREAD_LARGE": 100_000,
    "MAX_WAITING_CALLS": 16,
    "MOST_SEGMENTS": 2,
}

# Seconds of calm in which all that was asked is to be answered; the same for a call whose time is over, which may have to be
# killed with its worker; and those in which the rest is to be given back.
PATIENCE = 60.0
LATE = 3.0
OVERDUE = 0.1  # seconds after a deadline by which a broker that runs its timers in time has seen it
SETTLED = 5.0


# The number of a shared queue's first call: above 2³², where those of fast calls have their client's number.
LATE_NUMBER = 2**33

# Each world is about one thing more than others, so that what must come together for it does so often.
THEMES = ("anything", "deaths", "lateness", "memory", "starts", "reloads", "standstill", "fast", "keys")


class Plan:
    """What a world consists of, and how often what happens in it."""

    def __init__(self, chance: random.Random, theme: str) -> None:
        def sometimes(most: float, how_often: float = 0.5) -> float:
            return chance.random() * most if chance.random() < how_often else 0.0

        self.theme = theme
        self.clients = chance.randint(1, 4)
        self.calls = chance.randint(5, 60)  # of each client
        self.outstanding = chance.choice((1, 4, 16, 40))
        self.workers = chance.randint(1, 3)
        self.groups = chance.randint(
            0, 2
        )  # 0: sync methods alone; 1: async ones, too; 2: and a service with its own workers
        self.kernel_room = chance.choice((1, 2, 4, 100))
        self.places = chance.choice((2, 8, 4096))
        self.config: dict[str, Any] = {
            "workers": self.workers,
            "min_workers": chance.choice((None, 1)),
            "async_workers": chance.randint(1, 2),
            "concurrency": chance.randint(1, 4),
            "queue_calls": chance.choice((2, 10, 1000, 1000)),
            "queue_bytes": chance.choice((1024, 1_000_000, 1_000_000)),
            "max_calls": chance.choice((0, 0, 10)),
            "max_age": chance.choice((0.0, 0.0, 0.3)),
            "idle_time": 0.2,
            "interrupt_grace": 0.04,
            "shutdown_timeout": 0.5,
            "start_timeout": 1.0,
        }
        self.behaviours = (8, sometimes(8), sometimes(2), sometimes(1, 0.3), sometimes(1))
        self.large = sometimes(0.6)
        self.notifications = sometimes(0.3, 0.3)
        self.deadlines = sometimes(1.0)
        self.cancels = sometimes(0.1)
        self.dawdles = sometimes(0.05)
        self.bad_start = sometimes(0.05, 0.2)
        self.no_process = sometimes(0.3, 0.15)
        self.fault = sometimes(0.02, 0.8)
        self.faults = {name: sometimes(1.0) for name in FAULTS}
        # Which of what may run next in the broker's loop: calls that were put off, timers, readers, writers.
        self.fast = chance.random() < 0.6  # whether clients open fast sockets
        self.batch = chance.choice((0.1, 0.5, 0.9))  # how soon the calls of a message leave
        self.fast_room = chance.choice((1, 3, 50))  # messages
        self.order = [0.05 + chance.random() ** 2 for _ in range(4)]
        self.overlap = chance.choice((0.0, 0.1, 0.4))
        # How often each part gets to act: the broker, workers, clients, time.
        self.weights = [0.05 + chance.random() ** 2 for _ in range(4)]
        self.pace = 10 ** -chance.uniform(2.5, 4.5)  # seconds that pass at a time, in the mean
        if theme == "deaths":
            self.fault = 0.03
            self.faults.update({KILL: 1.0, STOP: chance.choice((0.2, 1.0))})
            self.behaviours = (4, 2, 1, chance.choice((0, 1)), 1)
            self.calls, self.outstanding = 60, 16
            self.config.update({"queue_calls": 1000, "queue_bytes": 1_000_000})
        elif theme == "lateness":
            self.deadlines, self.cancels = 0.8, 0.05
            self.behaviours = (4, 3, 4, 0, 1)
            self.weights[0] *= 0.3
            self.order[2] *= 0.2
            self.places = chance.choice((2, 4096))
            self.calls, self.outstanding = 60, 16
        elif theme == "memory":
            self.large, self.places = 0.8, 2
            self.deadlines, self.cancels = 0.5, 0.05
            self.fault = 0.02
            self.faults[LEAVE] = 1.0
            self.config.update({"queue_calls": 1000, "queue_bytes": 1_000_000})
        elif theme == "starts":
            self.groups = 2
            self.no_process = 0.3
            self.fault = 0.02
            self.faults.update({KILL: 1.0, RELOAD: 1.0, FULL: 0.3})
            self.notifications = 0.2
        elif theme == "fast":
            self.fast = True
            self.calls, self.outstanding = 60, 16
            self.large = 0.0
            self.no_process = self.bad_start = 0.0
            self.config.update({"workers": chance.randint(1, 2), "min_workers": None})
            self.behaviours = (8, 1, chance.choice((0, 1)), chance.choice((0, 0.3)), 0.3)
            self.config.update({"queue_calls": 1000, "queue_bytes": 1_000_000})
            self.notifications = 0.0
            self.deadlines, self.batch = 0.3, 0.2
            self.fault = 0.006
            self.faults.update({KILL: 0.7, RELOAD: 0.5})
        elif theme == "standstill":
            self.fault = 0.04
            self.faults = {name: 0.0 for name in FAULTS} | {KILL: 1.0, STOP: 1.0, PAUSE: 1.0}
            self.config.update(
                {"workers": 3, "min_workers": None, "queue_calls": 1000, "queue_bytes": 1_000_000}
            )
            self.large, self.places = 0.5, 2
            self.calls, self.outstanding = 60, 16
        elif theme == "keys":
            self.fault = 0.02
            self.faults.update({KILL: 1.0, RELOAD: 0.3, STOP: chance.choice((0.0, 0.5)), USED_UP: 0.1})
            self.config.update({"workers": 3, "queue_calls": 1000, "queue_bytes": 1_000_000})
            self.calls, self.outstanding = 60, 16
        elif theme == "reloads":
            self.fault = 0.02
            self.faults.update({RELOAD: 1.0, KILL: 0.3})
        if self.fast:
            self.places = chance.choice((64, 4096))
        self.keyed = sometimes(0.8, 0.5) if theme == "anything" else 0.7 * (theme == "keys")
        self.keys = chance.choice((1, 3, 20)) if self.keyed else 0


class CountedConnection(Connection):
    """One whose hash is the same in each run."""

    def __init__(self, world: World) -> None:
        self._serial = world.serial()
        super().__init__(world.broker)

    def __hash__(self) -> int:
        return self._serial

    @property
    def credentials(self) -> Any:
        return CREDENTIALS


class World:
    """`trace`: whether what happens is kept, for people to read. theme: one of THEMES; the seed chooses where there is none."""

    def __init__(self, seed: int, trace: bool = False, theme: str = "") -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.plan = Plan(self.chance, theme or self.chance.choice(THEMES))
        self.ledger = Ledger()
        self.loop = Loop(self.clock, self.chance, self.plan.order)
        self.large = SMALL["LARGE"]
        self.is_calm = False
        self.no_descriptors = False
        self.kernels: list[SharedMessages] = []
        self.workers: dict[int, Worker] = {}
        self.memory = Memory()
        self.steps = 0
        self.events: dict[str, int] = {}
        self.trace: deque[str] | None = deque(maxlen=4000) if trace else None
        self._serial = 0
        self._revoked: set[tuple[int, int]] = set()
        self.config: Config = CONFIG._replace(**self.plan.config)
        self.fast_listener = FastListener()
        self.fast_sockets: dict[int, FastSocket] = {}
        self.clients: list[Client] = []
        self.broker: Any = None
        self.received: set[int] = set()  # numbers of calls that workers have taken from a shared queue
        self._moved: Worker | None = None  # the worker that has taken the last step
        self._late: dict[tuple[int, int], float] = {}  # when a call that waits was first seen to be late
        self._behind_at = 0.0  # when the broker had timers to run last that were due long ago
        self._reaps = False
        self._is_in_broker = False

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    # -- what its parts tell ------------------------------------------------------------------------------------------

    def say(self, who: object, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.steps:6} {(self.clock.now - 1000) * 1000:10.3f} ms  {who}: {what}")

    def connect(self) -> Transport:
        return Transport(self.loop, CountedConnection(self), self.chance.choice((1000, 10_000, 1_000_000)))

    def connect_fast(self) -> FastSocket:
        fast = FastSocket(self)
        self.fast_sockets[fast.serial] = fast
        self.fast_listener.connect(fast)
        return fast

    def is_open(self, fast: FastSocket) -> bool:
        """Whether a worker has that fast socket."""
        return any(fast in worker.fast.values() for worker in self.workers.values() if worker.alive)

    def child_ended(self) -> None:
        if not self._reaps:
            self._reaps = True
            self.loop.call_soon(self._reap)

    def _reap(self) -> None:
        self._reaps = False
        self.broker.generations.children_ended()

    def revoked(self, queue: Any, number: int) -> None:
        self._revoked.add((queue.kernel.serial, number))

    def unrevoked(self, number: int) -> None:
        """A call of the fast path is over, or goes on."""
        self._revoked = {entry for entry in self._revoked if entry[1] != number}

    def was_received(self, number: int) -> bool:
        """Whether a worker has received that call: it may have been told that it is lost before the worker noted it."""
        return number in self.received

    def is_revoked(self, queue: Any, number: int) -> bool:
        """Whether the broker has revoked that call by now."""
        return (queue.kernel.serial, number) in self._revoked

    # -- a run --------------------------------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """Runs so many steps in which everything may happen, then until all is answered. Violation: something does not hold."""
        with self._stands_in():
            log: Any = Log(self)
            loop: Any = self.loop
            listener: Any = self.fast_listener
            made: Any = Broker(self.config, log, loop, lambda *_: None, self._start_failed, listener)
            self.broker = made
            self.broker.fast.open()
            segments: Any = self.broker.segments
            segments.kernels = self.kernels
            self.broker.start()
            while not self.broker.ready and self.steps < 5000:
                self._advance()
            if not self.broker.ready:
                return  # the app could not be started
            self.clients = [Client(self, self.plan.calls) for _ in range(self.plan.clients)]
            end = self.steps + steps
            while self.steps < end and any(client.calls_left or client.is_waiting for client in self.clients):
                if self.chance.random() < self.plan.fault:
                    self._fault()
                self._advance()
            self._calm_down()

    def _start_failed(self, message: str) -> None:
        self.say("broker", f"can't start: {message}")

    def _advance(self) -> bool:
        """One step. False: nothing moves any more but by time."""
        self.steps += 1
        broker, workers, clients, moment = self.plan.weights
        roll = self.chance.random() * (broker + workers + clients + moment)
        if roll < broker:
            parts = (self._broker, self._worker, self._client)
        elif roll < broker + workers:
            parts = (self._worker, self._broker, self._client)
        elif roll < broker + workers + clients:
            parts = (self._client, self._worker, self._broker)
        else:
            self.clock.now += self.chance.expovariate(1 / self.plan.pace)
            return True
        if parts[0]() or parts[1]() or parts[2]():
            return True
        return self._pass()

    def _pass(self) -> bool:
        """Lets the time pass until something may happen."""
        times = [self.loop.next_timer()]
        times += [worker.wakes_at for worker in self.workers.values() if worker.wakes_at]
        times += [client.wakes_at for client in self.clients if client.wakes_at]
        self.clock.now = max(self.clock.now, min(times)) + 1e-6
        return False

    def _broker(self) -> bool:
        if self.loop.next_timer() < self.clock.now - 0.002:
            self._behind_at = self.clock.now
        self._is_in_broker = True
        what = self.loop.step()
        self._is_in_broker = False
        if what:
            self.say("broker", what)
            self._check()
        return bool(what)

    def _worker(self) -> bool:
        if not self.workers:
            return False
        for worker in self._turned(list(self.workers.values())):
            if worker.step():
                self._moved = worker
                self.say(worker, worker.at if worker.alive else f"ends ({worker.status})")
                return True
        return False

    def _client(self) -> bool:
        if not self.clients:
            return False
        for client in self._turned(self.clients):
            what = client.step()
            if what:
                self.say(client, what)
                return True
        return False

    def meanwhile(self) -> None:
        """Workers go on between two looks of the broker's at what it shares with them, within one of its callbacks."""
        while self._is_in_broker and self.chance.random() < self.plan.overlap and self._worker():
            self.steps += 1

    def _turned(self, parts: list[Any]) -> list[Any]:
        start = self.chance.randrange(len(parts))
        return parts[start:] + parts[:start]

    def _fault(self) -> None:
        names, weights = list(self.plan.faults), list(self.plan.faults.values())
        if any(weights):
            name = self.chance.choices(names, weights)[0]
            self.events[name] = self.events.get(name, 0) + 1
            self.say("fault", f"{name} {FAULTS[name](self) or ''}")

    # -- faults -------------------------------------------------------------------------------------------------------

    def _any_worker(self) -> Worker | None:
        """Often the one that has just done something, so that it is in the middle of it."""
        if self._moved is not None and self._moved.alive and self.chance.random() < 0.5:
            return self._moved
        living = [worker for worker in self.workers.values() if worker.alive]
        return self.chance.choice(living) if living else None

    def _kill_worker(self) -> object:
        worker = self._any_worker()
        if worker is not None:
            worker.die(-9)
        return worker

    def _stop_worker(self) -> object:
        worker = self._any_worker()
        if worker is not None:
            worker.stopped = not worker.stopped
        return worker

    def _reload(self) -> None:
        self.broker.reload()

    def _client_leaves(self) -> object:
        client = self.chance.choice([client for client in self.clients if client.outstanding] or self.clients)
        if not client.is_gone:
            client.leave()
            if self.chance.random() < 0.7:
                self.clients.append(Client(self, client.calls_left))
                client.calls_left = 0
        return client

    def _no_memory(self) -> object:
        self.memory.is_full = not self.memory.is_full
        return self.memory.is_full

    def _no_descriptor(self) -> object:
        self.no_descriptors = not self.no_descriptors
        return self.no_descriptors

    def _long_pause(self) -> None:
        self.clock.now += self.chance.choice((0.01, 0.05, 0.3, 1.0))

    # -- what must hold -----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """After each step of the broker's: each call is in one place, and counts are right."""
        later: set[int] | None = None
        groups = list(self.broker.generations.groups())
        for queue in (queue for group in groups for queue in group._queues.all):
            if queue.running != sum(call.state is not REVOKED for call in queue.sent.values()):
                raise Violation(f"{queue.running} calls are counted as running")
            for call in queue.sent.values():
                if call.state not in (SENT, STOPPING, REVOKED):
                    raise Violation(f"call {call.sequence} was sent, and is {call.state}")
            for call in (call for calls in queue.waiting._waiting.values() for call in calls):
                if call.state is not QUEUED or not call.is_wanted:
                    raise Violation(f"call {call.sequence} waits, is {call.state} and {call.outcome}")
            if self.clock.now - self._behind_at > OVERDUE:
                self._check_deadlines(queue)
        for connection in self.broker._connections:
            for call in connection._calls.values():
                places = 0
                places += self.broker.fast._stopped.get(call.number) is call
                for queue in (queue for group in groups for queue in group._queues.all):
                    places += queue.sent.get(call.number) is call
                    places += call in queue.waiting._waiting.get(connection, ())
                if places == 0:
                    if later is None:
                        later = {id(x) for timer in self.loop.later() for x in timer.arguments}
                    places = id(call) in later
                if places != 1:
                    raise Violation(f"call {call.sequence} of a connection is in {places} places")

    def _check_deadlines(self, queue: Any) -> None:
        """All timers have run in time lately: what is late was told so, or is being ended."""
        limit = self.clock.now - OVERDUE
        for calls in queue.waiting._waiting.values():
            for call in calls:
                # One that comes back late, as its worker has died, is seen by a timer of its own.
                key = hash(call.owner), call.sequence
                if 0 < call.deadline < limit and self._late.setdefault(key, self.clock.now) < limit:
                    raise Violation(f"call {call.sequence} is late, and waits still")
        for call in queue.sent.values():
            if 0 < call.deadline < limit and call.state is SENT:
                raise Violation(f"call {call.sequence} is late, and nobody ends it")

    def _calm_down(self) -> None:
        """No more calls and no more faults: all is answered, and all is given back."""
        self.say("world", "becomes calm")
        self.is_calm = True
        self.no_descriptors = self.memory.is_full = False
        self.plan.bad_start = self.plan.no_process = 0.0
        for worker in self.workers.values():
            worker.stopped = False
        began = self.clock.now
        self._go_on(lambda: self._are_waiting(began))
        self.ledger.check_end()
        self._go_on(lambda: not self._is_whole)
        began = self.clock.now
        self._go_on(lambda: self.clock.now < began + SETTLED)
        self._check_rest()
        self.ledger.check_notifications()
        self.broker.drain()
        self.broker.generations.end()
        self._go_on(lambda: bool(self.workers))
        if self.workers:
            raise Violation(f"{list(self.workers.values())} do not end")
        self.broker.segments.clear()
        if self.memory.pages:
            raise Violation(f"memory is left: {list(self.memory.pages)}")

    def _go_on(self, condition: Callable[[], bool]) -> None:
        """While it holds, for PATIENCE seconds of the world at most."""
        until, most = self.clock.now + PATIENCE, self.steps + 200_000
        while self.clock.now < until and condition():
            self._advance()
            if self.steps > most:
                raise Violation("it does not come to rest")

    def _are_waiting(self, calm: float) -> bool:
        """Whether clients wait for outcomes; since it is calm, for none that is late."""
        for client in self.clients:
            for entry in client.outstanding.values():
                if entry.deadline and self.clock.now > max(entry.deadline, calm) + LATE:
                    raise Violation(f"{entry} waits beyond its time")
        return any(client.is_waiting for client in self.clients)

    @property
    def _is_whole(self) -> bool:
        """Whether all workers are there that are wanted; where starts have failed, the next one is tried after a pause."""
        generations = self.broker.generations
        pools = [group.pool for group in generations.groups() if not group.is_ending]
        return generations.coming is None and all(pool.in_service == pool._wanted for pool in pools)

    def _check_rest(self) -> None:
        generations = self.broker.generations
        if any(group._recovery._abandoned for group in generations.groups()):
            return  # idle workers have noted nothing since, so it is not known that they have not received those
        if generations.queued or generations.running:
            raise Violation(f"{generations.queued} calls count as queued, {generations.running} as running")
        if not self._is_whole:
            raise Violation("workers are missing")
        if generations._leaving:
            raise Violation(f"generations do not end: {generations._leaving}")
        for group, queue in [(g, queue) for g in generations.groups() for queue in g._queues.all]:
            for what, left in (
                ("sent", queue.sent),
                ("to be stopped", group.deadlines._stops),
                ("waiting", queue.waiting._waiting),
                ("in the kernel", queue.kernel.messages),
            ):
                if left:
                    raise Violation(
                        f"of {group.name or 'the shared group'} there are still calls {what}: {left}"
                    )
            if group._recovery._doubt is not None:
                raise Violation("calls are still looked for")
        if self.broker.fast._stopped:
            raise Violation(f"calls of fast sockets are not let go: {self.broker.fast._stopped}")
        for connection in self.broker._connections:
            if connection._calls or connection._waiting_calls or connection._waiting_bytes:
                raise Violation("a connection counts calls that are over")
        if self.broker.segments._kept:
            raise Violation("segments are kept that nobody needs")
        if self.broker.unread:
            raise Violation(f"{self.broker.unread} bytes count as unread")

    # -- the machine --------------------------------------------------------------------------------------------------

    @contextmanager
    def _stands_in(self) -> Iterator[None]:
        """Puts this world's parts in the place of the machine's, in the modules of broker and ipc."""
        Process.world = self
        LocalSegment.memory = self.memory
        world = self

        # What the broker keeps in sets has hashes that are the same in each run.
        class CountedGeneration(Generation):
            def __hash__(self) -> int:
                return self.number

        class Queue(SharedQueue):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                if self._is_shared:  # as after many days
                    self._numbers, self.odd_numbers = count(LATE_NUMBER, 2), count(LATE_NUMBER + 1, 2)

            def __hash__(self) -> int:
                kernel: Any = self.kernel
                return int(kernel.serial)

            def revoke(self, call: Any) -> bool:
                world.meanwhile()
                revoked = super().revoke(call)
                if revoked:
                    world.revoked(self, call.number)
                world.meanwhile()
                return revoked

        class Fast(FastPath):
            def revoke(self, call: Any) -> bool:
                world.meanwhile()
                revoked = super().revoke(call)
                if revoked:
                    for group in self._groups():
                        world.revoked(group.queue, call.number)
                world.meanwhile()
                return revoked

            def _free(self, number: int) -> None:
                super()._free(number)
                world.unrevoked(number)

        objects: dict[int, Any] = {
            id(FastPath): Fast,
            id(time): self.clock,
            id(random): self.chance,
            id(Segment): LocalSegment,
            id(SegmentPool): WatchedPool,
            id(KernelQueue): lambda loop: SharedMessages(self, loop),
            id(SharedQueue): Queue,
            id(Generation): CountedGeneration,
            id(WorkerProcess): Process,
            id(OomCounter): lambda: SimpleNamespace(is_available=False, has_killed=lambda: False),
            id(children): Children(self),
            id(access.credentials_of): lambda peer: CREDENTIALS,
            id(select): SimpleNamespace(epoll=lambda: Ends(self)),
            id(environment.look_up): lambda app, folder, is_file: environment.Place(app, folder),
        }
        constants = {**SMALL, "PLACES": self.plan.places}
        before: list[tuple[Any, str, Any]] = []
        for name, module in list(sys.modules.items()):
            if not name.startswith(("gotask.broker", "gotask.ipc", "gotask.wire")):
                continue
            for key, value in list(vars(module).items()):
                new = (
                    constants.get(key, objects.get(id(value), value))
                    if key != "children" or name != "gotask.broker"
                    else value
                )
                if new is not value:
                    before.append((module, key, value))
                    setattr(module, key, new)
        try:
            yield
        finally:
            for module, key, value in before:
                setattr(module, key, value)


KILL, STOP, RELOAD, LEAVE = (
    "a worker is killed",
    "a worker is stopped or goes on",
    "a reload",
    "a client leaves",
)
FULL, USED_UP, PAUSE = (
    "memory is full, or no more",
    "descriptors are used up, or no more",
    "time passes",
)
FAULTS: dict[str, Callable[[World], object]] = {
    KILL: World._kill_worker,
    STOP: World._stop_worker,
    RELOAD: World._reload,
    LEAVE: World._client_leaves,
    FULL: World._no_memory,
    USED_UP: World._no_descriptor,
    PAUSE: World._long_pause,
}


class Log:
    """Stands in for the broker's log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.output = self.records = SimpleNamespace(is_full=False)

    def __getattr__(self, name: str) -> Callable[..., None]:
        def tell(*what: Any, **context: Any) -> None:
            text = str(what and what[0])
            if "the notification" in text and ("was lost" in text or "failed" in text):
                self._world.ledger.lost_notifications += 1
            self._world.say("log", f"{name}: {' '.join(map(str, what))} {context.get('message', '')}")

        return tell
