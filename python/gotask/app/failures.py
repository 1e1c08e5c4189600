"""What an exception of the application says: its message, its traceback, its line."""

from __future__ import annotations

# They are imported before the application's folder is on sys.path: it may have modules of the same names.
import os
import sys
from traceback import TracebackException
from typing import Any

from ..errors import ArgumentMismatch, MAX_NAME, RemoteError, UnsendableElement, class_name, shorten
from ..wire import json
from ..wire.codec import encode
from ..wire.frames import JSON

# The innermost frames of a traceback that are kept: each takes half a kilobyte while it is formatted.
MAX_FRAMES = 2000

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


def error_body(error: BaseException) -> bytes:
    """The body of the error reply for what a method raised: a `remote_error`, unless the arguments did not fit.

    Never raises, whatever the exception's class, `__str__`, `data` or traceback do.
    """
    try:
        # By the real class: an exception's `__class__` may say anything.
        if issubclass(type(error), (ArgumentMismatch, UnsendableElement)):
            return error.body()  # type: ignore[attr-defined, no-any-return]
        name = class_name(type(error))
        message = _message(error) or name
        return RemoteError(message, _data(error), name, traceback_text(error), where(error)).body()
    except BaseException as failure:  # no memory for it, for instance
        name = class_name(type(error))
        return RemoteError(f"({class_name(type(failure))} while it was described)", type=name).body()


def _data(error: BaseException) -> dict[str, Any] | None:
    # It may be a property, which may raise.
    try:
        data = error.data  # type: ignore[attr-defined]
        if not isinstance(data, dict):
            return None
    except BaseException:
        return None
    try:
        # Decimals, dates, numbers of numpy and so on become what they are in results.
        converted: dict[str, Any] = json.decode(encode(JSON, data).decode())
        return converted
    except BaseException:
        return data  # of which the repr is sent


def where(error: BaseException) -> str:
    """The innermost line of the application in its traceback, such as `app.py:63 in raises`; empty: there is none.

    What is installed, and Python's own library, counts only where there is nothing else. The path is relative to the entry of
    sys.path that the file was found by, or to the working directory. Never raises.
    """
    try:
        own = other = None
        frame = error.__traceback__
        while frame is not None:
            file = frame.tb_frame.f_code.co_filename
            if _is_own(file):
                own = frame
            elif not file.startswith(_OURS):
                other = frame
            frame = frame.tb_next
        found = own or other
        if found is None:
            return ""
        code = found.tb_frame.f_code
        return f"{_relative(code.co_filename)}:{found.tb_lineno} in {code.co_name[:MAX_NAME]}"
    except BaseException:
        return ""


_OURS = (_PACKAGE, "<frozen importlib")


def _is_own(file: str) -> bool:
    """Whether it is the application's: not generated, Python's, installed or GoTask's."""
    return not file.startswith(("<", _LIBRARY, _PACKAGE)) and not (
        f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}dist-packages{os.sep}" in file
    )


def _relative(file: str) -> str:
    folders = [entry for entry in sys.path if isinstance(entry, str)]
    try:
        folders.append(os.getcwd())
    except OSError:
        pass  # it has been removed
    above = [
        folder
        for folder in folders
        if folder.strip(os.sep) and file.startswith(folder.rstrip(os.sep) + os.sep)
    ]
    return file[len(max(above, key=len)) :].lstrip(os.sep) if above else file


def traceback_text(error: BaseException) -> str:
    """Its traceback as Python prints it, without GoTask's and the import system's frames at its beginning. Never raises."""
    try:
        trace = TracebackException(type(error), error, error.__traceback__, limit=-MAX_FRAMES, compact=True)
        _strip(trace)
        return shorten("".join(trace.format()))
    except BaseException:  # a source file vanished, an attribute raised, the stack is full
        return f"{class_name(type(error))}: {_message(error)}\n"


def _strip(trace: TracebackException) -> None:
    left: list[TracebackException | None] = [trace]
    seen = set()
    while left:  # not recursive: chains may be long
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        own = 0
        for frame in each.stack:
            if not frame.filename.startswith(_OURS):
                break
            own += 1
        # A SyntaxError says by itself where it is.
        if own < len(each.stack) or getattr(each, "filename", None):
            del each.stack[:own]
        left += (each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ()))


def failure_text(error: BaseException) -> str:
    """Why an application can't be loaded. Never raises."""
    return traceback_text(error).strip() + _interpreter(error)


def _interpreter(error: BaseException) -> str:
    # The module may be installed for another interpreter.
    missing = issubclass(type(error), ModuleNotFoundError) and sys.executable
    return f" (the interpreter is {sys.executable})" if missing else ""


def _message(error: BaseException) -> str:
    try:
        return shorten(str(error) + _interpreter(error))
    except BaseException as failure:
        return f"(its __str__ raised {class_name(type(failure))})"
