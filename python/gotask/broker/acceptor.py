"""Lets those in who connect to a listening socket: to the handshake, through TLS where the address says so."""

from __future__ import annotations

import asyncio
import socket
from ssl import SSLContext, SSLError

from ..errors import NotAuthorized
from ..wire.address import TcpAddress
from . import heartbeat
from .broker import Broker
from .handshake import TIMEOUT, Handshake
from .listener import BACKLOG, AddressUnusable, Listener


# Accepted at a time before others have their turn, and seconds without accepting when there is no descriptor left for it.
_MAX_ACCEPTED = 64
_PAUSE = 0.5

# How TLS begins: the type of its first record. Goridge's frames begin with another byte.
_TLS = b"\x16"

# Seconds between two looks whether the socket's file is still there.
_LOOK = 1.0


class Acceptor:
    """Accepts the connections of one listening socket. `open()` it once the broker is ready: until then callers wait in the
    socket's backlog, since a transport can't be kept from reading what is there already when its connection is made.
    """

    def __init__(self, broker: Broker, listener: Listener) -> None:
        self._broker = broker
        self._loop = broker.loop
        self._listener = listener
        self._address = listener.address
        self._tls: SSLContext | None = None
        if isinstance(self._address, TcpAddress) and self._address.tls:
            self._tls = broker.config.access.tls
        self._listening = listener.socket
        self._arriving: set[asyncio.Task[None]] = set()
        self._is_open = False
        self._is_lost = False
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._is_open = True
        self._loop.add_reader(self._listening, self._accept)
        self._timer = self._loop.call_later(_LOOK, self._look)

    def close(self) -> None:
        """Takes no more connections; those that are there stay."""
        if self._is_open:
            self._loop.remove_reader(self._listening)
        if self._timer is not None:
            self._timer.cancel()
        self._is_open = False
        for task in self._arriving:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(_MAX_ACCEPTED):
            if self._broker.pending.is_full:
                return
            try:
                connected, name = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._broker.log.often(
                    f"no connection can be accepted at {self._address}", f"{error.strerror}", "error"
                )
                self._loop.remove_reader(self._listening)
                self._loop.call_later(_PAUSE, self._go_on)
                return
            task = self._loop.create_task(self._let_in(Newcomer(self._broker, connected, name)))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listening, self._accept)

    async def _let_in(self, newcomer: Newcomer) -> None:
        """TLS's handshake, where there is one, counts as a part of showing who one is."""
        pending = self._broker.pending
        if self._tls is not None:
            pending.enter(newcomer)
        since = self._loop.time()
        tls, refusal = self._tls, None
        try:
            if tls is not None and await self._is_plain(newcomer.socket):
                tls, refusal = None, NotAuthorized(
                    "the worker speaks TLS alone there: write tls:// instead of tcp://"
                )
            await self._loop.connect_accepted_socket(
                lambda: Handshake(self._broker, self._address, since, refusal),
                newcomer.socket,
                ssl=tls,
                ssl_handshake_timeout=max(since + TIMEOUT - self._loop.time(), 0.001)
                if tls is not None
                else None,
            )
        except (OSError, asyncio.TimeoutError) as error:
            why = (
                (error.reason if isinstance(error, SSLError) else None) or str(error) or type(error).__name__
            )
            reason = newcomer.reason or why
            self._broker.log.often(
                f"a peer could not connect to {self._address}", f"{reason} ({newcomer.name})"
            )
            newcomer.socket.close()
        finally:
            pending.leave(newcomer)

    async def _is_plain(self, connected: socket.socket) -> bool:
        """Whether the peer begins otherwise than TLS does. It does not within TIMEOUT: that is TLS's to say."""
        arrived = asyncio.Event()
        self._loop.add_reader(connected, arrived.set)
        try:
            await asyncio.wait_for(arrived.wait(), TIMEOUT)
            return connected.recv(1, socket.MSG_PEEK) not in (b"", _TLS)
        except asyncio.TimeoutError:
            return False
        finally:
            self._loop.remove_reader(connected)

    def _look(self) -> None:
        """Listens again where somebody has removed the socket's file, or the folder around it."""
        self._timer = self._loop.call_later(_LOOK, self._look)
        if self._listener.is_there():
            return
        try:
            self._listener.listen_again()
        except AddressUnusable as error:
            if not self._is_lost:
                self._broker.log.error(f"the socket was removed, and nobody can connect any more: {error}")
            self._is_lost = True
            return
        self._is_lost = False
        self._broker.log.warning(f"the socket at {self._address} was removed by somebody; it is there again")
        for _ in range(BACKLOG // _MAX_ACCEPTED):
            self._accept()  # those that connected before
        self._loop.remove_reader(self._listening)
        self._listening.close()
        self._listening = self._listener.socket
        self._loop.add_reader(self._listening, self._accept)


class Newcomer:
    """A peer that is being connected; with TLS, in the middle of its handshake."""

    def __init__(self, broker: Broker, connected: socket.socket, name: object) -> None:
        connected.setblocking(False)
        self.name = "unix socket"
        if isinstance(name, tuple):
            self.name = f"{name[0]}:{name[1]}"
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            heartbeat.keep_alive(connected)
        self._broker = broker
        self.socket = connected
        self.reason = ""

    def turn_away(self, reason: str) -> None:
        self.reason = reason
        self._broker.pending.turned_away(self)
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # the handshake sees the end of the stream
        except OSError:
            pass
