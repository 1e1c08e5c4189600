"""What a worker is doing at this moment: the calls that it runs, by either path, its memory and its processor time."""

from __future__ import annotations

import os
import time
from typing import Any, Final, NamedTuple, Protocol

from ..ipc.messages import SENT, fast_calls
from .call import Call
from .process import WorkerProcess

# Calls of one worker that GoTask.Status tells.
MOST: Final = 10

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Running(NamedTuple):
    """One call. number: of a fast one, with its client's in the upper 32 bits."""

    number: int
    method: str
    seconds: float
    waited: float  # before that; 0.0 where it is not known


class HasCalls(Protocol):
    """The group that a worker belongs to."""

    name: str

    @property
    def kind(self) -> str:
        """What kind of methods its workers run."""

    def call_of(self, number: int) -> Call | None:
        """The call of that number if it was sent and has not been answered."""


def running(group: HasCalls, worker: WorkerProcess, wanted: int = 0) -> list[Running]:
    """Oldest first; wanted: the call of that number alone. A dead worker, whose notes are closed, runs none.

    Of a fast call the seconds count from when it was sent: it waits for next to nothing.
    """
    if worker.state == "dead":
        return []
    now = time.monotonic()
    found = []
    for number, began in worker.notes.begun_at():
        call = group.call_of(number) if not wanted or number == wanted else None
        if call is not None:
            found.append(Running(number, call.name, max(0.0, now - began), max(0.0, began - call.arrived)))
    message = worker.notes.message()
    if message is not None:
        client, place, frames = message
        for sequence, method in fast_calls(frames)[place : place + 1]:
            sent = SENT.unpack_from(frames)[0] / 1e9
            name, number = method.decode("utf-8", "replace"), client << 32 | sequence
            if not wanted or number == wanted:
                found.append(Running(number, name, max(0.0, now - sent), 0.0))
    return sorted(found, key=lambda call: -call.seconds)


def state(worker: WorkerProcess, calls: list[Running]) -> str:
    """In a word: starting, idle, busy, leaving or dead."""
    return worker.state if worker.state != "ready" else "busy" if calls else "idle"


def worker_status(group: HasCalls, worker: WorkerProcess, generation: int) -> dict[str, Any]:
    """Its entry in GoTask.Status; times in seconds, memory in bytes."""
    calls = running(group, worker)
    memory, cpu = _used(worker.pid)
    return {
        "pid": worker.pid,
        "state": state(worker, calls),
        "calls": worker.calls + worker.notes.calls,
        "service": group.name,
        "kind": group.kind,
        "generation": generation,
        "age": time.monotonic() - worker.started_at,
        "running": [{"method": call.method, "seconds": call.seconds} for call in calls[:MOST]],
        "memory": memory,
        "cpu": cpu,
    }


def _used(pid: int) -> tuple[int, float]:
    """Resident bytes of a process, and its processor time in seconds; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0, 0.0
    return int(fields[21]) * _PAGE, (int(fields[11]) + int(fields[12])) / _TICKS
