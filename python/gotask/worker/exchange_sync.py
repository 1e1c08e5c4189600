"""Messages within a sync call: its method blocks while it waits for the caller, and so does its worker.

The main thread alone waits. Another one sends what the method is too busy to send: elements that would wait for the next one,
and progress. `_lock` is held by whoever sends, or reads what has come.

While GoTask's own code runs, no signal may raise: `running_sync.is_open` is shut, and looked up when the method goes on.
"""

from __future__ import annotations

import os
import select
import time
from _thread import LockType, allocate_lock, get_ident, start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Final

from ..app import context
from ..app.context import Interrupted, Job, running_sync
from ..app.runner import WANTS_ITEMS
from ..errors import ConnectionLost
from ..ipc.messages import CANCEL, ENDED, GONE, TELL
from .channel import Channel
from .exchange import HOLD, Exchange

# As they are before an app puts another library's in their place.
_poll: Final = select.poll
_sleep: Final = time.sleep
_clock: Final = time.monotonic

ANOTHER_THREAD: Final = (
    "only the thread that runs a sync method can wait for its caller, and only while the call runs"
)
FORKED: Final = "a process that a method has forked can't say anything to its caller, nor wait for it"


@contextmanager
def shut() -> Iterator[None]:
    """GoTask's own code runs in a method: what is to interrupt it does so at the end."""
    was_open, running_sync.is_open = running_sync.is_open, False
    try:
        yield
    finally:
        job = running_sync.job
        if was_open and job is not None and not job.cancelled:
            running_sync.is_open = True
            if context.is_unwanted(job.number):
                interrupt(job)


def interrupt(job: Job) -> None:
    """Ends the method that runs, once."""
    running_sync.is_open = False
    job.cancelled = job.by_broker = True
    raise Interrupted("the caller waits no longer")


class SyncExchange(Exchange):
    """Of the call that runs, in that thread."""

    def __init__(self, channel: Channel, job: Job, max_payload: int, thread: int) -> None:
        super().__init__(channel, job, max_payload)
        job.by_broker = True
        self._lock = allocate_lock()
        self._main = thread
        self._cancelled = False
        self._poll = _poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self._limit = 1  # elements that are gathered before they are sent
        self.sent_at = -inf
        self._is_flushing = False
        self._reads = False
        self._failure: Exception | None = None  # of the helper's
        self._helper: LockType | None = None  # its bell; it sends what is held while the method takes long

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Until it is. Interrupted, ConnectionLost: it will not be."""
        with self._lock:
            self._reads = True  # and the helper does not: what it took would wake nobody
        try:
            self._read()
            while not ready():
                self._poll.poll()
                self._read()
        finally:
            self._reads = False

    def _read(self) -> None:
        """Takes what has come; requests that are not for this call are kept for the worker's loop."""
        with self._lock:
            self._take_requests()
        # A stream without a connection is cancelled: were it told twice, what cleans up would be interrupted.
        if (
            self._cancelled
            or context.is_unwanted(self.number)
            or self.is_gone
            and self._job.flags & WANTS_ITEMS
        ):
            interrupt(self._job)
        self._check()

    def _take_requests(self) -> None:
        channel = self._channel
        while not self.is_gone:
            try:
                kind, number, fd, content = request = channel.asked()
            except BlockingIOError:
                return
            if kind == ENDED:
                self.is_gone = True
            elif kind not in (TELL, GONE, CANCEL):
                channel.kept.append(request)
            elif number != self.number:
                if fd >= 0:
                    os.close(fd)  # it has crossed the end of an earlier call
            elif kind == TELL:
                self.receive(content, fd)
            elif kind == GONE:
                self.is_gone = True
            elif kind == CANCEL:
                self._cancelled = True

    def _is_main(self) -> bool:
        return get_ident() == self._main and running_sync.job is self._job

    def _enter(self) -> None:
        if self._channel.is_forked:
            raise RuntimeError(FORKED)
        if not self._is_main():
            raise RuntimeError(ANOTHER_THREAD)
        if self._job.cancelled:
            raise ConnectionLost("the call is over: its caller waits no longer")

    # -- elements -----------------------------------------------------------------------------------------------------

    def stream(self, result: object) -> Any:
        """Sends what an iterable gives, and returns what a generator returns. It is closed whatever happens."""
        each, held, pack = self._each(result), self._held, self._packer()
        append = held.append
        try:
            for item in each:
                try:
                    append(pack(item))
                except Exception:
                    append(self._encode(item))  # or this says why not
                    pack = self._packer()
                if len(held) >= self._limit:
                    self._flush()
        except BaseException as error:
            each.close()
            if not isinstance(error, Interrupted) and not self.is_gone:
                self._flush()
            raise
        self._flush()
        return self._returned

    def _flush(self) -> None:
        """Sends what is held, and waits for the credit that this takes."""
        if self._channel.is_forked:
            self._channel.leave()
        with shut():
            self._enter()
            took = _clock() - self.sent_at
            most = self._limit
            self._is_flushing = True
            try:
                while self._held or self._failure is not None:
                    if self._failure is not None:
                        raise self._failure
                    self._wait(lambda: self._credit > 0)
                    with self._lock:
                        if self._held and self._credit > 0:
                            most = self._send_items()
            finally:
                self._is_flushing = False
            # So many as the method gives within HOLD, by how long it took for the last ones.
            self._limit = max(1, min(most, 2 * self._limit, int(self._limit * HOLD / max(took, 1e-9))))
            self.sent_at = _clock()
            if self._limit > 1 and self._helper is None:
                self._helper = _start(self._help)
            if self._helper is None:
                self._limit = 1  # there is no thread to be had
            elif self._helper.locked():
                self._helper.release()

    def _send_held(self, since: float) -> bool:
        """Sends what has been held since then, as the method is too busy to do so. False: nothing is."""
        if not self._held or self._is_flushing or self.sent_at != since:
            return False
        with self._lock:
            if self._closed or self._is_flushing:
                return False
            if not self._reads:
                self._take_requests()
            self._limit = 1
            try:
                if self._credit > 0 and self._held:
                    self._send_items()
            except Exception as error:
                self._failure = error
                return False
            return bool(self._held)

    def _help(self, bell: LockType) -> None:
        while not self._closed:
            bell.acquire()
            since = self.sent_at
            _sleep(HOLD)
            while self._send_held(since):
                _sleep(HOLD)  # there is no credit, or there are many

    # -- input --------------------------------------------------------------------------------------------------------

    def next_items(self) -> list[Any] | None:
        """The next elements of the input; None at its end."""
        with shut():
            self._enter()
            with self._lock:
                self._begin_input()
            if not self._messages:
                self._wait(lambda: bool(self._messages))
            with self._lock:
                return self._take_items()

    # -- calls back and progress --------------------------------------------------------------------------------------

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        with shut():
            self._enter()
            self._check()
            with self._lock:
                number = self._send_call(name, args, named)
            try:
                self._wait(lambda: number in self._answers)
                return self._answer(number)
            finally:
                self._forget(number)

    def progress(self, fraction: float | None, text: str, data: Any) -> None:
        if not self._is_main():
            self._say_progress(fraction, text, data)
            return
        with shut():
            self._say_progress(fraction, text, data)

    def _say_progress(self, fraction: float | None, text: str, data: Any) -> None:
        if self._channel.is_forked:
            raise RuntimeError(FORKED)
        with self._lock:
            if self._closed:
                return
            has_kept = self._kept is not None
            pause = self._progress(fraction, text, data)
        if pause and not has_kept:
            _start(lambda bell: self._send_kept(pause))

    def _send_kept(self, pause: float) -> None:
        _sleep(pause)
        with self._lock:
            if not self._closed:
                self._send_progress()

    def close(self) -> None:
        """The method has ended: nothing is said any more, whatever threads it has left."""
        if self._channel.is_forked:
            return
        with self._lock:
            self._send_progress()
            self._closed = True
        for message in (*self._messages, *self._answers.values()):
            message.close()
        if self._helper is not None and self._helper.locked():
            self._helper.release()


def _start(run: Callable[[LockType], None]) -> LockType | None:
    """Starts a thread, and gives its bell: a lock that it waits for. None: this process gets no further thread."""
    bell = allocate_lock()
    bell.acquire()
    try:
        start_new_thread(run, (bell,))
    except RuntimeError:
        return None
    return bell
