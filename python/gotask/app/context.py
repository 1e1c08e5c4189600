"""The call that runs, and what its method can ask about it."""

from __future__ import annotations

import time
from contextvars import ContextVar
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

from ..errors import InvalidRequest
from ..wire import json
from ..wire.frames import Buffer


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
    )

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


# Many async calls run at a time. Each has a context of its own, which the tasks and threads (asyncio.to_thread) that it starts
# inherit. Sync calls run one at a time, so an attribute does, which is cheaper.
running_async: ContextVar[Job | None] = ContextVar("gotask_call", default=None)


class _Sync:
    job: Job | None = None
    is_open = False  # the method runs now, and has not been interrupted yet


running_sync = _Sync()

# Whether the broker wants the sync call of that number to end.
is_unwanted: Callable[[int], bool] = lambda number: False  # noqa: E731


class Interrupted(BaseException):
    """Raised in a method whose caller no longer waits: the call's time is over, or it was cancelled.

    Let it through: clean up in `finally`, within the broker's --interrupt-grace. A worker whose method goes on is killed.
    """


class CurrentCall:
    """The call that is running: `id` (unique within its group of workers), `method` as the caller wrote it.

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
