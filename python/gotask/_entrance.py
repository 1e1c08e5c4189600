"""Lets those in who connect to a listening socket: to the gate, through TLS where the address says so."""

from __future__ import annotations

import asyncio
import socket
from ssl import SSLError
from typing import TYPE_CHECKING

from ._access import Access
from ._address import TcpAddress
from ._gate import TIMEOUT, Gate
from ._listener import BACKLOG, Listener

if TYPE_CHECKING:
    from ._broker import Broker

# Accepted at a time before others have their turn, and seconds without accepting when there is no descriptor left for it.
_MAX_ACCEPTED = 64
_PAUSE = 0.5


class Entrance:
    """One listening socket's. `open()` it once the broker is ready: until then callers wait in the socket's backlog, since a
    transport can't be kept from reading what is there already when its connection is made."""

    def __init__(self, broker: Broker, listener: Listener) -> None:
        self._broker = broker
        self._loop = broker.loop
        self._address = listener.address
        self._listening = listener.socket
        self._server: asyncio.AbstractServer | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True
        if isinstance(self._address, TcpAddress) and self._address.tls:
            self._loop.add_reader(self._listening, self._accept)
        else:
            self._server = await self._loop.create_server(self._gate, sock=self._listening, backlog=BACKLOG)

    def close(self) -> None:
        """Takes no more connections; those that are there stay."""
        if self._server is not None:
            self._server.close()
        elif self._is_open:
            self._loop.remove_reader(self._listening)
        self._is_open = False
        for handshake in self._handshakes:
            handshake.cancel()

    def _gate(self) -> Gate:
        return Gate(self._broker, self._address)

    def _accept(self) -> None:
        for _ in range(_MAX_ACCEPTED):
            try:
                connected, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._broker.log.error(f"no connection can be accepted at {self._address}: {error.strerror}")
                self._loop.remove_reader(self._listening)
                self._loop.call_later(_PAUSE, self._go_on)
                return
            task = self._loop.create_task(self._shake_hands(Newcomer(connected)))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listening, self._accept)

    async def _shake_hands(self, newcomer: Newcomer) -> None:
        """TLS's handshake, which counts as a part of showing who one is."""
        access: Access = self._broker.config.access
        self._broker.lobby.enter(newcomer)
        try:
            await self._loop.connect_accepted_socket(
                self._gate, newcomer.socket, ssl=access.tls, ssl_handshake_timeout=TIMEOUT
            )
        except (OSError, asyncio.TimeoutError) as error:
            reason = newcomer.reason or (error.reason if isinstance(error, SSLError) else None) or str(error)
            self._broker.log.warning(
                f"a peer could not connect to {self._address}: {reason} ({newcomer.name})"
            )
            newcomer.socket.close()
        finally:
            self._broker.lobby.leave(newcomer)


class Newcomer:
    """A peer in the middle of TLS's handshake."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.reason = ""
        try:
            host, port = connected.getpeername()[:2]
            self.name = f"{host}:{port}"
        except OSError:
            self.name = "gone already"

    def turn_away(self, reason: str) -> None:
        self.reason = reason
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # the handshake sees the end of the stream
        except OSError:
            pass
