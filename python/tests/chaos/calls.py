"""Calls that tell one from another, and a book of what became of each."""

from __future__ import annotations

import random
import threading
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from gotask import GoTaskError

#: Where a worker can be killed, in the order of a call's life: before it has noted that it took the call, as it has, in
#: the method, behind it, in the middle of the answer, as it is sent, and behind that.
STEPS = ("received", "noted", "running", "returned", "answering", "sent", "answered")

#: The same of a message of a fast socket: as the worker is woken for it, with the message and before its note, with the note,
#: in the method, at the note of the next call, as a reply is gathered, before the replies are sent, behind that, and once the
#: note is void. See apps/steps.py.
FAST_STEPS = tuple(
    f"fast-{name}"
    for name in (
        "woken",
        "received",
        "noted",
        "running",
        "begun",
        "gathered",
        "returned",
        "sent",
        "ended",
    )
)

#: Groups of workers: of the services that share theirs, by kind, and of one that has its own.
GROUPS = ("sync", "async", "own")
METHODS = {"sync": "Sync.work", "async": "Async.work", "own": "Own.work"}

#: Errors that say that the method has not run; so does the text of others.
NOT_RUN = {"connect_failed", "overloaded", "unavailable"}

#: What a caller notes that waits no longer: whether the method runs, and when, it does not learn.
LEFT = {"deadline_exceeded", "connection_lost", "cancelled", "given up"}


def answer(token: str, body: bytes, times: int) -> list[Any]:
    """What a call of `work` returns: everything that the answer to another call would not have."""
    return [token, zlib.crc32(body), body * times]


def arguments(random: random.Random, token: str, sleep: float) -> list[Any]:
    """Of a call of `work`: many small ones, some that are slow, some whose body or result needs shared memory."""
    count, times = random.choice(((0, 1), (1, 1), (10, 1), (10, 1), (100, 1), (25_000, 1), (100, 250)))
    seconds = random.choice((0.0, 0.0, 0.0, sleep))
    return [token, seconds, random.randbytes(8) * count, times]


class Book:
    """Each call has one line: begun, and then exactly one outcome."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[str, str] = {}  # by token; "ok", or the code of an error
        self._not_run: set[str] = set()
        self.begun: set[str] = set()
        self.twice: list[str] = []  # calls that had two outcomes, or none that was asked for
        self.wrong: list[str] = []  # calls whose answer is not theirs

    def begin(self, token: str) -> None:
        with self._lock:
            self.begun.add(token)

    def end(self, token: str, code: str, message: str = "") -> None:
        with self._lock:
            if token in self._outcomes or token not in self.begun:
                self.twice.append(token)
            self._outcomes[token] = code
            if code in NOT_RUN or "has not run" in message or "was not sent" in message:
                self._not_run.add(token)

    def returned(self, token: str, body: bytes, times: int, value: Any) -> None:
        if value != answer(token, body, times):
            self.wrong.append(token)
        self.end(token, "ok")

    def failed(self, token: str, error: GoTaskError) -> None:
        self.end(token, error.code, error.message)

    def give_up(self, caller: str) -> None:
        """This caller was killed: what has no outcome gets none."""
        with self._lock:
            left = [token for token in self.begun - self._outcomes.keys() if token.startswith(caller)]
            self._outcomes.update(dict.fromkeys(left, "given up"))

    def has_answered(self, caller: str) -> bool:
        """Whether a call of this caller has ended."""
        with self._lock:
            return any(token.startswith(f"{caller}-") for token in self._outcomes)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(self._outcomes.values())

    def ended_with(self, code: str) -> list[str]:
        return [token for token, outcome in self._outcomes.items() if outcome == code]

    @property
    def undecided(self) -> set[str]:
        """Calls whose callers wait no longer, and that may still run."""
        return {token for token, code in self._outcomes.items() if code in LEFT} - self._not_run

    @property
    def errors(self) -> Counter[str]:
        return Counter(code for code in self._outcomes.values() if code != "ok")

    @property
    def without_outcome(self) -> set[str]:
        return self.begun - self._outcomes.keys()

    def rotate(self) -> Book:
        """Takes out the calls that have ended, as a book of their own."""
        taken = Book()
        with self._lock:
            taken._outcomes, self._outcomes = self._outcomes, {}
            taken._not_run, self._not_run = self._not_run, set()
            taken.twice, self.twice = self.twice, []
            taken.wrong, self.wrong = self.wrong, []
            taken.begun = set(taken._outcomes)
            self.begun -= taken.begun
        return taken

    def contradictions(self, journal: Iterable[str]) -> dict[str, list[str]]:
        """What the journal of executed calls says otherwise: {what: tokens}, empty where all is well."""
        executed = Counter(journal)
        found = {
            "two outcomes": self.twice,
            "no outcome": sorted(self.without_outcome),
            "wrong answer": self.wrong,
            "executed twice": [token for token, count in executed.items() if count > 1],
            "said not to have run, but has": [token for token in self._not_run if token in executed],
            "answered, but has not run": [
                token for token, code in self._outcomes.items() if code == "ok" and token not in executed
            ],
        }
        return {what: tokens for what, tokens in found.items() if tokens}
