"""The broker's log: records, its own and the workers', to people on stderr or to a supervisor as JSON lines on stdout."""

from __future__ import annotations

import json
import os
import re
import time
from asyncio import AbstractEventLoop
from typing import Any

from .service_manager import ServiceManager
from .writer import NonBlockingWriter

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

# Of what peers can cause as often as they like, so many records of a kind in so many seconds are written; the rest is counted.
OFTEN = 10
OFTEN_SECONDS = 10.0

# What a terminal obeys, in the output of workers: all but tab, line feed, carriage return and colours.
_CONTROL = re.compile(rb"\x1b(?!\[[0-9;]*m)|[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]")


class Log:
    """Writes records at or above `level`. `managed`: one JSON line a record on stdout, as the supervisor reads them."""

    def __init__(self, level: str, managed: bool) -> None:
        self._threshold = LEVELS[level]
        self._managed = managed
        self._stderr = NonBlockingWriter(2, _dropped_output)
        self._half = b""  # of what raw() was given last
        self._service_manager = ServiceManager(os.environ)
        self._records = self._stderr
        self._loop: AbstractEventLoop | None = None
        self._often: dict[str, tuple[int, str]] = {}  # by kind: how often in these seconds, and what was last
        if managed:
            # The records get the pipe for themselves: what an app prints in this process goes to standard error.
            self._records = NonBlockingWriter(os.dup(1), _dropped_records)
            os.dup2(2, 1)

    def attach(self, loop: AbstractEventLoop) -> None:
        """From now on, a reader that does not read costs records and not the broker's time."""
        self._loop = loop
        self._service_manager.watch(loop)
        self._stderr.attach(loop)
        if self._managed:
            self._records.attach(loop)

    @property
    def output(self) -> NonBlockingWriter:
        """Where raw() writes."""
        return self._stderr

    @property
    def records(self) -> NonBlockingWriter:
        """Where records are written."""
        return self._records

    def raw(self, data: bytes) -> None:
        """What a worker wrote to its standard error, but for what a terminal would obey."""
        data = self._half + data
        self._half = b"\xc2" if data.endswith(b"\xc2") else b""  # of a control character, perhaps
        data = data[: len(data) - len(self._half)]
        self._stderr.write(_CONTROL.sub(lambda found: f"\\x{found[0][-1]:02x}".encode(), data))

    def debug(self, message: str, **context: Any) -> None:
        self.record({"level": "debug", "message": message, "context": context})

    def info(self, message: str, **context: Any) -> None:
        self.record({"level": "info", "message": message, "context": context})

    def warning(self, message: str, **context: Any) -> None:
        self.record({"level": "warning", "message": message, "context": context})

    def error(self, message: str, **context: Any) -> None:
        self.record({"level": "error", "message": message, "context": context})

    def often(self, kind: str, what: str, level: str = "warning", **context: Any) -> None:
        """What a peer can cause as often as it likes: beyond OFTEN of a kind in OFTEN_SECONDS it is only counted."""
        count, _ = self._often.get(kind, (0, ""))
        self._often[kind] = count + 1, what
        if count < OFTEN:
            self.record({"level": level, "message": f"{kind}: {what}", "context": context})
        if count == 0 and self._loop is not None:
            self._loop.call_later(OFTEN_SECONDS, self._tell, kind, level)

    def _tell(self, kind: str, level: str) -> None:
        count, what = self._often.pop(kind, (0, ""))  # none: the end has told it already
        if count > OFTEN:
            more = f"{count - OFTEN} more in the last {OFTEN_SECONDS:g} s, the last one: {what}"
            self.record({"level": level, "message": f"{kind}: {more}"})

    def record(self, record: dict[str, Any]) -> None:
        """A record as a worker sends it: level, message, and where they apply logger, time, context, exception."""
        level = str(record.get("level", "info"))
        if LEVELS.get(level, 20) < self._threshold:
            return
        record.setdefault("logger", "gotask")
        record.setdefault("time", time.time())
        self._write(json.dumps(record, default=repr) if self._managed else _text(record))

    def event(self, event: str, **fields: Any) -> None:
        """A step in the broker's life. A supervisor gets it as such, people as a line; systemd is told what it asks for."""
        self._service_manager.tell(event, str(fields.get("message", "")))
        if self._managed:
            self._write(json.dumps({"event": event, **fields}))
        elif message := fields.get("message"):
            self.record({"level": "error" if event == "failed" else "info", "message": message})

    def close(self) -> None:
        """Writes what is left, as far as somebody reads it."""
        for kind in tuple(self._often):
            self._tell(kind, "warning")
        self._records.close()
        if self._stderr is not self._records:
            self._stderr.close()

    def _write(self, line: str) -> None:
        self._records.write(line.encode("utf-8", "replace") + b"\n")


def _text(record: dict[str, Any]) -> str:
    """A record for people: no part of it can be taken for another record, nor be obeyed by a terminal."""
    try:
        clock = time.strftime("%H:%M:%S", time.localtime(record["time"]))
    except (TypeError, ValueError, OverflowError, OSError):
        clock = time.strftime("%H:%M:%S")
    context = record.get("context") or {}
    if isinstance(context, dict):
        context = "".join(f" {key}={value!r}" for key, value in context.items())
    level, logger = record.get("level", "info"), record["logger"]
    line = f"{level!s:<8} {logger}: {record.get('message', '')}{context}"
    if exception := record.get("exception"):
        line = f"{line}\n{exception}".rstrip()
    return f"{clock} {_harmless(line)}"


def _harmless(text: str) -> str:
    """Further lines are indented; whatever else does not print, but for tabs, is written as Python would in a string."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else "\n    " if char == "\n" else ascii(char)[1:-1]
        for char in text.replace("\r\n", "\n")
    )


def _dropped_records(pieces: int, size: int) -> bytes:
    message = f"{pieces} log records were dropped: nobody read them"
    record = {"level": "warning", "message": message, "logger": "gotask", "time": time.time()}
    return json.dumps(record).encode() + b"\n"


def _dropped_output(pieces: int, size: int) -> bytes:
    clock = time.strftime("%H:%M:%S")
    return (
        f"{clock} warning  gotask: {size} bytes of log and output were dropped: nobody read them\n".encode()
    )
