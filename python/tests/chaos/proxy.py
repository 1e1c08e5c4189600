"""A proxy between a client and the broker's Unix socket that damages what goes through it, as the test says."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["pass", "delay", "drip", "truncate", "reset", "stall", "half close"]
Side = Literal["broker", "client"]

_CHUNK = 65536


@dataclass(frozen=True)
class Mode:
    """What happens to the bytes that go towards `side`; the others pass.

    delay: each piece comes `seconds` later. drip: a byte each `seconds`. stall: nothing is read any more.
    After `count` more bytes: truncate closes both connections; reset does so with bytes unread, so that who sent them finds
    its connection reset; half close shuts down that one direction.
    """

    kind: Kind = "pass"
    side: Side = "client"
    count: int = 0
    seconds: float = 0.0


class Proxy:
    """Listens at `path`. `mode` may be changed at any time and holds for all connections from then on."""

    def __init__(self, path: str, target: str) -> None:
        self.path = path
        self._target = target
        self._mode = Mode()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Event()
        self._ended = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen(64)
        self._start(self._accept)

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = threading.Event()

    def close(self) -> None:
        self._ended = True
        self._changed.set()
        _end(self._socket, *tuple(self._open))
        self._socket.close()
        os.unlink(self.path)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            broker = socket.socket(socket.AF_UNIX)
            try:
                broker.connect(self._target)
            except OSError:
                client.close()
                broker.close()
                continue
            self._start(self._serve, client, broker)

    def _serve(self, client: socket.socket, broker: socket.socket) -> None:
        directions = ((client, broker, "broker"), (broker, client, "client"))
        threads = [threading.Thread(target=self._pump, args=ends, daemon=True) for ends in directions]
        self._open |= {client, broker}
        with client, broker:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self._open -= {client, broker}

    def _pump(self, source: socket.socket, sink: socket.socket, side: str) -> None:
        mode, left = Mode(), 0
        try:
            while not self._ended:
                changed = self._changed
                if mode is not self._mode:
                    mode = self._mode
                    left = mode.count
                kind: Kind = mode.kind if mode.side == side else "pass"
                if kind == "stall":
                    changed.wait(0.1)
                    continue
                if not select.select([source], [], [], 0.1)[0] or mode is not self._mode:
                    continue
                if kind in ("truncate", "reset", "half close") and not left:
                    self._break(kind, source, sink)
                    return
                limit = 1 if kind == "drip" else left if left else _CHUNK
                data = source.recv(limit)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if kind in ("delay", "drip"):
                    changed.wait(mode.seconds)
                sink.sendall(data)
                left = max(0, left - len(data))
        except (OSError, ValueError):  # closed by the other direction
            _end(source, sink)

    def _break(self, kind: Kind, source: socket.socket, sink: socket.socket) -> None:
        if kind == "half close":
            sink.shutdown(socket.SHUT_WR)
            while not self._ended and source.recv(_CHUNK):
                pass
            return
        if kind == "reset":
            # A Unix socket that is closed with bytes unread gives its peer ECONNRESET.
            source.close()
            sink.close()
        _end(source, sink)


def _end(*sockets: socket.socket) -> None:
    for end in sockets:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
