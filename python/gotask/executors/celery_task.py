"""What Celery's workers run: a task for each method with `executor="celery"`, of the method's name."""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from typing import Any

from celery import states
from celery.backends.redis import RedisBackend
from celery.exceptions import Ignore
from celery.utils.log import get_task_logger
from redis.exceptions import ResponseError

from ..app.registry import Registry
from ..app.runner import WANTS_PROGRESS
from ..errors import GoTaskError, WorkerCrashed, from_body
from . import remote

# States of a task. The first is ours: Celery can't tell a task that waits from one that nobody knows.
WAITING = "SENT"
RUNNING = states.STARTED

# How often a task is begun whose process dies with it each time.
ATTEMPTS = 5

# Seconds until an outcome is stored again that the backend could not take.
PAUSE = 0.5

_log = get_task_logger("gotask")


class PatientRedis(RedisBackend):  # type: ignore[misc]
    """Keeps an outcome until Redis can take it, and waits for nothing else: Celery's own gives up, and the outcome is lost."""

    retry_policy = {"max_retries": 1, "interval_start": 0}

    def store_result(self, task_id: str, result: Any, state: str, *args: Any, **named: Any) -> Any:
        was_told = False
        while True:
            try:
                return super().store_result(task_id, result, state, *args, **named)
            # ResponseError: it takes nothing, as it is full, read only, without its disk, or has another password now.
            except (*self.connection_errors, ResponseError) as error:
                if state not in states.READY_STATES:
                    raise
                if not was_told:
                    _log.warning("the outcome of %s waits for Redis: %s", task_id, error)
                    was_told = True
                time.sleep(PAUSE)


class Failed(Exception):
    """The method has failed. args: its name, and the error's body, which is JSON."""

    def error(self) -> GoTaskError:
        return from_body(self.args[1].encode())

    def __str__(self) -> str:
        error = self.error()
        return f"{self.args[0]}: {error}\n{getattr(error, 'traceback', '')}"


def register(app: Any, registry: Registry) -> None:
    """Makes the tasks, such that they survive the end of any process: acknowledged when their results are stored."""
    for name, executor in registry.executors():
        if executor == "celery":
            app.task(
                bind=True,
                name=name,
                acks_late=True,
                reject_on_worker_lost=True,
                ignore_result=False,
            )(_run)


class _Line:
    """How a method says how far it is: the task's state has that, too."""

    def __init__(self, task: Any, state: dict[str, Any]) -> None:
        self._task = task
        self._id = task.request.id
        self._state = state
        self.is_open = True

    def begin(self) -> None:
        pass

    def progress(self, body: bytes) -> None:
        if self.is_open:
            self._state["progress"] = b64encode(body).decode()
            _keep(self._task, self._id, self._state)

    def is_cancelled(self) -> bool:
        return False


def _run(
    task: Any,
    path: str,
    method: str,
    codec: int,
    flags: int,
    body: str,
    headers: str,
    until: float,
    max_payload: int,
) -> dict[str, Any]:
    """body, headers: base64. until: seconds of time.time(), 0.0 for without end. The rest is as for remote.run()."""
    state = _begin(task)
    line = _Line(task, state)
    left = max(0.001, until - time.time()) if until else 0.0
    is_error, result = remote.run(
        path,
        method,
        codec,
        flags | WANTS_PROGRESS,
        b64decode(body),
        b64decode(headers),
        left,
        task.request.id,
        max_payload,
        line,
    )
    line.is_open = False
    if is_error:
        raise Failed(task.name, result.decode())
    return {"method": task.name, "codec": codec, "result": b64encode(result).decode()}


def _begin(task: Any) -> dict[str, Any]:
    """Notes that it has begun. Ignore: it has its outcome, and came again since that was not acknowledged."""
    try:
        meta = task.backend.get_task_meta(task.request.id, cache=False)
    except Exception:
        meta = {"status": states.PENDING}  # the backend is away, and may be back when there is a result
    if meta["status"] in states.READY_STATES:
        raise Ignore()
    begun = meta["result"].get("attempts", 1) if meta["status"] == RUNNING else 0
    if begun >= ATTEMPTS:
        text = f"{task.name} was begun {begun} times, and each time its process died with it: it is not begun again"
        raise Failed(task.name, WorkerCrashed(text).body().decode())
    state = {"method": task.name, "attempts": begun + 1}
    _keep(task, task.request.id, state)
    return state


def _keep(task: Any, id: str, state: dict[str, Any]) -> None:
    try:
        task.backend.store_result(id, state, RUNNING)
    except Exception as error:
        _log.warning("%s: its state could not be stored: %s", task.name, error)
