"""What the broker's parts share: settings, log, loop, memory, and what is handed on together at the end of a turn."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, Protocol

from ..config import Config
from ..errors import told
from ..ipc.notes import WorkerNotes
from ..ipc.segment import SegmentPool
from ..wire import frames as wire
from .call import Call, Caller
from .counts import Counts
from .crash import CrashReport, OomCounter
from .log import Log
from .retry_budget import RetryBudget
from .shared_queue import SharedQueue


class FastCalls(Protocol):
    """The fast path: calls of which the broker learns only when something is to become of them."""

    def call_of(self, number: int) -> Call | None:
        """The call of that number, if it was stopped and has not been answered."""

    def speaking(self, number: int) -> Call | None:
        """The call whose worker sends a message to its caller. None: its client is gone."""

    def stop(self, owner: Caller, sequence: int, reason: str) -> None:
        """A client's call is to end, or is taken back."""

    def answered(self, number: int) -> Call | None:
        """The call that a worker answers by the broker. None: its client is gone."""

    def returned(self, number: int, method: bytes) -> None:
        """A worker has come upon a call that was revoked."""

    def reason(self, call: Call) -> str:
        """Why a call was stopped; empty where it was not."""

    def frames(self, client: int, frames: bytes) -> None:
        """Frames that a client's fast socket did not take, or that a worker did not get to send."""

    def malformed(self, client: int, what: str) -> None:
        """A client has sent what is no message of calls."""

    def settle(
        self,
        message: tuple[int, int, bytes],
        notes: WorkerNotes,
        report: CrashReport,
        crash: Callable[[Call, CrashReport, str], None],
    ) -> None:
        """A worker died with that message, and its notes tell what it had answered. `crash` answers the call that ran."""

    def serve(self) -> None:
        """Other workers may be ready, or another generation serves."""


class Runtime:
    """Of one broker. resubmit: sends a call on its way once more that was taken before and has not run, or may run again."""

    def __init__(
        self, config: Config, log: Log, loop: AbstractEventLoop, resubmit: Callable[[Call], None]
    ) -> None:
        self.config = config
        self.log = log
        self.loop = loop
        self.resubmit = resubmit
        self.segments = SegmentPool(loop.call_later)
        self.oom = OomCounter()
        self.retry_budget = RetryBudget()
        self.counts = Counts()
        self.fast_calls = 0  # that workers ran which have ended
        self.fast: FastCalls | None = None  # where there is one
        self.dirty: list[Caller] = []  # with something gathered to be written
        self.touched: set[SharedQueue] = set()  # to be pumped

    def flush(self) -> None:
        """Hands on, to the workers and to the callers, what has been gathered since the last time."""
        if self.touched:
            touched, self.touched = self.touched, set()
            for queue in touched:
                queue.pump()
        dirty = self.dirty
        if dirty:
            self.dirty = []
            for connection in dirty:
                connection.flush()

    def lost(self, call: Call, why: str) -> None:
        """Logs that a notification has not run, or not to its end. Its caller has been answered already."""
        if call.is_notification:
            self.log.error(f"the notification {call.name} was lost: {why}", method=call.name)

    def log_reply(self, call: Call, frame: bytes, what: str, level: str) -> None:
        """Logs an error reply, with the traceback or the stack that it has."""
        text, traceback = told(bytes(frame[wire.parse(frame).start + len(call.method) :]))
        context: dict[str, Any] = {"method": call.name}
        if call.number:
            context["call"] = call.number
        self.log.record(
            {"level": level, "message": f"{what}: {text}", "context": context, "exception": traceback}
        )
