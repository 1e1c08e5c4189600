"""What calls can be made by: each kind in a file of its own, behind one interface."""

import json
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from ..context import BENCH, Context
from ..processes import Process, cpu


#: Seconds that the last calls of a run may take at most; the largest take a few.
ANSWER = 60.0


@dataclass(frozen=True)
class Result:
    """What one run gave: times in microseconds, by their quantiles; processor seconds, and page faults, by process."""

    calls: int
    seconds: float
    quantiles: dict[float, float]
    cpu: dict[str, float]
    faults: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.calls / self.seconds

    @property
    def cpu_per_call(self) -> float:
        """Microseconds, all processes together."""
        return 1e6 * sum(self.cpu.values()) / self.calls


class Contender(ABC):
    """One way to have a call answered. start() once, run() as often as wanted, stop()."""

    #: One word, for --only.
    name: str

    #: What it is, for a table.
    title: str

    #: Whether it can have more than one call under way.
    concurrent = True

    def __init__(self, context: Context) -> None:
        self.context = context

    def available(self) -> str | None:
        """Why it can't be had here; null: it can."""
        return None

    @abstractmethod
    def start(self) -> None:
        ...

    @abstractmethod
    def run(self, concurrency: int, payload: int, seconds: float) -> Result:
        """So many calls at a time, with so many bytes each way, for so long."""

    @abstractmethod
    def stop(self) -> None:
        ...


class PhpContender(Contender):
    """A server, or several processes, and a client in plain PHP."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.servers: dict[str, Process] = {}
        self.client: Process | None = None

    @abstractmethod
    def serve(self) -> list[str]:
        """Starts what answers, in self.servers by name; gives the arguments of client/load.php."""

    def start(self) -> None:
        arguments = self.serve()
        self.client = Process([self.context.php, str(BENCH / "client/load.php"), *arguments], piped=True)
        # Connections are made and code is loaded before anything is measured.
        self.run(1, 3, 0.1)

    def run(self, concurrency: int, payload: int, seconds: float) -> Result:
        before = self._cpu()
        answer = json.loads(self._client.ask(f"{concurrency} {payload} {seconds}", seconds + ANSWER))
        spent = self._cpu()
        return Result(
            answer["calls"],
            answer["seconds"],
            {float(share): time for share, time in answer["quantiles"].items()},
            {name: seconds - before.get(name, 0.0) for name, seconds in spent.items()},
        )

    def stop(self) -> None:
        if self.client is not None:
            self.client.stop()
            self.client = None
        for server in reversed(self.servers.values()):
            server.stop()
        self.servers.clear()

    @property
    def _client(self) -> Process:
        assert self.client is not None
        return self.client

    def _cpu(self) -> dict[str, float]:
        spent = {"client": cpu(self._client.pid)}
        for name, server in self.servers.items():
            first, *below = server.tree()
            spent[name] = cpu(first)
            if below:
                spent["workers" if name == "broker" else f"{name}'s children"] = sum(map(cpu, below))
        return spent


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
