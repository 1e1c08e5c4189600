"""Routes of an HTTP server, under load by ApacheBench."""

import csv
import math
import os
import re
import shutil
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..context import PROCESSORS, Context
from ..processes import Failed, Process, cpu, page_faults
from . import Contender, Result, free_port


#: Numbers of workers that are measured beside the default one.
WORKERS = [workers for workers in (1, 2, 4) if workers != PROCESSORS]


class WebServer(ABC):
    """A server with several routes, which runs while one of them is in use."""

    #: Of the sections that it is measured in.
    name: str

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

    def routes(self) -> Sequence["Route"]:
        return [
            Route(self, "bare", "bare route"),
            Route(self, "task", "TaskWorker, taskCo()"),
            Route(self, "gotask", "GoTask"),
            *(Route(self, f"gotask-{workers}", f"GoTask, workers: {workers}") for workers in WORKERS),
        ]

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

    def spent(self) -> tuple[dict[str, float], dict[str, float]]:
        """Processor seconds and page faults until now, by what a process is."""
        seconds: dict[str, float] = defaultdict(float)
        faults: dict[str, float] = defaultdict(float)
        for process in self.processes:
            for pid in process.tree():
                label = role(pid)
                seconds[label] += cpu(pid)
                faults[label] += page_faults(pid)
        return seconds, faults


class Route(Contender):
    def __init__(self, server: WebServer, name: str, title: str) -> None:
        super().__init__(server.context)
        self.server, self.name, self.title, self.path = server, name, title, f"/{name}"
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
        before = self.server.spent()
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
        spent = self.server.spent()
        if done.returncode or found(done.stdout, "Failed requests") or "Non-2xx" in done.stdout:
            raise Failed(f"ab {self.path} failed: {done.stderr}{done.stdout}")
        return Result(
            int(found(done.stdout, "Complete requests")),
            found(done.stdout, "Time taken for tests"),
            quantiles(times),
            *map(difference, spent, before),
        )

    def stop(self) -> None:
        if self._acquired:
            self._acquired = False
            self.server.release()


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {label: value - before.get(label, 0.0) for label, value in after.items()}


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
