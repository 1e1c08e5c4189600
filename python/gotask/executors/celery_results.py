"""What becomes of the calls that Celery has. Redis, the result backend, publishes each state of a task, with its result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from celery import states

# What is told of a task: its state and result, as Celery's backends give them.
Heard = Callable[[dict[str, Any]], Any]

# Seconds that Redis is listened to at a time, and between two looks at all tasks for what was told while it could not be heard.
LISTEN = 0.5
LOOK = 15.0

# Seconds until a Redis that is lost is tried again.
PAUSE = 1.0


class Results:
    """One thread waits for all tasks of this process."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._pubsub: Any = None
        self._looked = time.monotonic()

    def expect(self, id: str, heard: Heard) -> None:
        """From now on `heard` is told of the task, in another thread. Raises what the backend does if it can't be reached."""
        with self._lock:
            self._heard[id] = heard
            try:
                self._subscribe(id)
            except BaseException:
                del self._heard[id]
                raise
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._listen, name="gotask-celery-results", daemon=True
                )
                self._thread.start()

    def leave(self, id: str) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            if self._heard.pop(id, None) is not None:
                self._pubsub.unsubscribe(self._channel(id))

    def close(self) -> None:
        self._closed.set()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                message = self._pubsub.get_message(timeout=LISTEN)
                if message is not None and message["type"] == "message":
                    self._tell(self._backend.decode_result(message["data"]))
                if time.monotonic() - self._looked > LOOK:
                    self._look()
            except Exception:
                # Calls that wait have their deadlines.
                self._closed.wait(PAUSE)
                try:
                    with self._lock:
                        self._connect()
                    self._look()
                except Exception:
                    pass

    def _look(self) -> None:
        self._looked = time.monotonic()
        for id in list(self._heard):
            meta = self._backend.get_task_meta(id, cache=False)
            if meta["status"] != states.PENDING:
                self._tell(meta)

    def _tell(self, meta: dict[str, Any]) -> None:
        heard = self._heard.get(meta["task_id"])
        if heard is not None:
            heard(meta)

    def _subscribe(self, id: str) -> None:
        if self._pubsub is not None:
            try:
                self._pubsub.subscribe(self._channel(id))
                return
            except Exception:
                pass  # it was lost, and the thread has not seen that yet
        self._connect()

    def _connect(self) -> None:
        lost, self._pubsub = self._pubsub, None
        if lost is not None:
            lost.close()
        pubsub = self._backend.client.pubsub(ignore_subscribe_messages=True)
        # Always to one channel more: nothing can be read of a connection that has none.
        pubsub.subscribe("gotask", *map(self._channel, self._heard))
        self._pubsub = pubsub

    def _channel(self, id: str) -> Any:
        return self._backend.get_key_for_task(id)
