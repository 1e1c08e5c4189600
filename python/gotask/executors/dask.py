"""Runs calls on a Dask cluster. Its scheduler is found by Dask's own configuration (DASK_SCHEDULER_ADDRESS).

Dask runs a task again whose worker has died, also one that had ended, if its result was there alone. So each call has a
*claim*, a name that can be published at the scheduler once: the task publishes it right before the method begins. A task that
finds its claim taken was run before, and does not begin unless the method is idempotent. A claim also says whether somebody
still waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

from ..app.failures import failure_text
from ..errors import Cancelled, GoTaskError, Unavailable, WorkerCrashed
from . import remote
from .engine import Call

# Seconds to reach the scheduler, and to say goodbye to one that may be gone.
CONNECT = 4.0
GOODBYE = 0.25

# Seconds for which a claim outlives its call: until Dask has forgotten the task, and does not run it again.
CLAIMED = 10.0

# Seconds between two looks of a method at whether its caller waits: each asks the scheduler.
LOOK = 0.1

# The topic of progress: one for all calls, as the scheduler keeps the last events of each topic for ever.
TOPIC = "gotask"


class Dask:
    """One client of the cluster, for all calls of this worker. A client that has lost its scheduler is replaced."""

    def __init__(self) -> None:
        self._client: Any = None
        self._connecting: asyncio.Task[Any] | None = None
        self._calls: dict[str, Call] = {}  # by key of the task, which is that of the claim, too
        self._claims: deque[tuple[float, str]] = deque()  # with when they may go
        self._stopping: set[asyncio.Task[None]] = set()
        self._forgetting: asyncio.Task[None] | None = None

    async def run(self, call: Call) -> tuple[bool, bytes]:
        client = await self._connected(call)
        key = f"gotask-{call.name}-{uuid4().hex}"
        self._calls[key] = call
        future = client.submit(run_task, key, call.is_idempotent, *call.arguments(), key=key, pure=False)
        try:
            outcome: tuple[bool, bytes] = await future
            return outcome
        except BaseException as error:  # Dask's CancelledError may be asyncio's own
            if future.status == "cancelled":
                raise _lost(call) from None
            if isinstance(error, asyncio.CancelledError):
                call.has_begun = True  # to ask would take too long: the worker has a moment to answer
                stopping = asyncio.ensure_future(_stop(client, key))
                self._stopping.add(stopping)
                stopping.add_done_callback(self._stopping.discard)
                raise
            raise await _failed(call, client, key, error) from None
        finally:
            del self._calls[key]
            future.release()  # as nobody else wants it, Dask drops it
            self._forget(key)

    async def close(self) -> None:
        client, self._client = self._client, None
        if self._forgetting is not None:
            self._forgetting.cancel()
        if client is not None and client.status == "running":
            with suppress(Exception):
                await asyncio.wait_for(self._close(client), 1.0)

    # -- the client ---------------------------------------------------------------------------------------------------

    async def _connected(self, call: Call) -> Any:
        """Calls that come meanwhile share one attempt."""
        if self._client is not None and self._client.status == "running":
            return self._client
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(self._connect_ended)
        try:
            return await asyncio.shield(self._connecting)
        except GoTaskError as error:
            raise Unavailable(f"{call.name} has not run: {error}") from None

    async def _connect(self) -> Any:
        lost, self._client = self._client, None
        if lost is not None:
            await _end(lost)
        # It takes a second to import: other calls go on.
        config = await asyncio.to_thread(import_module, "dask.config")
        address = config.get("scheduler-address", None)
        if not address:
            raise Unavailable(
                "Dask does not know its scheduler: set DASK_SCHEDULER_ADDRESS, to tcp://10.0.0.5:8786 for instance"
            )
        distributed = await asyncio.to_thread(import_module, "distributed")
        client = distributed.Client(
            address, asynchronous=True, set_as_default=False, timeout=CONNECT, name="gotask"
        )
        try:
            await asyncio.wait_for(client, CONNECT)
        except Exception as error:
            await _end(client)
            raise Unavailable(
                f"Dask's scheduler at {address} (DASK_SCHEDULER_ADDRESS) can't be reached: start it, or mend the address:"
                f" {str(error) or type(error).__name__}"
            ) from None
        client.subscribe_topic(TOPIC, self._told)
        self._client = client
        return client

    def _connect_ended(self, task: asyncio.Task[Any]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # whoever waited has it

    def _told(self, event: Any) -> None:
        key, body = event[1]
        call = self._calls.get(key)
        if call is not None:
            call.progress(body)

    # -- claims -------------------------------------------------------------------------------------------------------

    def _forget(self, claim: str) -> None:
        self._claims.append((time.monotonic() + CLAIMED, claim))
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.ensure_future(self._forget_claims())

    async def _forget_claims(self) -> None:
        while self._claims:
            await asyncio.sleep(self._claims[0][0] - time.monotonic())
            _, claim = self._claims.popleft()
            with suppress(Exception):  # a scheduler that is gone has forgotten it
                await self._client.unpublish_dataset(claim)

    async def _close(self, client: Any) -> None:
        await asyncio.gather(*self._stopping)
        await asyncio.sleep(0.05)  # the client says by then which tasks it does not need any more
        for _, claim in self._claims:
            await client.unpublish_dataset(claim)
        await client.close()


async def _stop(client: Any, key: str) -> None:
    """A method that has begun sees that nobody waits, and one that has not never will."""
    with suppress(Exception):
        await client.publish_dataset(False, name=key, override=True)


async def _end(client: Any) -> None:
    """Closes a client whose scheduler may be gone."""
    with suppress(Exception, asyncio.TimeoutError):
        await asyncio.wait_for(client.close(), GOODBYE)


async def _failed(call: Call, client: Any, key: str, error: BaseException) -> GoTaskError:
    """What Dask says in place of an outcome: `remote.run()` raises nothing."""
    begun = True
    with suppress(Exception):
        begun = key in await client.list_datasets()
    if begun or type(error).__name__ == "KilledWorker":
        return WorkerCrashed(f"{call.name} was lost on Dask, and may have run: {failure_text(error)}")
    return Unavailable(
        f"{call.name} has not run: Dask can't run it. Its workers need the package gotask in their PYTHONPATH, of this version:"
        f" {failure_text(error)}"
    )


def _lost(call: Call) -> GoTaskError:
    return WorkerCrashed(
        f"{call.name} was lost with the connection to Dask's scheduler, or cancelled there: it may have run, or run still"
    )


# -- on a worker of Dask's --------------------------------------------------------------------------------------------


def run_task(key: str, is_idempotent: bool, *arguments: Any) -> tuple[bool, bytes]:
    """The task. arguments: those of `remote.run()`."""
    line: Any = _Line(key, is_idempotent, arguments[1])
    return remote.run(*arguments, line)  # type: ignore[call-arg]  # mypy counts one too many


class _Line:
    """The line of a task: by Dask's own connections."""

    def __init__(self, key: str, is_idempotent: bool, name: str) -> None:
        from distributed import get_client, get_worker

        self._name = name
        self._key = key
        self._is_idempotent = is_idempotent
        self._worker: Any = get_worker()
        self._client: Any = get_client()
        self._looked = 0.0
        self._is_cancelled = False

    def begin(self) -> None:
        try:
            self._client.publish_dataset(True, name=self._key)
        except KeyError:
            if self.is_cancelled():
                raise Cancelled("nobody waits for it any more; it has not run") from None
            if not self._is_idempotent:
                raise WorkerCrashed(
                    f"a worker of Dask has died with {self._name}, or with its result: it may have run, and is not run again,"
                    " as it is not declared idempotent"
                ) from None

    def progress(self, body: bytes) -> None:
        self._worker.log_event(TOPIC, [self._key, body])

    def is_cancelled(self) -> bool:
        now = time.monotonic()
        if not self._is_cancelled and now - self._looked >= LOOK:
            self._looked = now
            try:
                self._is_cancelled = not self._client.get_dataset(self._key)
            except KeyError:
                self._is_cancelled = True
            except Exception:
                pass  # the scheduler does not answer, so nothing is known
        return self._is_cancelled
