"""The worker process: takes calls from its lanes and runs them. It imports asyncio only for an app with async methods."""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys
import time

from ._entry import ENTRY, MESSAGE_SIZE, SHARED
from ._linux import die_with_parent
from ._loader import load
from ._memory import Segment
from ._registry import default_registry
from ._runner import Job, Runner, make_job, parse_job
from ._slots import Slots
from ._records import FAILED, READY, RECORD, REPLY, REPLY_IN_PLACE, REPLY_SHARED, SYNC
from ._protocol import LARGE, Buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# Replies to the calls of one message are gathered while their methods are quick, which is: the last call took less than
# QUICK seconds. What was slow for once is sent at once, with what was gathered before it, up to GATHER_BYTES at a time.
QUICK = 0.0002
GATHER_BYTES = 32 * 1024

# Characters of a log record's message where the whole record does not fit into a message of the socket.
MAX_LOG_MESSAGE = 16 * 1024


class Channel:
    """What the worker sends to the broker: whole records, one after the other, from the thread that runs the calls alone.

    Log records come from any thread, and from processes that a method forked: they go as messages of a socket of their own.
    """

    def __init__(self, fd: int, log_fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._log = socket.socket(fileno=log_fd)
        self._sendall = self._socket.sendall
        os.register_at_fork(after_in_child=self._forked)

    def send(self, data: bytes) -> None:
        self._sendall(data)

    def fileno(self) -> int:
        """Of the socket for what the broker asks: that of the log records, since a watched one becomes non-blocking."""
        return self._log.fileno()

    def receive(self) -> bytes:
        """What the broker has asked; empty at the end."""
        return self._log.recv(64, socket.MSG_DONTWAIT)

    def record(self, kind: int, content: Any) -> None:
        body = json.dumps(content, default=repr).encode()
        self._sendall(RECORD.pack(0, len(body), kind, 0) + body)

    def log(self, content: Any) -> None:
        """Sends a log record. One that is too large for a message loses its traceback and the end of its text."""
        try:
            self._send_log(content)
        except OSError:
            content = {
                **content,
                "message": content["message"][:MAX_LOG_MESSAGE],
                "context": {},
                "exception": None,
            }
            try:
                self._send_log(content)
            except OSError:
                pass  # the broker is gone, and this process goes with it

    def reply(self, job: Job, lane: int, frame: list[Buffer]) -> None:
        """Answers a call with a frame that is given in parts."""
        size = job.reply_size
        if size < LARGE:
            self._sendall(b"".join((RECORD.pack(job.number, size, REPLY, lane), *frame)))
        elif job.segment is not None and size <= job.segment.size:
            # Its memory is committed, and the broker has it mapped: the quickest way back.
            job.segment.write(frame)
            self._sendall(RECORD.pack(job.number, size, REPLY_IN_PLACE, lane))
        else:
            self._reply_shared(job.number, size, lane, frame)
        if job.segment is not None:
            job.segment.close()

    def _send_log(self, content: Any) -> None:
        data = json.dumps(content, default=repr).encode()
        while True:
            try:
                self._log.send(data)
                return
            except BlockingIOError:
                from select import select

                select((), (self._log,), ())

    def _forked(self) -> None:
        """In a child that a method forked and that came out of the method: it answers nothing, its parent does."""

        def leave(data: bytes) -> None:
            os._exit(0)

        self._sendall = leave  # type: ignore[assignment]

    def _reply_shared(self, number: int, size: int, lane: int, frame: list[Buffer]) -> None:
        segment = Segment(size)
        try:
            segment.write(frame)
            descriptors = array.array("i", [segment.fd])
            self._socket.sendmsg(
                [RECORD.pack(number, size, REPLY_SHARED, lane)],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
            )
        finally:
            segment.close()


class Worker:
    """Runs sync calls one at a time, in the order in which the kernel hands them out."""

    def __init__(self, channel: Channel, slots: Slots, runner: Runner) -> None:
        self._channel = channel
        self._slots = slots
        self._runner = runner
        self._took: dict[bytes, float] = {}  # seconds that the last call of a method took

    def serve(self, lane: socket.socket) -> None:
        """Until the lane ends: the broker has closed it, and all that was in it has been run."""
        while message := lane.recv(MESSAGE_SIZE):
            self.run(message)

    def run(self, message: bytes) -> None:
        """Runs the calls of one message."""
        number, deadline, size, flags = ENTRY.unpack_from(message)
        if ENTRY.size + size == len(message) or flags & SHARED:
            self._slots.begin(number)
            if flags & SHARED:
                job = parse_job(message, 0)
            else:
                job = make_job(number, deadline, flags, message, ENTRY.size, size, None)
            self._channel.reply(job, SYNC, self._answer(job))
            return
        offsets = _entries(message)
        self._slots.message(number, number + len(offsets) - 1)
        gathered: list[Buffer] = []
        held = 0
        now = time.monotonic()
        for offset in offsets:
            job = parse_job(message, offset)
            if gathered and self._took.get(job.method, QUICK) >= QUICK:
                self._channel.send(b"".join(gathered))
                gathered, held = [], 0
            self._slots.begin(job.number)
            reply = self._answer(job)
            began, now = now, time.monotonic()
            self._took[job.method] = now - began
            size = job.reply_size
            if size >= LARGE:
                self._channel.reply(job, SYNC, reply)
                continue
            gathered.append(RECORD.pack(job.number, size, REPLY, SYNC))
            gathered += reply
            held += size
            if held > GATHER_BYTES or now - began >= QUICK:
                self._channel.send(b"".join(gathered))
                gathered, held = [], 0
        if gathered:
            self._channel.send(b"".join(gathered))

    def _answer(self, job: Job) -> list[Buffer]:
        if job.deadline and job.deadline <= time.monotonic():
            return self._runner.expired(job)
        return self._runner.run(job)


def _entries(message: bytes) -> list[int]:
    offsets = []
    offset, end = 0, len(message)
    while offset < end:
        offsets.append(offset)
        offset += ENTRY.size + int(ENTRY.unpack_from(message, offset)[2])
    return offsets


def main() -> int:
    """`--worker channel,log,slots,sync,async,concurrency,max_payload,parent APP`, as the broker starts it."""
    channel_fd, log_fd, slots_fd, sync_fd, async_fd, concurrency, max_payload, parent = map(
        int, sys.argv[2].split(",")
    )
    app = sys.argv[3]
    die_with_parent(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.argv = [app]
    # What a method prints goes to the log; a dying worker's last words are not to be lost in a buffer.
    sys.stdout = open(1, "w", buffering=1, errors="backslashreplace", closefd=False)
    channel = Channel(channel_fd, log_fd)
    slots = Slots(concurrency, fd=slots_fd)
    lanes = (socket.socket(fileno=sync_fd), socket.socket(fileno=async_fd))
    forward_logging(channel)
    try:
        load(app)
    except BaseException as error:
        return report_failure(channel, error)
    runner = Runner(default_registry, max_payload)
    worker = Worker(channel, slots, runner)
    if default_registry.needs_loop:
        from ._worker_async import serve

        return serve(channel, slots, runner, worker, lanes, concurrency)
    return _serve(channel, worker, lanes[SYNC])


def _serve(channel: Channel, worker: Worker, lane: socket.socket) -> int:
    try:
        for _, opens in default_registry.opening():
            opens()
    except BaseException as error:
        return report_failure(channel, error)
    channel.record(READY, {"methods": default_registry.describe()})
    worker.serve(lane)
    for name, closes in default_registry.closing():
        try:
            closes()
        except Exception as error:
            report_close(name, error)
    return 0


def report_failure(channel: Channel, error: BaseException) -> int:
    """Tells the broker why this worker can't start; returns the exit code."""
    import traceback

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    sys.stderr.write(text)
    sys.stderr.flush()
    channel.record(FAILED, {"message": text.rstrip()})
    return 70


def leave(code: int) -> NoReturn:
    """Ends this process as Python does, but without waiting for threads that a method started and left running."""
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more
    os._exit(code)


def report_close(service: str, error: BaseException) -> None:
    """A service that can't be closed keeps no other from it."""
    import logging

    logging.getLogger("gotask").error("closing %s failed", service, exc_info=error)


def forward_logging(channel: Channel) -> None:
    """Records of the logging module reach the broker, and so the PHP side's logger, at their own level."""
    import logging

    formatter = logging.Formatter()
    standard = set(vars(logging.makeLogRecord({})))

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            context = {key: value for key, value in vars(record).items() if key not in standard}
            content: dict[str, Any] = {
                "level": record.levelname.lower(),
                "message": record.getMessage(),
                "logger": record.name,
                "time": record.created,
                "context": {**context, "pid": os.getpid()},
            }
            if record.exc_info:
                content["exception"] = formatter.formatException(record.exc_info)
            channel.log(content)

    logging.basicConfig(level=os.environ.get("GOTASK_LOG_LEVEL", "info").upper(), handlers=[Forward()])
