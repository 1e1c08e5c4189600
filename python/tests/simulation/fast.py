"""Fast sockets, simulated: messages between one client and all sync workers, and the broker's hand on them."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

CREDENTIALS = (1, 1, 1)


class FastSocket:
    """One client's fast socket: `to_workers` and `to_client` are what lies in the kernel."""

    writable = False

    def __init__(self, world: Any) -> None:
        self.serial = world.serial()
        self._room = world.plan.fast_room
        self._world = world
        self.to_workers: deque[bytes] = deque()
        self.to_client: deque[bytes] = deque()
        self.client_has_closed = False
        self.is_shut = False  # by the broker
        self.broker_has_closed = False

    def __repr__(self) -> str:
        return f"fast socket {self.serial}"

    def __hash__(self) -> int:
        return int(self.serial)

    # -- the client's end ---------------------------------------------------------------------------------------------

    def send_message(self, message: bytes) -> bool:
        """False: there is no room, or nobody there."""
        if self.is_shut or len(self.to_workers) >= self._room:
            return False
        self.to_workers.append(message)
        return True

    def receive(self) -> bytes | None:
        """b"": nothing is there. None: the other end is gone."""
        if self.to_client:
            return self.to_client.popleft()
        return None if self.is_shut else b""

    def hang_up(self) -> None:
        self.client_has_closed = True
        self.to_client.clear()

    # -- the workers' -------------------------------------------------------------------------------------------------

    @property
    def has_hung_up(self) -> bool:
        return self.client_has_closed or self.is_shut

    @property
    def readable(self) -> bool:
        return bool(self.to_workers) or self.has_hung_up

    def take(self) -> bytes | None:
        """None: nothing is there. b"": its end."""
        if self.to_workers:
            return self.to_workers.popleft()
        return b"" if self.has_hung_up else None

    def reply(self, frames: bytes) -> bool:
        """False: the client does not read, or is gone."""
        if self.has_hung_up or len(self.to_client) >= self._room:
            return False
        self.to_client.append(frames)
        return True

    # -- the broker's: what it uses of a socket -----------------------------------------------------------------------

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return -1 if self.broker_has_closed else int(self.serial)

    def recv(self, size: int) -> bytes:
        message = self.take()
        if message is None:
            raise BlockingIOError
        return message

    def send(self, data: bytes) -> int:
        if not self.reply(data):
            raise OSError("nobody is there")
        return len(data)

    def shutdown(self, how: int) -> None:
        self.is_shut = True

    def close(self) -> None:
        self.broker_has_closed = True
        if not self._world.is_open(self):
            self.is_shut = True  # no worker has it


class Ends:
    """Stands in for the epoll that tells the broker of clients which have closed their fast sockets."""

    writable = False

    def __init__(self, world: Any) -> None:
        self._world = world
        self._sockets: dict[int, Any] = {}

    def fileno(self) -> Ends:
        return self

    def register(self, fd: int, events: int) -> None:
        self._sockets[fd] = self._world.fast_sockets[fd]

    def unregister(self, fd: int) -> None:
        del self._sockets[fd]

    @property
    def readable(self) -> bool:
        return any(found.has_hung_up for found in self._sockets.values())

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return [(fd, 16) for fd, found in self._sockets.items() if found.has_hung_up]


class FastListener:
    """Stands in for the listener of fast sockets, and for its socket."""

    writable = False

    def __init__(self) -> None:
        self.socket = self
        self.address = SimpleNamespace(path="fast")
        self._peers: deque[FastSocket] = deque()

    def connect(self, peer: FastSocket) -> None:
        self._peers.append(peer)

    @property
    def readable(self) -> bool:
        return bool(self._peers)

    def accept(self) -> tuple[FastSocket, str]:
        return self._peers.popleft(), ""
