"""Runs one call: decodes its body, calls the method, encodes what comes of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextvars import Context, copy_context
from struct import Struct
from typing import Final
from zlib import crc32

from ..errors import (
    DeadlineExceeded,
    GoTaskError,
    InvalidArguments,
    InvalidResult,
    PayloadTooLarge,
    RemoteError,
    error_text,
)
from ..options import option
from ..wire import frames as wire
from ..wire.arrays import LargeArray
from ..wire.codec import MSGPACK, decode, encode_parts, pack, packer
from ..wire.frames import EXACT, STRUCTURED, TIMED, Buffer
from .arguments import Invoke
from .context import Exchange, Interrupted, Job, exchange_of, running_sync
from .failures import error_body, traceback_text, where
from .middleware import surrounded
from .registry import Method, Registry

# The flags of a call as `Job.flags` has them.
SPECIAL: Final = wire.SPECIAL << wire.SPECIAL_SHIFT
EXCHANGES: Final = wire.EXCHANGES << wire.SPECIAL_SHIFT
WANTS_ITEMS: Final = wire.WANTS_ITEMS << wire.SPECIAL_SHIFT
WANTS_PROGRESS: Final = wire.WANTS_PROGRESS << wire.SPECIAL_SHIFT
HAS_INPUT: Final = wire.HAS_INPUT << wire.SPECIAL_SHIFT
DURABLE: Final = wire.DURABLE << wire.SPECIAL_SHIFT

_START: Final = Struct("<BBI")
_PAIR: Final = Struct("<II")
_REPLY_HEAD: Final = wire.VERSION << 4 | 5
_REPLY_HEAD_SIZE: Final = wire.HEADER_SIZE + 8

# How many spellings of method names are remembered.
_MAX_METHODS: Final = 4096


_SIGALRM: Final = signal.SIGALRM

# The C function. `signal.getsignal` makes an enum of its result, which takes ten times as long.
_getsignal: Callable[[int], object] = sys.modules["_signal"].getsignal

# The handler of SIGALRM that the services have set when they were opened.
_alarm = _getsignal(signal.SIGALRM)


def keep_alarm() -> None:
    """To be called once the services are open: their alarm is left alone."""
    global _alarm
    _alarm = _getsignal(signal.SIGALRM)


class _Streaming:
    """A method whose elements are sent as it gives them; what it returns then is its result."""

    def __init__(self, method: Method, exchange: Exchange) -> None:
        self.invoke: Invoke = lambda payload: exchange.stream(method.invoke(payload))
        self.invoke_exact: Invoke = lambda payload: exchange.stream(method.invoke_exact(payload))


class Runner:
    """Finds methods, runs them, and makes the replies: each a list of the frame's parts.

    The second one has the options. A call that is TIMED has a third one, which whoever knows how long it took puts behind them.
    """

    def __init__(self, registry: Registry, max_payload: int) -> None:
        self._registry = registry
        self.max_payload = max_payload
        self._small = min(wire.LARGE - 4096, max_payload - wire.MAX_METHOD)
        self._pack = packer()  # no code of the app's uses this one while it packs
        self._was_large = False  # the last result, so the next one may be large, too
        self._methods: dict[bytes, Method] = {}
        self._heads: dict[int, bytes] = {}
        self._pid = os.getpid()
        self._context: Context | None = None  # an empty one

    def method(self, name: bytes) -> Method:
        method = self._methods.get(name)
        if method is None:
            method = self._registry.find(name.decode())
            if self._registry.middlewares:
                method = surrounded(method, self._registry.middlewares)
            if len(self._methods) < _MAX_METHODS:
                self._methods[name] = method
        return method

    def run(self, job: Job) -> list[Buffer]:
        """Runs a sync method; whatever it raises is its reply."""
        try:
            method = self._methods.get(job.method) or self.method(job.method)
        except GoTaskError as error:
            return self.failed(job, error.body())
        if job.flags & SPECIAL:
            return self._run_exchange(job, method)
        return self.parts(job, self.run_method(job, method))

    def _run_exchange(self, job: Job, method: Method) -> list[Buffer]:
        """The same for a call whose caller wants more than its outcome."""
        if job.flags & DURABLE:
            return self.not_durable(job)
        exchange = exchange_of(job)
        runs: Method | _Streaming = _Streaming(method, exchange) if job.flags & WANTS_ITEMS else method
        return self.parts(job, self.run_method(job, runs))

    def parts(self, job: Job, reply: bytes | list[Buffer]) -> list[Buffer]:
        """The whole reply, where run_method() has given its body alone."""
        return [*self._head(job.codec, job, len(reply)), reply] if isinstance(reply, bytes) else reply

    def run_method(self, job: Job, method: Method | _Streaming) -> bytes | list[Buffer]:
        """The same for a method that is known. Of a small reply that is no error only the body is given, as bytes."""
        try:
            payload = decode(job.codec, job.body)
        except GoTaskError as error:
            return self.failed(job, error.body())
        finally:
            job.body = b""
        invoke = method.invoke_exact if job.flags & EXACT else method.invoke
        # What it puts into context variables is gone with its context. One that it has left empty serves the next call, too.
        context = self._context
        if context is None:
            context = copy_context()
        running_sync.job = job
        running_sync.is_open = True  # from here on it can be interrupted
        try:
            try:
                result = context.run(invoke, payload)
            finally:
                running_sync.is_open = False
                # An alarm that it has left behind would ring in a later call. To look makes no system call, setitimer does.
                if _getsignal(_SIGALRM) is not _alarm:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                self._context = None if context else context
        except BaseException as error:  # SystemExit among it: a method ends its call, never its worker
            return self.raised(job, error, issubclass(type(error), Interrupted))
        finally:
            running_sync.job = None
        kind = type(result)
        if kind is not bytes and kind is not str and not self._was_large:
            try:
                body = self._pack(result) if job.codec == MSGPACK else pack(job.codec, result)
                if len(body) < self._small:
                    return body
            except BaseException:
                pass  # result() says what can't be encoded, and takes large arrays
            self._pack = packer()  # the buffer of the other is large by now, or it has raised
        return self.result(job, result)

    def expired(self, job: Job) -> list[Buffer]:
        """The reply to a call whose time was over before it was started."""
        job.body = b""
        error = DeadlineExceeded("its time was over before a worker was free; it has not run")
        return self.failed(job, error.body())

    def cancelled(self, job: Job) -> list[Buffer]:
        """The reply to an async call that was cancelled before it began."""
        job.body = b""
        return self.failed(job, _stopped(job, "it had not begun", {}).body())

    def unstoppable(self, job: Job) -> list[Buffer]:
        """The reply to an async call that goes on although it was cancelled."""
        return self.failed(job, _stopped(job, "it did not end when it was cancelled", {}).body())

    def not_durable(self, job: Job) -> list[Buffer]:
        """The reply to a durable call of a method that keeps none."""
        job.body = b""
        name = job.method.decode("utf-8", "replace")
        error = InvalidArguments(
            f'{name} keeps no durable calls: declare it @gotask.method(executor="celery"), or notify() it without durable'
        )
        return self.failed(job, error.body())

    def lost(self, job: Job, why: str) -> list[Buffer]:
        """The reply to a call that has run, and whose reply there is no room for."""
        error = RemoteError(f"the result is lost: its worker has no memory or descriptor left for it: {why}")
        return self.failed(job, error.body())

    def raised(self, job: Job, error: BaseException, stopped: bool) -> list[Buffer]:
        """The reply with what the method raised; `stopped`: because it was told to end."""
        if os.getpid() != self._pid:
            from .fork import end_by

            end_by(error)
        if stopped:
            at = where(error)
            what = f"it was interrupted ({at})" if at else "it was interrupted"
            body = _stopped(job, what, {"stack": traceback_text(error)}).body()
        else:
            body = error_body(error)
        return self.failed(job, body)

    def failed(self, job: Job, body: bytes) -> list[Buffer]:
        """The reply that carries an error, in the form that the caller understands."""
        if job.flags & STRUCTURED:
            return self._error(wire.JSON, job, body)
        return self._error(job.codec, job, error_text(body))

    def result(self, job: Job, result: object) -> list[Buffer]:
        """The reply with what the method returned."""
        try:
            kind = type(result)
            if kind is bytes or kind is str or self._was_large:
                body = encode_parts(job.codec, result)
            else:
                body = [pack(job.codec, result)]
        except LargeArray:
            self._was_large = True
            return self.result(job, result)
        except GoTaskError as error:
            name = job.method.decode("utf-8", "replace")
            return self.failed(job, InvalidResult(f"{name} returned what can't be sent: {error}").body())
        except BaseException as error:  # SystemExit of a dict's own items(), for instance
            return self.raised(job, error, False)
        size = len(body[0]) if len(body) == 1 else sum(map(len, body))
        self._was_large = size >= wire.LARGE
        if size + len(job.method) > self.max_payload:
            name = job.method.decode("utf-8", "replace")
            too_large = PayloadTooLarge(
                f"the result of {name} has {size} bytes, above the limit of {self.max_payload}:"
                f" return less, or raise the limit ({option('--max-payload')})"
            )
            return self.failed(job, too_large.body())
        return [*self._head(job.codec, job, size), *body]

    def _error(self, flags: int, job: Job, body: bytes) -> list[Buffer]:
        return [*self._head(flags | wire.ERROR, job, len(body)), body]

    def _head(self, flags: int, job: Job, size: int) -> tuple[bytes, bytes, bytes]:
        method = job.method
        length = len(method) + size
        timed = job.flags & TIMED != 0
        key = timed << 40 | flags << 32 | length
        head = self._heads.get(key)
        if head is None:
            start = _START.pack(_REPLY_HEAD + timed, flags, length)
            head = start + crc32(start).to_bytes(4, "little") + b"\0\0"
            if length < 4096:
                self._heads[key] = head
        job.reply_size = _REPLY_HEAD_SIZE + length + 4 * timed
        return head, _PAIR.pack(job.sequence, len(method)), method


def _stopped(job: Job, what: str, data: dict[str, object]) -> GoTaskError:
    method = job.method.decode("utf-8", "replace")
    data |= {"method": method, "call": job.number}
    # The caller of a cancelled call does not wait. So whoever reads this waited for a call whose time is over.
    return DeadlineExceeded(f"the time of {method} was over while it ran; {what}", data)
