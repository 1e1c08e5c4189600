"""What the fault suite calls. Each call leaves its token in a journal; a worker dies at the step that a file asks for.

GOTASK_CHAOS names a folder. `step-KIND-NAME` in it (see chaos/calls.py) makes the first worker of that kind that comes to
that step end by SIGKILL; `hold-KIND-NAME` makes each wait there until that file is gone, which `.held` beside it tells.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import gotask
from gotask.ipc import gathered, notes
from gotask.worker.channel import Channel
from gotask.worker.sync import Worker

from ..chaos.calls import answer

FOLDER = os.environ["GOTASK_CHAOS"]

_journal = os.open(f"{FOLDER}/journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


with open("/proc/self/cmdline", "rb") as file:
    service, kind = file.read().split(b"\0")[-6:-4]

#: Of this worker.
KIND = "own" if service == b"Own" else kind.decode()


def step(name: str) -> None:
    """Ends this worker if it is to die here, or waits if it is to."""
    if wanted(name):
        die()
    while is_held(name):
        time.sleep(0.002)


def is_held(name: str) -> bool:
    hold = f"{FOLDER}/hold-{KIND}-{name}"
    if not os.path.exists(hold):
        return False
    open(f"{hold}.held", "w").close()
    return True


def wanted(name: str) -> bool:
    try:
        os.unlink(f"{FOLDER}/step-{KIND}-{name}")
    except OSError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def taking(method: str) -> None:
    """Puts a step before the note that a call was taken, and one behind it."""
    original: Callable[..., Any] = getattr(notes.WorkerNotes, method)

    def replaced(*given: Any) -> Any:
        step("received")
        result = original(*given)
        step("noted")
        return result

    setattr(notes.WorkerNotes, method, replaced)


def answering(method: str) -> None:
    """Puts the steps of an answer around a method of the channel."""
    original: Callable[..., None] = getattr(Channel, method)

    def replaced(channel: Any, *given: Any) -> None:
        step("returned")
        channel._sendall = sending(channel._socket.sendall)
        original(channel, *given)
        step("answered")

    setattr(Channel, method, replaced)


def sending(send: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def replaced(data: bytes) -> None:
        if wanted("answering"):
            send(data[: len(data) // 2])
            die()
        send(data)
        step("sent")

    return replaced


def around(owner: type, method: str, before: str = "", behind: str = "") -> None:
    """Puts steps of a message of a fast socket around a method."""
    original: Callable[..., Any] = getattr(owner, method)

    def replaced(*given: Any) -> Any:
        if before:
            step(f"fast-{before}")
        result = original(*given)
        if behind:
            step(f"fast-{behind}")
        return result

    setattr(owner, method, replaced)


def has_message() -> bool:
    """Whether the worker runs a message of a fast socket."""
    return any(note.has_message for note in _notes)


_notes: list[notes.WorkerNotes] = []


class Words:
    """A worker's notes, with steps around what it notes of a message."""

    def __init__(self, words: Any) -> None:
        self._words = words

    def __getattr__(self, name: str) -> Any:
        return getattr(self._words, name)

    def __getitem__(self, place: Any) -> Any:
        return self._words[place]

    def __setitem__(self, place: int, value: int) -> None:
        was = self._words[notes.MESSAGE]
        if place != notes.MESSAGE:
            self._words[place] = value
        elif value == 0:
            self._words[place] = value
            step("fast-ended")
        elif was == 0:
            step("fast-received")
            self._words[place] = value
            step("fast-noted")
        else:
            self._words[place] = value
            step("fast-begun")


_init = Worker.__init__


def remember(worker: Worker, channel: Channel, note: notes.WorkerNotes, *given: Any) -> None:
    note.words = Words(note.words)  # type: ignore[assignment]
    _notes.append(note)
    _init(worker, channel, note, *given)


taking("begin")
taking("take")
answering("reply")
setattr(Worker, "__init__", remember)
around(Worker, "_take_fast", before="woken")
around(gathered.Gathered, "add", behind="gathered")
around(Worker, "_send", "returned", "sent")


def begin(token: str) -> None:
    os.write(_journal, token.encode() + b"\n")
    if KIND != "async":
        step("running")
        if has_message():
            step("fast-running")
    elif wanted("running"):
        die()


@gotask.service
class Sync:
    def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin(token)
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
        begin(token)
        raise ValueError(token)

    def crash(self, token: str) -> None:
        begin(token)
        os._exit(3)

    def size(self, body: bytes) -> int:
        return len(body)

    def zeros(self, count: int) -> bytes:
        return bytes(count)

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def write(self, path: str, size: int) -> int:
        with open(path, "wb") as file:
            return file.write(bytes(size))


@gotask.service
class Async:
    async def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin(token)
        while is_held("running"):
            await asyncio.sleep(0.002)
        if seconds:
            await asyncio.sleep(seconds)
        return answer(token, body, times)

    @gotask.method(idempotent=True)
    async def again(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        return await self.work(token, seconds, body, times)


@gotask.service(workers=1)
class Own:
    def work(self, token: str, seconds: float, body: bytes, times: int) -> list[Any]:
        begin(token)
        if seconds:
            time.sleep(seconds)
        return answer(token, body, times)
