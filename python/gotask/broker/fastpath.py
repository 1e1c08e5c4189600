"""The fast path as the broker sees it: whose fast sockets there are, and what becomes of the calls that it is told of.

A client's fast socket is open in every sync worker of the group that services share, and calls go there without the broker. It
learns of a call when the client stops it, or when its worker has died. The call's number has the client's number in its upper
32 bits and the sequence in its lower ones. From then on it is ended like any other: see `deadlines` and `recovery`.

All of it is in one file: each way for such a call to end has to agree with all others about what a worker may still come upon.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import time
from asyncio import TimerHandle
from collections.abc import Callable, Iterator
from math import inf
from typing import Final, NamedTuple

from ..errors import Cancelled, DeadlineExceeded, InvalidRequest, Overloaded
from ..ipc.messages import FIRST_CLIENT, MESSAGE_SIZE, SENT as STAMP, fast_calls
from ..ipc.notes import WorkerNotes
from ..wire.frames import JSON, Frame
from .access import credentials_of
from .call import REVOKED, SENT, Call, Caller
from .counts import MethodCounts
from .crash import CrashReport
from .deadlines import CANCELLED, DEADLINE, TAKEN_BACK, Deadlines
from .generations import Generations
from .group import WorkerGroup
from .listener import Listener
from .process import WorkerProcess
from .runtime import Runtime

# Bytes of the token that a client is given, and seconds that it has to show it.
TOKEN: Final = 16
TIMEOUT: Final = 5.0

# Seconds between two looks whether a worker can still come upon calls that were revoked.
LOOK_TIME: Final = 1.0

# Seconds after which it is looked for the reply to a call that ran when it was taken back; then after twice as long, and so on.
FETCH_TIME: Final = 0.02

# Peers that have connected and have not shown their token.
MAX_PENDING: Final = 64

# Each fast socket is a descriptor in the broker and in every worker: so many of those that a process may have are for them.
SHARE: Final = 0.25

_TOO_LATE: Final = "its time was over before a worker was free; it has not run"
_UNWANTED: Final = "it was cancelled before a worker was free; it has not run"

_READY: Final = b"\x01"

_NO_FRAME: Final = Frame(JSON, 0, (), b"", 0)


class _Client(NamedTuple):
    """One client's fast socket."""

    id: int
    owner: Caller
    fast: socket.socket

    @property
    def has_ended(self) -> bool:
        return self.fast.fileno() < 0


class FastPath:
    """Of one broker; what it stops, it stops in all generations of workers that still run calls."""

    def __init__(self, runtime: Runtime, generations: Generations, listener: Listener) -> None:
        self._runtime = runtime
        self._generations = generations
        self._loop = runtime.loop
        self._listener = listener
        self._number = FIRST_CLIENT
        self._tokens: dict[bytes, Caller] = {}
        self._pending: dict[socket.socket, TimerHandle] = {}
        self._clients: dict[int, _Client] = {}
        # By number; those that are over wait until a worker has come upon them.
        self._stopped: dict[int, Call] = {}
        self._reasons: dict[int, str] = {}  # why
        self._running: dict[int, WorkerProcess] = {}  # who has begun which of these
        self._looks = 0
        self._lookers: list[WorkerProcess] = []  # who has been asked to look
        self._passing: list[int] = []  # revoked calls that none of these comes upon once it has looked
        self._looking = False
        self._ends = select.epoll()  # tells of ends alone, and not of each message
        self._loop.add_reader(self._ends.fileno(), self._ended)
        self.deadlines = Deadlines(self, runtime)
        runtime.fast = self

    def open(self) -> None:
        self._loop.add_reader(self._listener.socket, self._accept)

    def close(self) -> None:
        """Takes no more clients; those that are there stay."""
        self._loop.remove_reader(self._listener.socket)
        for peer in tuple(self._pending):
            self._turn_away(peer)

    # -- clients ----------------------------------------------------------------------------------------------------

    def invite(self, owner: Caller) -> dict[str, str]:
        """What a connection's client needs to open a fast socket. InvalidRequest, Overloaded: it can't have one."""
        if owner.fast or owner in self._tokens.values() or owner.credentials is None:
            raise InvalidRequest("a connection on a Unix socket has one fast socket at most")
        if len(self._clients) + len(self._tokens) >= SHARE * resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            raise Overloaded(
                "as many clients have a fast socket as may (ulimit -n); calls go by this connection"
            )
        token = os.urandom(TOKEN)
        self._tokens[token] = owner
        return {"path": str(getattr(self._listener.address, "path")), "token": token.hex()}

    def disconnected(self, owner: Caller) -> None:
        """An ordinary connection has ended: its fast socket ends with it."""
        for token in [token for token, waiting in self._tokens.items() if waiting is owner]:
            del self._tokens[token]
        client = self._clients.get(owner.fast)
        if client is not None:
            self._end(client)
            self._discard(client)
            del self._clients[client.id]

    def serve(self) -> None:
        current = self._generations.current
        for group in current.groups.values() if current is not None else ():
            if group.takes_fast:
                # Its workers are to begin none of those that lie in fast sockets.
                for number in self._stopped:
                    group.queue.revoked.add(number)
                for worker in group.pool.workers:
                    if worker.in_service and not worker.has_clients:
                        worker.has_clients = True
                        for client in self._clients.values():
                            if not client.has_ended:
                                worker.add_client(client.id, client.fast)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.socket.accept()
        except OSError:
            return
        peer.setblocking(False)
        if len(self._pending) >= MAX_PENDING:
            self._turn_away(next(iter(self._pending)))
        self._pending[peer] = self._loop.call_later(TIMEOUT, self._turn_away, peer)
        self._loop.add_reader(peer, self._greet, peer)

    def _turn_away(self, peer: socket.socket) -> None:
        self._admit(peer)
        peer.close()

    def _admit(self, peer: socket.socket) -> None:
        self._pending.pop(peer).cancel()
        self._loop.remove_reader(peer)

    def _greet(self, peer: socket.socket) -> None:
        """A peer shows its token."""
        try:
            owner = self._tokens.pop(peer.recv(TOKEN + 1), None)
        except BlockingIOError:
            return
        except OSError:
            owner = None
        if owner is None or credentials_of(peer) != owner.credentials:
            self._runtime.log.often("a peer at the fast socket was turned away", "it has no valid token")
            self._turn_away(peer)
            return
        self._admit(peer)
        client = _Client(self._number, owner, peer)
        self._number += 1
        if not any([worker.add_client(client.id, peer) for worker in self._workers() if worker.has_clients]):
            peer.close()
            return
        self._clients[client.id] = client
        owner.fast, owner.timed = client.id, True
        self._ends.register(peer.fileno(), 0)
        try:
            peer.send(_READY)
        except OSError:
            pass  # its end is seen next

    def _ended(self) -> None:
        """Clients have closed their fast sockets."""
        ended = {fd for fd, _ in self._ends.poll(0)}
        for client in tuple(self._clients.values()):
            if client.fast.fileno() in ended:
                self._end(client)

    def _end(self, client: _Client) -> None:
        """Workers close their copies when they see its end. What it had sent and nobody has taken is not run.

        The client stays: as long as its ordinary connection is there, it asks what has become of its calls.
        """
        if client.has_ended:
            return
        self._ends.unregister(client.fast.fileno())
        try:
            client.fast.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client has closed it
        self._take_unread(client)
        client.fast.close()

    def _take_unread(self, client: _Client) -> None:
        """Gives back the calls of its fast socket that no worker has taken."""
        try:
            while message := client.fast.recv(MESSAGE_SIZE):
                for sequence, method in () if client.owner.is_closed else fast_calls(message):
                    self.returned(client.id << 32 | sequence, method)
        except OSError:
            pass

    def malformed(self, client: int, what: str) -> None:
        """A client has sent what is no message of calls: its fast socket is closed."""
        found = self._clients.get(client)
        if found is not None:
            if not found.has_ended:
                self._runtime.log.often("a fast socket was closed", what)
            self._end(found)

    def frames(self, client: int, frames: bytes) -> None:
        """What a client's fast socket did not take, or a worker did not get to send: it comes by the ordinary connection."""
        found = self._clients.get(client)
        if found is not None:
            found.owner.pass_on(frames)

    # -- calls ------------------------------------------------------------------------------------------------------

    def stop(self, owner: Caller, sequence: int, reason: str) -> None:
        """A client's call is to end, or is taken back: then one that has begun goes on."""
        number = owner.fast << 32 | sequence
        call = self._stopped.get(number)
        if call is not None:
            if call.state is REVOKED or reason == TAKEN_BACK:
                return
        else:
            call = self._call(number)
            if call is None or reason == TAKEN_BACK and call.exchange is not None:
                return  # a call that has sent messages has begun
            self._stopped[number] = call
        self._reasons[number] = reason
        if reason == CANCELLED:
            owner.forget(call)
        if call.state is SENT:
            self.deadlines.stop(call, reason)
        else:
            self.deadlines.change(call, reason)

    def speaking(self, number: int) -> Call | None:
        return self._stopped.get(number) or self._call(number)

    def answered(self, number: int) -> Call | None:
        call = self._stopped.pop(number, None) or self._call(number)
        self._free(number)
        return call

    def returned(self, number: int, method: bytes) -> None:
        why = self._reasons.get(number, TAKEN_BACK)
        # One that was let go as it was noted, and then seen to be revoked, is given back, too.
        call = self.answered(number)
        if call is not None:
            reason = self.deadlines.reason(call) or TAKEN_BACK
            if why != TAKEN_BACK:  # else it is made again, and counted then
                error = DeadlineExceeded(_TOO_LATE) if why == DEADLINE else Cancelled(_UNWANTED)
                self._counts_of(method).failed(error, time.monotonic() - call.arrived)
            if call.state is not REVOKED:
                self._has_not_run(call, reason)
            call.end()

    def settle(
        self,
        message: tuple[int, int, bytes],
        notes: WorkerNotes,
        report: CrashReport,
        crash: Callable[[Call, CrashReport, str], None],
    ) -> None:
        """What becomes of the calls of the message that a dead worker had: `crash` answers the one that ran."""
        client, place, frames = message
        self.frames(client, notes.gathered.read())
        for index, (sequence, method) in enumerate(fast_calls(frames)):
            call = self.answered(client << 32 | sequence)
            if call is None:
                continue
            call.method = method
            call.arrived = STAMP.unpack_from(frames)[0] / 1e9
            reason = self.deadlines.reason(call)
            if index == place and call.state is not REVOKED:
                if not notes.counters.has_counted(call.number):
                    call.counts = self._counts_of(method)
                crash(call, report, reason)
                continue
            if index > place and call.state is not REVOKED:
                self._has_not_run(call, reason or TAKEN_BACK)
            call.owner.forget(call)
            call.end()

    def reason(self, call: Call) -> str:
        return self.deadlines.reason(call)

    # -- what `deadlines` asks --------------------------------------------------------------------------------------

    def call_of(self, number: int) -> Call | None:
        call = self._stopped.get(number)
        worker = self._running.get(number)
        if call is not None and worker is not None and worker.state != "dead":
            if number not in (running for running, _ in _begun(worker)):
                self._is_over(call)
        return self._stopped.get(number)

    def find(self, number: int) -> WorkerProcess | None:
        call = self._stopped[number]
        for worker in self._workers():
            begun = _begun(worker)
            methods = dict(begun)
            if number not in methods:
                continue
            call.method = methods[number]
            if number != begun[-1][0]:
                self.frames(number >> 32, worker.notes.gathered.read())
                self._is_over(call)
            elif self._reasons[number] == TAKEN_BACK:
                self._let_go(call)
                self._fetch_later(worker, number, FETCH_TIME)
            else:
                self._running[number] = worker
                return worker
            return None
        return None

    def _fetch_later(self, worker: WorkerProcess, number: int, pause: float) -> None:
        """The worker may be about to gather the reply to that call, and then be busy with a slow one."""

        def fetch() -> None:
            begun = [] if worker.state == "dead" else [earlier for earlier, _ in _begun(worker)]
            if number in begun[:-1]:
                self.frames(number >> 32, worker.notes.gathered.read())
            elif number in begun:
                self._fetch_later(worker, number, 2 * pause)

        self._loop.call_later(pause, fetch)

    def revoke(self, call: Call) -> bool:
        return all([group.queue.revoked.add(call.number) for group in self._groups()])

    def read_answers(self) -> None:
        for group in self._groups():
            group.read_answers()

    def give_up(self, call: Call, reason: str) -> None:
        call.move(REVOKED)
        self._has_not_run(call, reason)
        if call.number >> 32 not in self._clients:
            self._let_go(call)  # no worker comes upon it: its socket has ended with what lay there
        elif not self._looking:
            self._looking = True
            self._loop.call_later(LOOK_TIME, self._look)

    def _look(self) -> None:
        """Lets go of revoked calls that no worker comes upon, since it was answered just before or received by one that died.

        With nothing unread in the fast sockets, only a worker that stands still can have received such a call without having
        noted it: not one that has heeded a request of later.
        """
        lookers = [worker for worker in self._lookers if worker.state != "dead"]
        if all(worker.notes.looked >= self._looks for worker in lookers):
            self.read_answers()
            for number in self._passing:
                call = self._stopped.get(number)
                if call is not None and call.state is REVOKED:
                    self._let_go(call)
            for client in tuple(self._clients.values()):
                if not client.has_ended:
                    self._take_unread(client)
            self._passing = [number for number, call in self._stopped.items() if call.state is REVOKED]
            self._looking = bool(self._passing)
            self._looks += 1
            self._lookers = [worker for worker in self._workers() if worker.has_clients and self._passing]
            for worker in self._lookers:
                worker.look(self._looks)
        if self._looking:
            self._loop.call_later(LOOK_TIME, self._look)

    def late(self, now: float) -> float:
        return inf

    # -- small things -----------------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[WorkerGroup]:
        return (group for group in self._generations.groups() if group.takes_fast)

    def _workers(self) -> Iterator[WorkerProcess]:
        return (worker for group in self._groups() for worker in group.pool.workers)

    def _call(self, number: int) -> Call | None:
        client = self._clients.get(number >> 32)
        if client is None:
            return None
        sequence = number & 0xFFFFFFFF
        expected = client.owner.expected(sequence)
        if expected is not None:
            return expected
        call = Call(client.owner, sequence, b"", _NO_FRAME, None, 0.0, time.monotonic())
        call.number = number
        call.move(SENT)
        client.owner.expect(call)
        return call

    def _counts_of(self, method: bytes) -> MethodCounts:
        return self._runtime.counts.spelled(method.decode("utf-8", "replace"))

    def _has_not_run(self, call: Call, reason: str) -> None:
        if reason == TAKEN_BACK:
            call.owner.give_back(call)
        elif reason == DEADLINE:
            call.owner.tell(call, DeadlineExceeded(_TOO_LATE))
        else:
            call.owner.forget(call)

    def _is_over(self, call: Call) -> None:
        """A worker is done with it: it has answered the client, unless it says that it found the call revoked."""
        self.read_answers()
        if self._stopped.get(call.number) is call:
            self._let_go(call)

    def _let_go(self, call: Call) -> None:
        del self._stopped[call.number]
        self._free(call.number)
        call.owner.forget(call)
        call.end()

    def _free(self, number: int) -> None:
        self._running.pop(number, None)
        self._reasons.pop(number, None)
        for group in self._groups():
            group.queue.revoked.free(number)

    def _discard(self, client: _Client) -> None:
        """No more calls of a caller that is gone are begun. Those that run may end, but not take for ever."""
        for number in [number for number in self._stopped if number >> 32 == client.id]:
            call = self._stopped[number]
            if call.state is REVOKED:
                self._let_go(call)
        for worker in self._workers():
            found = worker.notes.message()
            if found is not None and found[0] == client.id:
                for index, (sequence, _) in enumerate(fast_calls(found[2])):
                    if index > found[1]:
                        self.stop(client.owner, sequence, CANCELLED)
                    elif index == found[1]:
                        timeout = self._runtime.config.shutdown_timeout
                        self._loop.call_later(timeout, self._stop_left, client, sequence)

    def _stop_left(self, client: _Client, sequence: int) -> None:
        number = client.id << 32 | sequence
        if any(begun and begun[-1][0] == number for begun in map(_begun, self._workers())):
            self._clients[client.id] = client
            self.stop(client.owner, sequence, CANCELLED)
            del self._clients[client.id]


def _begun(worker: WorkerProcess) -> list[tuple[int, bytes]]:
    """Number and method of the calls of its message that a worker has begun; the last one runs."""
    found = worker.notes.message()
    if found is None:
        return []
    client, place, message = found
    return [(client << 32 | sequence, method) for sequence, method in fast_calls(message)[: place + 1]]
