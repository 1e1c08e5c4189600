"""What a worker logs and prints, handed on to the log at the pace of the log's reader."""

from __future__ import annotations

import json
import os
import socket
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Final

from .log import Log
from .writer import NonBlockingWriter

# Bytes; more than a socket's buffer lets through.
MAX_LOG_RECORD: Final = 1024 * 1024

_STDERR_TAIL: Final = 8192

# Reads of a dead worker's output: more than a pipe holds. Another process that still writes there is not read for ever.
_LAST_READS: Final = 32

# Seconds that a worker's output waits for a reader of the log that takes nothing.
READER_TIME: Final = 0.5
_READER_CHECK: Final = 0.01


class WorkerOutput:
    """The socket of a worker's log records, and the pipe of its standard output and error."""

    def __init__(
        self, records: socket.socket, printed: int, pid: int, loop: AbstractEventLoop, log: Log
    ) -> None:
        self._records = records
        self._printed = printed
        self._pid = pid
        self._loop = loop
        self._log = log
        self._closed = False
        self.tail = b""  # the end of what it has printed
        loop.add_reader(records, self._take_record)
        loop.add_reader(printed, self._take_printed)

    def finish_printed(self) -> bool:
        """Takes what a worker that has ended had printed. False: another process has its end of the pipe, too."""
        size, reads = 1, 0
        while size > 0 and reads < _LAST_READS:
            size, reads = self._read_printed(), reads + 1
        return size == 0

    def finish(self) -> None:
        """Takes the last log records, and watches nothing any more."""
        self._closed = True
        self._loop.remove_reader(self._printed)
        self._loop.remove_reader(self._records)
        while self._read_record():
            pass

    def _take_record(self) -> None:
        if not self._must_wait(self._log.records, self._records.fileno(), self._take_record):
            self._read_record()

    def _take_printed(self) -> None:
        if not self._must_wait(self._log.output, self._printed, self._take_printed):
            self._read_printed()

    def _must_wait(self, writer: NonBlockingWriter, source: int, take: Callable[[], None]) -> bool:
        """Reads nothing while the reader of the log is behind: the worker waits as at any pipe, and nothing is lost.

        A reader that takes nothing for READER_TIME is given up: it would hold up calls.
        """
        if not writer.is_full:
            return False
        self._loop.remove_reader(source)
        until = time.monotonic() + READER_TIME
        self._loop.call_later(_READER_CHECK, self._take_again, writer, source, take, writer.taken, until)
        return True

    def _take_again(
        self, writer: NonBlockingWriter, source: int, take: Callable[[], None], taken: int, until: float
    ) -> None:
        if self._closed:
            return
        now = time.monotonic()
        if writer.is_full and writer.taken == taken and now >= until:
            writer.give_up()
        if not writer.is_full:
            self._loop.add_reader(source, take)
            return
        if writer.taken != taken:
            taken, until = writer.taken, now + READER_TIME
        self._loop.call_later(_READER_CHECK, self._take_again, writer, source, take, taken, until)

    def _read_record(self) -> bool:
        """Passes on a log record. False: there was none."""
        try:
            record = self._records.recv(MAX_LOG_RECORD)
        except OSError:
            return False
        if not record:
            self._loop.remove_reader(self._records)
            return False
        try:
            self._log.record(json.loads(record))
        except ValueError:
            self._log.warning("a worker sent a log record that is no JSON", pid=self._pid)
        return True

    def _read_printed(self) -> int:
        """Passes on so many bytes. 0: nobody can write there any more; -1: there is nothing."""
        try:
            data = os.read(self._printed, 65536)
        except (BlockingIOError, InterruptedError):
            return -1
        if not data:
            self._loop.remove_reader(self._printed)
            return 0
        self.tail = (self.tail + data)[-_STDERR_TAIL:]
        self._log.raw(data)
        return len(data)
