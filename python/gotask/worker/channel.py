"""What a worker sends to the broker: answers and news on its channel, log records on a socket of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from ..ipc.messages import (
    ENDED,
    EXCHANGE,
    EXCHANGE_SHARED,
    FRAMES,
    MAX_MICROSECONDS,
    RECORD,
    REFUSED,
    REPLY,
    REPLY_IN_PLACE,
    REPLY_SHARED,
    REQUEST,
    RETURNED,
    TAINTED,
    TOLD_TASKS,
    receive,
)
from ..ipc.segment import Segment
from ..wire.frames import LARGE, SLOW, TIMED, Buffer
from .jobs import NoPayload, TakenJob

# Characters of a log record's message where the whole record does not fit into a message of the socket.
MAX_LOG_MESSAGE: Final = 16 * 1024

_SIGNALS: Final = signal.valid_signals()
_mask: Final = signal.pthread_sigmask


class NoRoom(Exception):
    """A large reply for which this process gets no memory or no descriptor; nothing of it was sent."""


class Channel:
    """What the worker sends to the broker: whole records, one after the other, from the thread that runs the calls alone.

    Log records come from any thread, and from processes that a method forked: they go as messages of a socket of their own.
    """

    def __init__(self, fd: int, descriptors_fd: int, log_fd: int) -> None:
        self.can_be_fast: Callable[[bytes], bool] = lambda method: False
        self._tainted = False  # it was said that another worker is to take this one's place
        self._socket = socket.socket(fileno=fd)
        # Of large replies: one message for each record that has one. So the records can be read as plain bytes.
        self._descriptors = socket.socket(fileno=descriptors_fd)
        self._log = socket.socket(fileno=log_fd)
        self._sendall = self._socket.sendall
        self.kept: list[tuple[int, int, int, bytes]] = []  # requests that came while a call was waited for
        self.is_forked = False  # this is a child that a method forked and that came out of the method
        os.register_at_fork(after_in_child=self._forked)

    def returned(self, number: int, method: bytes = b"") -> None:
        """This call was not begun, as the broker has revoked it. method: its name, where the broker may not know it."""
        self._sendall(RECORD.pack(number, len(method), RETURNED, 0) + method)

    def refused(self, number: int, error: NoPayload) -> None:
        """This call can't be run here, and was not begun."""
        text = str(error).encode("utf-8", "replace")
        self._sendall(RECORD.pack(number, len(text), REFUSED, 0) + text)
        if error.lasts and not self._tainted:
            self._tainted = True
            self.record(TAINTED, {"reason": str(error)})

    def fileno(self) -> int:
        """Of the socket for what the broker asks: that of the log records, since a watched one becomes non-blocking."""
        return self._log.fileno()

    def asked(self) -> tuple[int, int, int, bytes]:
        """The next request with its number, the descriptor that came with it or -1, and its content. Its kind is ENDED when
        the broker has closed the socket. BlockingIOError: there is none."""
        request, fd = receive(self._log, socket.MSG_DONTWAIT)
        if not request:
            return ENDED, 0, -1, b""
        kind, number = REQUEST.unpack_from(request)
        return kind, number, fd, request[REQUEST.size :]

    def message(self, number: int, frame: tuple[bytes, ...]) -> None:
        """Sends a message within a call, given in parts. NoRoom: there is no memory or descriptor for a large one."""
        size = sum(map(len, frame))
        # A handler of the method's own may raise (an alarm): in the middle of a record it would cut that short.
        before = _mask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if size < LARGE:
                self._sendall(b"".join((RECORD.pack(number, size, EXCHANGE, 0), *frame)))
            elif self.is_forked:
                self.leave()
            else:
                self._send_shared(number, size, frame, EXCHANGE_SHARED, 0)
        finally:
            _mask(signal.SIG_SETMASK, before)

    def frames(self, number: int, frames: Buffer) -> None:
        """Replies and what else a client was to get on its fast socket, whose number is that of a call of it."""
        self._sendall(b"".join((RECORD.pack(number, len(frames), FRAMES, 0), frames)))

    def tasks(self, number: int, text: str) -> None:
        """Where the tasks of this async worker are: the answer to TASKS with that number."""
        body = text.encode("utf-8", "replace")
        self._sendall(RECORD.pack(number, len(body), TOLD_TASKS, 0) + body)

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

    def reply(self, job: TakenJob, frame: list[Buffer], seconds: float) -> None:
        """Answers a call, which took so long to run, with a frame that is given in parts. NoRoom: it is not sent."""
        size = job.reply_size
        took = microseconds(seconds)
        if job.flags & TIMED:
            # A method that sends its caller messages is not for the fast path: these come on the ordinary connection.
            slow = 0 if job.exchange is None and self.can_be_fast(job.method) else SLOW
            frame[1] = b"".join((frame[1], (min(took, SLOW - 1) | slow).to_bytes(4, "little")))
        if size < LARGE:
            self._sendall(b"".join((RECORD.pack(job.number, size, REPLY, took), *frame)))
        elif self.is_forked:
            self.leave()  # before it writes to memory that is its parent's, and soon another call's
        elif job.segment is not None and size <= job.segment.size:
            # Its memory is committed, and the broker has it mapped: the quickest way back.
            try:
                job.segment.write(frame)
            except OSError as error:
                raise NoRoom(str(error)) from None
            self._sendall(RECORD.pack(job.number, size, REPLY_IN_PLACE, took))
        else:
            self._send_shared(job.number, size, frame, REPLY_SHARED, took)
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
        """In a child that a method forked: it answers nothing, its parent does."""
        self.is_forked = True
        self._sendall = self.leave  # type: ignore[assignment]

    def leave(self, what: Any = None) -> NoReturn:
        """Ends a child that a method forked."""
        from ..app.fork import end

        end(0)

    def _send_shared(self, number: int, size: int, frame: Iterable[Buffer], kind: int, took: int) -> None:
        try:
            segment = Segment(size)
        except OSError as error:
            raise NoRoom(str(error)) from None
        try:
            try:
                segment.write(frame)
            except OSError as error:
                raise NoRoom(str(error)) from None
            socket.send_fds(self._descriptors, [b"\0"], [segment.fd])
            self._sendall(RECORD.pack(number, size, kind, took))
        finally:
            segment.close()


def microseconds(seconds: float) -> int:
    """As a record holds them. A method that sets Python's clocks (freezegun does) can make it seem less than none."""
    return min(max(int(seconds * 1e6), 0), MAX_MICROSECONDS)
