"""HTTP over connections that are kept: to an ASGI server, and to one with threads."""

import socket
import time

from ..context import BENCH
from ..processes import Process
from . import PhpContender, free_port


class Asgi(PhpContender):
    name = "asgi"
    title = "HTTP, kept alive, to uvicorn"

    def available(self) -> str | None:
        return (
            None
            if self.context.succeeds(self.context.python, "-c", "import uvicorn")
            else "uvicorn is not installed"
        )

    def serve(self) -> list[str]:
        port = free_port()
        options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--no-access-log"]
        # A connection waits while others have their turn.
        options += ["--timeout-keep-alive", "600"]
        command = [
            self.context.python,
            "-m",
            "uvicorn",
            "asgi:app",
            "--app-dir",
            str(BENCH / "servers"),
            *options,
        ]
        self.servers["uvicorn"] = Process(command)
        wait_for_port(port, self.servers["uvicorn"])
        return ["http", f"tcp://127.0.0.1:{port}"]


class Threaded(PhpContender):
    name = "threaded"
    title = "HTTP, kept alive, to http.server with threads"

    def serve(self) -> list[str]:
        port = free_port()
        self.servers["http.server"] = Process(
            [self.context.python, str(BENCH / "servers/threaded.py"), str(port)]
        )
        wait_for_port(port, self.servers["http.server"])
        return ["http", f"tcp://127.0.0.1:{port}"]


def wait_for_port(port: int, process: Process, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            if not process.is_running() or time.monotonic() > until:
                raise process.failed("does not start") from None
            time.sleep(0.02)
