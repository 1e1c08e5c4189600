"""One family of errors, the twin of PHP's `Reasno\\GoTask\\Exception`, and their JSON form on the wire."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import TracebackException
    from typing import Any

# A traceback or a message is cut to this many characters, in its middle: the ends say the most.
MAX_TEXT = 64 * 1024

# An exception's own `data` above this many bytes of JSON goes as the beginning of its repr.
MAX_DATA = 256 * 1024
MAX_REPR = 1024

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


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
    """The method raised. `type` is the exception's class, `traceback` its traceback as text, or empty."""

    def __init__(
        self, message: str = "", data: dict[str, Any] | None = None, type: str = "", traceback: str = ""
    ) -> None:
        super().__init__(message, data)
        self.type = type
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.type else self.message

    def body(self) -> bytes:
        return _body(self.code, self.message, self.type, self.traceback, self.data)


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
    """The error that an error reply's body says. Other text, of a plain Goridge peer, is a RemoteError."""
    import json

    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("code"), str):
        return RemoteError(body.decode("utf-8", "replace"))
    data = fields.get("data")
    if not isinstance(data, dict):
        data = None
    message = str(fields.get("message", ""))
    error = BY_CODE.get(fields["code"])
    if error is not None:
        return error(message, data)
    return RemoteError(message, data, str(fields.get("type", "")), str(fields.get("traceback", "")))


def error_body(error: BaseException) -> bytes:
    """The body for what a method raised: everything but an argument mismatch is a `remote_error`.

    Never raises, whatever the exception's `__str__`, `data` or traceback do.
    """
    if isinstance(error, ArgumentMismatch):
        return error.body()
    # An application's exception may be read by properties; none of it may end the worker.
    try:
        data = error.data  # type: ignore[attr-defined]
    except BaseException:
        data = None
    name = class_name(type(error))
    return _body(
        "remote_error",
        _message(error) or name,
        name,
        traceback_text(error),
        data if isinstance(data, dict) else None,
    )


def error_text(body: bytes) -> bytes:
    """The text, for a plain Goridge peer, of an error whose JSON body is `body`."""
    return str(from_body(body)).encode("utf-8", "replace")


def class_name(cls: type) -> str:
    """`ValueError`, `app.Broken`, `numpy.linalg.LinAlgError`."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def traceback_text(error: BaseException) -> str:
    """Its traceback as Python prints it, less the frames of GoTask and the import system it begins with."""
    from traceback import TracebackException

    try:
        trace = TracebackException(type(error), error, error.__traceback__, compact=True)
        _strip(trace, set())
        return _shorten("".join(trace.format()))
    except BaseException:  # source files that vanish, attributes that raise, a stack without room
        return f"{class_name(type(error))}: {_message(error)}\n"


def _strip(trace: TracebackException | None, seen: set[int]) -> None:
    if trace is None or id(trace) in seen:
        return
    seen.add(id(trace))
    own = 0
    for frame in trace.stack:
        if not frame.filename.startswith((_PACKAGE, "<frozen importlib")):
            break
        own += 1
    if own < len(trace.stack):
        del trace.stack[:own]
    _strip(trace.__cause__, seen)
    _strip(trace.__context__, seen)
    for member in getattr(trace, "exceptions", None) or ():
        _strip(member, seen)


def _message(error: BaseException) -> str:
    try:
        return _shorten(str(error))
    except BaseException as failure:
        return f"(its __str__ raised {class_name(type(failure))})"


def _shorten(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    head = MAX_TEXT // 4
    return f"{text[:head]}\n… {len(text) - MAX_TEXT} characters left out …\n{text[head - MAX_TEXT:]}"


def _body(
    code: str, message: str, type: str = "", traceback: str = "", data: dict[str, Any] | None = None
) -> bytes:
    import json

    fields: dict[str, Any] = {"code": code, "message": message}
    if type:
        fields["type"] = type
    if traceback:
        fields["traceback"] = traceback
    if data:
        fields["data"] = _json_able(data)
    # "replace": PHP refuses a whole body for one lone surrogate in it.
    return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _json_able(data: dict[str, Any]) -> dict[str, Any]:
    import json

    try:
        if len(json.dumps(data, allow_nan=False)) <= MAX_DATA:
            return data
    except BaseException:  # not JSON's types, NaN, a cycle, a dict subclass that raises
        pass
    try:
        return {"repr": repr(data)[:MAX_REPR]}
    except BaseException:
        return {"repr": f"(its __repr__ raised, {class_name(type(data))})"}
