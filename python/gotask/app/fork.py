"""How a process ends that a method forked and that returns from the method: it is no worker."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from .failures import traceback_text


def end_by(error: BaseException) -> NoReturn:
    """Ends this process as Python ends a program that raises. It tells the broker nothing: its parent answers the call."""
    code: object = 1
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
    else:
        sys.stderr.write(traceback_text(error))
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    end(code & 0xFF)


def end(code: int) -> NoReturn:
    """Ends this process at once, after what it has printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more
    os._exit(code)
