"""What both clients share: what they are made with, and how they name what went wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..errors import ConnectFailed
from ..wire import frames as wire
from ..wire.address import Address, TcpAddress, parse_address
from ..wire.handshake import Key
from ..wire.tls import Tls
from .session import Outcome, Session

# Bytes that are read at a time, but for large replies.
CHUNK = 64 * 1024


class BaseClient:
    """What a client does without I/O."""

    def __init__(
        self,
        address: str,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        codec: int = wire.MSGPACK,
        max_payload: int = wire.MAX_PAYLOAD,
        key: str | bytes | None = None,
        tls: Tls = Tls(),
    ) -> None:
        self._address = parse_address(address)
        is_network = isinstance(self._address, TcpAddress)
        self._key = Key(key) if key is not None and is_network else None
        self._tls = tls.encryption(self._address)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._codec = codec
        self._max_payload = max_payload
        self._begin()

    def _begin(self) -> None:
        """Sets what belongs to one process: without a connection, as in a child after a fork."""
        self._pid = os.getpid()

    def _session(self) -> Session:
        return Session(self._codec, self._max_payload, self._key)


def results(outcomes: Sequence[Outcome], return_errors: bool) -> list[Any]:
    """Raises the first error, unless each error is to stand in its call's place."""
    if return_errors:
        return [outcome.value if outcome.error is None else outcome.error for outcome in outcomes]
    return [outcome.result() for outcome in outcomes]


def unreachable(address: Address, reason: object) -> ConnectFailed:
    return ConnectFailed(f"cannot connect to {address}: {reason}: is the worker running?")
