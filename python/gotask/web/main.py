"""The process of the page and of the metrics: listens, and ends with the broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from typing import Any

from ..client.aio import AsyncClient
from ..ipc.linux import die_with_parent, name_process
from ..ipc.messages import EX_ADDRESS
from ..wire.address import Address, TcpAddress, parse_address
from ..wire.handshake import Key
from ..wire.tls import Encryption, Tls
from .feed import Feed
from .http import MAX_HEAD, Server
from .site import Site

# Seconds that TLS's handshake may take.
_HANDSHAKE = 5.0


def main() -> int:
    """Runs until standard input ends, as it does with the broker; returns the exit code."""
    name_process("gotask-web")
    records = socket.socket(fileno=int(sys.argv[2]))
    settings = json.loads(sys.stdin.buffer.raw.readline())  # type: ignore[attr-defined]  # no more than the line
    die_with_parent(settings["parent"], signal.SIGKILL)
    return asyncio.run(_serve(settings, records))


async def _serve(settings: dict[str, Any], records: socket.socket) -> int:
    address = parse_address(settings["address"])
    assert isinstance(address, TcpAddress)
    files, key = Tls(*settings["tls"]), settings["key"]
    feed = Feed(AsyncClient(settings["broker"], connect_timeout=2.0, key=key, tls=_Own(*files)))
    site = Site(feed, address, Key(key) if key is not None else None)
    try:
        context = files._replace(ca=None).server_context() if address.tls else None
        server = await asyncio.start_server(
            Server(site.answer).connected,
            address.host,
            address.port,
            limit=MAX_HEAD,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE if context else None,
        )
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        message = f"the page can't be at {address}: {reason}. Calls are served; it is tried again"
        _log(records, "error", message)
        return EX_ADDRESS
    if not address.port:
        address = address._replace(port=server.sockets[0].getsockname()[1])
    _log(records, "info", f"the page is at {'https' if address.tls else 'http'}{str(address)[3:]}/")
    asyncio.get_running_loop().add_reader(0, _lifeline)
    await feed.run()
    return 0


class _Own(Tls):
    """Trusts the certificate that the broker shows, which is a file here, whatever its name and whoever signed it."""

    def encryption(self, address: Address) -> Encryption | None:
        if not isinstance(address, TcpAddress) or not address.tls:
            return None
        context = self._replace(ca=self.certificate)._complete(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), False)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return Encryption(context, address.host)


def _lifeline() -> None:
    if not os.read(0, 4096):
        os._exit(0)


def _log(records: socket.socket, level: str, message: str) -> None:
    try:
        records.send(json.dumps({"level": level, "message": message, "logger": "gotask.web"}).encode())
    except OSError:
        pass  # the broker is ending
