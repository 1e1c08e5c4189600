"""The call that runs, and what its method can ask about it."""

from __future__ import annotations

import io
import time
from contextvars import ContextVar
from collections.abc import Callable, Iterator, Mapping
from types import CoroutineType, MappingProxyType
from typing import Any, ClassVar, Protocol

from ..errors import InvalidRequest
from ..wire import json
from ..wire.frames import SPECIAL_SHIFT, HAS_INPUT, WANTS_PROGRESS, Buffer


class Exchange(Protocol):
    """The messages of one call; see `worker.exchange`. In an async call what waits returns a coroutine."""

    input: Input

    def stream(self, result: object) -> Any:
        """Sends the elements of what a method has returned; returns what a generator returns."""

    def next_items(self) -> Any:
        """The next elements of the caller's input; None at its end."""

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a service of the caller's returns. PhpError: what it throws."""

    def progress(self, fraction: float | None, text: str, data: Any) -> None:
        """Tells the caller how far the call is."""

    def close(self) -> None:
        """The method has ended."""


class Job:
    """One call as a worker received it."""

    __slots__ = (
        "number",
        "deadline",
        "flags",
        "codec",
        "sequence",
        "method",
        "body",
        "reply_size",
        "cancelled",
        "interruptible",
        "by_broker",
        "exchange",
    )

    by_broker: bool  # of a fast call: its reply does not go to the fast socket, as more is said of it than that
    headers: ClassVar[bytes] = b""  # JSON; only a call that has some has a place of its own for them

    def __init__(
        self,
        number: int,
        deadline: float,
        flags: int,
        codec: int,
        sequence: int,
        method: bytes,
        body: Buffer,
    ) -> None:
        self.number = number
        self.deadline = deadline
        self.flags = flags
        self.codec = codec
        self.sequence = sequence
        self.method = method
        self.body = body
        self.reply_size = 0  # bytes of the reply's frame, once there is one
        self.cancelled = False  # the async call has been told to end
        self.interruptible = False  # code of the async method runs now, none of GoTask's
        self.exchange: Exchange | None = None  # its messages, once there are any


# Many async calls run at a time. Each has a context of its own, which the tasks and threads (asyncio.to_thread) that it starts
# inherit. Sync calls run one at a time, so an attribute does, which is cheaper.
running_async: ContextVar[Job | None] = ContextVar("gotask_call", default=None)


class _Sync:
    job: Job | None = None
    is_open = False  # the method runs now, and has not been interrupted yet


running_sync = _Sync()

# How a worker exchanges messages with the caller of a call.
make_exchange: Callable[[Job], Exchange]


def exchange_of(job: Job) -> Exchange:
    if job.exchange is None:
        job.exchange = make_exchange(job)
    return job.exchange


# Whether the broker wants the sync call of that number to end.
is_unwanted: Callable[[int], bool] = lambda number: False  # noqa: E731


class Interrupted(BaseException):
    """Raised in a method whose caller no longer waits: the call's time is over, or it was cancelled.

    Let it through: clean up in `finally`, within the broker's --interrupt-grace. A worker whose method goes on is killed.
    """


class Php:
    """The services of the PHP program that waits for the call."""

    __slots__ = ("_job",)

    def __init__(self, job: Job) -> None:
        self._job = job

    def call(self, name: str, /, *args: Any, **named: Any) -> Any:
        """Calls a registered service, `Config.get`: returns what it returns; to be awaited in an async method.

        A sync method's worker runs nothing else while it waits. PhpError: the service threw, or there is none of that name.
        ConnectionLost: the caller is gone, does not wait (a notification), or is no GoTask client. EncodeFailed: the arguments
        can't be sent. RuntimeError: another thread than the method's own calls.
        """
        return exchange_of(self._job).call(name, args, named)


class Input:
    """The elements that the caller sends along: an iterator, and an async one. PhpError: the caller's iterable threw."""

    __slots__ = ("_next_items", "_items")

    def __init__(self, next_items: Callable[[], Any]) -> None:
        self._next_items = next_items
        self._items: Iterator[Any] = iter(())

    def __iter__(self) -> Input:
        return self

    def __next__(self) -> Any:
        while True:
            for item in self._items:
                return item
            items = self._next_items()
            if type(items) is CoroutineType:
                items.close()
                raise TypeError("an async method reads its input by `async for`")
            if items is None:
                raise StopIteration
            self._items = iter(items)

    def file(self) -> io.BufferedReader:
        """The elements, which are bytes or text, as one binary file: for csv, pandas, tarfile …

        It is read once, from the front, by a sync method. TypeError, when it is read: an element is anything else.
        """
        return io.BufferedReader(_Pieces(self), io.DEFAULT_BUFFER_SIZE)

    def __aiter__(self) -> Input:
        return self

    async def __anext__(self) -> Any:
        while True:
            for item in self._items:
                return item
            items = await self._next_items()
            if items is None:
                raise StopAsyncIteration
            self._items = iter(items)


class _Pieces(io.RawIOBase):
    """The elements of an input, one behind the other."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._rest: Buffer = b""

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        while not self._rest:
            try:
                item = next(self._items)
            except StopIteration:
                return 0
            if not isinstance(item, (str, bytes)):
                raise TypeError(
                    f"the input has an element that is no bytes but {type(item).__name__}: input.file() is for what"
                    " the caller sends as a stream or as strings; read other elements by `for`"
                )
            self._rest = memoryview(item.encode() if isinstance(item, str) else item)
        size = min(len(room), len(self._rest))
        room[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


class CurrentCall:
    """The call that is running: `id` (unique within its group of workers, or Celery's), `method` as the caller wrote it.

    A thread that the method starts may look at it, too, and end its work when `cancelled` is true.
    """

    __slots__ = ("id", "method", "deadline", "_job", "_is_sync", "_headers")

    def __init__(self, job: Job, is_sync: bool) -> None:
        self._job = job
        self._headers: bytes | Mapping[str, str] = job.headers
        self._is_sync = is_sync
        self.id = job.number
        self.method = job.method.decode("utf-8", "replace")
        #: of time.monotonic(), in seconds; None where the caller set none
        self.deadline = job.deadline or None

    @property
    def php(self) -> Php:
        """The caller's services: `current_call().php.call("Config.get", "app.name")`."""
        return Php(self._job)

    @property
    def input(self) -> Input:
        """The elements that the caller sends along, read as they are needed. RuntimeError: it sends none."""
        job = self._job
        if not job.flags & HAS_INPUT << SPECIAL_SHIFT:
            raise RuntimeError(f"the caller of {self.method} sends no input: call(…, input: $iterable) does")
        return exchange_of(job).input

    def progress(self, fraction: float | None = None, text: object = "", data: Any = None) -> None:
        """Tells the caller how far the call is, from any thread; nothing is sent where it does not listen.

        fraction: from 0.0 to 1.0, or None. text: str() of it is sent. Of more than 50 a second the newest ones are sent.
        EncodeFailed: `data` can't be.
        """
        job = self._job
        if job.flags & WANTS_PROGRESS << SPECIAL_SHIFT and job.exchange is not None:
            job.exchange.progress(None if fraction is None else float(fraction), str(text), data)

    def remaining(self) -> float | None:
        """Seconds until the caller gives up, not below 0; None where it never does."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller sent beside the arguments, by name; read-only, and empty where it sent nothing.

        InvalidRequest: it is no map of strings, which no caller of ours sends.
        """
        if isinstance(self._headers, bytes):
            self._headers = MappingProxyType(_parse_headers(self._headers))
        return self._headers

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result: the caller cancelled the call, or its time is over."""
        # A job's object serves one call after the other.
        if self._job.cancelled and self._job.number == self.id:
            return True
        if self.deadline is not None and self.deadline <= time.monotonic():
            return True
        return self._is_sync and is_unwanted(self.id)


def _parse_headers(text: bytes) -> dict[str, str]:
    if not text:
        return {}
    try:
        headers = json.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the call's headers are no JSON: {error}") from None
    if type(headers) is not dict or not all(type(value) is str for value in headers.values()):
        raise InvalidRequest("the call's headers are not a map of strings")
    return headers


def current_call() -> CurrentCall:
    """The call that the calling method runs for. RuntimeError outside of one.

    A thread of a sync method's gets the call that runs at that moment: one that may outlast its own is to be given the object.
    """
    is_sync = running_sync.job is not None
    job = running_sync.job or running_async.get()
    if job is None:
        raise RuntimeError("no call is running here: current_call() is for a method while it is being called")
    return CurrentCall(job, is_sync)
