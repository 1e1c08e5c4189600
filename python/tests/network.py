"""Calls over a network that is slow, loses packets and is cut, and whose machines are replaced: `python -m tests.network`, in
the folder python. It prints a table for docs/deployment.md.

It takes root, and PHP as `php`, or as the variable PHP says: where Swoole is loaded its callers are coroutines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from .certificates import Certificates
from .machines import NAME, PORT, Machine, Network
from .peer import APPS, PACKAGE

KEY = "0123456789abcdef0123456789abcdef"
PHP = os.environ.get("PHP", "php")

#: The name of the machines that serve, in plain and with TLS.
TCP, TLS = [f"tcp://{NAME}:{PORT}"], [f"tls://{NAME}:{PORT + 1}"]


class Answer(NamedTuple):
    """What became of a call. Seconds; `who`: the machine, or the class of the error."""

    at: float
    latency: float
    who: str
    error: str
    call: str


class Place:
    """Machines that serve the app, one that calls, and what has run."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.certificates = Certificates(folder)
        self.ran = folder / "ran"
        self.ran.touch()
        self.resolv = folder / "resolv.conf"
        self.resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.caller, *self.workers = network.machines
        self.brokers: dict[Machine, subprocess.Popen[bytes]] = {}

    def serve(self, *machines: Machine) -> None:
        """Starts a broker on each, and waits until they are ready."""
        for machine in machines:
            command = [sys.executable, str(PACKAGE / "gotask" / "__main__.py"), str(APPS / "network.py")]
            command += [
                "--tls-certificate",
                self.certificates.broker,
                "--tls-key",
                self.certificates.broker_key,
            ]
            env = {
                **os.environ,
                "GOTASK_ADDRESS": f"tcp://0.0.0.0:{PORT},tls://0.0.0.0:{PORT + 1}",
                "GOTASK_KEY": KEY,
                "GOTASK_WORKERS": "1",
                "MACHINE": machine.ip,
                "RAN": str(self.ran),
            }
            self.brokers[machine] = machine.start(*command, env=env, stderr=subprocess.PIPE)
        for machine in machines:
            broker = self.brokers[machine]
            assert broker.stderr is not None
            first = broker.stderr.readline()
            assert b"ready" in first, first

    def end(self, machine: Machine) -> float:
        """SIGTERM, as a service manager does; the seconds that the broker takes to end."""
        began = time.monotonic()
        broker = self.brokers.pop(machine)
        broker.send_signal(signal.SIGTERM)
        assert broker.wait(40) == 0
        return time.monotonic() - began

    def call(self, addresses: list[str], **options: Any) -> Callers:
        """Begins to call from the machine that does."""
        given = json.dumps({"addresses": addresses, "key": KEY, "ca": self.certificates.ca, **options})
        script = str(Path(__file__).parent / "network.php")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return Callers(self.caller.start(PHP, script, given, resolv=self.resolv, **pipes))

    def runs(self) -> Counter[str]:
        return Counter(self.ran.read_text().splitlines())


class Callers:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.answers: list[Answer] = []

    def read(self) -> Answer:
        """The next outcome."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the callers ended: {self.process.wait()}"
        self.answers.append(Answer(*json.loads(line)))
        return self.answers[-1]

    def read_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read()

    def finish(self) -> list[Answer]:
        """Has them make no more calls; all outcomes."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> list[Answer]:
        """Until they have made as many calls as they were to; all outcomes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.append(Answer(*json.loads(line)))
        assert self.process.wait(60) == 0
        return self.answers


def failures(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if not answer.who.startswith("10.77.")]
