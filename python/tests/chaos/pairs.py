"""Each event in each state of a call: one call is brought into the state, held there, and then it happens.

Where faults under load meet a state by chance, and rarely one that lasts for microseconds, here every pair is made once for
each kind of call. What must hold is in `expected`, and the same after each pair: calls of other callers get their own
answers, nothing counts as queued or running, and a worker serves.
"""

from __future__ import annotations

import os
import resource
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from gotask.ipc.messages import FAST_BIT
from gotask.wire import frames as wire

from ..fast import CANCELLED, GIVEN_BACK, LATE, TAKE_BACK, FastPeer
from ..peer import PACKAGE, BrokerProcess, Peer, gone
from .calls import NOT_RUN, answer
from .faults import ROOM
from .system import children, descriptors, eventually, opened

ARRIVING, QUEUED, IN_KERNEL, TAKEN, BEGUN, RETURNED, UNREAD = STATES = (
    "arriving",
    "queued",
    "in the kernel",
    "taken, not noted",
    "begun",
    "answered, not sent",
    "reply unread",
)

(
    LEAVES,
    CANCELS,
    TIMES_OUT,
    KILLED,
    STOPPED,
    RELOAD,
    RECYCLED,
    DRAIN,
    BROKER_KILLED,
    QUEUE_FULL,
    MEMORY_FULL,
) = EVENTS = (
    "its caller leaves",
    "its caller cancels it",
    "its time is over",
    "its worker is killed",
    "its worker is stopped beyond its time, and goes on",
    "reload",
    "its worker is replaced",
    "the broker is to end",
    "the broker is killed",
    "the queue is full",
    "there is no memory",
)

#: For which a broker or a worker has to be started.
SLOW = (RELOAD, RECYCLED, DRAIN, BROKER_KILLED)

NOT_BEGUN = (QUEUED, IN_KERNEL, TAKEN)

#: Milliseconds; of calls that are to run out of time, and of all others.
SHORT, LONG = 150, 20_000

#: Bytes of a reply that fits into no socket's buffer.
UNREAD_SIZE = 8 << 20


class Kind(NamedTuple):
    """thorough: also with what takes long, as a broker or a worker has to be started for each. fast: by a fast socket."""

    name: str
    method: str
    size: int
    notify: bool = False
    thorough: bool = False
    fast: bool = False

    @property
    def worker(self) -> str:
        return "async" if self.method.startswith("Async") else "sync"

    @property
    def is_idempotent(self) -> bool:
        return self.method.endswith(".again")

    def has(self, pair: Pair) -> bool:
        """Whether such a call comes into that state, and what is about to happen there is not too much."""
        if self.fast and (pair.state in (ARRIVING, QUEUED, UNREAD) or pair.event == RECYCLED):
            return False
        return self.thorough or pair.event not in SLOW


KINDS = (
    Kind("small sync", "Sync.work", 10),
    Kind("large sync", "Sync.work", 200_000, thorough=True),
    Kind("small async", "Async.work", 10, thorough=True),
    Kind("large async", "Async.work", 200_000),
    Kind("small notification", "Sync.work", 10, notify=True),
    Kind("large async notification", "Async.work", 200_000, notify=True),
    Kind("small idempotent", "Sync.again", 10),
    Kind("large idempotent async", "Async.again", 200_000),
    Kind("fast", "Sync.work", 10, thorough=True, fast=True),
)


class Pair(NamedTuple):
    state: str
    event: str

    @property
    def is_possible(self) -> bool:
        if self.event in (QUEUE_FULL, MEMORY_FULL):
            return self.state == ARRIVING
        if self.state == ARRIVING:
            # A call that has not come can't be cancelled, its time has not begun, and it has no worker.
            return self.event not in (CANCELS, TIMES_OUT, KILLED, STOPPED, RECYCLED)
        if self.state == UNREAD:
            return self.event not in (TIMES_OUT, STOPPED)  # it has been answered
        return True


PAIRS = tuple(pair for state in STATES for event in EVENTS if (pair := Pair(state, event)).is_possible)


class Outcome(NamedTuple):
    """What became of a call: "ok", an error's code, "none" where nobody was told; and how often it ran."""

    code: str
    message: str
    runs: int


def problems(pair: Pair, kind: Kind, found: Outcome) -> str:
    """What is wrong with that, if anything."""
    state, event = pair
    code, message, runs = found
    if runs > (2 if kind.is_idempotent and event == KILLED else 1):
        return f"it ran {runs} times"
    if (code in NOT_RUN or "has not run" in message) and runs:
        return "its caller was told that it has not run, and it has"
    if code == "ok" and not runs:
        return "it was answered and has not run"
    codes, least, most = expected(pair, kind)
    if code not in codes:
        return f"it ended with {code}: {message!r}"
    return "" if least <= runs <= most else f"it ran {runs} times"


def expected(pair: Pair, kind: Kind) -> tuple[set[str], int, int]:
    """Which outcomes there may be, and how often it runs: at least, at most."""
    state, event = pair
    if kind.notify:
        return _expected_of_notification(pair)
    if event == BROKER_KILLED:
        before = state in (ARRIVING, *NOT_BEGUN)
        return {"none"}, 0 if before else 1, 0 if before else 1
    if event in (QUEUE_FULL, MEMORY_FULL):
        return {"overloaded"}, 0, 0
    if kind.fast and event == LEAVES and state == TAKEN:
        return {"none"}, 0, 1  # the broker does not see what a worker has received and not noted
    if kind.fast and event == DRAIN:
        return {"ok", "unavailable", "none"}, 0, 1  # it may be given back, and the broker takes no more calls
    if event in (LEAVES, CANCELS):
        before = state in (ARRIVING, *NOT_BEGUN)
        return {"none"}, 0 if before else 1, 0 if before else 1
    if event in (TIMES_OUT, STOPPED):
        return {"deadline_exceeded"}, 0 if state in NOT_BEGUN else 1, 0 if state in NOT_BEGUN else 1
    if event == KILLED and state == TAKEN:
        # The last worker of its kind has died: what it had received goes to the next one.
        return {"ok", "worker_crashed"}, 0, 1
    if event == KILLED and state in (BEGUN, RETURNED):
        if kind.is_idempotent and kind.size < wire.LARGE:
            return {"ok"}, 2, 2
        return {"worker_crashed"}, 1, 1
    if event == DRAIN and state == ARRIVING:
        return {"unavailable", "none"}, 0, 0
    if event == DRAIN and state in NOT_BEGUN:
        return {"ok"}, 1, 1
    return {"ok"}, 1, 1


def _expected_of_notification(pair: Pair) -> tuple[set[str], int, int]:
    """Its caller is told that it was accepted, and not what became of it. Once it was, it runs whatever the caller does."""
    state, event = pair
    if event in (QUEUE_FULL, MEMORY_FULL):
        return {"overloaded"}, 0, 0
    if state == ARRIVING and event in (LEAVES, BROKER_KILLED):
        return {"none"}, 0, 0
    if state == ARRIVING and event == DRAIN:
        return {"unavailable", "none"}, 0, 0
    return {"accepted"}, 0 if event in (KILLED, BROKER_KILLED) else 1, 1


class Play:
    """A broker with one worker, and one call at a time in its middle."""

    def __init__(self, folder: Path, kind: Kind, *arguments: str) -> None:
        self.kind = kind
        self.chaos = folder / "chaos"
        self.chaos.mkdir(exist_ok=True)
        self.journal = self.chaos / "journal"
        self.address = f"unix://{folder}/b.sock"
        self._arguments = arguments
        self._number = 0
        self._held: list[Path] = []
        self.start()
        self.baseline = self.memfds()

    def start(self) -> None:
        limits = (
            "--interrupt-grace",
            "0.3",
            "--shutdown-timeout",
            "10",
            "--concurrency",
            "1",
            "--queue-calls",
            "40",
        )
        self.broker = BrokerProcess(
            "tests.apps.steps",
            *limits,
            *self._arguments,
            workers=1,
            address=self.address,
            cwd=PACKAGE,
            env={"GOTASK_CHAOS": str(self.chaos)},
        )
        self.broker.wait_for("ready", 60)
        self.other = Peer(self.address)

    def memfds(self) -> int:
        return sum("memfd:gotask" in target for target in descriptors(self.broker.process.pid))

    def perform(self, pair: Pair) -> str:
        """What went wrong, or nothing."""
        caller = FastPeer(self.address) if self.kind.fast else Peer(self.address)
        try:
            found = self._perform(pair, caller)
        finally:
            self._release()
            caller.close()
        return problems(pair, self.kind, found) or self._aftermath(pair)

    def close(self) -> str:
        """Ends it; what it has left behind."""
        # What is kept for the next large call goes after a second without one.
        gone = eventually(lambda: self.memfds() <= self.baseline, 10)
        left = "" if gone else f"shared memory is left: {[*map(str, opened(self.broker.process.pid))]}"
        self.other.close()
        code = self.broker.end()
        return left or (f"the broker ended with {code}" if code else "")

    # -- one pair -----------------------------------------------------------------------------------------------------

    def _perform(self, pair: Pair, caller: Peer) -> Outcome:
        state, event = pair
        self._number += 1
        token = f"{self.kind.name.replace(' ', '-')}-{self._number}"
        # Of no size that anything kept would fit, where there is to be no memory.
        body = os.urandom(8) * ((3 << 20 if event == MEMORY_FULL else self.kind.size) // 8)
        times = UNREAD_SIZE // len(body) if state == UNREAD else 1
        frame = self._frame(token, body, times, SHORT if event in (TIMES_OUT, STOPPED) else LONG)
        rest = b""
        if state == ARRIVING:
            if event == QUEUE_FULL:
                self._fill()
            half = 0 if event == MEMORY_FULL else len(frame) // 2  # with its head comes its memory
            rest = frame[half:]
            caller.socket.sendall(frame[:half])
        else:
            self._bring(state, caller, frame, token)
        self._happen(event, caller, rest)
        if event in (LEAVES, BROKER_KILLED) or event == CANCELS and not self.kind.notify:
            accepted = self.kind.notify and state != ARRIVING
            found = "accepted" if accepted else "none", ""
            if event == CANCELS and state == UNREAD:
                self._read(caller, token, body, times)
        else:
            found = self._read(caller, token, body, times, event in (TIMES_OUT, STOPPED))
        if event == DRAIN:
            self._release()
            self.broker.end()
            self.start()
        self._release()
        if event != BROKER_KILLED:
            self._settle()
        return Outcome(*found, self.journal.read_text().split().count(token))

    def _frame(self, token: str, body: bytes, times: int, timeout: int) -> bytes:
        flags = wire.ARGS | (wire.NOTIFY if self.kind.notify else 0)
        name = self.kind.method.encode()
        payload = name + msgpack.packb([[token, 0.0, body, times], {}])
        return wire.encode(wire.MSGPACK, (self._sequence, len(name), timeout, flags), payload)

    @property
    def _sequence(self) -> int:
        return FAST_BIT | 77 if self.kind.fast else 77

    def _say(self, caller: Peer, *reason: int) -> None:
        """Of the call."""
        caller.socket.sendall(wire.encode(wire.CONTROL, (self._sequence, *reason), b"", wire.STOP))

    def _bring(self, state: str, caller: Peer, frame: bytes, token: str) -> None:
        """Brings the call into a state and holds it there."""
        if state in (QUEUED, IN_KERNEL):
            self._occupy()
            if state == QUEUED:
                self._fill(1)
        elif state == TAKEN:
            self._hold("fast-received" if self.kind.fast else "received")
        elif state == BEGUN:
            self._hold("running")
        elif state == RETURNED:
            self._hold("fast-returned" if self.kind.fast else "returned")
        before = self._status()
        if isinstance(caller, FastPeer):
            caller.post(frame)
        else:
            caller.socket.sendall(frame)
        if state == QUEUED:
            assert eventually(lambda: self._number_of("queued") == int(before["queued"]) + 1)
        elif state == IN_KERNEL and self.kind.fast:
            pass  # no worker takes it
        elif state == IN_KERNEL:
            assert eventually(lambda: self._number_of("running") == int(before["running"]) + 1)
        elif state == UNREAD:
            assert eventually(lambda: token in self.journal.read_text().split())
            assert eventually(lambda: self._number_of("running") == 0)
        else:
            assert eventually(lambda: all(map(os.path.exists, self._signs())))

    def _happen(self, event: str, caller: Peer, rest: bytes) -> None:
        if event == LEAVES:
            before = self._number_of("connections")
            caller.close()
            assert eventually(lambda: self._number_of("connections") < before)
        elif event == CANCELS:
            self._say(caller, CANCELLED)
            self._status()  # asked for behind it, so it has been seen
        elif event == KILLED:
            (pid,) = self._workers()
            os.kill(pid, signal.SIGKILL)
            assert gone([pid], 10)
        elif event == STOPPED:
            (pid,) = self._workers()
            os.kill(pid, signal.SIGSTOP)
            if self.kind.fast:
                self._say(caller, LATE)
            if not self.kind.notify:
                assert eventually(
                    lambda: self._has_come(caller)
                ), "nobody tells its caller that its time is over"
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        elif event == RELOAD:
            generation = self._number_of("generation")
            self.broker.process.send_signal(signal.SIGHUP)
            assert eventually(lambda: self._number_of("generation") > generation)
        elif event == DRAIN:
            self.broker.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: bool(self._has_gone_away()))
        elif event == BROKER_KILLED:
            below = children(self.broker.process.pid)
            self.broker.end(signal.SIGKILL)
            assert gone(below, 10)
            self._release()
            self.start()
            return
        elif event == MEMORY_FULL:
            pid = self.broker.process.pid
            limit = resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
            with suppress(OSError):
                caller.socket.sendall(rest)
            self._has_come(caller)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
            return
        if event == TIMES_OUT and self.kind.fast:
            self._say(caller, LATE)
        if event == TIMES_OUT and not self.kind.notify:
            assert eventually(lambda: self._has_come(caller))
        if rest and event != LEAVES:
            with suppress(OSError):
                caller.socket.sendall(rest)
        if event == QUEUE_FULL:
            self._has_come(caller)
        if event not in (LEAVES, TIMES_OUT) or self.kind.notify:
            self._release()

    def _read(
        self, caller: Peer, token: str, body: bytes, times: int, is_late: bool = False
    ) -> tuple[str, str]:
        try:
            if isinstance(caller, FastPeer):
                result = self._fast_result(caller, token, body, times, is_late)
            else:
                result = caller.result(77)
        except (EOFError, OSError):
            return "none", ""
        if isinstance(result, dict):
            return str(result["code"]), str(result["message"])
        if self.kind.notify:
            return "accepted", ""
        return ("ok" if result == answer(token, body, times) else "a wrong answer"), ""

    def _fast_result(self, caller: FastPeer, token: str, body: bytes, times: int, is_late: bool) -> Any:
        """A call that is given back is sent again by the broker, as clients do while there is time.

        One that was revoked in an earlier pair may have the broker give back what lies unread in fast sockets.
        """
        if self._sequence not in caller.outcomes:
            self._say(caller, TAKE_BACK)
            self._has_come(caller)
        result = caller.value(self._sequence)
        if result != GIVEN_BACK:
            return result
        if is_late:
            return {"code": "deadline_exceeded", "message": ""}
        return caller.call(self.kind.method, [[token, 0.0, body, times], {}], LONG, wire.ARGS)

    # -- what surrounds it --------------------------------------------------------------------------------------------

    def _occupy(self) -> None:
        """Has the worker run a call of another caller until _release()."""
        self._hold("running")
        self._send("busy")
        assert eventually(lambda: all(map(os.path.exists, self._signs())))

    def _fill(self, least: int = 40) -> None:
        """Has so many calls wait in the broker, at least."""
        if not self._held:
            self._occupy()
        while self._status()["queued"] < least:
            self._send("filler")

    def _send(self, token: str) -> None:
        method = "Async.work" if self.kind.worker == "async" else "Sync.work"
        self.other.send(method, [[token, 0.0, b"", 1], {}], 0, wire.ARGS)

    def _hold(self, name: str) -> None:
        path = self.chaos / f"hold-{self.kind.worker}-{name}"
        path.touch()
        self._held.append(path)

    def _signs(self) -> Iterator[str]:
        return (f"{path}.held" for path in self._held)

    def _release(self) -> None:
        for path in self._held:
            path.unlink(missing_ok=True)
        for sign in self._signs():
            Path(sign).unlink(missing_ok=True)
        self._held.clear()

    def _has_come(self, caller: Peer) -> bool:
        """Whether the outcome is there."""
        caller.socket.settimeout(10)
        if isinstance(caller, FastPeer):
            while self._sequence not in caller.outcomes:
                for ready in select.select([caller.socket, caller.fast], [], [], 10)[0]:
                    if ready is caller.socket:
                        caller.read()
                    elif not caller.receive():
                        raise EOFError
            return True
        while 77 not in caller.replies:
            caller.read()
        return True

    def _has_gone_away(self) -> bool:
        while not self.other.others:
            self.other.read()
        return True

    def _workers(self) -> list[int]:
        """The ready ones of the call's kind."""
        workers = [worker for worker in self._status()["workers"] if worker["kind"] == self.kind.worker]
        return [int(w["pid"]) for w in workers if not w["service"] and w["state"] in ("idle", "busy")]

    def _status(self) -> dict[str, Any]:
        peer = Peer(self.address)
        try:
            return dict(peer.call("GoTask.Status"))
        finally:
            peer.close()

    def _number_of(self, what: str) -> int:
        return int(self._status()[what])

    def _settle(self) -> None:
        def settled() -> bool:
            status = self._status()
            return status["queued"] == status["running"] == 0 and len(self._workers()) == 1

        assert eventually(settled), f"it does not come to rest: {self._status()}"

    def _aftermath(self, pair: Pair) -> str:
        """Calls of the same size and kind get their own answers, from another caller."""
        peer = Peer(self.address)
        try:
            for mark in (b"\1", b"\2"):
                body = mark * self.kind.size
                method = self.kind.method
                if peer.call(method, [["after", 0.0, body, 1], {}], LONG, wire.ARGS) != answer(
                    "after", body, 1
                ):
                    return "the next caller got a wrong answer"
        finally:
            peer.close()
        return ""


def play(folder: Path, kind: Kind) -> dict[str, str]:
    """Makes all pairs for one kind of call; what went wrong, by pair."""
    found: dict[str, str] = {}
    for name, arguments, wanted in _STAGES:
        pairs = [pair for pair in PAIRS if wanted(pair) and kind.has(pair)]
        if not pairs:
            continue
        (folder / name).mkdir()
        stage = Play(folder / name, kind, *arguments)
        for pair in pairs:
            try:
                problem = stage.perform(pair)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                found[f"{pair.state} / {pair.event}"] = problem
        problem = stage.close()
        if problem:
            found[name] = problem
    return found


def _is_recycling(pair: Pair) -> bool:
    return pair.event == RECYCLED


_STAGES: tuple[tuple[str, tuple[str, ...], Callable[[Pair], bool]], ...] = (
    ("ordinary", (), lambda pair: not _is_recycling(pair)),
    ("recycling", ("--max-calls", "2"), _is_recycling),
)
