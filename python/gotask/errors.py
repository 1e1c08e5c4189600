"""One family of errors, the twin of PHP's `Reasno\\GoTask\\Exception`, and their JSON form on the wire."""

from __future__ import annotations

import json
import re
from typing import Any

# Characters of a traceback or a message. A longer one loses its middle, as its ends say the most.
MAX_TEXT = 64 * 1024

# Bytes of JSON of an exception's own `data`. Instead of more, MAX_REPR characters of its repr are sent.
MAX_DATA = 256 * 1024
MAX_REPR = 1024

# Characters of a class's or a method's name.
MAX_NAME = 255

# Bytes of an error's body that are read. A broker's are shorter, by the bounds of message, traceback and data.
MAX_BODY = 1024 * 1024 + 64 * 1024


class GoTaskError(Exception):
    """The base of all. code: of the protocol. data: what belongs to that code; None: nothing."""

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


class PhpError(RemoteError):
    """A service of PHP's, called back by a method, has failed.

    `type` is the PHP exception's class, `where` its file and line, `data` may have its own `code`. `code` is the protocol's:
    `remote_error` where the service threw, `method_not_found` where nothing of that name is registered.
    """

    def __init__(
        self,
        message: str = "",
        data: dict[str, Any] | None = None,
        type: str = "",
        traceback: str = "",
        where: str = "",
        code: str = "remote_error",
    ) -> None:
        super().__init__(message, data, type, traceback, where)
        self.code = code


class InvalidResult(GoTaskError):
    """The method returned what can't be encoded. It has run."""

    code = "invalid_result"


class UnsendableElement(InvalidResult):
    """An `InvalidResult` of GoTask itself, about an element of a stream; never raised by a method."""


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
    """The broker is ending, or can't start a worker, or a method's executor can't be reached; the call has not run."""

    code = "unavailable"


class ProtocolError(GoTaskError):
    """What came is no Goridge v3 frame, or none that is allowed here. Never sent as a reply."""

    code = "protocol_error"


class ConnectFailed(GoTaskError):
    """Nobody listens at the address, or answers in time. Never sent as a reply."""

    code = "connect_failed"


class ConnectionLost(GoTaskError):
    """The connection ended before the reply. `sent`: whether the peer may have taken the call."""

    code = "connection_lost"

    def __init__(self, message: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class EncodeFailed(GoTaskError):
    """The payload can't be encoded. Nothing was sent."""

    code = "encode_failed"


class DecodeFailed(GoTaskError):
    """The reply can't be decoded. The method has run."""

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
    """The error in the body of an error reply. Text of a plain Goridge peer is a RemoteError.

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
        return RemoteError(shorten(body[:MAX_BODY].decode("utf-8", "replace")))
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


_CODE = re.compile(rb'\{"code": ?"([a-z_]{1,32})"')


def code_of(body: bytes | memoryview) -> str:
    """The code of the error in a body that this side has made, without decoding the rest; `remote_error` where it has none."""
    found = _CODE.match(body)
    code = found[1].decode() if found is not None else ""
    return code if code in BY_CODE else RemoteError.code


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def error_text(body: bytes) -> bytes:
    """The text, for a plain Goridge peer, of an error whose JSON body is `body`."""
    return str(from_body(body)).encode("utf-8", "replace")


def told(body: bytes) -> tuple[str, str]:
    """For a log: what happened, and the traceback or the stack, empty if the body has none."""
    error = from_body(body)
    stack = error.traceback if isinstance(error, RemoteError) else (error.data or {}).get("stack", "")
    return str(error), stack if isinstance(stack, str) else ""


def class_name(cls: type) -> str:
    """`ValueError`, `app.Broken`, `numpy.linalg.LinAlgError`. Never raises; MAX_NAME characters at most."""
    try:
        # Of `type` itself: a metaclass may replace them.
        name: str = vars(type)["__qualname__"].__get__(cls)[:MAX_NAME]
        module = vars(type)["__module__"].__get__(cls)
        return name if module == "builtins" or type(module) is not str else f"{module}.{name}"[-MAX_NAME:]
    except BaseException:
        return "an exception"


def shorten(text: str) -> str:
    """Cuts the middle out of a text of more than MAX_TEXT characters."""
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
