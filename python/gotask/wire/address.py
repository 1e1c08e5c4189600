"""Addresses: `unix:///run/app/gotask.sock`, `unix://relative/path.sock`, `tcp://host:port`, `tls://[::1]:port`."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import NotAuthorized

DEFAULT = "unix://runtime/gotask/default.sock"

# sockaddr_un has 108 bytes with the terminating zero, and Swoole refuses 107.
MAX_UNIX_PATH = 106

# Behind the path of a broker's socket: that of its fast path.
FAST = ".fast"


class UnixAddress(NamedTuple):
    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


class TcpAddress(NamedTuple):
    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"


Address = UnixAddress | TcpAddress


def is_loopback(host: str) -> bool:
    """Whether the address can be reached from this machine alone. A name is none, but for localhost: it may come to mean
    anything."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def check_owner(address: Address) -> None:
    """Refuses a Unix socket that anybody may have put there: another user's, in a folder that everybody can write to.

    Raises NotAuthorized. A caller asks before it sends anything.
    """
    if not isinstance(address, UnixAddress):
        return
    folder = os.path.dirname(address.path)
    try:
        owner = os.stat(address.path).st_uid
        mode = os.stat(folder).st_mode
    except OSError:
        return  # it was removed meanwhile
    if owner not in (0, os.geteuid()) and mode & 0o002:
        raise NotAuthorized(
            f"the socket {address.path} belongs to user {owner}, not to this one or root, and everybody can write to {folder}:"
            " anybody may be listening there. Nothing was sent. Let the worker listen in a folder that only its user can write"
            " to (chmod o-w), or run it as this user"
        )


def parse_address(text: str) -> Address:
    """ValueError says what is wrong. A relative Unix path is taken from the working directory, and made absolute."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("unix", "tcp", "tls") or not rest:
        raise ValueError(
            f"{text!r} is no address: write unix:///path/to/gotask.sock, tcp://host:port or tls://host:port"
        )
    if scheme == "unix":
        path = os.path.abspath(rest)
        size = len(os.fsencode(path))
        if size > MAX_UNIX_PATH:
            raise ValueError(
                f"the socket path {path!r} has {size} bytes and a Unix socket's at most {MAX_UNIX_PATH}: use a shorter one"
            )
        return UnixAddress(path)
    host, _, port = rest.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(
            f"{text!r} is no network address: write {scheme}://host:port, an IPv6 host in brackets"
        )
    return TcpAddress(host, int(port), scheme == "tls")
