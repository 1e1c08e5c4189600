"""What the fault suite calls. Each call leaves its token in a journal; a worker dies at the step that a file asks for.

GOTASK_CHAOS names a folder. `step-LANE-NAME` in it (see chaos/calls.py) makes the first worker that comes to that step in a
call of that lane end by SIGKILL; `hold-LANE-NAME` makes each wait there until that file is gone, which `.held` beside it tells.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import gotask
from gotask.ipc import notes
from gotask.worker.channel import Channel

from ..chaos.calls import answer

FOLDER = os.environ["GOTASK_CHAOS"]

_journal = os.open(f"{FOLDER}/journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def step(lane: str, name: str) -> None:
    """Ends this worker if it is to die here, or waits if it is to."""
    if wanted(lane, name):
        die()
    while is_held(lane, name):
        time.sleep(0.002)


def is_held(lane: str, name: str) -> bool:
    hold = f"{FOLDER}/hold-{lane}-{name}"
    if not os.path.exists(hold):
        return False
    open(f"{hold}.held", "w").close()
    return True


def wanted(lane: str, name: str) -> bool:
    try:
        os.unlink(f"{FOLDER}/step-{lane}-{name}")
    except OSError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def taking(method: str, lane: str, after: str) -> None:
    """Puts a step before the note that a call was taken, and one behind it."""
    original: Callable[..., Any] = getattr(notes.WorkerNotes, method)

    def replaced(*given: Any) -> Any:
        step(lane, "received")
        result = original(*given)
        step(lane, after)
        return result

    setattr(notes.WorkerNotes, method, replaced)


def answering(method: str, lane_of: Callable[..., str]) -> None:
    """Puts the steps of an answer around a method of the channel. lane_of: the lane, from what the method is given."""
    original: Callable[..., None] = getattr(Channel, method)

    def replaced(channel: Any, *given: Any) -> None:
        lane = lane_of(*given)
        step(lane, "returned")
        channel._sendall = sending(channel._socket.sendall, lane)
        original(channel, *given)
        step(lane, "answered")

    setattr(Channel, method, replaced)


def sending(send: Callable[[bytes], None], lane: str) -> Callable[[bytes], None]:
    def replaced(data: bytes) -> None:
        if wanted(lane, "answering"):
            send(data[: len(data) // 2])
            die()
        send(data)
        step(lane, "sent")

    return replaced


with open("/proc/self/cmdline", "rb") as file:
    SYNC = "own" if file.read().endswith(b"\0Own\0") else "sync"
taking("message", SYNC, "gathered")
taking("begin", SYNC, "noted")
taking("begin_of_many", SYNC, "noted")
taking("take", "async", "noted")
answering("reply", lambda job, lane, *rest: (SYNC, "async")[lane])
answering("gather", lambda *rest: SYNC)


def begin(lane: str, token: str) -> None:
    os.write(_journal, token.encode() + b"\n")
    if lane != "async":
        step(lane, "running")
    elif wanted(lane, "running"):
        die()


@gotask.service
class Sync:
    def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin("sync", token)
        if seconds:
            time.sleep(seconds)
        return answer(token, body, times)

    @gotask.method(idempotent=True)
    def again(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        return self.work(token, seconds, body, times)

    def hold(self, seconds: float) -> int:
        """Keeps a worker to itself for so long, and says which."""
        time.sleep(seconds)
        return os.getpid()

    def fail(self, token: str) -> None:
        begin("sync", token)
        raise ValueError(token)

    def crash(self, token: str) -> None:
        begin("sync", token)
        os._exit(3)

    def size(self, body: bytes) -> int:
        return len(body)

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def write(self, path: str, size: int) -> int:
        with open(path, "wb") as file:
            return file.write(bytes(size))


@gotask.service
class Async:
    async def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin("async", token)
        while is_held("async", "running"):
            await asyncio.sleep(0.002)
        if seconds:
            await asyncio.sleep(seconds)
        return answer(token, body, times)

    @gotask.method(idempotent=True)
    async def again(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        return await self.work(token, seconds, body, times)


@gotask.service(workers=1)
class Own:
    """Where there is one worker only, calls share messages."""

    def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin("own", token)
        if seconds:
            time.sleep(seconds)
        return answer(token, body, times)
