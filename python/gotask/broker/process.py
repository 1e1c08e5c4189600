"""A worker as the broker sees it: a child process, its channel, its notes.

Starting it, what is asked of it, what it sends and its end share its descriptors, so they are in one file.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..config import Config
from ..ipc.linux import signal_main_thread
from ..ipc.messages import (
    CANCEL,
    CLIENT,
    EXCHANGE,
    EXCHANGE_SHARED,
    FRAMES,
    LEAVE,
    LOOK,
    MESSAGES,
    QUEUE,
    RECORD,
    REFUSED,
    REPLY,
    REPLY_IN_PLACE,
    REPLY_SHARED,
    REQUEST,
    RETURNED,
    TASKS,
    TOLD_TASKS,
)
from ..ipc.notes import NONE, UNKNOWN, WorkerNotes
from ..ipc.segment import Segment
from ..ipc.signals import INTERRUPT, STACK_SIGNALS, TELL_STACK, TELL_STACKS, TO_ALL
from ..wire.frames import Buffer
from . import children
from .call import SENT, Call
from .crash import CrashReport, OomCounter, Reading, Stacks, describe
from .environment import MAIN, Place, worker_environment
from .output import WorkerOutput
from .runtime import Runtime
from .shared_queue import SharedQueue


# Bytes read from a worker at a time.
_READ: Final = 65536


# Seconds that a worker usually takes to write its stacks: on a machine that is not busy well below a millisecond.
STACKS_TIME: Final = 0.02

# Seconds that a stopped process takes at most to be seen as such; then it is killed without more ado.
_STOP_TIME: Final = 0.002

# Seconds between two looks at a worker whose channel has ended.
_END_CHECK: Final = 0.1


class WorkerReplies(Protocol):
    """Who is given what a worker answers, and what it sends within calls."""

    def reply(self, worker: WorkerProcess, number: int, frame: bytes, now: float, took: int) -> None:
        """An ordinary reply has come; its method ran for `took` microseconds."""

    def large_reply(
        self, worker: WorkerProcess, number: int, content: Segment | int | None, now: float, took: int
    ) -> None:
        """A reply in shared memory has come, or None where it could not be received."""

    def message(
        self, worker: WorkerProcess, number: int, frame: Buffer | None, segment: Segment | None
    ) -> None:
        """It sends a message to the caller of a call that it runs; a large one lies in a segment, or None: it was lost."""

    def frames(self, number: int, frames: bytes) -> None:
        """A client's fast socket did not take these frames; `number` is that of a call of the client's."""

    def refuse(self, number: int, why: str) -> None:
        """It can't run a call, and has not begun it."""


class WorkerEvents(Protocol):
    """What a worker process tells its group, and asks of it."""

    name: str
    config: Config
    is_async: bool
    is_multiple: bool

    @property
    def replies(self) -> WorkerReplies:
        """Who is given what it answers."""

    @property
    def place(self) -> Place:
        """Where it finds the app."""

    def title(self, number: int) -> tuple[str, str, str, str]:
        """What tells a worker from others in a list of processes: its service, kind, number, generation."""

    def take_back(self, number: int, method: bytes) -> None:
        """It does not begin a call that was revoked."""

    def record(self, worker: WorkerProcess, kind: int, content: bytes) -> None:
        """News of the worker itself."""

    def died(self, worker: WorkerProcess) -> None:
        """It has ended, and all that it had sent has been read."""

    def call_of(self, number: int) -> Call | None:
        """The call of that number if it was sent and has not been answered, by either path."""


class WorkerProcess:
    """One worker process of a group. States: starting, ready, leaving (it takes no more calls), dead."""

    def __init__(self, group: WorkerEvents, queue: SharedQueue, number: int, max_calls: int) -> None:
        config = group.config
        self.is_async = group.is_async
        concurrency = config.concurrency if self.is_async else 0
        self.notes = WorkerNotes(concurrency)
        self.state = "starting"
        self.started_at = time.monotonic()
        self.failure: dict[str, Any] | None = None
        self.calls = 0
        self.number = number  # among those of its group that live at the same time, from 1
        self.max_calls = max_calls or sys.maxsize  # after so many it is replaced
        self.notes.limit_calls(max_calls)
        self.has_clients = False  # it has their fast sockets
        self.place = -1  # among those that take calls with keys; −1: none yet
        self.own: SharedQueue | None = None  # its queue of such calls, once there was one
        self.asking: Call | None = None  # the sync call that was the last to call back
        self.unwanted = ""  # why it is to be replaced, once the one that takes its place is ready
        self._group = group
        self._kill_reason = ""  # as the report names it, and in words
        self._kill_words = ""
        self._stacks = Stacks()
        self._asked_tasks: dict[int, Future[str]] = {}  # by the call whose task is asked for, 0: all
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        self._descriptors, their_descriptors = socket.socketpair()
        self._descriptors.setblocking(False)
        self._requests: deque[tuple[bytes, Segment | None]] = deque()  # that its socket did not take yet
        self._log_socket, their_log = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self._log_socket.setblocking(False)
        self._partial = b""
        self._peak_memory = 0
        self._stderr, their_stderr = os.pipe()
        try:
            # When the broker ends, however that is, the kernel ends what is left of the worker's group (see `ipc.linux`).
            their_lifeline, self._lifeline = os.pipe()
        except OSError:
            os.close(self._stderr)
            os.close(their_stderr)
            raise
        os.set_blocking(self._stderr, False)
        descriptors = (
            theirs.fileno(),
            their_descriptors.fileno(),
            their_log.fileno(),
            self.notes.segment.fd,
            self._stacks.fd,
            their_lifeline,
            queue.kernel.receiver.fileno(),
            queue.revoked.segment.fd,
        )
        grace = int(config.interrupt_grace * 1e6)
        numbers = ",".join(map(str, (*descriptors, concurrency, config.max_payload, os.getpid(), grace)))
        place = group.place
        # Blocked until it handles them, so that none of them ends it while it starts.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (*TO_ALL, *STACK_SIGNALS))
        try:
            # In a session of its own: a terminal's Ctrl-C reaches the broker only, and what user code starts can be ended
            # with it.
            self.process = subprocess.Popen(
                [sys.executable, MAIN, "--worker", place.app, *group.title(number), numbers],
                stdin=subprocess.DEVNULL,
                stdout=their_stderr,
                stderr=their_stderr,
                pass_fds=descriptors,
                start_new_session=True,
                cwd=place.folder or None,
                env=worker_environment(
                    os.environ, config.secret, config.log_level, group.is_multiple, place.folder
                ),
            )
        except OSError:
            os.close(self._lifeline)
            self._close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()
            their_descriptors.close()
            their_log.close()
            os.close(their_stderr)
            os.close(their_lifeline)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def in_service(self) -> bool:
        """Whether it takes calls."""
        return self.state == "ready"

    @property
    def waits(self) -> tuple[int, int] | None:
        """Which call back its sync call waits for, and so takes no other call; None: it does not wait."""
        call = self.asking
        if call is None or call.exchange is None or call.state is not SENT or not call.exchange.waits:
            return None
        return call.number, call.exchange.waits

    def watch(self, runtime: Runtime) -> None:
        """Begins to hand on what the worker sends, and its death once all of that has been read."""
        self._loop = runtime.loop
        self._flush = runtime.flush
        self._loop.add_reader(self._channel, self._readable)
        self._output = WorkerOutput(self._log_socket, self._stderr, self.pid, runtime.loop, runtime.log)

    # -- what it is asked ---------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Asks it to take no more calls and to end when those that it has are answered. To be repeated until it does."""
        self.state = "leaving"
        self.notes.leave()
        self.ask(LEAVE)

    def look(self, number: int = 0) -> None:
        """Asks it to look for calls at all its sockets, and to note that number then."""
        self.ask(LOOK, number)

    def add_client(self, client: int, fast: socket.socket) -> bool:
        """Hands over a client's fast socket. False: it can't be."""
        return self._hand_over(CLIENT, client, fast)

    def add_queue(self, queue: SharedQueue) -> bool:
        """Hands over a queue of its own. False: it can't be."""
        if not self._hand_over(QUEUE, 0, queue.kernel.receiver):
            return False
        self.own = queue
        return True

    def stop(self, number: int) -> None:
        """Asks it to end a call: an async one is cancelled, a sync one interrupted."""
        if not self.is_async:
            self.interrupt(number)
        self.ask(CANCEL, number)  # a sync one may wait for its caller, where no signal disturbs it

    def interrupt(self, number: int) -> None:
        """Interrupts the call if its method is what runs now."""
        self.notes.interrupt(number)
        self._signal(INTERRUPT)

    def has_heeded(self, number: int) -> bool:
        """Whether code of that async call has been interrupted since it was last asked to be."""
        return self.notes.has_heeded(number)

    def begun(self) -> list[int]:
        """The calls that it has begun; they may have been answered meanwhile."""
        return self.notes.begun()

    @property
    def has_looked(self) -> bool:
        """Whether it has seen the last interrupt: its Python code has had a processor since."""
        return self.notes.holder != UNKNOWN

    def held_by_other(self, number: int) -> int:
        """The async call that holds up the loop, where the worker says that it is another one than `number`; else 0."""
        holder = self.notes.holder
        return 0 if holder in (NONE, UNKNOWN, number) else holder

    # -- its end ------------------------------------------------------------------------------------------------------

    def kill(self, reason: str = "", words: str = "") -> None:
        """Ends the worker at once, and then what it started. `reason` and `words` say why, to those whose calls it ran."""
        self._kill_reason, self._kill_words = self._kill_reason or reason, self._kill_words or words
        self._signal(signal.SIGKILL)

    def write_stacks(self) -> None:
        """Makes it write down where its threads are, before it is killed."""
        self._stacks.clear()
        self.begin_stacks()

    def begin_stacks(self) -> Reading:
        """The same for one that goes on."""
        reading = self._stacks.begin()
        self._signal(TELL_STACK, signal_main_thread)
        self._signal(TELL_STACKS)
        return reading

    def told_stacks(self, reading: Reading) -> bytes:
        """What it has written by now, see crash.as_text()."""
        return self._stacks.told(reading)

    def end_stacks(self, reading: Reading) -> None:
        """They have been read, and are no part of a later report."""
        self._stacks.end(reading)

    def forget_stacks(self) -> None:
        """It has started: what it was asked for before it could write, it has written since."""
        self._stacks.clear()

    def ask_for_tasks(self, number: int) -> Future[str]:
        """Where the tasks of an async worker's calls are, or that of one call; once its loop answers."""
        asked = self._asked_tasks.get(number)
        if asked is None:
            asked = self._asked_tasks[number] = self._loop.create_future()
            self.ask(TASKS, number)
        return asked

    def stacks_written(self) -> int:
        """Bytes of them so far."""
        return self._stacks.size

    def kill_if_running(self, number: int, reason: str, words: str) -> bool:
        """Kills it unless it has answered that call: another one, which may run by now, is not to suffer. False: it has."""
        self._signal(signal.SIGSTOP)
        if self._is_stopped():
            self.read_all()
            if self._group.call_of(number) is None:
                self._stacks.clear()
                self._signal(signal.SIGCONT)
                return False
        self.kill(reason, words)
        return True

    def report(self, oom: OomCounter) -> CrashReport:
        """How it died. To be asked once."""
        status = self.process.returncode
        # Asked at each death, lest one that is long past is taken for the cause of the next.
        killed_by_kernel = oom.has_killed()
        unexplained = status == -signal.SIGKILL and not self._kill_words
        is_oom = (killed_by_kernel if oom.is_available else None) if unexplained else False
        return CrashReport(
            self.pid,
            status,
            describe(status, is_oom, bool(self._kill_words)),
            self._kill_reason,
            self._kill_words,
            is_oom,
            self._stacks.read(),
            self._output.tail.decode("utf-8", "replace"),
            self._peak_memory,
        )

    def read_all(self) -> None:
        """Takes what it has sent by now."""
        while self._channel_has_data() and self._read():
            pass

    def _hand_over(self, kind: int, number: int, what: socket.socket) -> bool:
        try:
            socket.send_fds(self._log_socket, [REQUEST.pack(kind, number)], [what.fileno()])
        except OSError:
            return False
        return True

    def ask(self, kind: int, number: int = 0, content: bytes = b"", segment: Segment | None = None) -> None:
        """Sends a request, now or as soon as its socket takes one more; frees the segment."""
        self._requests.append((REQUEST.pack(kind, number) + content, segment))
        if len(self._requests) == 1 and not self._send_requests():
            self._loop.add_writer(self._log_socket, self._send_on)

    def _send_on(self) -> None:
        if self._send_requests():
            self._loop.remove_writer(self._log_socket)

    def _send_requests(self) -> bool:
        """Whether all are sent."""
        while self._requests:
            message, segment = self._requests[0]
            try:
                if segment is None:
                    self._log_socket.send(message)
                else:
                    socket.send_fds(self._log_socket, [message], [segment.fd])
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                pass  # it is ending
            self._requests.popleft()
            if segment is not None:
                segment.destroy()  # not to be used again: the worker reads it
        return True

    def _signal(self, number: int, send: Callable[[int, int], None] = os.kill) -> None:
        if self.process.returncode is None:
            try:
                send(self.pid, number)
            except PermissionError:
                pass  # it has become another user's

    def _is_stopped(self) -> bool:
        until = time.monotonic() + _STOP_TIME
        while time.monotonic() < until:
            try:
                with open(f"/proc/{self.pid}/stat", "rb") as file:
                    if file.read().rpartition(b")")[2].split()[0] == b"T":
                        return True
            except OSError:
                return False
        return False

    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._channel)
            self._await_end()
        self._flush()

    def _read(self) -> bool:
        """Reads what is there. False at the end of the channel."""
        try:
            data = self._channel.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionResetError:
            return False
        if not data:
            return False
        if self._partial:
            data, self._partial = self._partial + data, b""
        self._partial = self._take(data)
        return True

    def _take(self, data: bytes) -> bytes:
        """Passes on the records; returns what is left of a last one that is not whole."""
        replies = self._group.replies
        now = time.monotonic()
        offset, end = 0, len(data)
        while end - offset >= RECORD.size:
            number, size, kind, took = RECORD.unpack_from(data, offset)
            start = offset + RECORD.size
            if kind == REPLY_SHARED:
                segment = self._segment(size)
                replies.large_reply(self, number, segment, now, took)
                offset = start
                continue
            if kind == EXCHANGE_SHARED:
                segment = self._segment(size)
                replies.message(self, number, None if segment is None else segment.view, segment)
                offset = start
                continue
            if kind == REPLY_IN_PLACE:
                replies.large_reply(self, number, size, now, took)
                offset = start
                continue
            if end - start < size:
                break
            offset = start + size
            if kind == REPLY:
                replies.reply(self, number, data[start:offset], now, took)
            elif kind == EXCHANGE:
                replies.message(self, number, data[start:offset], None)
            elif kind == FRAMES:
                replies.frames(number, data[start:offset])
            elif kind == RETURNED:
                self._group.take_back(number, data[start:offset])
            elif kind == REFUSED:
                replies.refuse(number, data[start:offset].decode("utf-8", "replace"))
            elif kind == TOLD_TASKS:
                asked = self._asked_tasks.pop(number, None)
                if asked is not None and not asked.done():
                    asked.set_result(data[start:offset].decode("utf-8", "replace"))
            else:
                self._group.record(self, kind, data[start:offset])
        return data[offset:] if offset < end else b""

    def look_for_end(self) -> None:
        """Sees whether it has ended, and what it left behind to its end."""
        if self.state == "dead" or not children.has_ended(self.pid):
            return
        is_alone = self._output.finish_printed()
        children.kill_group(self.pid, not is_alone, self._lifeline)
        self.process.returncode, self._peak_memory = children.wait(self.pid)
        self._loop.remove_reader(self._channel)
        self._loop.remove_writer(self._log_socket)
        self._output.finish()
        self.read_all()
        self._group.died(self)
        self._close()
        self._flush()

    def _await_end(self) -> None:
        """Its channel has ended. Looks until it is dead: code that runs in the broker may take the signal of its death away."""
        self.look_for_end()
        if self.state != "dead":
            self._loop.call_later(_END_CHECK, self._await_end)

    def _segment(self, size: int) -> Segment | None:
        """What a large reply is in. None: it did not come through, or can't be mapped, for want of descriptors."""
        try:
            _, descriptors, _, _ = socket.recv_fds(self._descriptors, 1, 1)
        except OSError:
            return None
        if not descriptors:
            return None
        segment = Segment(size, fd=descriptors[0])
        try:
            segment.view
        except OSError:
            segment.close()
            return None
        return segment

    def _close(self) -> None:
        os.close(self._stderr)
        for _, segment in self._requests:
            if segment is not None:
                segment.destroy()
        self._requests.clear()
        self._channel.close()
        self._descriptors.close()
        self._log_socket.close()
        self.notes.close()
        self._stacks.close()

    def _channel_has_data(self) -> bool:
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
