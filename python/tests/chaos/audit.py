"""The books of a long run: judged piece by piece, so that they stay small."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .calls import Book


#: Callers whose calls may run out of time; in what the others have, everything recovers.
HASTY = ("proxied-", "python-Rough-")


class Audit:
    """Compares what callers were told with what workers have noted. A piece is judged when the next one is closed: by then the
    calls in it, also those that their callers gave up, are over.
    """

    def __init__(self, book: Book, journal: Path) -> None:
        self._book = book
        self._journal = journal
        self._offset = 0
        self._previous = Book()
        self._before: Counter[str] = Counter()  # executed before the piece that is being judged was closed
        self._since: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    def close_piece(self) -> None:
        executed = self._read()
        judged, self._previous = self._previous, self._book.rotate()
        everything = self._before + self._since + executed
        for what, tokens in judged.contradictions(everything.elements()).items():
            if what != "executed twice":
                self._note(what, tokens)
        self._note("executed twice", [token for token in executed if everything[token] > 1])
        late = [token for token in judged.ended_with("deadline_exceeded") if not token.startswith(HASTY)]
        self._note("no answer in a time that is long enough", late)
        self._before, self._since = self._since, executed
        self.outcomes.update(judged.outcomes)

    def end(self) -> None:
        """After the last call: judges what is left."""
        self.close_piece()
        self.close_piece()
        if self._book.without_outcome:
            self._note("no outcome", sorted(self._book.without_outcome))

    def _read(self) -> Counter[str]:
        with open(self._journal, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        return Counter(text.decode().split())

    def _note(self, what: str, tokens: list[str]) -> None:
        if tokens:
            self.problems[what] += len(tokens)
            self.examples.setdefault(what, tokens[0])
