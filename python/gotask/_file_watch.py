"""Loads an app again when its files change: for development."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable

from ._loader import is_file

# Seconds between two looks.
PAUSE = 0.5

# Folders in which nobody edits the app.
_SKIPPED = frozenset(("__pycache__", "node_modules", "site-packages", "vendor", "venv"))

# Files beyond this number are not looked at.
MOST = 10_000


class FileWatch:
    """Looks at the times of the Python files below the app's folder, or the working directory where the app is a module."""

    def __init__(self, loop: AbstractEventLoop, app: str, folder: str, on_change: Callable[[], None]) -> None:
        self._loop = loop
        self._folder = os.path.dirname(os.path.join(folder, app)) if is_file(app) else folder
        self._on_change = on_change
        self._seen = self._times()
        loop.call_later(PAUSE, self._look)

    def _look(self) -> None:
        times = self._times()
        if times != self._seen:
            self._seen = times
            self._on_change()
        self._loop.call_later(PAUSE, self._look)

    def _times(self) -> dict[str, int]:
        times: dict[str, int] = {}
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
            for name in files:
                if name.endswith(".py") and len(times) < MOST:
                    path = os.path.join(folder, name)
                    try:
                        times[path] = os.stat(path).st_mtime_ns
                    except OSError:
                        pass  # being replaced: the next look finds it
        return times
