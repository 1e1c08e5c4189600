"""The broker's log: records, its own and the workers', to people on stderr or to a supervisor as JSON lines on stdout."""

from __future__ import annotations

import json
import os
import time
from asyncio import AbstractEventLoop
from typing import Any

from ._outlet import Outlet

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Log:
    """Writes records at or above `level`. `managed`: one JSON line a record on stdout, as the supervisor reads them."""

    def __init__(self, level: str, managed: bool) -> None:
        self._threshold = LEVELS[level]
        self._managed = managed
        self._stderr = Outlet(2)
        self._records = self._stderr
        if managed:
            # The records get the pipe for themselves: what an app prints in this process goes to standard error.
            self._records = Outlet(os.dup(1))
            os.dup2(2, 1)

    def attach(self, loop: AbstractEventLoop) -> None:
        """From now on, a supervisor that does not read costs records and not the broker's time."""
        if self._managed:
            self._records.attach(loop)
            self._stderr.attach(loop)

    def raw(self, data: bytes) -> None:
        """What a worker wrote to its standard error, as it is."""
        self._stderr.write(data)

    def debug(self, message: str, **context: Any) -> None:
        self.record({"level": "debug", "message": message, "context": context})

    def info(self, message: str, **context: Any) -> None:
        self.record({"level": "info", "message": message, "context": context})

    def warning(self, message: str, **context: Any) -> None:
        self.record({"level": "warning", "message": message, "context": context})

    def error(self, message: str, **context: Any) -> None:
        self.record({"level": "error", "message": message, "context": context})

    def record(self, record: dict[str, Any]) -> None:
        """A record as a worker sends it: level, message, and where they apply logger, time, context, exception."""
        level = record.get("level", "info")
        if LEVELS.get(level, 20) < self._threshold:
            return
        record.setdefault("logger", "gotask")
        record.setdefault("time", time.time())
        self._write(json.dumps(record, default=repr) if self._managed else _text(record))

    def event(self, event: str, **fields: Any) -> None:
        """A step in the broker's life. A supervisor gets it as such, people as a line."""
        if self._managed:
            self._write(json.dumps({"event": event, **fields}))
        elif message := fields.get("message"):
            self.record({"level": "error" if event == "failed" else "info", "message": message})

    def flush(self) -> None:
        """Writes what waits for a reader, as far as that takes it."""
        self._records.flush()
        self._stderr.flush()

    def _write(self, line: str) -> None:
        dropped = self._records.take_dropped()
        if dropped:
            self.warning(f"{dropped} log records were dropped: nobody read them")
        self._records.write(line.encode("utf-8", "replace") + b"\n")


def _text(record: dict[str, Any]) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(record["time"]))
    context = "".join(f" {key}={value!r}" for key, value in (record.get("context") or {}).items())
    line = f"{clock} {record['level']:<8} {record['logger']}: {record['message']}{context}"
    exception = record.get("exception")
    return f"{line}\n{exception.rstrip()}" if exception else line
