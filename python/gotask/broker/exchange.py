"""The messages of one call that has begun: which worker has it, and whether its caller keeps to what was agreed."""

from __future__ import annotations

from typing import Protocol

from ..ipc.messages import GONE, TELL
from ..ipc.segment import Segment
from ..wire.exchange import ANSWER, CALL, CREDIT, END, ITEMS, WINDOW
from ..wire.frames import Frame


class Worker(Protocol):
    """What an exchange knows of the worker."""

    def ask(self, kind: int, number: int, content: bytes = b"", segment: Segment | None = None) -> None:
        """Sends it a request, now or as soon as it takes one more."""


class Exchange:
    """Made by the first message of a worker: a caller only ever answers.

    Bodies of elements are counted, so that no peer can make the broker or a worker hold more than the windows.
    `waits`: the newest call back that has no answer yet; 0: there is none.
    """

    __slots__ = ("_worker", "_number", "_window", "_credit", "_calls", "_has_input")

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker = worker
        self._number = number
        self._window = WINDOW  # bytes that the worker may send
        self._credit = 0  # bytes that the caller may send
        self._has_input = False  # the worker reads it, and it has not ended
        self._calls: set[int] = set()

    @property
    def waits(self) -> int:
        return max(self._calls, default=0)

    def said(self, kind: int, number: int, size: int) -> None:
        """The worker sends a message with a body of `size` bytes."""
        if kind == ITEMS:
            self._window -= size
        elif kind == CREDIT:
            self._credit += number
            self._has_input = True
        elif kind == CALL:
            self._calls.add(number)

    def tell(self, frame: Frame, segment: Segment | None) -> str:
        """Passes a message of the caller on. Returns what is wrong with it, and then it is not passed on; empty: nothing."""
        _, kind, number = frame.options
        size = len(frame.raw) - frame.start
        wrong = ""
        if kind == CREDIT:
            if not number:
                return ""
            self._window += number
            if self._window > WINDOW:
                wrong = "it gives credit for more than has been sent"
        elif kind == ITEMS and size and self._has_input and self._credit > 0:
            self._credit -= size
        elif kind == END and self._has_input:
            self._has_input = False
        elif kind == ANSWER and number in self._calls:
            self._calls.remove(number)
        else:
            wrong = f"nothing has asked for one of kind {kind}"
        if wrong:
            return wrong
        if segment is None:
            self._worker.ask(TELL, self._number, bytes(frame.raw))
        else:
            self._worker.ask(TELL, self._number, len(frame.raw).to_bytes(4, "little"), segment)
        return ""

    def gone(self) -> None:
        """The caller is gone."""
        self._calls.clear()
        self._worker.ask(GONE, self._number)
