"""The loop of a sync worker: it takes calls from its group's shared queue and from clients' fast sockets, and runs them.

Of the workers that wait, the kernel wakes the one that was registered first. So the worker that ran last is preferred: its
caches are warm, and further workers cost nothing.

What a fast call passes through is in one file and, for its speed, mostly in one function.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from _thread import get_ident
from collections.abc import Callable, Iterable
from struct import Struct, error
from typing import Any, Final
from zlib import crc32

from ..app.context import Job
from ..app.registry import Method
from ..app.runner import Runner
from ..errors import GoTaskError, code_of
from ..ipc.messages import (
    CLIENT,
    ENDED,
    ENTRY,
    FAILURE,
    FAST_HEAD,
    GIVEN_BACK,
    LEAVE,
    LOOK,
    MALFORMED,
    NO_QUEUE,
    QUEUE,
    SENT,
    SPENT,
    TAINTED,
    fast_calls,
    receive,
)
from ..ipc.counters import Row, packed
from ..ipc.notes import CALLS, LEAVING, LIMIT, MESSAGE, PLACES, SIZE_SHIFT
from ..ipc.notes import Revocations, WorkerNotes
from ..wire import frames as wire
from ..wire.frames import EXACT, LARGE, SLOW, STRUCTURED, TIMED, Buffer
from .channel import Channel, NoRoom
from .exchange_sync import ANOTHER_THREAD, SyncExchange, shut
from .jobs import NoPayload, TakenJob, parse_job

# Nanoseconds that a reply waits for others at most, while the calls of a message run; and that a method may have taken when it
# was called last for replies to wait while it runs.
GATHER_TIME: Final = 300_000

# Failures of fast calls that the broker is told of in one second; all are counted.
_FAILURES: Final = 10
_NEVER: Final = 2**64

_CALL_WORDS: Final = wire.VERSION << 4 | 7  # how a call with four options begins

_head: Final = FAST_HEAD.unpack_from
_HEAD_SIZE: Final = FAST_HEAD.size
_reply: Final = Struct("<12sIII").pack  # header and options of a reply that says how long its method took
_PLAIN: Final = STRUCTURED | TIMED
_EXACT: Final = STRUCTURED | TIMED | EXACT
_MAX_METHOD: Final = wire.MAX_METHOD

# Heads of frames that were found right, and spellings of methods' names, that are remembered.
_MAX_HEADS: Final = 4096
_MAX_METHODS: Final = 4096

_HUNG_UP: Final = 0x10  # EPOLLHUP
_READABLE: Final = 0x01  # EPOLLIN
_EXCLUSIVE: Final = 1 << 28  # EPOLLEXCLUSIVE: the kernel wakes one of those that wait

# As they are before an app puts another library's in their place.
_epoll: Any = getattr(select, "epoll", None)
_select: Final = select.select

_NOT_WAITING: Final = getattr(socket, "MSG_DONTWAIT", 0)


class _Client:
    """A client's fast socket."""

    __slots__ = ("id", "socket", "receive")

    def __init__(self, id: int, socket: socket.socket) -> None:
        self.id = id
        self.socket = socket
        self.receive = socket.recv_into


class _Known:
    """A method that was called on a fast socket."""

    __slots__ = ("method", "took", "row", "cells")

    def __init__(self, method: Method, row: Row) -> None:
        self.method = method
        self.took = GATHER_TIME  # nanoseconds, when it was called last
        self.row = row
        self.cells = row.cells


def _make_job() -> TakenJob:
    """Of the calls of fast sockets, one after the other."""
    job = TakenJob(0, 0.0, 0, 0, 0, b"", b"")
    job.segment = None
    job.by_broker = False
    return job


class Malformed(Exception):
    """What a client sent on its fast socket is not what docs/protocol.md has."""


class Worker:
    """Runs sync calls one at a time, in the order in which the kernel hands them out.

    `can_be_fast` says of which methods calls are taken from fast sockets.
    """

    def __init__(
        self,
        channel: Channel,
        notes: WorkerNotes,
        revoked: Revocations,
        runner: Runner,
        queue: socket.socket,
        can_be_fast: Callable[[Method], bool],
    ) -> None:
        self._channel = channel
        self._notes = notes
        self._revoked = revoked
        self._runner = runner
        self._run = runner.run_method
        self._words, self._inbox = notes.words, notes.inbox
        # The same memory as an object of which a part is copied in half the time.
        self._memory, self._inbox_at = notes.memory, notes.inbox_at
        self._sent = notes.inbox[: SENT.size].cast("Q")
        self._queue = queue
        # The queue of calls whose keys are this worker's, once there are any.
        self._own: socket.socket | None = None
        self._can_be_fast = can_be_fast
        self._clock, self._now = time.monotonic, time.monotonic_ns
        self._counters = notes.counters
        self._second = self._failures = 0  # told in this second
        # With so many fast calls it has run its number: each other call takes one away.
        self._limit = self._words[LIMIT] or sys.maxsize
        self._leaves = False
        self._thread = get_ident()
        self._clients: dict[int, _Client] = {}  # by descriptor
        self._known: dict[bytes, _Known] = {}
        self._heads: dict[int, tuple[int, int, int]] = {}
        self._replies: dict[int, bytes] = {}
        self._job = _make_job()
        self._fast_calls = 0
        self._poll = self._wait_for(channel.fileno())

    def serve(self) -> None:
        """Runs calls until the queue has ended and is empty, or the broker wants the worker to leave."""
        clients = self._clients
        queue, control = self._queue.fileno(), self._channel.fileno()
        poll = self._poll
        kept = self._channel.kept
        while not self._leaves:
            has_own = False
            for fd, event in poll():
                client = clients.get(fd)
                if client is not None:
                    if event & _HUNG_UP:
                        self._forget(client)
                    else:
                        self._take_fast(client)
                elif fd == queue:
                    self._take(self._queue)
                elif fd == control:
                    self._asked()
                    break  # what else is there is seen by the next look
                else:
                    has_own = True
            # After the others: for these the kernel may have woken this worker alone.
            if has_own and self._own is not None and not self._leaves:
                self._take(self._own)
            if kept:
                self._asked()

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _wait_for(self, control: int) -> Callable[[], list[tuple[int, int]]]:
        if _epoll is None:
            self._sockets = [control, self._queue.fileno()]
            return lambda: [(fd, _READABLE) for fd in _select(self._sockets, [], [])[0]]
        self._epoll = _epoll()
        self._epoll.register(control, _READABLE)
        self._epoll.register(self._queue.fileno(), _READABLE | _EXCLUSIVE)
        poll: Callable[[], list[tuple[int, int]]] = self._epoll.poll
        return poll

    def _asked(self) -> None:
        """What the broker asks."""
        while True:
            try:
                kept = self._channel.kept
                kind, number, fd, _ = kept.pop(0) if kept else self._channel.asked()
            except BlockingIOError:
                return
            if kind == CLIENT and fd >= 0:
                self._clients[fd] = _Client(number, type(self._queue)(fileno=fd))
                self._epoll.register(fd, _READABLE | _EXCLUSIVE)
            elif kind == QUEUE:
                self._add_own(fd)
            elif kind == LOOK:
                self._take(self._queue)
                for client in tuple(self._clients.values()):
                    self._take_fast(client)
                self._notes.looked = max(number, self._notes.looked)
            elif kind == LEAVE or kind == ENDED:
                self._leaves = True
                return
            elif fd >= 0:
                os.close(fd)  # a message that has crossed the end of its call

    def exchange(self, job: Job) -> SyncExchange:
        """What the call that runs and its caller send each other from now on."""
        if get_ident() != self._thread:
            raise RuntimeError(ANOTHER_THREAD)
        with shut():
            for client in self._clients.values():
                if client.id == job.number >> 32:
                    self._flush(client)  # no reply of an earlier call waits for this one
            return SyncExchange(self._channel, job, self._runner.max_payload, self._thread)

    def _forget(self, client: _Client) -> None:
        fd = client.socket.fileno()
        del self._clients[fd]
        self._epoll.unregister(fd)  # a child that a method forked may have it, too
        client.socket.close()

    def _add_own(self, fd: int) -> None:
        if fd < 0:
            self._channel.record(TAINTED, {"reason": NO_QUEUE})
            return
        self._own = type(self._queue)(fileno=fd)
        if _epoll is None:
            self._sockets.append(fd)
        else:
            self._epoll.register(fd, _READABLE)

    # -- queues -----------------------------------------------------------------------------------------------------

    def _take(self, queue: socket.socket) -> None:
        """Runs the next call of the shared queue, or of this worker's own, if it is still there."""
        try:
            message, fd = receive(queue, _NOT_WAITING)
        except BlockingIOError:
            return
        if message:
            self.run(message, fd)
        elif queue is self._queue:
            self._leaves = True  # the broker has closed it, and all that was in it has been run
        else:
            if _epoll is None:
                self._sockets.remove(queue.fileno())
            else:
                self._epoll.unregister(queue.fileno())  # a child that a method forked may have it, too
            queue.close()
            self._own = None

    def run(self, message: bytes, fd: int) -> None:
        """Runs one call of a queue; `fd`: the descriptor that came with it, or -1."""
        self._limit -= 1
        if self._limit == self._fast_calls:
            self._channel.record(SPENT, None)
        number = int(ENTRY.unpack_from(message)[0])
        self._notes.begin(number)
        if self._revoked.has(number):
            if fd >= 0:
                os.close(fd)
            self._channel.returned(number)
            return
        try:
            job = parse_job(message, fd)
        except NoPayload as error:
            self._channel.refused(number, error)
            return
        began = self._clock()
        if 0 < job.deadline <= began:
            self._answer(job, self._runner.expired(job), 0.0)
            return
        reply = self._runner.run(job)
        self._answer(job, reply, self._clock() - began)

    # -- fast sockets -----------------------------------------------------------------------------------------------

    def _take_fast(self, client: _Client) -> None:
        """Runs the calls of a fast socket's next message, if it is still there, and answers them there.

        Replies are gathered, for GATHER_TIME at most and while the methods are known to be quick. This is one function, since
        calling others costs a tenth of a call. All else is done before the last replies are sent: the sooner the worker waits
        again then, the more rarely the kernel wakes another one for the client's next call.
        """
        inbox, words = self._inbox, self._words
        try:
            size = client.receive(inbox, 0, _NOT_WAITING)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._forget(client)
            return
        message: bytes = self._memory[self._inbox_at : self._inbox_at + size]
        if words[LEAVING]:
            self._give_back(client, fast_calls(message))
            return
        high = client.id << 32
        words[MESSAGE] = noted = high | size << SIZE_SHIFT
        revoked, job, clock, heads, methods = self._revoked, self._job, self._now, self._heads, self._known
        place, offset, end = 0, SENT.size, size
        flushed = now = clock()
        sent = self._sent[0]
        if sent > now:
            sent = now
        gathers, frame = False, b""
        try:
            if end <= offset:
                raise Malformed("a message without a call")
            while offset < end:
                try:
                    start, rest, sequence, name, timeout, flags = _head(message, offset)
                except error:
                    raise Malformed("a message that ends within a call") from None
                expected, codec, length = heads.get(start) or self._verify(
                    message[offset : offset + wire.HEADER_SIZE], start
                )
                name_at = offset + _HEAD_SIZE
                body_at, offset = name_at + name, name_at + length
                if rest != expected or offset > end or body_at > offset or not 0 < name <= _MAX_METHOD:
                    raise Malformed("a frame that is no call")
                if sequence >> 30 != 1 or flags > wire.ARGS:
                    raise Malformed("a sequence or flags that are not for here")
                method = message[name_at:body_at]
                known = methods.get(method) or self._find(method)
                if place:
                    words[MESSAGE] = noted + place
                place += 1
                number = high | sequence
                if revoked.words[PLACES] and revoked.has(number):
                    self._channel.returned(number, method)
                    continue
                if known is None:
                    gathers = self._flush(client)
                    self._give_back(client, [(sequence, method)])
                    continue
                if gathers and (known.took >= GATHER_TIME or now - flushed >= GATHER_TIME):
                    gathers, flushed = self._flush(client), now
                job.number, job.sequence, job.codec, job.method = number, sequence, codec, method
                job.flags = _EXACT if flags else _PLAIN
                job.body = message[body_at:offset]
                if timeout:
                    deadline = sent + timeout * 1_000_000
                    job.deadline = deadline / 1e9
                else:
                    deadline, job.deadline = _NEVER, 0.0
                if deadline > now:
                    reply = self._run(job, known.method)
                else:
                    reply = self._runner.expired(job)
                if self._channel.is_forked:
                    self._channel.leave()
                began, now = now, clock()
                known.took = took = now - began
                micros = took // 1000
                waited = began - sent
                if type(reply) is bytes:
                    size = len(reply)
                    # Counters.add(), written out.
                    key = micros.bit_length() << 8 | (waited // 1000).bit_length()
                    try:
                        cell = known.cells[key]
                    except KeyError:
                        cell = self._counters.cell(known.row, key)
                    cell.calls = calls = cell.calls + 1
                    cell.ran = ran = cell.ran + took
                    cell.waited = waited = cell.waited + waited
                    cell.received = received = cell.received + offset - body_at
                    cell.sent = answered = cell.sent + size
                    self._memory[cell.place] = packed(number, calls, ran, waited, received, answered)
                else:
                    self._count(known, job, reply, took, waited, offset - body_at, deadline <= began)
                if type(reply) is bytes and not job.by_broker:
                    size += name
                    head = self._replies.get(codec << 32 | size) or self._reply_head(codec, size)
                    frame = (
                        _reply(head, sequence, name, micros if micros < SLOW else SLOW - 1) + method + reply
                    )
                else:
                    parts = self._runner.parts(job, reply)
                    if job.reply_size >= LARGE or job.by_broker:
                        self._answer(job, parts, took / 1e9)
                        job = self._job = _make_job()  # a thread of the method's may look at this one
                        continue
                    frame = b"".join(
                        (parts[0], parts[1], min(micros, SLOW - 1).to_bytes(4, "little"), *parts[2:])
                    )
                if gathers or offset < end:
                    gathered = self._notes.gathered
                    if not gathered.add(frame):
                        self._flush(client)
                        gathered.add(frame)
                    frame, gathers = b"", True
        except Malformed as malformed:
            self._channel.record(MALFORMED, {"client": client.id, "what": str(malformed)})
        self._fast_calls = total = self._fast_calls + place
        words[CALLS] = total
        if total >= self._limit:
            self._limit = sys.maxsize
            self._channel.record(SPENT, None)
        if frame:
            self._send(client, frame)
        elif gathers:
            self._flush(client)
        words[MESSAGE] = 0

    def _count(
        self,
        known: _Known,
        job: TakenJob,
        reply: bytes | list[Buffer],
        took: int,
        waited: int,
        received: int,
        is_late: bool,
    ) -> None:
        """Counts a fast call whose reply is an error or large. is_late: its method has not begun."""
        head, _, _, *body = self._runner.parts(job, reply)
        code = code_of(bytes(body[0])) if head[1] & wire.ERROR else ""
        if is_late:
            self._counters.not_begun(known.row, code)
        else:
            self._counters.add(known.row, job.number, took, waited, received, sum(map(len, body)))
            if code:
                self._counters.failed(known.row, code)
        second = int(self._clock())
        if second != self._second:
            self._second, self._failures = second, 0
        if code and self._failures < _FAILURES:
            self._failures += 1
            text, seconds = bytes(body[0]).decode("utf-8", "replace"), (waited + took) / 1e9
            self._channel.record(FAILURE, {"method": known.method.name, "body": text, "seconds": seconds})

    def _reply_head(self, codec: int, size: int) -> bytes:
        """The first 12 bytes of a reply with three options."""
        if len(self._replies) >= _MAX_HEADS:
            self._replies.clear()
        head = wire.encode_header(codec, (0, 0, 0), size)[: wire.HEADER_SIZE]
        self._replies[codec << 32 | size] = head
        return head

    def _answer(self, job: TakenJob, reply: list[Buffer], took: float) -> None:
        """Answers a call by the broker."""
        if job.exchange is not None:
            job.exchange.close()
        try:
            self._channel.reply(job, reply, took)
        except NoRoom as full:
            self._channel.reply(job, self._runner.lost(job, str(full)), took)

    def _verify(self, header: bytes, start: int) -> tuple[int, int, int]:
        """What a header says that begins with the number `start`: its last four bytes as a number, codec, payload's length."""
        flags, length = header[1], int.from_bytes(header[2:6], "little")
        if header[0] != _CALL_WORDS or flags not in (wire.MSGPACK, wire.JSON, wire.RAW):
            raise Malformed("a frame that is no call with four options")
        if int.from_bytes(header[6:10], "little") != crc32(header[:6]) or header[10] or header[11]:
            raise Malformed("a frame whose header is wrong")
        if len(self._heads) >= _MAX_HEADS:
            self._heads.clear()
        known = self._heads[start] = int.from_bytes(header[8:], "little"), flags, length
        return known

    def _find(self, name: bytes) -> _Known | None:
        """None: the broker is to say what becomes of calls of that name."""
        try:
            method = self._runner.method(name)
        except (GoTaskError, UnicodeError):
            return None
        if not self._can_be_fast(method):
            return None
        known = _Known(method, self._counters.row(method.name))
        if len(self._known) < _MAX_METHODS:
            self._known[name] = known
        return known

    def _give_back(self, client: _Client, calls: Iterable[tuple[int, bytes]]) -> None:
        """Tells the client that these calls have not run, and will not."""
        frames = b"".join(
            wire.encode(wire.CONTROL, (sequence, GIVEN_BACK), b"", wire.STOP) for sequence, _ in calls
        )
        self._send(client, frames)

    def _flush(self, client: _Client) -> bool:
        """Sends what was gathered; returns that nothing is any more."""
        gathered = self._notes.gathered
        if gathered:
            self._send(client, gathered.frames)
            gathered.clear()
        return False

    def _send(self, client: _Client, frames: Buffer) -> None:
        try:
            client.socket.send(frames, _NOT_WAITING)
        except OSError:
            # The client does not read, or has closed this socket alone: the broker may still come to it.
            self._channel.frames(client.id << 32, frames)
