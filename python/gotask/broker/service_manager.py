"""What systemd is told of the broker's life, where it asks for that: sd_notify(3) and its watchdog."""

from __future__ import annotations

import os
import socket
import time
from asyncio import AbstractEventLoop
from collections.abc import MutableMapping

# What the steps of the broker's life mean to systemd. A reload that failed is over, too: the old code goes on.
_STATES = {
    "ready": "READY=1",
    "reloading": "RELOADING=1",
    "reloaded": "READY=1",
    "reload_failed": "READY=1",
    "stopping": "STOPPING=1",
}

# The variables by which systemd asks. Those who inherit them would speak for this process.
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceManager:
    """Does nothing where nobody asks."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        path, usec, pid = (environment.get(name, "") for name in VARIABLES)
        self._address = "\0" + path[1:] if path.startswith("@") else path
        is_watched = usec.isdigit() and pid in ("", str(os.getpid()))
        self._pause = int(usec) / 2e6 if is_watched else 0.0  # seconds

    def watch(self, loop: AbstractEventLoop) -> None:
        """Says twice in each of the watchdog's times that this loop turns."""
        if self._pause and self._address:
            self._send("WATCHDOG=1")
            loop.call_later(self._pause, self.watch, loop)

    def tell(self, event: str, message: str) -> None:
        if self._address and event in _STATES:
            lines = [_STATES[event], f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"]
            self._send("\n".join([*lines, "STATUS=" + message.partition("\n")[0]] if message else lines))

    def _send(self, text: str) -> None:
        """Never waits, and its failure is no reason to end."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode("utf-8", "replace"), self._address)
        except OSError:
            pass
