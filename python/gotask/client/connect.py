"""Opening a socket without an event loop: Unix, TCP, TLS, each by a deadline."""

from __future__ import annotations

import socket
import time
from typing import Any

from ..wire.address import Address, TcpAddress, check_owner
from ..wire.tls import Encryption
from .base import unreachable


def connect(address: Address, tls: Encryption | None, deadline: float) -> socket.socket:
    """A connected socket that does not block. Raises ConnectFailed and NotAuthorized."""
    connected: socket.socket | None = None
    try:
        connected = _connect(address, deadline)
        check_owner(address)
        if isinstance(address, TcpAddress):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            connected.settimeout(_left(deadline))  # for the whole of TLS's handshake
            connected = tls.context.wrap_socket(connected, server_hostname=tls.peer_name)
        connected.setblocking(False)
        return connected
    except BaseException as error:
        if connected is not None:
            connected.close()
        if not isinstance(error, OSError):
            raise
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or error
        raise unreachable(address, reason) from None


def _connect(address: Address, deadline: float) -> socket.socket:
    """The first of the host's addresses that answers; all of them have one deadline."""
    targets: list[tuple[int, Any]]
    if isinstance(address, TcpAddress):
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        targets = [(family, target) for family, _, _, _, target in found]
    else:
        targets = [(socket.AF_UNIX, address.path)]
    failure: OSError = TimeoutError()
    for family, target in targets:
        connected = socket.socket(family)
        try:
            connected.settimeout(_left(deadline))
            connected.connect(target)
            return connected
        except BaseException as error:
            connected.close()
            if not isinstance(error, OSError):
                raise
            failure = error
    raise failure


def _left(deadline: float) -> float:
    """Seconds left, at least a millisecond: 0 would mean not to wait at all. Raises TimeoutError where there are none."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return max(remaining, 0.001)
