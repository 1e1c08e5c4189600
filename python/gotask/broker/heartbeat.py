"""How a broken network is noticed: a machine that loses its power, or a cable that is cut, sends no end of a connection.

The broker sends each caller on another machine that waits for an answer, or for its call to be read, a PING every SECONDS, and
says so when it connects. So the caller knows after three of them that nobody is there. The other way round the kernel knows: an
idle peer is asked by TCP's keepalive, and one that acknowledges nothing that it is sent is found in TCP_INFO. TCP_USER_TIMEOUT
would not do: it also ends a connection whose peer is there and does not read for a while.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Final

from ..wire.frames import CONTROL, PING, encode

SECONDS: Final = 5

FRAME: Final = encode(CONTROL, (), b"", PING)

# An idle connection is dead after 25 s, as in PHP (StreamConnector::KEEPALIVE). Where there are no such options: after the
# system's time.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))

# So often in a row the kernel has sent the same again, and ms since anything was acknowledged.
_RETRANSMITS: Final = 5
_SILENCE: Final = 3000 * SECONDS


def keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_gone(connected: socket.socket) -> bool:
    """Whether the peer has acknowledged nothing for so long that its machine, or the network, is down. Known on Linux only."""
    if sys.platform != "linux":
        return False
    info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)  # struct tcp_info of linux/tcp.h
    retransmits, last_acknowledged = struct.unpack_from("=2xB53xI", info)
    return bool(retransmits >= _RETRANSMITS and last_acknowledged > _SILENCE)
