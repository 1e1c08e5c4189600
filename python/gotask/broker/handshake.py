"""The handshake: a connection is here until it is known that its peer may call. What it may send until then is little."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any, cast

from ..errors import GoTaskError, NotAuthorized
from ..options import option
from ..wire import frames as wire
from ..wire.address import Address, TcpAddress
from ..wire.frames import Decoder, Frame
from ..wire.handshake import BROKER, CALLER, NONCE_SIZE, Key, parse_nonce
from . import heartbeat
from .access import credentials_of
from .answers import error_frame
from .broker import Broker
from .connection import INBOX, LINGER, Connection


# Bytes of the largest frame from a peer that has not shown who it is, and seconds it has for that (with TLS's handshake).
MAX_FRAME = 4096
TIMEOUT = 10.0

_TURNED_AWAY = "a peer that had to show who it is was turned away"

AUTHENTICATE = b"GoTask.Authenticate"
_HELLO = b"GoTask.Hello"


class Handshake(asyncio.BufferedProtocol):
    """Stands at the beginning of each connection; where nothing is to be shown, a `Connection` takes its place at once."""

    def __init__(
        self, broker: Broker, address: Address, since: float, refusal: NotAuthorized | None = None
    ) -> None:
        self._broker = broker
        self._address = address
        self._since = since  # when it connected, by the loop's clock
        self._key: Key | None = broker.config.access.key if isinstance(address, TcpAddress) else None
        self._refusal = refusal
        self._decoder = Decoder(MAX_FRAME)
        self._caller_nonce: bytes | None = None
        self._broker_nonce = b""
        self._structured = False
        self._told = False  # whether the peer was told that it is refused
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not isinstance(self._address, TcpAddress):
            self._check_process()
        if self._key is None and self._refusal is None:
            self._pass()
            return
        self._broker.pending.enter(self)
        self._timer = self._broker.loop.call_at(
            self._since + TIMEOUT, self.turn_away, f"it did not within {TIMEOUT:g} s"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def get_buffer(self, sizehint: int) -> memoryview:
        return INBOX

    def buffer_updated(self, count: int) -> None:
        events = self._decoder.feed(bytes(INBOX[:count]))
        for place, event in enumerate(events):
            if self._transport.is_closing():
                return
            try:
                self._answer(event, place + 1 == len(events) and self._decoder.idle)
            except GoTaskError as error:
                self._refuse(event, error)
        if self._decoder.error is not None:
            self.turn_away(str(self._decoder.error))

    def turn_away(self, reason: str) -> None:
        """Ends the connection of a peer that has not shown who it is, at once."""
        if self._refusal is None and not self._transport.is_closing():
            self._broker.log.often(f"{_TURNED_AWAY}: {reason}", self._peer)
        self._broker.pending.turned_away(self)
        self._transport.abort()

    @property
    def _peer(self) -> str:
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix socket"

    def _check_process(self) -> None:
        access = self._broker.config.access
        if access.uids is None:
            return
        found = credentials_of(cast(socket.socket, self._transport.get_extra_info("socket")))
        if found is None or access.admits(found):
            return
        self._broker.log.often(
            f"a connection to {self._address} was refused",
            f"the user {found.uid} of process {found.pid} may not call ({option('--allow-uids')})",
            uid=found.uid,
            process=found.pid,
        )
        remedy = (
            f"add {found.uid} to {option('--allow-uids')}"
            if access.uids - {0, os.geteuid()}
            else f"start the worker with {option('--socket-group')}, the name of a group that {found.uid} is in"
        )
        self._refusal = NotAuthorized(
            f"the worker at {self._address} takes no calls from the user {found.uid}, but from {os.geteuid()}: run as that"
            f" one, or {remedy}"
        )

    def _answer(self, event: wire.Event, is_last: bool) -> None:
        """Raises what the peer is told instead. `is_last`: nothing came behind it."""
        frame = self._call(event)
        method = _method(frame)
        self._structured = self._structured or method == _HELLO
        if self._refusal is not None:
            raise self._refusal
        assert self._key is not None
        if method == _HELLO and self._caller_nonce is None:
            hello = _map(frame)
            self._caller_nonce = parse_nonce(hello.get("nonce"))
            if self._caller_nonce is None:
                raise self._wants_key()
            self._broker_nonce = os.urandom(NONCE_SIZE)
            self._reply(
                frame,
                {
                    "protocol": 1,
                    "peer": "python",
                    "max_payload": self._broker.config.max_payload,
                    "nonce": self._broker_nonce.hex(),
                    "heartbeat": heartbeat.SECONDS,
                },
            )
        elif method == AUTHENTICATE and self._caller_nonce is not None:
            nonces = self._caller_nonce, self._broker_nonce
            if not self._key.verify(_map(frame).get("proof"), CALLER, *nonces):
                raise NotAuthorized("the worker has another shared key than the caller: give both the same")
            if not is_last:
                raise NotAuthorized("calls came before it was shown who makes them")
            self._reply(frame, {"proof": self._key.proof(BROKER, *nonces), **self._broker.app})
            self._pass()
        else:
            raise self._wants_key()

    def _wants_key(self) -> NotAuthorized:
        return NotAuthorized(
            "the worker asks for a shared key: give the caller the worker's own (key of the client, GOTASK_KEY or"
            " GOTASK_KEY_FILE)"
        )

    def _call(self, event: wire.Event) -> Frame:
        if not isinstance(event, Frame):
            raise NotAuthorized(f"a frame of {event.length} bytes before it was shown who sends it")
        options = event.options
        if event.flags & wire.CONTROL or len(options) < 2 or options[1] > len(event.raw) - event.start:
            raise NotAuthorized("a frame that is no call before it was shown who sends it")
        return event

    def _refuse(self, event: wire.Event, error: GoTaskError) -> None:
        """Answers with the error. A refused process is heard until its first call, which goes out behind Hello."""
        method = _method(event) if isinstance(event, Frame) else b""
        if event.options and not event.flags & wire.CONTROL:
            self._transport.write(error_frame(event.options[0], method, event.flags, error, self._structured))
        if self._refusal is None or method != _HELLO or self._told:
            if self._refusal is None:
                self._broker.log.often(_TURNED_AWAY, f"{error.message} ({self._peer})")
            # It stays in the pending until it is closed, and is the next to go if others come.
            self._transport.close()
            self._broker.loop.call_later(LINGER, self._transport.abort)
        self._told = True

    def _reply(self, frame: Frame, result: dict[str, Any]) -> None:
        method = _method(frame)
        body = method + json.dumps(result).encode()
        self._transport.write(wire.encode(wire.JSON, (frame.options[0], len(method)), body))

    def _pass(self) -> None:
        self._leave()
        connection = Connection(self._broker)
        connection.structured = self._caller_nonce is not None
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)

    def _leave(self) -> None:
        self._broker.pending.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _method(frame: Frame) -> bytes:
    return frame.payload[: frame.options[1]] if len(frame.options) > 1 else b""


def _map(frame: Frame) -> dict[str, Any]:
    try:
        value = json.loads(frame.payload[frame.options[1] :])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NotAuthorized("the body of the first calls is a JSON map")
    return value
