"""Who may connect: user ids at Unix sockets, the shared key and certificates at network addresses."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from ..options import option
from ..wire.address import Address, TcpAddress, is_loopback
from ..wire.handshake import Key
from ..wire.tls import Tls

if TYPE_CHECKING:
    from ssl import SSLContext

_UCRED = Struct("iII")  # process, user, group

# What a file mode gives to anybody but the owner.
_OTHERS = 0o077


class Credentials(NamedTuple):
    """Of the process that opened a connection, as the kernel says."""

    pid: int
    uid: int


class Access(NamedTuple):
    """What is asked of those who connect. `uids`: None lets everybody in whom the socket's file mode does. `files`: those that
    `tls` was made of."""

    key: Key | None = None
    tls: SSLContext | None = None
    asks_certificate: bool = False
    uids: frozenset[int] | None = None
    files: Tls = Tls()

    def admits(self, credentials: Credentials | None) -> bool:
        """Whether a process may connect to a Unix socket. None: the system does not say who it is."""
        return self.uids is None or credentials is None or credentials.uid in self.uids


def allowed_uids(given: frozenset[int] | None, mode: int, group: int | None) -> frozenset[int] | None:
    """Those that may connect to a Unix socket: the ones given, with the broker's own and root; by default these two alone,
    unless the socket's mode or group opens it to others."""
    own = frozenset((0, os.geteuid()))
    if given is not None:
        return own | given
    return None if mode & _OTHERS or group is not None else own


def check(addresses: Sequence[Address], access: Access, web: TcpAddress | None = None) -> None:
    """ValueError: a network address that anybody could call, or where anybody could look."""
    if web is not None and web.tls and access.tls is None:
        raise ValueError(
            f"{option('--web')} {web} needs a certificate: give {option('--tls-certificate')} and {option('--tls-key')}"
        )
    if web is not None and not is_loopback(web.host) and access.key is None:
        raise ValueError(
            f"{option('--web')} {web} is open to the network and nothing says who may look: give a shared key"
            f" ({option('--key-file')}, or the variable GOTASK_KEY; openssl rand -hex 32 makes one), or an address of this"
            " machine alone, such as tcp://127.0.0.1:9180"
        )
    for address in addresses:
        if not isinstance(address, TcpAddress):
            continue
        if address.tls and access.tls is None:
            raise ValueError(
                f"{address} needs a certificate: give {option('--tls-certificate')} and {option('--tls-key')}"
            )
        if is_loopback(address.host) or access.key is not None or address.tls and access.asks_certificate:
            continue
        raise ValueError(
            f"{address} is open to the network and nothing says who may call: give a shared key ({option('--key-file')},"
            " or the variable GOTASK_KEY; openssl rand -hex 32 makes one), or tls:// with"
            f" {option('--tls-ca')}, which asks callers for certificates; or listen on a Unix socket or on 127.0.0.1"
        )


def credentials_of(connected: socket.socket) -> Credentials | None:
    """Who is at the other end of a Unix socket; None where the system does not say (macOS)."""
    if sys.platform != "linux":
        return None
    pid, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Credentials(pid, uid)
