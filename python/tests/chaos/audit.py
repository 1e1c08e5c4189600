"""The books of a long run: judged piece by piece, so that they stay small."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .calls import Book

#: Callers whose calls may run out of time; in what the others have, everything recovers.
HASTY = ("proxied-", "python-Rough-")


class Audit:
    """Compares what callers were told with what workers have noted. No clock decides: a worker's note waits for the outcome of
    its call, for however many pieces. A call is judged a piece after its outcome is known; a note that comes later still is a
    problem, unless the caller had only ceased to wait.
    """

    def __init__(self, book: Book, journal: Path) -> None:
        self._book = book
        self._journal = journal
        self._offset = 0
        self._previous = Book()
        self._executed: Counter[str] = Counter()  # and not judged yet
        self._may_run: set[str] = set()  # judged, and not executed so far: their callers wait no longer
        self.outcomes: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    @property
    def held(self) -> int:
        """How many calls it remembers."""
        return len(self._executed) + len(self._may_run)

    def close_piece(self) -> None:
        judged, self._previous = self._previous, self._book.rotate()
        self._executed.update(self._read())
        self._judge(judged)

    def end(self) -> None:
        """After the last call: judges what is left."""
        self.close_piece()
        self.close_piece()
        self._note("no outcome", sorted(self._book.without_outcome))
        self._executed.subtract(self._may_run)
        self._note("ran again, or after all, when its call was long over", sorted(+self._executed))

    def _judge(self, ended: Book) -> None:
        executed = Counter(
            {token: self._executed.pop(token) for token in ended.begun if token in self._executed}
        )
        for what, tokens in ended.contradictions(executed.elements()).items():
            self._note(what, tokens)
        late = [token for token in ended.ended_with("deadline_exceeded") if not token.startswith(HASTY)]
        self._note("no answer in a time that is long enough", late)
        self._may_run.update(ended.undecided - executed.keys())
        self.outcomes.update(ended.outcomes)

    def _read(self) -> list[str]:
        with open(self._journal, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        return text.decode().split()

    def _note(self, what: str, tokens: list[str]) -> None:
        if tokens:
            self.problems[what] += len(tokens)
            self.examples.setdefault(what, tokens[0])
