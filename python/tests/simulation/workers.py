"""Workers, simulated: they follow a worker's protocol step by step, on the real notes. Any step may be the last one."""

from __future__ import annotations

import json
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from struct import Struct
from types import SimpleNamespace
from typing import Any, ClassVar

from gotask.broker.answers import error_frame
from gotask.broker.process import WorkerProcess
from gotask.errors import Cancelled, DeadlineExceeded, GoTaskError, RemoteError
from gotask.ipc.messages import (
    CANCEL,
    CLIENT,
    ENTRY,
    FAILED,
    FRAMES,
    GIVEN_BACK,
    LEAVE,
    LOADED,
    LOOK,
    NO_QUEUE,
    QUEUE,
    READY,
    RECORD,
    REFUSED,
    REPLY,
    REPLY_IN_PLACE,
    REPLY_SHARED,
    REQUEST,
    RETURNED,
    SENT,
    SHARED,
    TAINTED,
    fast_calls,
)
from gotask.ipc.notes import MESSAGE, NONE, SIZE_SHIFT, Revocations, WorkerNotes
from gotask.ipc.signals import INTERRUPT
from gotask.wire import frames as wire
from gotask.worker.channel import microseconds

from .kernel import Pipe
from .ledger import Violation
from .memory import LocalSegment

# What a method does, as the call's payload says: token, behaviour, milliseconds, bytes of its result.
PAYLOAD = Struct("<IBHI")
QUICK, SLOW, STUBBORN, DEADLY, RAISING = range(5)

METHODS = [
    {"name": name, "group": group, "async": is_async, "timeout": timeout, "idempotent": idempotent}
    for name, group, is_async, timeout, idempotent in (
        ("App.Do", "", False, 0.0, False),
        ("App.Again", "", False, 0.0, True),
        ("App.Short", "", False, 0.05, False),
        ("App.Wait", "", True, 0.0, False),
        ("Own.Do", "Own", False, 0.0, False),
    )
]


def methods(plan: Any) -> list[dict[str, Any]]:
    """Those of a world's app."""
    return [m for m in METHODS if plan.groups >= 2 or not m["group"] and (plan.groups or not m["async"])]


def can_be_fast(method: bytes) -> bool:
    """Whether calls of that method are taken from fast sockets: it is sync and of the group that services share."""
    name = method.decode()
    return any(m["name"] == name and not m["group"] and not m["async"] for m in METHODS)


# A worker waits: until that time, or for something.
Wait = float | Callable[[], bool] | None
Life = Generator[Wait, None, Any]


class Process(WorkerProcess):
    """Stands in for `broker.process.WorkerProcess`: what the broker decides is the real one's, what the machine does is not."""

    world: ClassVar[Any]

    def __init__(self, group: Any, queue: Any, number: int, max_calls: int) -> None:
        world = self.world
        if world.chance.random() < world.plan.no_process:
            raise OSError(11, "no process, for this moment")
        self.is_async = group.is_async
        concurrency = group.config.concurrency if self.is_async else 0
        self.notes = WorkerNotes(concurrency)
        self.state = "starting"
        self.failure = None
        self.calls = 0
        self.number = number
        self.max_calls = max_calls or sys.maxsize
        self.started_at = 0.0
        self.notes.limit_calls(max_calls)
        self.unwanted = ""
        self.asking = None
        self.has_clients = False
        self.place = -1
        self.own = None
        self._group = group
        self._kill_reason = self._kill_words = ""
        self._stacks: Any = SimpleNamespace(size=0, read=lambda: "", clear=lambda: None, close=lambda: None)
        self._channel: Any = Pipe(world)
        self._partial = b""
        self._output: Any = SimpleNamespace(tail=b"", finish_printed=lambda: True, finish=lambda: None)
        self._peak_memory = 0
        self._lifeline = self._stderr = -1
        self._log_socket: Any = self
        self._requests = deque()
        self.process: Any = SimpleNamespace(pid=world.serial(), returncode=None)
        self.worker = Worker(world, self, queue, concurrency)
        world.workers[self.pid] = self.worker

    def __repr__(self) -> str:
        return f"worker {self.pid}"

    def watch(self, runtime: Any) -> None:
        self._loop = runtime.loop
        self._flush = runtime.flush
        self._loop.add_reader(self._channel, self._readable)

    def send(self, request: bytes) -> None:  # on the log's socket
        self.worker.requests.append((request, None))

    def _hand_over(self, kind: int, number: int, what: Any) -> bool:
        if self.world.no_descriptors:
            return False
        self.worker.requests.append((REQUEST.pack(kind, number), what))
        return True

    def write_stacks(self) -> None:
        self._stacks.size = 0
        self.worker.writes_stacks = True

    def begun(self) -> list[int]:
        self.world.meanwhile()
        return super().begun()

    def kill_if_running(self, number: int, reason: str, words: str) -> bool:
        self._seen_stopped = False
        is_killed = super().kill_if_running(number, reason, words)
        if is_killed and self._seen_stopped and number in self.worker.answered:
            raise Violation(
                f"{self} is killed for {number}, which it has answered, while it is {self.worker.at}"
            )
        return is_killed

    def _signal(self, number: int, send: object = None) -> None:
        if self.process.returncode is None:
            self.worker.signal(number)
            self.world.meanwhile()

    def _is_stopped(self) -> bool:
        # Where it waits for its processor, it is not stopped in time.
        self._seen_stopped = self.worker.alive and self.world.chance.random() < 0.9
        return self._seen_stopped

    def _segment(self, size: int) -> Any:
        fd = self.worker.descriptors.popleft()
        if self.world.no_descriptors:
            LocalSegment.memory.pages.pop(fd)
            return None
        return LocalSegment(size, fd)

    def _close(self) -> None:
        for fd in self.worker.descriptors:
            LocalSegment.memory.pages.pop(fd)
        self._channel.close()
        self.notes.close()
        del self.world.workers[self.pid]


class Children:
    """Stands in for the module `broker.children`."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def has_ended(self, pid: int) -> bool:
        return not self._world.workers[pid].alive

    def wait(self, pid: int) -> tuple[int, int]:
        return self._world.workers[pid].status, 0

    def kill_group(self, pid: int, has_more: bool, lifeline: int) -> None:
        pass

    def reap_orphans(self, known: Iterator[int]) -> None:
        pass


class Interrupted(BaseException):
    """The broker has interrupted the method."""


class Ended(BaseException):
    """The worker's process ends by itself, with that status."""


class Call:
    """One call as a worker took it."""

    def __init__(self, number: int, fd: int, frame: wire.Frame, is_timed: bool = False) -> None:
        length_of_payload = int.from_bytes(frame.raw[2:6], "little")
        self.frame = frame
        self.frame_size = frame.start + length_of_payload
        self.is_timed = is_timed
        self.number = number
        self.fd = fd
        self.size = len(frame.raw)
        self.sequence, length = frame.options[:2]
        self.method = bytes(frame.raw[frame.start : frame.start + length])
        body = frame.raw[frame.start + length : self.frame_size]
        self.token, self.behaviour, self.milliseconds, self.result = PAYLOAD.unpack_from(body)
        self.cancelled_at = 0.0
        self.until = 0.0
        self.slot = 0
        self.deadline = 0.0


class Worker:
    """One worker process."""

    def __init__(self, world: Any, process: Process, queue: Any, concurrency: int) -> None:
        self._world = world
        self._chance = world.chance
        self.process = process
        self.pid = process.pid
        self.alive = True
        self.status = 0
        self.stopped = False
        self.writes_stacks = False
        self.requests: deque[tuple[bytes, Any]] = deque()
        self.fast: dict[int, Any] = {}  # the fast sockets that it has, by client
        self._is_slow: dict[bytes, bool] = {}  # what methods were when they were called last
        self.descriptors: deque[int] = deque()  # of large replies, on their way
        self.answered: set[int] = set()  # calls whose whole answer is on its way
        self._interrupted = False  # the signal has come
        self._queue = queue
        self._is_default = process._group.name == "" and not concurrency
        self._kernel = queue.kernel
        self._own: Any = None  # the worker's own queue
        self._channel = process._channel
        self._notes = WorkerNotes(concurrency, process.notes.segment.fd)
        self._revoked = Revocations(queue.revoked.segment.fd)
        self._concurrency = concurrency
        self._life: Life = self._live()
        self._wait: Wait = None
        self.at = "starting"

    def __repr__(self) -> str:
        return f"worker {self.pid}"

    # -- the machine's side -------------------------------------------------------------------------------------------

    @property
    def wakes_at(self) -> float:
        """When it goes on by itself; 0.0: no time is known."""
        return self._wait if isinstance(self._wait, float) and self.alive and not self.stopped else 0.0

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.die(-9)
        elif number == signal.SIGSTOP:
            self.stopped = True
        elif number == signal.SIGCONT:
            self.stopped = False
        elif number == INTERRUPT:
            self._interrupted = True

    def die(self, status: int) -> None:
        if self.alive:
            self.alive = False
            self.status = status
            self._channel.ended = True
            self._life.close()
            for fd, user in tuple(LocalSegment.memory.users.items()):
                if user is self:
                    del LocalSegment.memory.users[fd]
            self._world.child_ended()

    def step(self) -> bool:
        """Takes one step, if it can take any."""
        if not self.alive or self.stopped:
            return False
        if self.writes_stacks:
            self.writes_stacks = False
            self.process._stacks.size = 100
            return True
        wait = self._wait
        if wait is not None:
            if isinstance(wait, float):
                if wait > self._world.clock.now and not self._interrupted:
                    return False
            elif not wait():
                return False
        try:
            self._wait = next(self._life)
        except StopIteration:
            self.die(0)
        except Ended as end:
            self.die(end.args[0])
        return True

    # -- its life -----------------------------------------------------------------------------------------------------

    def _live(self) -> Life:
        world = self._world
        yield world.clock.now + self._chance.random() * 0.05
        failing = self._chance.random()
        if failing < world.plan.bad_start:
            self._record(FAILED, {"message": "the app can't be imported"})
            raise Ended(70)
        if failing < 2 * world.plan.bad_start:
            raise Ended(-11)
        groups = (
            [{"name": "Own", "workers": 1, "queue_calls": 0, "queue_bytes": 0}]
            if world.plan.groups >= 2
            else []
        )
        self._record(LOADED, {"methods": methods(world.plan), "groups": groups, "signatures": ""})
        yield world.clock.now + self._chance.random() * 0.02
        self._record(READY, None)
        yield None
        yield from self._serve_async() if self._concurrency else self._serve()

    def _serve(self) -> Life:
        while True:
            self.at = "idle"
            yield self._has_work
            if self.requests:
                request, fast = self.requests.popleft()
                kind, number = REQUEST.unpack(request)
                if kind == LEAVE:
                    return
                if kind == CLIENT:
                    self.fast[number] = fast
                elif kind == QUEUE:
                    self._add_own(fast)
                elif kind == LOOK:
                    if self._kernel.messages:
                        yield from self._take_from_queue(self._kernel)
                    for client in tuple(self.fast):
                        yield from self._take_fast(client)
                    self._notes.looked = max(number, self._notes.looked)
                continue
            found = [client for client, fast in self.fast.items() if fast.readable]
            has_queue = bool(self._kernel.messages) or self._kernel.ended
            has_own = self._own is not None and bool(self._own.messages)
            client = self._chance.choice([*found, *([0] if has_queue else []), *([-1] if has_own else [])])
            if client < 0:
                yield from self._take_from_queue(self._own)
            elif client and self.fast[client].has_hung_up:
                del self.fast[client]
            elif client:
                yield from self._take_fast(client)
            elif self._kernel.messages:
                yield from self._take_from_queue(self._kernel)
            else:
                return

    def _has_work(self) -> bool:
        kernel = self._kernel
        if self.requests or kernel.messages or kernel.ended or self._own is not None and self._own.messages:
            return True
        return any(fast.readable for fast in self.fast.values())

    def _take_from_queue(self, kernel: Any) -> Life:
        message, fd = kernel.messages.popleft()
        yield from self._run(message, self._received(fd))

    def _add_own(self, kernel: Any) -> None:
        if self._world.no_descriptors and self._chance.random() < 0.5:
            self._record(TAINTED, {"reason": NO_QUEUE})
        else:
            self._own = kernel

    # -- the fast path ------------------------------------------------------------------------------------------------

    def _take_fast(self, client: int) -> Life:
        fast, notes = self.fast[client], self._notes
        message = fast.take()
        if not message:
            if message == b"":
                del self.fast[client]
            return
        notes.inbox[: len(message)] = message
        self.at = f"received a message of {fast}"
        yield None
        calls = fast_calls(message)
        if notes.leaving:
            self._give_back(client, [sequence for sequence, _ in calls])
            return
        notes.words[MESSAGE] = noted = client << 32 | len(message) << SIZE_SHIFT
        was_revoked = {s for s, _ in calls if self._world.is_revoked(self._queue, client << 32 | s)}
        offset = SENT.size
        for place, (sequence, method) in enumerate(calls):
            number = client << 32 | sequence
            call = Call(number, -1, wire.parse(message[offset:]), True)
            offset += call.frame_size
            if place:
                was_revoked = {s for s, _ in calls if self._world.is_revoked(self._queue, client << 32 | s)}
                notes.words[MESSAGE] = noted + place
            self.at = f"noted {sequence:#x} of {fast}, place {place}"
            yield None
            if notes.gathered and self._is_slow.get(method, True):
                self._flush(client)
                yield None
            if self._revoked.has(number):
                self._send(number, 0, RETURNED, 0)
                yield None
                continue
            if not can_be_fast(method):
                self._give_back(client, [sequence])
                continue
            yield from self._run_fast(client, call, message, sequence in was_revoked)
            if self._chance.random() < 0.3:
                self._flush(client)
                yield None
        self._flush(client)
        yield None
        notes.words[MESSAGE] = 0
        yield None

    def _run_fast(self, client: int, call: Call, message: bytes, was_revoked: bool) -> Life:
        clock = self._world.clock
        began = clock.now
        is_interrupted = False
        timeout = call.frame.options[2]
        if timeout and SENT.unpack_from(message)[0] / 1e9 + timeout / 1000 <= began:
            reply = self._error(call, DeadlineExceeded("its time was over before it began; it has not run"))
        else:
            is_revoked = was_revoked and self._world.is_revoked(self._queue, call.number)
            self._world.ledger.began(call.token, self, is_revoked)
            self.at = f"running {call.sequence:#x} of client {client}, call {call.token}"
            self._interrupted = False
            try:
                yield from self._method(call)
                reply = self._result(call, microseconds(clock.now - began))
            except Interrupted:
                is_interrupted = True
                reply = self._error(call, DeadlineExceeded("the method was interrupted"))
            except RemoteError as error:
                reply = self._error(call, error)
        self.at = f"answering {call.sequence:#x}"
        self._is_slow[call.method] = clock.now - began >= 0.0003
        if len(reply) >= self._world.large or is_interrupted:
            yield from self._reply(call, reply, 100)
            return
        if not self._notes.gathered.add(reply):
            self._flush(client)
            self._notes.gathered.add(reply)

    def _flush(self, client: int) -> None:
        gathered = self._notes.gathered
        if gathered:
            self._answer_fast(client, bytes(gathered.frames))
            gathered.clear()

    def _give_back(self, client: int, sequences: list[int]) -> None:
        frames = [wire.encode(wire.CONTROL, (sequence, GIVEN_BACK), b"", wire.STOP) for sequence in sequences]
        self._answer_fast(client, b"".join(frames))

    def _answer_fast(self, client: int, frames: bytes) -> None:
        if not self.fast[client].reply(frames):
            self._write(RECORD.pack(client << 32, len(frames), FRAMES, 0) + frames)

    # -- the shared queue ---------------------------------------------------------------------------------------------

    def _received(self, fd: int) -> int:
        """The descriptor that came with a message; -1 where this process can have no further one."""
        if fd < 0:
            return -1
        if self._world.no_descriptors and self._chance.random() < 0.5:
            return -1
        LocalSegment.memory.users[fd] = self
        return fd

    def _let_go(self, fd: int) -> None:
        if LocalSegment.memory.users.get(fd) is self:
            del LocalSegment.memory.users[fd]

    def _run(self, message: bytes, fd: int) -> Life:
        number, deadline, size, flags = ENTRY.unpack_from(message)
        self.at = f"received {number}"
        self._world.received.add(number)
        yield None
        was_revoked = self._world.is_revoked(self._queue, number)
        self._notes.begin(number)
        self.at = f"noted {number}"
        yield None
        if self._revoked.has(number):
            self._let_go(fd)
            yield None
            self._send(number, 0, RETURNED, 0)
            return
        call = yield from self._take(number, message, size, flags, fd)
        if call is None:
            return
        began = self._world.clock.now
        if deadline and deadline <= began:
            reply = self._error(call, DeadlineExceeded("its time was over before it began; it has not run"))
        else:
            self._world.ledger.began(call.token, self, was_revoked)
            self.at = f"running {number}, call {call.token}"
            self._interrupted = False
            try:
                yield from self._method(call)
                slow = 0 if self._is_default and can_be_fast(call.method) else wire.SLOW
                took = microseconds(self._world.clock.now - began)
                reply = self._result(call, took | slow if call.is_timed else -1)
            except Interrupted:
                reply = self._error(call, DeadlineExceeded("the method was interrupted"))
            except RemoteError as error:
                reply = self._error(call, error)
        self.at = f"answering {number}"
        yield None
        yield from self._reply(call, reply, microseconds(self._world.clock.now - began))
        self.at = f"answered {number}"
        yield None

    def _take(
        self, number: int, message: bytes, size: int, flags: int, fd: int
    ) -> Generator[Wait, None, Call | None]:
        if not flags & SHARED:
            return Call(number, -1, wire.parse(message[ENTRY.size :]), flags & wire.TIMED != 0)
        if fd < 0:
            text = b"its worker has no descriptor left for its payload (ulimit -n)"
            self._write(RECORD.pack(number, len(text), REFUSED, 0) + text)
            if not self._world.is_calm and self._chance.random() < 0.3:
                yield None
                self._record(TAINTED, {"reason": text.decode()})
            return None
        yield None
        page = LocalSegment.memory.pages[fd]
        return Call(number, fd, wire.parse(bytes(page[:size])), flags & wire.TIMED != 0)

    def _method(self, call: Call) -> Life:
        until = self._world.clock.now + (0 if call.behaviour == QUICK else call.milliseconds / 1000)
        yield None
        while True:
            if self._interrupted:
                self._interrupted = False
                self._notes.hold(NONE)
                if self._notes.is_unwanted(call.number) and call.behaviour != STUBBORN:
                    raise Interrupted
            if self._world.clock.now >= until:
                break
            yield until
        if call.behaviour == DEADLY:
            raise Ended(-11)
        if call.behaviour == RAISING:
            raise RemoteError("the method raised")

    # -- many at a time -----------------------------------------------------------------------------------------------

    def _serve_async(self) -> Life:
        kernel, clock = self._kernel, self._world.clock
        running: dict[int, Call] = {}
        leaving = False

        def filled() -> list[Any]:
            return [queue for queue in (kernel, self._own) if queue is not None and queue.messages]

        def can_take() -> bool:
            return not leaving and len(running) < self._concurrency and bool(filled())

        def due() -> list[Call]:
            return [call for call in running.values() if call.until <= clock.now]

        while True:
            self.at = f"looping, {len(running)} run"
            if not running and (leaving or kernel.ended and not kernel.messages):
                return
            if not (self.requests or can_take() or due()):
                wakes = min((call.until for call in running.values()), default=0.0)
                yield lambda: bool(self.requests) or can_take() or bool(due()) or not running and kernel.ended
                if wakes and not (self.requests or can_take() or due()):
                    continue
            if self._interrupted:
                self._interrupted = False
                self._notes.hold(NONE)
            choices = [
                name for name, can in (("ask", self.requests), ("take", can_take()), ("end", due())) if can
            ]
            if not choices:
                continue
            choice = self._chance.choice(choices)
            if choice == "ask":
                request, what = self.requests.popleft()
                kind, number = REQUEST.unpack(request)
                asked = running.get(number)
                if kind == LEAVE:
                    leaving = True
                elif kind == QUEUE:
                    self._add_own(what)
                elif kind == CANCEL and asked is not None and not asked.cancelled_at:
                    asked.cancelled_at = clock.now
                    pause = self._world.config.interrupt_grace / 2 if asked.behaviour == STUBBORN else 0.001
                    asked.until = min(asked.until, clock.now + pause)
            elif choice == "take":
                message, fd = self._chance.choice(filled()).messages.popleft()
                yield from self._take_async(running, message, self._received(fd))
            else:
                call = self._chance.choice(due())
                yield from self._end_async(call)
                del running[call.number]
            yield None

    def _take_async(self, running: dict[int, Call], message: bytes, fd: int) -> Life:
        number, deadline, size, flags = ENTRY.unpack_from(message)
        self._world.received.add(number)
        yield None
        was_revoked = self._world.is_revoked(self._queue, number)
        slot = self._notes.take(number)
        yield None
        if self._revoked.has(number):
            self._let_go(fd)
            self._send(number, 0, RETURNED, 0)
            yield None
            self._notes.give_back(slot)
            return
        call = yield from self._take(number, message, size, flags, fd)
        if call is None:
            self._notes.give_back(slot)
            return
        call.slot = slot
        if deadline and deadline <= self._world.clock.now:
            error = DeadlineExceeded("its time was over before it began; it has not run")
            yield from self._reply(call, self._error(call, error), 0)
            self._notes.give_back(slot)
            return
        self._world.ledger.began(call.token, self, was_revoked)
        call.until = self._world.clock.now + (0 if call.behaviour == QUICK else call.milliseconds / 1000)
        running[number] = call

    def _end_async(self, call: Call) -> Life:
        if call.behaviour == DEADLY and not call.cancelled_at:
            raise Ended(-11)
        if call.cancelled_at:
            reply = self._error(call, Cancelled("the call was cancelled"))
        else:
            reply = self._result(call, wire.SLOW if call.is_timed else -1)
        yield from self._reply(call, reply, 100)
        yield None
        if call.cancelled_at and call.behaviour == STUBBORN:
            self._record(TAINTED, {"reason": "it went on after it was cancelled"})
            yield None
        self._notes.give_back(call.slot)

    # -- what it sends ------------------------------------------------------------------------------------------------

    def _result(self, call: Call, took: int) -> bytes:
        """took: microseconds, for the third option; −1: there is none."""
        body = call.token.to_bytes(4, "little") + bytes(call.result)
        options = (call.sequence, len(call.method), took)[: 2 if took < 0 else 3]
        return wire.encode(wire.RAW, options, call.method + body)

    def _error(self, call: Call, error: GoTaskError) -> bytes:
        frame = wire.parse(error_frame(call.sequence, call.method, wire.RAW, error, True))
        if not call.is_timed:
            return frame.raw
        slow = 0 if self._is_default and can_be_fast(call.method) else wire.SLOW
        return wire.encode(frame.flags, (*frame.options, slow), frame.payload)

    def _reply(self, call: Call, frame: bytes, took: int) -> Life:
        memory = LocalSegment.memory
        if len(frame) < self._world.large:
            yield from self._write_in_pieces(RECORD.pack(call.number, len(frame), REPLY, took) + frame)
        elif call.fd >= 0 and len(frame) <= call.size:
            half = len(frame) // 2
            memory.pages[call.fd][:half] = frame[:half]
            yield None
            memory.pages[call.fd][half : len(frame)] = frame[half:]
            yield None
            self._send(call.number, len(frame), REPLY_IN_PLACE, took)
        else:
            try:
                fd = memory.create(len(frame))
            except OSError as error:
                yield from self._reply(
                    call, self._error(call, RemoteError(f"the result is lost: {error}")), took
                )
                return
            memory.pages[fd][:] = frame
            self.descriptors.append(fd)
            yield None
            self._send(call.number, len(frame), REPLY_SHARED, took)
        self.answered.add(call.number)
        self._let_go(call.fd)

    def _send(self, number: int, size: int, kind: int, took: int) -> None:
        self._write(RECORD.pack(number, size, kind, took))

    def _record(self, kind: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self._write(RECORD.pack(0, len(body), kind, 0) + body)

    def _write(self, data: bytes) -> None:
        self._channel.data += data

    def _write_in_pieces(self, data: bytes) -> Life:
        """A full socket takes the beginning alone."""
        if self._chance.random() < 0.1:
            cut = self._chance.randrange(len(data))
            self._write(data[:cut])
            yield None
            data = data[cut:]
        self._write(data)
