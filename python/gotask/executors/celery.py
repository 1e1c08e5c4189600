"""Runs calls by Celery: `executor="celery"`. This side submits them, in an async worker; Celery's workers run celery_task.

Which Celery it is, Celery says: the app's own instance where it has made one, else that of its environment (CELERY_BROKER_URL,
CELERY_RESULT_BACKEND) or its celeryconfig.py.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import uuid4

from celery import current_app, states
from celery.backends.redis import RedisBackend
from redis.exceptions import ResponseError

from ..errors import Cancelled, DeadlineExceeded, GoTaskError, RemoteError, Unavailable, WorkerCrashed
from .celery_results import Heard, Results
from .celery_task import RUNNING, WAITING, Failed
from .engine import Call

# Seconds in which Celery's broker has to take a call, and its result backend to answer.
LIMIT = 5.0

# What is sent to Celery at the same time. Calls that wait for their results take no thread.
THREADS = 8

# Seconds after the end of a call's time until Celery kills the process that still runs it.
GRACE = 5.0

# Whoever submits has somebody waiting, so it tries for less than LIMIT, and waits for RabbitMQ to say that it has the call.
_TRANSPORT = {
    "confirm_publish": True,
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout", "read_timeout", "write_timeout"), 4.0),
}


def find_app() -> Any:
    """Celery's app, with a result backend. Unavailable: it has no broker or no backend.

    To be called in the thread that has loaded the app: Celery's current app belongs to a thread.
    """
    app = current_app._get_current_object()
    broker = str(app.conf.broker_url or "")
    if not broker:
        raise Unavailable(
            "Celery has no broker, so nothing has run: set CELERY_BROKER_URL (redis://127.0.0.1:6379/0, or amqp://… and"
            " CELERY_RESULT_BACKEND), or make a Celery(…) in the app"
        )
    if not app.conf.result_backend:
        if not broker.startswith(("redis", "sentinel", "unix")):
            raise Unavailable(
                "Celery has no result backend, so nothing has run: set CELERY_RESULT_BACKEND, such as redis://127.0.0.1:6379/0"
            )
        app.conf.update(result_backend=broker)
    return app


def _find_sender() -> Any:
    app = find_app()
    conf = app.conf
    policy = {"retry_policy": {"timeout": LIMIT - 2}}
    conf.update(
        broker_transport_options=_TRANSPORT | (conf.broker_transport_options or {}),
        result_backend_transport_options=policy | (conf.result_backend_transport_options or {}),
        redis_socket_timeout=min(conf.redis_socket_timeout or LIMIT, LIMIT - 1),
        redis_socket_connect_timeout=conf.redis_socket_connect_timeout or LIMIT - 1,
    )
    return app


class _Order:
    """A call on its way to Celery's broker."""

    def __init__(self, call: Call, heard: Heard | None) -> None:
        path, method, codec, flags, body, headers, left, _, max_payload = call.arguments()
        self.id = str(uuid4())
        self.name = call.name
        self.heard = heard  # None: it is durable
        until = time.time() + left if left and heard is not None else 0.0
        texts = b64encode(body).decode(), b64encode(headers).decode()
        self.args = (path, method, codec, flags, *texts, until, max_payload)
        self.limits: dict[str, Any] = {}
        if until:
            self.limits = {"expires": left, "soft_time_limit": left, "time_limit": left + GRACE}
        self.given_up = Event()  # nobody waits for it
        self.is_sent = False
        self.errors: list[Exception] = []  # of the attempts to send it


class Celery:
    """Of one async worker."""

    def __init__(self) -> None:
        self._app = _find_sender()
        self._backend = self._app.backend  # Celery would make one for each thread
        if not isinstance(self._backend, RedisBackend):
            where = self._backend.as_uri(include_password=False)
            raise Unavailable(
                f"Celery's result backend {where} is no Redis, which alone tells of results as they come"
            )
        self._results = Results(self._backend)
        self._threads = ThreadPoolExecutor(THREADS, "gotask-celery")

    async def run(self, call: Call) -> tuple[bool, bytes]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[dict[str, Any]] = loop.create_future()

        def tell(meta: dict[str, Any]) -> None:
            if meta["status"] == RUNNING:
                call.has_begun = True
                progress = meta["result"].get("progress")
                if progress is not None and call.wants_progress:
                    call.progress(b64decode(progress))
            elif meta["status"] in states.READY_STATES and not ended.done():
                ended.set_result(meta)

        order = _Order(call, lambda meta: loop.call_soon_threadsafe(tell, meta))
        try:
            await self._send(order)
            meta = await ended
        except asyncio.CancelledError:
            self._threads.submit(self._quietly, self._app.control.revoke, order.id)
            raise
        finally:
            self._threads.submit(self._quietly, self._results.leave, order.id)
        self._threads.submit(self._quietly, self._backend.forget, order.id)
        outcome = outcome_of(meta, call.name)
        if isinstance(outcome, GoTaskError):
            return True, outcome.body()
        return False, b64decode(outcome["result"])

    async def publish(self, call: Call) -> str:
        """The id of a durable call, once Celery's broker has it."""
        order = _Order(call, None)
        await self._send(order)
        return order.id

    async def outcome(self, id: str) -> dict[str, Any]:
        """What has become of a durable call, for GoTask.Outcome."""
        reading = self._in_thread(lambda: self._backend.get_task_meta(id, cache=False))
        try:
            return _told(await asyncio.wait_for(reading, LIMIT))
        except Exception as error:
            where = self._backend.as_uri(include_password=False)
            raise Unavailable(
                f"Celery's result backend {where} does not say what has become of {id}: {_why(error)}"
            ) from None

    async def close(self) -> None:
        self._results.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, order: _Order) -> None:
        """Unavailable: Celery's broker has not taken it. WorkerCrashed: it may have."""
        sending = self._in_thread(lambda: self._place(order))
        try:
            await asyncio.wait_for(sending, LIMIT)
        except (asyncio.TimeoutError, asyncio.CancelledError) as error:
            order.given_up.set()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise self._not_taken(order, self._broker(), TimeoutError("no answer in time")) from None

    def _place(self, order: _Order) -> None:
        """Hands it over, in a thread."""
        if order.given_up.is_set():
            return
        try:
            if order.heard is not None:
                self._results.expect(order.id, order.heard)
                if order.given_up.is_set():
                    self._results.leave(order.id)  # who gave it up may have done so before it was expected
                    return
            else:
                # Celery takes an id that it knows nothing of for one that waits.
                self._backend.store_result(order.id, {"method": order.name}, WAITING)
        except Exception as error:
            raise self._not_taken(order, self._backend.as_uri(include_password=False), error) from None
        app = self._app
        # Not send_task(), which would subscribe to the result where nobody reads.
        message = app.amqp.create_task_message(
            order.id, order.name, order.args, {}, argsrepr="(…)", kwargsrepr="{}", **order.limits
        )
        route = app.amqp.router.route({}, order.name, order.args, {})
        policy = {
            **app.conf.task_publish_retry_policy,
            "errback": lambda error, _: order.errors.append(error),
        }
        try:
            with app.producer_pool.acquire(block=True, timeout=LIMIT) as producer:
                producer.connection.default_channel  # connects
                if order.given_up.is_set():
                    return
                order.is_sent = True
                options = {"serializer": "json", "retry": True, "retry_policy": policy, **route}
                app.amqp.send_task_message(producer, order.name, message, **options)
        except Exception as error:
            raise self._not_taken(order, self._broker(), error) from None

    def _not_taken(self, order: _Order, where: str, error: Exception) -> GoTaskError:
        if order.is_sent and not all(_is_refusal(each) or _says_no(each) for each in [*order.errors, error]):
            return WorkerCrashed(
                f"{order.name} may have been taken, and may run: Celery's {where} was lost while it took it: {_why(error)}"
            )
        what = f"{order.name} has not been taken and will not run: Celery's {where}"
        if _says_no(error):
            return Unavailable(f"{what} does not take it: {_why(error)}")
        return Unavailable(
            f"{what} can't be reached: {_why(error)};"
            " start it, or see that CELERY_BROKER_URL and CELERY_RESULT_BACKEND name it"
        )

    def _broker(self) -> str:
        return str(self._app.connection_for_write().as_uri())

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    @staticmethod
    def _quietly(function: Callable[[str], Any], id: str) -> None:
        """What is only tidier: the backend forgets by itself, and a call whose time is over is not begun."""
        try:
            function(id)
        except Exception:
            pass


def _told(meta: dict[str, Any]) -> dict[str, Any]:
    """What GoTask.Outcome says of a task. Raises whatever it may where another one than ours has stored its state."""
    status, result = meta["status"], meta["result"]
    if status == states.PENDING or status == states.SUCCESS and not _is_ours(result):
        return {"state": "unknown"}
    if status in states.READY_STATES:
        outcome = outcome_of(meta, "")
        if isinstance(outcome, GoTaskError):
            name = result.args[0] if isinstance(result, Failed) else ""
            return {"state": "failed", "method": name, "error": outcome.body().decode()}
        return {**outcome, "state": "done"}
    if status == RUNNING:
        return {"state": "running", "progress": result.get("progress") if isinstance(result, dict) else None}
    return {"state": "waiting"}


def outcome_of(meta: dict[str, Any], name: str) -> dict[str, Any] | GoTaskError:
    """What a task that has ended has stored: its method, codec and encoded result; or its error."""
    result = meta["result"]
    if meta["status"] == states.SUCCESS:
        return dict(result)
    if isinstance(result, Failed):
        return result.error()
    kind = type(result).__name__
    what = f"{name or meta['task_id']}: {result}"
    if kind == "NotRegistered":
        return Unavailable(
            f"{name or meta['task_id']} has not run: a worker of Celery's has no method {result}. It has loaded another version"
            " of the app: restart it"
        )
    if meta["status"] == states.REVOKED and str(result) == "expired":
        return DeadlineExceeded(
            f"{what}: its time was over, by the clock of Celery's worker, before it began"
        )
    if meta["status"] == states.REVOKED:
        return Cancelled(f"{what}: it was revoked in Celery before it ended")
    if kind == "WorkerLostError":
        return WorkerCrashed(f"{what}: it may have run")
    if kind == "TimeLimitExceeded":
        return DeadlineExceeded(f"{what}: Celery's time limit was over while it ran")
    return RemoteError(str(result) or kind, type=kind, traceback=str(meta.get("traceback") or ""))


def _is_ours(result: Any) -> bool:
    """Whether a method has stored it, and not another task of Celery's."""
    return isinstance(result, dict) and {"method", "codec", "result"} <= result.keys()


def _is_refusal(error: BaseException) -> bool:
    """Whether there was no connection that anything could have been sent on."""
    return any(
        isinstance(each, ConnectionRefusedError) or "refused" in str(each) or "connecting to" in str(each)
        for each in _causes(error)
    )


def _says_no(error: BaseException) -> bool:
    """Whether Redis has answered, and has not taken it."""
    return any(isinstance(each, ResponseError) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """It, and those that libraries have wrapped in it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _why(error: Exception) -> str:
    # Redis repeats the command, with all that was to be stored.
    return str(error).rpartition("of pipeline caused error: ")[2] or type(error).__name__
