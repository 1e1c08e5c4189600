"""What must hold for each call, whoever has it: kept by the simulation, in no part of the product."""

from __future__ import annotations

from typing import Any


class Violation(AssertionError):
    """An invariant is broken."""


class Entry:
    """One call as its caller made it. `token` is in its payload, and the method gives it back."""

    __slots__ = (
        "token",
        "behaviour",
        "idempotent",
        "notify",
        "size",
        "runs",
        "outcome",
        "cancelled",
        "has_not_run",
        "waits",
        "sequence",
        "client",
        "deadline",
        "sent_at",
        "resent",
        "fast_since",
        "method",
        "body",
        "is_late",
    )

    def __init__(self, token: int, client: Any, sequence: int) -> None:
        self.token = token
        self.client = client
        self.sequence = sequence
        self.behaviour = 0
        self.idempotent = False
        self.notify = False
        self.size = 0
        self.runs = 0
        self.outcome = ""
        self.cancelled = False
        self.has_not_run = False  # its caller was told so
        self.waits = True  # its caller does, for an outcome
        self.deadline = 0.0
        self.sent_at = 0.0
        self.resent = 0
        self.fast_since = 0.0  # when it left on the fast path; −1.0: it was taken back since
        self.method = b""
        self.body = b""
        self.is_late = False  # the broker was told that its time is over

    def __repr__(self) -> str:
        return f"call {self.token}"


class Ledger:
    """All calls of one world, by token."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.lost_notifications = 0
        self.counts: dict[str, int] = {}

    def made(self, client: Any, sequence: int) -> Entry:
        token = len(self.entries) + 1
        entry = self.entries[token] = Entry(token, client, sequence)
        return entry

    def began(self, token: int, worker: Any, was_revoked: bool) -> Entry:
        """A method begins to run."""
        entry = self.entries.get(token)
        if entry is None:
            raise Violation(f"{worker} runs a call with the payload of none: {token}")
        if was_revoked:
            raise Violation(f"{worker} runs {entry}, which had been revoked before it was noted")
        if entry.has_not_run:
            raise Violation(
                f"{worker} runs {entry}, whose caller was told that it has not run: {entry.outcome}"
            )
        if entry.runs and not entry.idempotent:
            raise Violation(f"{worker} runs {entry} once more")
        entry.runs += 1
        return entry

    def answered(self, entry: Entry, token: int) -> None:
        """Its caller has got a result, of the call with that token."""
        if token != entry.token:
            raise Violation(f"{entry} is answered by the result of call {token}")
        if not entry.runs and not entry.notify:
            raise Violation(f"{entry} has a result and has never run")
        self._over(entry, "result")

    def failed(self, entry: Entry, code: str, text: str) -> None:
        """Its caller has got an error."""
        if "has not run" in text and "run again" not in text:
            # A worker does not know that a call was made before, of an idempotent method, and lost with its worker.
            if entry.runs and not (entry.idempotent and "before it began" in text):
                raise Violation(f"the caller of {entry} is told that it has not run, and it has: {text}")
            entry.has_not_run = True
        self._over(entry, code)

    def _over(self, entry: Entry, outcome: str) -> None:
        if entry.outcome:
            raise Violation(f"{entry} has two outcomes: {entry.outcome}, {outcome}")
        entry.outcome = outcome
        entry.waits = False
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def check_end(self) -> None:
        """Nobody waits any more."""
        for entry in self.entries.values():
            if entry.waits:
                raise Violation(
                    f"{entry} is forgotten: {entry.client} waits for sequence {entry.sequence} for ever"
                )

    def check_notifications(self) -> None:
        """What was accepted has run, or the log says that it has not."""
        missing = [e for e in self.entries.values() if e.notify and e.outcome == "result" and not e.runs]
        if len(missing) > self.lost_notifications:
            raise Violation(f"notifications were accepted, never run, and nobody was told: {missing}")
