"""The floor: a server that sends back what it receives, with and without our client, and with a process in between."""

from ..context import BENCH
from ..processes import Process, wait_for
from . import PhpContender


class Echo(PhpContender):
    """The same client that calls GoTask; in C where there is a compiler."""

    name = "echo"
    title = "GoTask's client to a bare echo"

    def serve(self) -> list[str]:
        return ["gotask", f"unix://{self.echo()}", "echo", str(1 << 30)]

    def echo(self) -> str:
        path = self.context.fresh("echo")
        if self.context.compiler:
            command = [self.context.compiled("echo"), str(path)]
            self.servers["echo"] = Process(command)
        else:
            # It ends with its standard input, so that stays open.
            self.servers["echo"] = Process(
                [self.context.python, str(BENCH / "servers/echo.py"), str(path)], piped=True
            )
        wait_for(path, self.servers["echo"])
        return str(path)


class Socket(Echo):
    name = "socket"
    title = "bytes to a bare echo, no protocol"

    def serve(self) -> list[str]:
        return ["socket", f"unix://{self.echo()}"]


class Relay(Echo):
    name = "relay"
    title = "GoTask's client to a bare echo behind a C relay"

    def available(self) -> str | None:
        return None if self.context.compiler else "no C compiler (cc)"

    def serve(self) -> list[str]:
        echo = self.echo()
        path = self.context.fresh("relay")
        self.servers["relay"] = Process([self.context.compiled("relay"), str(path), echo])
        wait_for(path, self.servers["relay"])
        return ["gotask", f"unix://{path}", "echo", str(1 << 30)]
