"""The caller's side of one connection, without I/O and without a clock: calls to bytes, bytes to outcomes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import (
    MAX_BODY,
    DecodeFailed,
    EncodeFailed,
    GoTaskError,
    InvalidRequest,
    MethodNotFound,
    NotAuthorized,
    PayloadTooLarge,
    ProtocolError,
    RemoteError,
    from_body,
)
from ..version import VERSION
from ..wire import frames as wire
from ..wire.codec import decode, encode
from ..wire.exchange import ANSWER, CALL
from ..wire.handshake import BROKER, CALLER, NONCE_SIZE, Key, parse_nonce

PROTOCOL = 1

_HELLO = b"GoTask.Hello"
_AUTHENTICATE = b"GoTask.Authenticate"
_HELLO_SEQUENCE = 1
_MAX_REMAINING = 2**32 - 1

# How often a call that has certainly not run is made again: its connection may be dead, and the next one may end, too.
RETRIES = 2

# Bytes: of the answer to the greeting; of a ping's payload (docs/protocol.md); of answers to the peer's questions that wait.
_MAX_HELLO = 64 * 1024
_MAX_PING = 256
_MAX_REPLIES = 256 * 1024


class Args:
    """A payload of positional and named arguments, which the method gets exactly so."""

    __slots__ = ("positional", "named")

    def __init__(self, *positional: Any, **named: Any) -> None:
        self.positional = positional
        self.named = named

    def __repr__(self) -> str:
        shown = [repr(value) for value in self.positional]
        shown += [f"{name}={value!r}" for name, value in self.named.items()]
        return f"Args({', '.join(shown)})"


class Outcome(NamedTuple):
    """What became of a call: its value, or its error."""

    sequence: int
    value: Any = None
    error: GoTaskError | None = None


class Session:
    """Numbers calls, keeps those that are outstanding, and turns replies into outcomes.

    `greeting` is to be sent before anything else. Until its reply is there (`greeted`), it is not known
    whether the peer is ours, and calls go out in the form that any Goridge peer understands.

    With a key nothing but the greeting may be sent until `greeted`: by then each side has shown the other that it has it, or
    `refusal` says why not.
    """

    def __init__(
        self, codec: int = wire.MSGPACK, max_payload: int = wire.MAX_PAYLOAD, key: Key | None = None
    ) -> None:
        self._codec = codec
        self._decoder = wire.Decoder(max_payload)
        self._sequence = _HELLO_SEQUENCE
        self._pending: set[int] = set()
        self._error: ProtocolError | None = None
        self._limit = _MAX_REMAINING
        self._replies: list[bytes] = []
        self._replies_size = 0
        self._authentication = b""
        self._key = key
        self._nonce = os.urandom(NONCE_SIZE)
        self._peer_nonce: bytes | None = None
        self._hello: Mapping[str, Any] = {}
        hello: dict[str, Any] = {"protocol": PROTOCOL, "peer": "python", "version": VERSION}
        if key is not None:
            hello["nonce"] = self._nonce.hex()
        self.greeting = _greeting(_HELLO, hello)
        #: why there are no calls on this connection; None: there may be
        self.refusal: NotAuthorized | None = None
        #: whether the reply to the greeting has come, and what it says; empty for a plain Goridge peer
        self.greeted = False
        self.peer: Mapping[str, Any] = {}
        #: whether the peer takes no more calls on this connection
        self.closing = False
        self.ended = False  # and it has answered all that it took: what is outstanding then has not run

    @property
    def error(self) -> ProtocolError | None:
        """Set once the stream is beyond repair, or the peer does what it must not: close the connection."""
        return self._error or self._decoder.error

    @property
    def outstanding(self) -> int:
        return len(self._pending)

    def needs_greeting(self, payload: object, flags: int) -> bool:
        """Whether only GoTask understands the call, so that it has to wait until `greeted`."""
        return not self.greeted and (flags != 0 or isinstance(payload, Args))

    def call(
        self, method: str, payload: Any, remaining: float | None = None, flags: int = 0
    ) -> tuple[int, bytes]:
        """The call's sequence and its frame. `remaining`: seconds until the caller gives up, None for never.
        `flags`: NOTIFY or DURABLE.

        Raises EncodeFailed, InvalidRequest (the method's name) and PayloadTooLarge; nothing is outstanding
        then.
        """
        name = method.encode("utf-8", "surrogateescape")
        if not 1 <= len(name) <= wire.MAX_METHOD:
            raise InvalidRequest(
                f"a method's name has 1 to {wire.MAX_METHOD} bytes, {method[:40]!r} has {len(name)}"
            )
        if isinstance(payload, Args):
            flags |= wire.ARGS
            payload = [payload.positional, payload.named]
        if flags & wire.DURABLE and not self.peer:
            raise InvalidRequest(
                f"the peer is another Goridge server, which keeps no durable calls: {method}"
            )
        if flags & wire.ARGS and not self.peer:
            raise EncodeFailed("Args are understood by GoTask alone, and the peer is another Goridge server")
        body = b"" if payload is None else encode(self._codec, payload, "payload", EncodeFailed)
        size = len(name) + len(body)
        if size > self._limit:
            raise PayloadTooLarge(
                f"the call of {method} has {size} bytes, above the peer's limit of {self._limit}"
            )
        sequence = self._next()
        options: tuple[int, ...] = (sequence, len(name))
        if self.peer and (flags or remaining is not None):
            options += (_milliseconds(remaining), flags)
        frame = wire.encode(self._codec, options, name + body)
        self._pending.add(sequence)
        return sequence, frame

    def abandon(self, sequence: int) -> bytes:
        """Forgets a call. Returns what tells the peer to cancel it; empty for a plain Goridge peer."""
        if sequence not in self._pending:
            return b""
        self._pending.discard(sequence)
        return wire.encode(wire.CONTROL, (sequence,), b"", wire.STOP) if self.peer else b""

    def feed(self, data: bytes) -> list[Outcome]:
        """The calls that `data` ends. Look at `error` and `replies()` afterwards."""
        return self._outcomes(self._decoder.feed(data))

    def receive_buffer(self) -> memoryview | None:
        """Where the rest of a large reply goes, or None when none is under way."""
        return self._decoder.receive_buffer()

    def received(self, count: int) -> list[Outcome]:
        """`count` bytes were put into `receive_buffer()`."""
        return self._outcomes(self._decoder.received(count))

    def replies(self) -> bytes:
        """The answers to the peer's own questions, to be sent. Call it only when what was sent before has been written:
        a peer whose answers wait beyond a bound is in error.
        """
        data = b"".join((self._authentication, *self._replies))
        self._authentication = b""
        self._replies.clear()
        self._replies_size = 0
        return data

    def _next(self) -> int:
        while True:
            self._sequence = self._sequence + 1 if self._sequence < wire.MAX_SEQUENCE else 1
            if self._sequence not in self._pending and (self.greeted or self._sequence != _HELLO_SEQUENCE):
                return self._sequence

    def _outcomes(self, events: list[wire.Event]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            for event in events:
                if self._error is None:
                    self._take(event, outcomes)
        except ProtocolError as error:
            self._error = error.with_traceback(None)
        return outcomes

    def _take(self, event: wire.Event, outcomes: list[Outcome]) -> None:
        sequence = event.options[0] if event.options else 0
        if event.flags & wire.CONTROL or event.stream & wire.PING:
            self._control(event)
        elif sequence == _HELLO_SEQUENCE and not self.greeted:
            self._meet(event)
        elif event.stream & wire.STREAM and self.peer:
            if sequence in self._pending and event.options[1:2] == (CALL,) and len(event.options) == 3:
                self._reply(_refusal(sequence, event.options[2]))
        elif sequence in self._pending:  # else a late reply, of a call that nobody waits for
            outcome = self._outcome(sequence, event)
            self._pending.discard(sequence)
            outcomes.append(outcome)

    def _control(self, event: wire.Event) -> None:
        if event.stream & wire.PING:
            if isinstance(event, wire.Oversized) or len(event.raw) - event.start > _MAX_PING:
                raise ProtocolError(f"a ping with more than {_MAX_PING} bytes")
            self._reply(wire.encode(event.flags, event.options, event.payload, wire.PONG))
        elif event.stream & wire.STOP and event.options == (0,):
            self.ended = self.closing
            self.closing = True

    def _reply(self, frame: bytes) -> None:
        self._replies.append(frame)
        self._replies_size += len(frame)
        if self._replies_size > _MAX_REPLIES:
            raise ProtocolError("pings without end, or calls back, whose answers it does not read")

    def _meet(self, event: wire.Event) -> None:
        size = event.length if isinstance(event, wire.Oversized) else len(event.raw) - event.start
        if isinstance(event, wire.Oversized) or size > _MAX_HELLO:
            raise ProtocolError(f"an answer of {size} bytes to the greeting, which has {_MAX_HELLO} at most")
        body = bytes(_body(event))
        if event.flags & wire.ERROR:
            error = from_body(body)
            if isinstance(error, NotAuthorized):
                self.refusal = error
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        said = {} if event.flags & wire.ERROR or not isinstance(said, dict) else said
        if self._key is not None and self.refusal is None:
            self._prove(self._key, said)
        else:
            self._met(said)

    def _met(self, said: Mapping[str, Any]) -> None:
        self.greeted = True
        protocol, limit = said.get("protocol"), said.get("max_payload")
        # Not a server that echoes the greeting, which has no limit in it.
        if type(protocol) is int and protocol >= 1 and type(limit) is int:
            self.peer = said
            self._limit = max(limit, 1)

    def _prove(self, key: Key, said: dict[str, Any]) -> None:
        """Answers the peer's nonce with our proof, and verifies the proof that the peer answers with."""
        if self._peer_nonce is None:
            self._peer_nonce = parse_nonce(said.get("nonce"))
            if self._peer_nonce is None:
                self.refusal = NotAuthorized(
                    "the peer asks for no shared key, so it can't show that it has ours: start the worker with that key,"
                    " or leave it out here"
                )
                return
            self._hello = said
            proof = key.proof(CALLER, self._nonce, self._peer_nonce)
            self._authentication = _greeting(_AUTHENTICATE, {"proof": proof})
        elif key.verify(said.get("proof"), BROKER, self._nonce, self._peer_nonce):
            self._met(self._hello)
        else:
            self.refusal = NotAuthorized("the peer does not have our shared key: nothing was sent to it")

    def _outcome(self, sequence: int, event: wire.Event) -> Outcome:
        if isinstance(event, wire.Oversized):
            error: GoTaskError = PayloadTooLarge(
                f"the reply has {event.length} bytes, above this client's limit (max_payload); the method has run"
            )
            return Outcome(sequence, error=error)
        body = _body(event)
        if event.flags & wire.ERROR:
            text = bytes(body)
            plain = RemoteError(text[:MAX_BODY].decode("utf-8", "replace"))
            error = self.refusal or (from_body(text) if self.peer else plain)
            return Outcome(sequence, error=error)
        try:
            return Outcome(sequence, decode(event.flags & wire.CODECS, body, DecodeFailed))
        except DecodeFailed as failure:
            return Outcome(sequence, error=failure)


def _greeting(method: bytes, body: dict[str, Any]) -> bytes:
    return wire.encode(wire.JSON, (_HELLO_SEQUENCE, len(method)), method + json.dumps(body).encode())


def _refusal(sequence: int, number: int) -> bytes:
    error = MethodNotFound("the caller is a Python client, which has no services to call back")
    return wire.encode(wire.JSON | wire.ERROR, (sequence, ANSWER, number), error.body(), wire.STREAM)


def _body(frame: wire.Frame) -> memoryview:
    length = frame.options[1] if len(frame.options) > 1 else -1
    if not 0 <= length <= len(frame.raw) - frame.start:
        raise ProtocolError("a reply that is shorter than the method's name in it")
    return memoryview(frame.raw)[frame.start + length :]


def _milliseconds(remaining: float | None) -> int:
    if remaining is None:
        return 0
    return int(min(max(remaining * 1000, 1), _MAX_REMAINING))
