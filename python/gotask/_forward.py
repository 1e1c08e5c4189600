"""Records of a worker's logging module, on their way to the broker and so to the PHP side's logger."""

from __future__ import annotations

import logging
import os
from typing import Any

from ._channel import Channel

_STANDARD = frozenset(vars(logging.makeLogRecord({})))


class Forward(logging.Handler):
    """Sends records to the broker, with their own level and time and what `extra` adds."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        context = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        content: dict[str, Any] = {
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            "time": record.created,
            "context": {**context, "pid": os.getpid()},
        }
        if record.exc_info:
            content["exception"] = self._formatter.formatException(record.exc_info)
        self._channel.log(content)


def forward_logging(channel: Channel) -> None:
    """From now on all that the logging module is told goes there."""
    logging.basicConfig(level=os.environ.get("GOTASK_LOG_LEVEL", "info").upper(), handlers=[Forward(channel)])
