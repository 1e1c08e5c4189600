"""One family of errors, the twin of PHP's `Reasno\\GoTask\\Exception`, and their JSON form on the wire."""

from __future__ import annotations

# All of them before the application's folder is on sys.path: it may have modules of the same names.
import json
import os
import sys
from traceback import TracebackException
from typing import Any

# A traceback or a message is cut to this many characters, in its middle: the ends say the most.
MAX_TEXT = 64 * 1024

# Frames of a traceback, the innermost ones: each takes half a kilobyte while it is written.
MAX_FRAMES = 2000

# An exception's own `data` above this many bytes of JSON goes as the beginning of its repr.
MAX_DATA = 256 * 1024
MAX_REPR = 1024

# Characters of a class's or a method's name.
MAX_NAME = 255

# Bytes of an error's body that are looked at. None of a broker's is longer: message, traceback and data are bounded above.
MAX_BODY = 1024 * 1024 + 64 * 1024

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class GoTaskError(Exception):
    """The base of all. `code` is the protocol's, `data` what belongs to the code, if anything."""

    code = "remote_error"

    def __init__(self, message: str = "", data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return self.message

    def body(self) -> bytes:
        """The body of an error reply, as JSON."""
        return _body(self.code, self.message, data=self.data)


class MethodNotFound(GoTaskError):
    """Nothing of that name is registered; `data["nearest"]` lists close names."""

    code = "method_not_found"


class InvalidArguments(GoTaskError):
    """The payload does not fit the method; `data["signature"]` shows what does."""

    code = "invalid_arguments"


class ArgumentMismatch(InvalidArguments):
    """An `InvalidArguments` of GoTask itself, before the method ran.

    Never raised by a method: whatever a method raises, an `InvalidArguments` among it, is a remote error.
    """


class InvalidRequest(GoTaskError):
    """The body can't be decoded, or the frame is not a call."""

    code = "invalid_request"


class RemoteError(GoTaskError):
    """The method raised. `message` is the exception's own text, or its class where it has none.

    `type` is its class, `traceback` its traceback as text, `where` the line of the application that raised it, such as
    `app.py:63 in raises`. Each is empty where the peer does not say.
    """

    def __init__(
        self,
        message: str = "",
        data: dict[str, Any] | None = None,
        type: str = "",
        traceback: str = "",
        where: str = "",
    ) -> None:
        super().__init__(message, data)
        self.type = type
        self.traceback = traceback
        self.where = where

    def __str__(self) -> str:
        what = f"{self.type}: {self.message}" if self.type not in ("", self.message) else self.message
        return f"{what} ({self.where})" if self.where else what

    def body(self) -> bytes:
        return _body(self.code, self.message, self.type, self.traceback, self.data, self.where)


class InvalidResult(GoTaskError):
    """The method returned what can't be encoded. It has run."""

    code = "invalid_result"


class WorkerCrashed(GoTaskError):
    """The worker died with the call; `data` has `pid`, `signal` or `exit_code`, `stderr`."""

    code = "worker_crashed"


class DeadlineExceeded(GoTaskError):
    """The call's time was over."""

    code = "deadline_exceeded"


class Cancelled(GoTaskError):
    """The caller cancelled the call."""

    code = "cancelled"


class Overloaded(GoTaskError):
    """The queue is full; the call has not run."""

    code = "overloaded"


class PayloadTooLarge(GoTaskError):
    """The call (it has not run) or its result (it has) is above the limit."""

    code = "payload_too_large"


class NotAuthorized(GoTaskError):
    """The peer may not do this."""

    code = "not_authorized"


class Unavailable(GoTaskError):
    """The broker is ending, or can't start a worker; the call has not run."""

    code = "unavailable"


class ProtocolError(GoTaskError):
    """What came is no Goridge v3 frame, or not one that makes sense here. Never travels as a reply."""

    code = "protocol_error"


class ConnectFailed(GoTaskError):
    """Nobody listens at the address, or not in time. Never travels as a reply."""

    code = "connect_failed"


class ConnectionLost(GoTaskError):
    """The connection ended before the reply. `sent`: whether the peer may have taken the call."""

    code = "connection_lost"

    def __init__(self, message: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class EncodeFailed(GoTaskError):
    """A payload that can't be encoded; not a byte of it was sent."""

    code = "encode_failed"


class DecodeFailed(GoTaskError):
    """A reply that can't be decoded. The method has run."""

    code = "decode_failed"


BY_CODE: dict[str, type[GoTaskError]] = {
    error.code: error
    for error in (
        MethodNotFound,
        InvalidArguments,
        InvalidRequest,
        InvalidResult,
        WorkerCrashed,
        DeadlineExceeded,
        Cancelled,
        Overloaded,
        PayloadTooLarge,
        NotAuthorized,
        Unavailable,
    )
}


def from_body(body: bytes) -> GoTaskError:
    """The error that an error reply's body says. Other text, of a plain Goridge peer, is a RemoteError.

    No more than MAX_BODY bytes of it are looked at.
    """
    try:
        fields = json.loads(body) if len(body) <= MAX_BODY else None
    except (ValueError, RecursionError):
        fields = None
    if (
        not isinstance(fields, dict)
        or not _text(fields, "code")
        or not isinstance(fields.get("message"), str)
    ):
        return RemoteError(_shorten(body[:MAX_BODY].decode("utf-8", "replace")))
    data = fields.get("data")
    if not isinstance(data, dict):
        data = None
    message = _text(fields, "message")
    error = BY_CODE.get(fields["code"])
    if error is not None:
        return error(message, data)
    return RemoteError(
        message, data, _text(fields, "type"), _text(fields, "traceback"), _text(fields, "where")
    )


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def error_body(error: BaseException) -> bytes:
    """The body for what a method raised: everything but an argument mismatch is a `remote_error`.

    Never raises, whatever the exception's class, `__str__`, `data` or traceback do.
    """
    try:
        # By the real class: an exception's `__class__` may say anything.
        if issubclass(type(error), ArgumentMismatch):
            return error.body()  # type: ignore[attr-defined, no-any-return]
        name = class_name(type(error))
        message = _message(error) or name
        return _body("remote_error", message, name, traceback_text(error), _data(error), where(error))
    except BaseException as failure:  # no memory for it, for instance
        name = class_name(type(error))
        return _body("remote_error", f"({class_name(type(failure))} while it was described)", name)


def _data(error: BaseException) -> dict[str, Any] | None:
    # An application's exception may be read by properties.
    try:
        data = error.data  # type: ignore[attr-defined]
        return data if isinstance(data, dict) else None
    except BaseException:
        return None


def error_text(body: bytes) -> bytes:
    """The text, for a plain Goridge peer, of an error whose JSON body is `body`."""
    return str(from_body(body)).encode("utf-8", "replace")


def told(body: bytes) -> tuple[str, str]:
    """What an error reply's body says, for a log: what happened, and the traceback or the stack, or an empty text."""
    error = from_body(body)
    stack = error.traceback if isinstance(error, RemoteError) else (error.data or {}).get("stack", "")
    return str(error), stack if isinstance(stack, str) else ""


def class_name(cls: type) -> str:
    """`ValueError`, `app.Broken`, `numpy.linalg.LinAlgError`. Never raises; MAX_NAME characters at most."""
    try:
        # Not what a metaclass has in the place of them.
        name: str = vars(type)["__qualname__"].__get__(cls)[:MAX_NAME]
        module = vars(type)["__module__"].__get__(cls)
        return name if module == "builtins" or type(module) is not str else f"{module}.{name}"[-MAX_NAME:]
    except BaseException:
        return "an exception"


def where(error: BaseException) -> str:
    """The innermost line of the application that its traceback shows, such as `app.py:63 in raises`; or empty.

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
    """Whether it is the application's: neither generated, nor Python's, nor installed, nor GoTask's."""
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
    """Its traceback as Python prints it, less the frames of GoTask and the import system it begins with. Never raises."""
    try:
        trace = TracebackException(type(error), error, error.__traceback__, limit=-MAX_FRAMES, compact=True)
        _strip(trace)
        return _shorten("".join(trace.format()))
    except BaseException:  # source files that vanish, attributes that raise, a stack without room
        return f"{class_name(type(error))}: {_message(error)}\n"


def _strip(trace: TracebackException) -> None:
    left: list[TracebackException | None] = [trace]
    seen = set()
    while left:  # not recursive: a loop that catches and raises makes long chains
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
    # The module may have been installed for another one.
    missing = issubclass(type(error), ModuleNotFoundError) and sys.executable
    return f" (the interpreter is {sys.executable})" if missing else ""


def _message(error: BaseException) -> str:
    try:
        return _shorten(str(error) + _interpreter(error))
    except BaseException as failure:
        return f"(its __str__ raised {class_name(type(failure))})"


def _shorten(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    head = MAX_TEXT // 4
    return f"{text[:head]}\n… {len(text) - MAX_TEXT} characters left out …\n{text[head - MAX_TEXT:]}"


def _body(
    code: str,
    message: str,
    type: str = "",
    traceback: str = "",
    data: dict[str, Any] | None = None,
    where: str = "",
) -> bytes:
    fields: dict[str, Any] = {"code": code, "message": message}
    if type:
        fields["type"] = type
    if where:
        fields["where"] = where
    if traceback:
        fields["traceback"] = traceback
    if data:
        fields["data"] = _json_able(data)
    # "replace": PHP refuses a whole body for one lone surrogate in it.
    return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _json_able(data: dict[str, Any]) -> Any:
    try:
        text = json.dumps(data, allow_nan=False)
        if len(text) <= MAX_DATA:
            return json.loads(text)  # a copy, of JSON's own types
    except BaseException:  # not JSON's types, NaN, a cycle, a dict subclass that raises
        pass
    try:
        return {"repr": repr(data)[:MAX_REPR]}
    except BaseException:
        return {"repr": f"(its __repr__ raised, {class_name(type(data))})"}
