"""What becomes of the calls that Celery has: told as it happens where the result backend is Redis, else asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from celery import states

# What is told of a task: its state and result, as Celery's backends give them.
Heard = Callable[[dict[str, Any]], Any]

# Seconds between two looks at all tasks that are waited for: where the backend tells nothing by itself; and where it does, for
# what was told while it could not be heard.
POLL = 0.5
LOOK = 15.0

# Seconds until a backend that is lost is tried again.
PAUSE = 1.0


class Results:
    """One thread waits for all tasks of this process."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def expect(self, id: str, heard: Heard) -> None:
        """From now on `heard` is told of the task, in another thread. Raises what the backend does if it can't be reached."""
        with self._lock:
            self._heard[id] = heard
            try:
                self.subscribe(id)
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
                self.unsubscribe(id)

    def close(self) -> None:
        self._closed.set()

    def subscribe(self, id: str) -> None:
        self.backend.get_task_meta(id, cache=False)  # it is there

    def unsubscribe(self, id: str) -> None:
        pass

    def wait(self) -> None:
        """Until there may be something new, or `POLL` is over. May raise what the backend does."""
        self._closed.wait(POLL)
        self.look()

    def renew(self) -> None:
        """The backend was lost."""

    def tell(self, meta: dict[str, Any]) -> None:
        heard = self._heard.get(meta["task_id"])
        if heard is not None:
            heard(meta)

    def look(self) -> None:
        for id in list(self._heard):
            meta = self.backend.get_task_meta(id, cache=False)
            if meta["status"] != states.PENDING:
                self.tell(meta)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self.wait()
            except Exception:
                # Calls that wait have their deadlines.
                self._closed.wait(PAUSE)
                try:
                    with self._lock:
                        self.renew()
                    self.look()
                except Exception:
                    pass


class RedisResults(Results):
    """Redis publishes each state of a task, and the result, on the channel that is named as its key."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self._pubsub: Any = None
        self._looked = time.monotonic()

    def subscribe(self, id: str) -> None:
        if self._pubsub is None:
            self.renew()
            return
        try:
            self._pubsub.subscribe(self._key(id))
        except Exception:  # it was lost, and the thread has not seen that yet
            self.renew()

    def unsubscribe(self, id: str) -> None:
        self._pubsub.unsubscribe(self._key(id))

    def wait(self) -> None:
        message = self._pubsub.get_message(timeout=POLL)
        if message is not None and message["type"] == "message":
            self.tell(self.backend.decode_result(message["data"]))
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self.look()

    def renew(self) -> None:
        lost, self._pubsub = self._pubsub, None
        if lost is not None:
            lost.close()
        pubsub = self.backend.client.pubsub(ignore_subscribe_messages=True)
        # Always to one channel more: nothing can be read of a connection that has none.
        pubsub.subscribe("gotask", *map(self._key, self._heard))
        self._pubsub = pubsub

    def _key(self, id: str) -> Any:
        return self.backend.get_key_for_task(id)


def results_of(backend: Any) -> Results:
    try:
        from celery.backends.redis import RedisBackend
    except ImportError:
        return Results(backend)
    return (RedisResults if isinstance(backend, RedisBackend) else Results)(backend)
