"""What an executor is to GoTask, and a call that goes to one."""

from __future__ import annotations

import time
from typing import Protocol

from ..app.context import Job
from ..app.registry import Method
from ..app.runner import DURABLE, WANTS_PROGRESS
from ..wire.codec import decode
from ..wire.frames import EXACT, MSGPACK


class Call:
    """A call that is to run elsewhere."""

    def __init__(self, app: str, method: Method, job: Job, max_payload: int) -> None:
        self.name = method.name
        self.is_idempotent = method.settings.idempotent
        self.has_begun = False  # as far as is known
        self.is_cancelled = False
        self.is_durable = bool(job.flags & DURABLE)
        self.wants_progress = bool(job.flags & WANTS_PROGRESS)
        self._app = app
        self._job = job
        self._max_payload = max_payload
        self._body = bytes(job.body)

    def arguments(self) -> tuple[str, str, int, int, bytes, bytes, float, int, int]:
        """What `remote.run()` takes."""
        job = self._job
        left = max(0.001, job.deadline - time.monotonic()) if job.deadline else 0.0
        flags = job.flags & (EXACT | WANTS_PROGRESS)
        name = job.method.decode("utf-8", "replace")
        return (
            self._app,
            name,
            job.codec,
            flags,
            self._body,
            job.headers,
            left,
            job.number,
            self._max_payload,
        )

    def progress(self, body: bytes) -> None:
        """Passes it on to the caller, from any thread. body: as `remote.Line.progress()` has it."""
        if self._job.exchange is not None:
            self._job.exchange.progress(*decode(MSGPACK, body))


class Engine(Protocol):
    """What runs calls elsewhere."""

    async def run(self, call: Call) -> tuple[bool, bytes]:
        """What `remote.run()` has returned there.

        GoTaskError: it has not run, or has been lost. When it is cancelled it passes that on, sets `call.has_begun` to whether
        the method may run, and ends soon.
        """

    async def close(self) -> None:
        """The worker ends. To be done soon, whatever runs there."""
