"""The loop of a sync worker: it takes calls from its group's shared queue and from clients' fast sockets, and runs them.

Of the workers that wait, the kernel wakes the one that was registered first. So the worker that ran last is preferred: its
caches are warm, and further workers cost nothing.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from struct import error
from typing import Any, Final
from zlib import crc32

from ..app.registry import Method
from ..app.runner import Runner
from ..errors import GoTaskError
from ..ipc.messages import (
    CLIENT,
    ENTRY,
    FAST_HEAD,
    GIVEN_BACK,
    LEAVE,
    LOOK,
    SENT,
    SHARED,
    SPENT,
    fast_calls,
    receive,
)
from ..ipc.notes import Revocations, WorkerNotes
from ..wire import frames as wire
from ..wire.frames import EXACT, LARGE, STRUCTURED, TIMED, Buffer
from .channel import Channel, NoRoom, microseconds
from .jobs import NoPayload, TakenJob, make_job, parse_job

# Seconds that a reply waits for others at most, while the calls of a message run; and that a method may have taken when it was
# called last for replies to wait while it runs.
GATHER_TIME: Final = 0.0003

_CALL_WORDS: Final = wire.VERSION << 4 | 7  # how a call with four options begins

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

    __slots__ = ("id", "socket")

    def __init__(self, id: int, socket: socket.socket) -> None:
        self.id = id
        self.socket = socket


class _Known:
    """A method that was called on a fast socket."""

    __slots__ = ("took",)

    def __init__(self) -> None:
        self.took = GATHER_TIME  # seconds, when it was called last


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
        self._queue = queue
        self._can_be_fast = can_be_fast
        self._clock = time.monotonic
        self._calls = 0
        self._leaves = False
        self._forked = False
        self._clients: dict[int, _Client] = {}  # by descriptor
        self._known: dict[bytes, _Known] = {}
        self._heads: dict[int, tuple[int, int, int]] = {}
        self._job = TakenJob(0, 0.0, 0, 0, 0, b"", b"")
        self._job.segment = None
        self._poll = self._wait_for(channel.fileno())
        os.register_at_fork(after_in_child=self._in_child)

    def serve(self) -> None:
        """Runs calls until the queue has ended and is empty, or the broker wants the worker to leave."""
        clients = self._clients
        queue, control = self._queue.fileno(), self._channel.fileno()
        poll = self._poll
        while not self._leaves:
            for fd, event in poll():
                client = clients.get(fd)
                if client is not None:
                    if event & _HUNG_UP:
                        self._forget(client)
                    else:
                        self._take_fast(client)
                elif fd == queue:
                    self._take()
                elif fd == control:
                    self._asked()
                    break  # what else is there is seen by the next look

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _wait_for(self, control: int) -> Callable[[], list[tuple[int, int]]]:
        if _epoll is None:
            sockets = [control, self._queue.fileno()]
            return lambda: [(fd, _READABLE) for fd in _select(sockets, [], [])[0]]
        self._epoll = _epoll()
        self._epoll.register(control, _READABLE)
        self._epoll.register(self._queue.fileno(), _READABLE | _EXCLUSIVE)
        poll: Callable[[], list[tuple[int, int]]] = self._epoll.poll
        return poll

    def _asked(self) -> None:
        """What the broker asks."""
        while True:
            try:
                kind, number, fd = self._channel.asked()
            except BlockingIOError:
                return
            if kind == CLIENT and fd >= 0:
                self._clients[fd] = _Client(number, type(self._queue)(fileno=fd))
                self._epoll.register(fd, _READABLE | _EXCLUSIVE)
            elif kind == LOOK:
                self._take()
                for client in tuple(self._clients.values()):
                    self._take_fast(client)
            elif kind == LEAVE:
                self._leaves = True
                return

    def _forget(self, client: _Client) -> None:
        fd = client.socket.fileno()
        del self._clients[fd]
        self._epoll.unregister(fd)  # a child that a method forked may have it, too
        client.socket.close()

    def _in_child(self) -> None:
        """In a child that a method forked and that may come out of the method: it answers nothing, its parent does."""
        self._forked = True

    # -- the shared queue -------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Runs the next call of the shared queue, if it is still there."""
        try:
            message, fd = receive(self._queue, _NOT_WAITING)
        except BlockingIOError:
            return
        if message:
            self.run(message, fd)
        else:
            self._leaves = True  # the broker has closed it, and all that was in it has been run

    def run(self, message: bytes, fd: int) -> None:
        """Runs one call of the shared queue; `fd`: the descriptor that came with it, or -1."""
        self._count(1)
        number, deadline, size, flags = ENTRY.unpack_from(message)
        self._notes.begin(number)
        if self._revoked.has(number):
            if fd >= 0:
                os.close(fd)
            self._channel.returned(number)
            return
        if flags & SHARED:
            try:
                job = parse_job(message, 0, fd)
            except NoPayload as error:
                self._channel.refused(number, error)
                return
        else:
            job = make_job(number, deadline, flags, message, ENTRY.size, size, None)
        began = self._clock()
        reply = self._runner.expired(job) if 0 < deadline <= began else self._runner.run(job)
        took = self._clock() - began
        try:
            self._channel.reply(job, reply, took)
        except NoRoom as full:
            self._channel.reply(job, self._runner.lost(job, str(full)), took)

    # -- fast sockets -----------------------------------------------------------------------------------------------

    def _take_fast(self, client: _Client) -> None:
        """Runs the calls of a fast socket's next message, if it is still there, and answers them there."""
        notes = self._notes
        try:
            size = client.socket.recv_into(notes.inbox, 0, _NOT_WAITING)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._forget(client)
            return
        message = bytes(notes.inbox[:size])
        if notes.leaving:
            self._give_back(client, fast_calls(message))
            return
        notes.take_message(client.id, size)
        place = 0
        try:
            place = self._run_fast(client, message)
        except Malformed as error:
            self._flush(client)
            self._channel.malformed(client.id, str(error))
        notes.end_message()
        self._count(place)

    def _count(self, calls: int) -> None:
        before, self._calls = self._calls, self._calls + calls
        if before < self._notes.limit <= self._calls:
            self._channel.record(SPENT, None)

    def _run_fast(self, client: _Client, message: bytes) -> int:
        """Runs the calls of a message that is noted; returns how many.

        Replies are gathered, for GATHER_TIME at most and while the methods are known to be quick.
        """
        gathered = self._notes.gathered
        job, high = self._job, client.id << 32
        place, offset, end = 0, SENT.size, len(message)
        if end <= offset:
            raise Malformed("a message without a call")
        sent = SENT.unpack_from(message)[0] / 1e9
        flushed = now = self._clock()
        waited, ran = microseconds(now - sent), 0
        while offset < end:
            sequence, codec, timeout, flags, body_at, length = self._parse(message, offset)
            name_at = offset + FAST_HEAD.size
            method, offset = message[name_at:body_at], name_at + length
            known = self._known.get(method) or self._find(method)
            number = high | sequence
            if place:
                self._notes.begin_in_message(place)
            place += 1
            if gathered and (known is None or known.took >= GATHER_TIME):
                self._flush(client)
            if self._revoked.has(number):
                self._channel.returned(number)
                continue
            if known is None:
                self._give_back(client, [(sequence, method)])
                continue
            job.number, job.sequence, job.codec, job.method = number, sequence, codec, method
            job.flags = STRUCTURED | TIMED | EXACT if flags else STRUCTURED | TIMED
            job.deadline = sent + timeout / 1000 if timeout else 0.0
            job.body, job.cancelled = message[body_at:offset], False
            reply = self._runner.expired(job) if 0 < job.deadline <= now else self._runner.run(job)
            if self._forked:
                self._channel.leave()
            began, now = now, self._clock()
            known.took = took = now - began
            ran = ran or microseconds(took)
            if job.reply_size >= LARGE or job.cancelled:
                try:
                    self._channel.reply(job, reply, took)
                except NoRoom as full:
                    self._channel.reply(job, self._runner.lost(job, str(full)), took)
                continue
            reply[1] = b"".join((reply[1], microseconds(took).to_bytes(4, "little")))
            frame = b"".join(reply)
            if not gathered.add(frame):
                self._flush(client)
                gathered.add(frame)
            if offset == end or now - flushed >= GATHER_TIME:
                self._flush(client)
                flushed = now
        self._notes.count(place, waited, ran)
        return place

    def _parse(self, message: bytes, offset: int) -> tuple[int, int, int, int, int, int]:
        """Sequence, codec, milliseconds, flags, where the body begins, and the payload's length, of the call at `offset`."""
        try:
            start, rest, sequence, name, timeout, flags = FAST_HEAD.unpack_from(message, offset)
        except error:
            raise Malformed("a message that ends within a call") from None
        known = self._heads.get(start) or self._verify(message[offset : offset + wire.HEADER_SIZE], start)
        expected, codec, length = known
        body_at = offset + FAST_HEAD.size + name
        stop = offset + FAST_HEAD.size + length
        if rest != expected or stop > len(message) or not 0 < name <= wire.MAX_METHOD or body_at > stop:
            raise Malformed("a frame that is no call")
        if sequence >> 30 != 1 or flags > wire.ARGS:
            raise Malformed("a sequence or flags that are not for here")
        return sequence, codec, timeout, flags, body_at, length

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
        known = _Known()
        if len(self._known) < _MAX_METHODS:
            self._known[name] = known
        return known

    def _give_back(self, client: _Client, calls: Iterable[tuple[int, bytes]]) -> None:
        """Tells the client that these calls have not run, and will not."""
        frames = b"".join(
            wire.encode(wire.CONTROL, (sequence, GIVEN_BACK), b"", wire.STOP) for sequence, _ in calls
        )
        self._send(client, frames)

    def _flush(self, client: _Client) -> None:
        """Sends what was gathered."""
        gathered = self._notes.gathered
        if gathered:
            self._send(client, gathered.frames)
            gathered.clear()

    def _send(self, client: _Client, frames: Buffer) -> None:
        try:
            client.socket.send(frames, _NOT_WAITING)
        except OSError:
            # The client does not read, or has closed this socket alone: the broker may still come to it.
            self._channel.frames(client.id << 32, frames)
