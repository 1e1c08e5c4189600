"""A worker as the broker sees it: a child process, its channel, its notes, its standard error."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from asyncio import AbstractEventLoop
from struct import Struct
from typing import TYPE_CHECKING, Any

from ._entry import MESSAGES
from ._log import Log
from ._memory import Segment
from ._records import RECORD, REPLY, REPLY_IN_PLACE, REPLY_SHARED, YIELD
from ._slots import Slots

if TYPE_CHECKING:
    from ._pool import WorkerPool

_MAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
_FD_SPACE = socket.CMSG_SPACE(4 * 64)
_STDERR_TAIL = 8192

# Bytes; more than a socket's buffer lets through.
MAX_LOG_RECORD = 1024 * 1024

# Numerical libraries start a thread for each processor, in each worker; several workers want one each.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class WorkerHandle:
    """One worker process. States: starting, ready, dead."""

    def __init__(
        self,
        app: str,
        lanes: tuple[socket.socket, socket.socket],
        concurrency: int,
        max_payload: int,
        single_thread: bool,
        log_level: str,
    ) -> None:
        self.slots = Slots(concurrency)
        self.state = "starting"
        self.failure: dict[str, Any] | None = None
        self.calls = 0
        self.is_async = False
        self.yielding = False  # it was asked to make room for a sync call
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        self._log_socket, their_log = socket.socketpair(socket.AF_UNIX, MESSAGES)
        self._log_socket.setblocking(False)
        self._partial = b""
        self._descriptors: list[int] = []
        self._stderr_tail = b""
        self._stderr, their_stderr = os.pipe()
        os.set_blocking(self._stderr, False)
        descriptors = (
            theirs.fileno(),
            their_log.fileno(),
            self.slots.segment.fd,
            lanes[0].fileno(),
            lanes[1].fileno(),
        )
        numbers = ",".join(map(str, (*descriptors, concurrency, max_payload, os.getpid())))
        environment = {**os.environ, "GOTASK_LOG_LEVEL": log_level}
        if single_thread:
            for name in _THREAD_VARIABLES:
                environment.setdefault(name, "1")
        try:
            # In a session of its own: a terminal's Ctrl-C reaches the broker only, and what user code starts can be ended
            # with it.
            self.process = subprocess.Popen(
                [sys.executable, _MAIN, "--worker", numbers, app],
                stdin=subprocess.DEVNULL,
                stdout=their_stderr,
                stderr=their_stderr,
                pass_fds=descriptors,
                start_new_session=True,
                env=environment,
            )
            self._pidfd = os.pidfd_open(self.process.pid) if hasattr(os, "pidfd_open") else -1
        except OSError:
            self._close()
            raise
        finally:
            theirs.close()
            their_log.close()
            os.close(their_stderr)

    @property
    def pid(self) -> int:
        return self.process.pid

    def watch(self, loop: AbstractEventLoop, pool: WorkerPool, scratch: memoryview, log: Log) -> None:
        """Begins to hand on what the worker sends, and its death once all of that has been read."""
        self._loop = loop
        self._pool = pool
        self._scratch = scratch
        self._log = log
        loop.add_reader(self._channel, self._readable)
        loop.add_reader(self._log_socket, self._log_readable)
        loop.add_reader(self._stderr, self._stderr_readable)
        if self._pidfd >= 0:
            loop.add_reader(self._pidfd, self._ended)

    def yield_to_sync(self) -> None:
        """Asks it to end the async calls that it has, and to take a sync one before any others."""
        self.yielding = True
        try:
            self._log_socket.send(YIELD)
        except OSError:
            pass  # it is ending, or has been asked a hundred thousand times

    def kill(self) -> None:
        """Ends the worker and what it started, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def how_it_died(self) -> tuple[str, dict[str, Any]]:
        """In words, and as the error's data."""
        status = self.process.returncode
        stderr = self._stderr_tail.decode("utf-8", "replace")
        data: dict[str, Any] = {"pid": self.pid, "stderr": stderr}
        if status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            data["signal"] = -status
            return f"was killed by {name}", data
        data["exit_code"] = status
        return f"ended with exit code {status}", data

    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._channel)
            if self._pidfd < 0:
                self._ended()
        self._pool.batch()

    def _read(self) -> bool:
        """Reads what is there. False at the end of the channel."""
        try:
            count, ancillary, flags, _ = self._channel.recvmsg_into((self._scratch,), _FD_SPACE)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionResetError:
            return False
        if not count:
            return False
        if ancillary or flags & socket.MSG_CTRUNC:
            # One at most: the kernel ends a read behind what a descriptor came with. Without room for it here it is gone,
            # and its place has to stay, lest another call's result be taken for it.
            self._descriptors += _descriptors(ancillary) or [-1]
        data = bytes(self._scratch[:count])
        if self._partial:
            data, self._partial = self._partial + data, b""
        pool = self._pool
        offset, end = 0, len(data)
        while end - offset >= RECORD.size:
            number, size, kind, lane = RECORD.unpack_from(data, offset)
            start = offset + RECORD.size
            if kind == REPLY_SHARED:
                pool.large_reply(self, lane, number, _segment(size, self._descriptors.pop(0)))
                offset = start
                continue
            if kind == REPLY_IN_PLACE:
                pool.large_reply(self, lane, number, size)
                offset = start
                continue
            if end - start < size:
                break
            offset = start + size
            if kind == REPLY:
                pool.reply(self, lane, number, data[start:offset])
            else:
                pool.record(self, kind, data[start:offset])
        if offset < end:
            self._partial = data[offset:]
        return True

    def _log_readable(self) -> bool:
        """Passes on a log record that it sent. False: there was none."""
        try:
            record = self._log_socket.recv(MAX_LOG_RECORD)
        except OSError:
            return False
        if not record:
            self._loop.remove_reader(self._log_socket)
            return False
        try:
            self._log.record(json.loads(record))
        except ValueError:
            self._log.warning("a worker sent a log record that is no JSON", pid=self.pid)
        return True

    def _stderr_readable(self) -> None:
        try:
            data = os.read(self._stderr, 65536)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self._loop.remove_reader(self._stderr)
            return
        self._stderr_tail = (self._stderr_tail + data)[-_STDERR_TAIL:]
        self._log.raw(data)

    def _ended(self) -> None:
        self.kill()  # what it started and left behind; before wait(), so that the number is still its own
        self.process.wait()
        self._loop.remove_reader(self._channel)
        self._loop.remove_reader(self._stderr)
        self._loop.remove_reader(self._log_socket)
        while self._log_readable():
            pass
        while self._channel_has_data() and self._read():
            pass
        self._stderr_readable()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        self._pool.died(self)
        self._close()
        self._pool.batch()

    def _close(self) -> None:
        os.close(self._stderr)
        self._channel.close()
        self._log_socket.close()
        self.slots.close()

    def _channel_has_data(self) -> bool:
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


def _segment(size: int, descriptor: int) -> Segment | None:
    """None: it did not come through, or can't be mapped, for want of descriptors."""
    if descriptor < 0:
        return None
    segment = Segment(size, fd=descriptor)
    try:
        segment.view
    except OSError:
        segment.close()
        return None
    return segment


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found += Struct(f"{len(data) // 4}i").unpack(data[: len(data) // 4 * 4])
    return found
