"""Routes of an HTTP server, under load by ApacheBench."""

import csv
import math
import os
import re
import shutil
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

from ..context import Context
from ..processes import Failed, Process, cpu
from . import Contender, Result, free_port


class WebServer(ABC):
    """A server with several routes, which runs while one of them is in use."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.port = 0
        self.processes: list[Process] = []
        self._users = 0
        self._failed: Failed | None = None

    def available(self) -> str | None:
        """Why it can't be had; null: it can."""
        if not shutil.which("ab"):
            return "ab (Debian: apache2-utils) is not installed"
        if self.context.output(self.context.hyperf_php, "-r", "echo extension_loaded('swoole');") != "1":
            return "PHP has no ext-swoole: GOTASK_HYPERF_PHP names one that has"
        return None

    @abstractmethod
    def serve(self) -> None:
        """Starts self.processes, which listen at self.port; returns when they do."""

    def acquire(self) -> None:
        if self._failed is not None:
            raise self._failed
        self._users += 1
        if self._users == 1:
            self.port = free_port()
            try:
                self.serve()
            except Failed as failed:
                self._failed = failed
                self.release()
                raise

    def release(self) -> None:
        self._users -= 1
        if self._users == 0:
            for process in reversed(self.processes):
                process.stop()
            self.processes.clear()

    def get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return str(answer.read().decode())
        except OSError as error:
            raise self.processes[-1].failed(f"answers {path} with {error}") from None

    def cpu(self) -> dict[str, float]:
        spent: dict[str, float] = {}
        for process in self.processes:
            for pid in process.tree():
                label = role(pid)
                spent[label] = spent.get(label, 0.0) + cpu(pid)
        return spent


class Route(Contender):
    def __init__(self, server: WebServer, name: str, title: str, path: str) -> None:
        super().__init__(server.context)
        self.server, self.name, self.title, self.path = server, name, title, path
        self._acquired = False

    def available(self) -> str | None:
        return self.server.available()

    def start(self) -> None:
        self.server.acquire()
        self._acquired = True
        self.server.get(self.path)
        self.run(8, 0, 1)

    def run(self, concurrency: int, payload: int, seconds: float) -> Result:
        """ApacheBench counts whole seconds. The payload is always the same."""
        times = self.context.folder / "times.csv"
        duration = max(1, math.ceil(seconds))
        options = f"-k -q -c {concurrency} -t {duration} -n 100000000 -e {times}".split()
        before = self.server.cpu()
        try:
            done = subprocess.run(
                ["ab", *options, f"http://127.0.0.1:{self.server.port}{self.path}"],
                capture_output=True,
                text=True,
                timeout=duration + 60,
                env={**os.environ, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"ab {self.path} does not end") from None
        spent = self.server.cpu()
        if done.returncode or found(done.stdout, "Failed requests") or "Non-2xx" in done.stdout:
            raise Failed(f"ab {self.path} failed: {done.stderr}{done.stdout}")
        return Result(
            int(found(done.stdout, "Complete requests")),
            found(done.stdout, "Time taken for tests"),
            quantiles(times),
            {label: used - before.get(label, 0.0) for label, used in spent.items()},
        )

    def stop(self) -> None:
        if self._acquired:
            self._acquired = False
            self.server.release()


def found(text: str, name: str) -> float:
    match = re.search(rf"^{name}:\s+([\d.]+)", text, re.MULTILINE)
    return float(match[1]) if match else 0.0


def quantiles(times: Path) -> dict[float, float]:
    """ApacheBench's percentages and milliseconds as shares and microseconds."""
    with times.open() as lines:
        rows = [row for row in csv.reader(lines) if row and row[0].isdigit()]
    return {int(row[0]) / 100: 1000 * float(row[1]) for row in rows}


def role(pid: int) -> str:
    """What a process is, by its command line."""
    try:
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").lower()
        )
    except OSError:
        return "gone"
    for part, name in (
        ("taskworker", "task workers"),
        ("task worker", "task workers"),
        (" --worker ", "Python workers"),
        ("app.py", "broker"),
        ("sidecar", "Go sidecar"),
        ("worker", "HTTP workers"),
    ):
        if part in command:
            return name
    return "others"
