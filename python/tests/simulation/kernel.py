"""What the kernel keeps between processes, simulated: messages, bytes, and the ends of both."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from gotask.ipc.messages import ENTRY


class SharedMessages:
    """Stands in for `broker.kernel_queue.KernelQueue`: what was sent until a worker takes it."""

    def __init__(self, world: Any, loop: Any) -> None:
        self._world = world
        self._loop = loop
        self._waits = False
        self.on_room: Callable[[], None] = lambda: None
        self.messages: deque[tuple[bytes, int]] = deque()
        self.ended = False
        self.is_closed = False
        self.serial = world.serial()
        self.receiver = self
        world.kernels.append(self)

    def __repr__(self) -> str:
        return f"queue {self.serial}"

    readable = False

    @property
    def writable(self) -> bool:
        return len(self.messages) < int(self._world.plan.kernel_room)

    def fileno(self) -> int:
        return -1 if self.is_closed else int(self.serial)

    def send(self, message: bytes, descriptor: int = -1) -> bool:
        assert not self.ended
        if not self.writable:
            self._loop.add_writer(self, self._has_room)
        elif descriptor >= 0 and self._world.no_descriptors:
            self._loop.call_later(0.01, self._has_room)
        else:
            self.messages.append((message, descriptor))
            self._world.meanwhile()
            return True
        self._waits = True
        return False

    @property
    def is_empty(self) -> bool:
        self._world.meanwhile()
        return not self.messages

    def clear(self) -> list[int]:
        numbers = [int(ENTRY.unpack_from(message)[0]) for message, _ in self.messages]
        self.messages.clear()
        return numbers

    def end(self) -> None:
        self._stop_waiting()
        self.ended = True

    def close(self) -> None:
        self.end()
        self.is_closed = True
        self.messages.clear()
        self._world.kernels.remove(self)

    def _has_room(self) -> None:
        if self._waits:
            self._stop_waiting()
            self.on_room()

    def _stop_waiting(self) -> None:
        if self._waits:
            self._waits = False
            self._loop.remove_writer(self)


class Pipe:
    """A stream of bytes from a worker to the broker; the broker's end."""

    writable = False

    def __init__(self, world: Any) -> None:
        self._world = world
        self.data = bytearray()
        self.ended = False

    @property
    def readable(self) -> bool:
        return self.ended or bool(self.data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self._world.meanwhile()
        if not self.data:
            if self.ended:
                return b""
            raise BlockingIOError
        data = bytes(self.data[:size])
        if not flags & socket.MSG_PEEK:
            del self.data[:size]
        return data

    def close(self) -> None:
        self.data.clear()
        self.ended = True


class Transport:
    """A connection between a client and the broker: asyncio's transport at the broker's end, bytes at the client's.

    room: bytes that the kernel takes in each direction.
    """

    def __init__(self, loop: Any, protocol: Any, room: int) -> None:
        self._loop = loop
        self._protocol = protocol
        self._room = room
        self._buffer = bytearray()  # what the kernel has not taken
        self._paused = False
        self._pausing = False  # the protocol was told to pause writing
        self._closing = False
        self.is_lost = False  # the broker is done with it
        self.to_broker = bytearray()
        self.to_client = bytearray()
        self.client_is_gone = False
        self.broker_is_gone = False
        loop.call_soon(self._make)

    def _make(self) -> None:
        self._loop.add_reader(self, self._read)
        self._protocol.connection_made(self)

    # -- the client's end ---------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if not self.broker_is_gone:
            self.to_broker += data

    def receive(self, size: int) -> bytes:
        data = bytes(self.to_client[:size])
        del self.to_client[:size]
        return data

    def hang_up(self, at_once: bool) -> None:
        """at_once: what was sent last never arrives."""
        self.client_is_gone = True
        self.to_client.clear()
        if at_once:
            self.to_broker.clear()

    # -- the loop's ---------------------------------------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        return not self._paused and not self._closing and (bool(self.to_broker) or self.client_is_gone)

    @property
    def writable(self) -> bool:
        return self.client_is_gone or len(self.to_client) < self._room

    def _read(self) -> None:
        protocol = self._protocol
        if not self.to_broker:
            if not protocol.eof_received():
                self.close()
            return
        view = protocol.get_buffer(-1)
        size = min(len(view), len(self.to_broker))
        view[:size] = self.to_broker[:size]
        del self.to_broker[:size]
        protocol.buffer_updated(size)

    def _write(self) -> None:
        if self.client_is_gone:
            self._lose()
            return
        size = self._room - len(self.to_client)
        self.to_client += self._buffer[:size]
        del self._buffer[:size]
        if not self._buffer:
            self._loop.remove_writer(self)
            if self._pausing:
                self._pausing = False
                self._protocol.resume_writing()
            if self._closing:
                self._lose()

    def _lose(self) -> None:
        self._buffer.clear()
        self._loop.remove_writer(self)
        self._loop.remove_reader(self)
        if not self.is_lost:
            self.is_lost = True
            self._closing = True
            self._loop.call_soon(self._lost)

    def _lost(self) -> None:
        self._protocol.connection_lost(None)
        self.broker_is_gone = True
        self.to_broker.clear()

    # -- the protocol's -----------------------------------------------------------------------------------------------

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def write(self, data: bytes) -> None:
        if self.is_lost:
            return
        if self.client_is_gone:
            self._lose()
            return
        if not self._buffer:
            size = max(0, self._room - len(self.to_client))
            self.to_client += data[:size]
            data = data[size:]
            if data:
                self._loop.add_writer(self, self._write)
        self._buffer += data
        if len(self._buffer) > 1 and not self._pausing:
            self._pausing = True
            self._protocol.pause_writing()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.remove_reader(self)
            if not self._buffer:
                self._lose()

    def abort(self) -> None:
        self._lose()
