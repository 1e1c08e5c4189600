"""Receiving a large payload: the kernel writes it where it stays."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..wire.frames import Decoder, Event


class Receiving(Protocol):
    """The connection that the payload is for."""

    def large_received(self, events: list[Event]) -> None:
        """The rest of a large payload has come."""

    def eof_received(self) -> bool:
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        ...

    def pause_writing(self) -> None:
        ...

    def resume_writing(self) -> None:
        ...


class LargeReceiver(asyncio.BufferedProtocol):
    """Stands in for a connection while a large payload arrives: the bytes go where they stay, without another copy."""

    def __init__(self, connection: Receiving, decoder: Decoder) -> None:
        self._connection = connection
        self._decoder = decoder

    def get_buffer(self, size: int) -> memoryview:
        buffer = self._decoder.receive_buffer()
        assert buffer is not None
        return buffer

    def buffer_updated(self, count: int) -> None:
        events = self._decoder.received(count)
        if events:
            self._connection.large_received(events)

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()
