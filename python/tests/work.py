"""Calls of methods that run elsewhere, and what apps/work.py notes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .exchanges import Exchanger
from .peer import wait_until


class Work:
    """notes: the file that the app is told of as NOTES. peer: of the broker that serves the app."""

    peer: Exchanger

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.notes.touch()
        self._count = 0

    def path(self) -> str:
        """Of a file that is not there yet."""
        self._count += 1
        return str(self.folder / f"file{self._count}")

    def call(self, method: str, *args: Any) -> Any:
        return self.peer.result(self.peer.begin(method, *args))

    def noted(self, text: str) -> int:
        return self.notes.read_text().splitlines().count(text)

    def await_note(self, text: str, count: int) -> None:
        wait_until(lambda: self.noted(text) >= count, f"the note {text}")
