"""Records of a worker's logging module, on their way to the broker and so to the PHP side's logger."""

from __future__ import annotations

import logging
import math
import os
import time
from typing import Any

from .channel import Channel

# What a record has by itself, and what formatters of other handlers add to it.
_STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))

# The levels that PHP and the broker know, by the lowest number that each stands for.
_LEVELS = ((50, "critical"), (40, "error"), (30, "warning"), (20, "info"))

# What `extra` adds is cut off beyond: levels of nesting, elements of all containers, characters of each text.
MAX_DEPTH = 6
MAX_ELEMENTS = 1000
MAX_TEXT = 4096


class Forward(logging.Handler):
    """Sends records to the broker, with their own level and time and what `extra` adds.

    Nothing that is logged raises in the code that logs it: what can't be formatted or sent is described instead.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._channel.log(self._content(record))
        except Exception:
            self.handleError(record)  # as the handlers of the standard library do

    def _content(self, record: logging.LogRecord) -> dict[str, Any]:
        context = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        content: dict[str, Any] = {
            "level": level_name(record.levelno),
            "message": _message(record),
            "logger": _text(record.name),
            "time": _time(record.created),
            "context": {**plain(context), "pid": os.getpid()},
        }
        details = [self._formatter.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            details.append(record.stack_info)
        if details:
            content["exception"] = _text("\n".join(details))
        return content


def level_name(number: int) -> str:
    """The name of the highest level that is not above that number."""
    return next((name for lowest, name in _LEVELS if number >= lowest), "debug")


def _time(created: object) -> float:
    """Filters may change it, or make a record of their own."""
    return created if isinstance(created, (int, float)) and math.isfinite(created) else time.time()


def _message(record: logging.LogRecord) -> str:
    try:
        return _text(record.getMessage())
    except Exception as error:
        shown = f"{_repr(record.msg)} with {_repr(record.args)}"
        return f"{shown} could not be formatted: {type(error).__name__}: {_repr(error)}"


def plain(value: dict[Any, Any]) -> dict[str, Any]:
    """The same in JSON's types, whatever it holds: other values by their repr, and what is too much left out."""
    left = [MAX_ELEMENTS]
    return {_key(key): _plain(item, MAX_DEPTH, left) for key, item in _first(value.items(), left)}


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if value.bit_length() < 64 else _repr(value)
    if kind is float:
        return value if math.isfinite(value) else repr(value)
    if kind is str:
        return _text(value)[:MAX_TEXT]
    if depth and kind is dict:
        return {_key(key): _plain(item, depth - 1, left) for key, item in _first(value.items(), left)}
    if depth and kind in (list, tuple):
        return [_plain(item, depth - 1, left) for item in _first(value, left)]
    return _repr(value)


def _first(all_items: Any, left: list[int]) -> list[Any]:
    """As many as may still be sent. A copy: another thread may change what is logged."""
    items: list[Any] = list(all_items)[: left[0]]
    left[0] -= len(items)
    return items


def _key(key: object) -> str:
    return _text(key)[:MAX_TEXT] if type(key) is str else _repr(key)


def _repr(value: object) -> str:
    try:
        return _text(repr(value))[:MAX_TEXT]
    except Exception as error:
        return f"({type(value).__name__} whose __repr__ raised {type(error).__name__})"


def _text(text: str) -> str:
    """Without lone surrogates, for which PHP refuses the whole record."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def forward_logging(channel: Channel) -> None:
    """From now on all that the logging module is told goes there."""
    logging.basicConfig(level=os.environ.get("GOTASK_LOG_LEVEL", "info").upper(), handlers=[Forward(channel)])
