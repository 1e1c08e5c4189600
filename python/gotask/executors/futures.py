"""Runs calls in a `concurrent.futures.Executor`: threads of the async worker, processes beside it, or whatever has submit()."""

from __future__ import annotations

import os
import time
from asyncio import AbstractEventLoop, CancelledError, get_running_loop, sleep
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any

from ..app.failures import error_body, failure_text, traceback_text
from ..errors import Cancelled, RemoteError, Unavailable, WorkerCrashed
from . import remote
from .engine import Call

_UNWANTED = "nobody waits for it any more; it has not run"

# Seconds that an executor gets to end with its worker: what it runs then is nobody's any more.
GRACE = 0.5

# How often a call is submitted that has not begun when its executor breaks: another call may break the next one, too.
ATTEMPTS = 3


# What multiprocessing's own threads import when the first call needs it. Here it is imported before: a process that is forked
# in the middle of that could never import it, and all calls of all pools would wait for its answer.
NEEDED = (
    "hmac",
    "multiprocessing.connection",
    "multiprocessing.reduction",
    "multiprocessing.resource_sharer",
)


class Futures:
    """executor: an Executor, or what makes one. One that is made here is replaced when it breaks."""

    def __init__(self, executor: Any) -> None:
        self._is_given = not isinstance(executor, type) and hasattr(executor, "submit")
        self._make = executor
        self._executor: Any = executor if self._is_given else None

    async def run(self, call: Call) -> tuple[bool, bytes]:
        for attempt in range(ATTEMPTS):
            executor = self._get(call)
            line = _line(executor, call)
            try:
                try:
                    future = executor.submit(remote.run, *call.arguments(), line.end)
                except BaseException as error:
                    is_over = isinstance(error, RuntimeError)  # it is broken, or was shut down
                    if is_over:
                        self._replace(executor)
                    if not is_over or self._is_given or attempt == ATTEMPTS - 1:
                        raise Unavailable(
                            f"{call.name} has not run: its executor takes no calls: {_why(error)}"
                        ) from None
                    continue
                if not isinstance(future, Future):
                    raise RemoteError(
                        f"the executor of {call.name} {_gave(future)}, and no Future: it may run"
                    )
                future.add_done_callback(line.ended)
                try:
                    await _end_of(future)
                except CancelledError:
                    call.is_cancelled = True
                    call.has_begun = not future.cancel()
                    raise
                ended = _ended_with(future)
                if ended is None:
                    return _outcome(call, future.result())
                line.read()
                if isinstance(ended, (CancelledError, FutureCancelled)):
                    raise _dropped(call)
                if not isinstance(ended, BrokenExecutor):
                    return True, error_body(ended)
                self._replace(executor)
                if self._is_given or call.has_begun and not (call.is_idempotent and attempt == 0):
                    raise _lost(call, ended)
            finally:
                line.close()
        raise Unavailable(f"{call.name} has not run: other calls broke its executor {ATTEMPTS} times")

    async def close(self) -> None:
        if self._executor is not None:
            ending = _shut_down(self._executor)
            until = time.monotonic() + GRACE
            while ending.is_alive() and time.monotonic() < until:
                await sleep(0.005)

    def _get(self, call: Call) -> Any:
        if self._executor is None:
            try:
                executor = self._make()
            except BaseException as error:
                raise Unavailable(
                    f"{call.name} has not run: its executor can't be made: {failure_text(error)}"
                ) from None
            if not hasattr(executor, "submit"):
                raise Unavailable(
                    f"{call.name} has not run: what is to make its executor {_gave(executor)}, which has no submit()"
                )
            self._executor = executor
        return self._executor

    def _replace(self, executor: Any) -> None:
        """The next call gets a new one."""
        if not self._is_given and self._executor is executor:
            self._executor = None
            _shut_down(executor)


def _shut_down(executor: Any) -> Thread:
    ending = Thread(target=getattr(executor, "shutdown", int), daemon=True)
    ending.start()
    return ending


async def _end_of(future: Future[Any]) -> None:
    """Returns when it has ended, however. Unlike asyncio's wrap_future() it raises nothing that the executor has put there: an
    exception that asyncio takes for its own would end more than this call."""
    loop = get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def ended(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(ended)
    await waiter


def _ended_with(future: Future[Any]) -> BaseException | None:
    return FutureCancelled() if future.cancelled() else future.exception()


def _outcome(call: Call, result: Any) -> tuple[bool, bytes]:
    """What `remote.run()` has returned, unless the executor has made something else of it."""
    if type(result) is tuple and len(result) == 2 and isinstance(result[1], bytes):
        return bool(result[0]), result[1]
    raise RemoteError(f"the executor of {call.name} {_gave(result)}, and not what it has run returned")


def _gave(value: object) -> str:
    return f"gave a {type(value).__name__}"


def _why(error: BaseException) -> str:
    return traceback_text(error).strip().splitlines()[-1]


def _dropped(call: Call) -> Exception:
    if call.has_begun:
        return WorkerCrashed(f"{call.name} was cancelled in its executor, and may have run")
    return Unavailable(f"{call.name} has not run: it was cancelled in its executor, as by a shutdown of that")


def _lost(call: Call, error: BrokenExecutor) -> Exception:
    if call.has_begun:
        return WorkerCrashed(
            f"{call.name} was lost with a process of its executor, and may have run: {error}"
        )
    return Unavailable(
        f"{call.name} has not run: its executor is broken for good, as it is an object;"
        f" give executor= what makes one, and it is replaced: {error}"
    )


def _line(executor: Any, call: Call) -> Threads | Processes:
    # A subclass counts: only the queue of such an executor can take a descriptor along.
    kinds = {
        cls.__name__ for cls in type(executor).__mro__ if cls.__module__.startswith("concurrent.futures.")
    }
    if "ThreadPoolExecutor" in kinds:
        return Threads(call)
    if "ProcessPoolExecutor" in kinds:
        return Processes(call, get_running_loop())
    return Unknown(call)


class Threads:
    """The line to a thread of this process. Both ends are one."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.end: Any = self

    def begin(self) -> None:
        if self._call.is_cancelled:
            raise Cancelled(_UNWANTED)
        self._call.has_begun = True

    def progress(self, body: bytes) -> None:
        self._call.progress(body)

    def is_cancelled(self) -> bool:
        return self._call.is_cancelled

    def read(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ended(self, future: Future[Any]) -> None:
        pass


class Unknown(Threads):
    """No line: nothing is known of the way to where such an executor runs a call, nor whether it has begun it."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.end = None
        call.has_begun = True


class Processes:
    """The line to a process of a ProcessPoolExecutor: a pair of sockets, one of which goes there with the call."""

    def __init__(self, call: Call, loop: AbstractEventLoop) -> None:
        from multiprocessing import Pipe

        for name in NEEDED:
            import_module(name)
        self._call = call
        self._loop = loop
        self._is_heard = False
        call.has_begun = False
        self._socket, theirs = Pipe()
        self.end = ProcessEnd(theirs)
        loop.add_reader(self._socket.fileno(), self.read)

    def read(self) -> None:
        try:
            while self._socket.poll():
                body = self._socket.recv_bytes()
                self._call.has_begun = self._is_heard = True
                if body:
                    self._call.progress(body)
        except (EOFError, OSError):
            self._loop.remove_reader(self._socket.fileno())  # the process has died

    def close(self) -> None:
        """The call is over. What still runs of it sees that it is cancelled."""
        if not self._socket.closed:
            self.read()
            self._loop.remove_reader(self._socket.fileno())
            try:
                self._socket.send_bytes(b"")
            except OSError:
                pass  # nobody is there
            self._socket.close()
            self.end.close()

    def ended(self, future: Future[Any]) -> None:
        """To be called in whatever thread."""
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            with suppress(RuntimeError):  # the loop has ended, and so does this process
                self._loop.call_soon_threadsafe(self._lost)

    def _lost(self) -> None:
        if not self._socket.closed:
            self.read()
        if not self._is_heard:
            # Not in the loop: it waits for multiprocessing's thread, and that for other processes.
            Thread(target=self.end.withdraw, daemon=True).start()


class ProcessEnd:
    """The process's end. multiprocessing keeps a copy of the socket until the call begins there and fetches it."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._copy: Any = None

    def __getstate__(self) -> Any:
        from multiprocessing.reduction import DupFd

        self._copy = DupFd(self._socket.fileno())
        return self._copy

    def __setstate__(self, copy: Any) -> None:
        self._copy = copy

    def begin(self) -> None:
        from multiprocessing.connection import Connection

        try:
            self._socket = Connection(self._copy.detach())
        except (OSError, EOFError):
            raise Cancelled(_UNWANTED) from None  # the worker is gone
        if self.is_cancelled():
            raise Cancelled(_UNWANTED)
        self._send(b"")

    def withdraw(self) -> None:
        """Closes the copy: its process died before it fetched it."""
        if self._copy is not None:
            with suppress(OSError, EOFError):  # it has been fetched
                os.close(self._copy.detach())

    def progress(self, body: bytes) -> None:
        self._send(body)

    def is_cancelled(self) -> bool:
        try:
            return bool(self._socket.poll())
        except OSError:
            return True

    def close(self) -> None:
        self._socket.close()

    def _send(self, body: bytes) -> None:
        try:
            self._socket.send_bytes(body)
        except OSError:
            pass  # the worker is gone, and nobody waits
