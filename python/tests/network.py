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
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from .certificates import Certificates
from .machines import NAME, PORT, Machine, Network, Weather, why_not
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

    def after(self, seconds: float) -> list[Answer]:
        """All outcomes of so many seconds."""
        self.read_for(seconds)
        return self.finish()

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


def main() -> int:
    reason = why_not()
    if reason:
        print(reason, file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory() as folder, Network(4) as network:
        place = Place(network, Path(folder))
        place.serve(*place.workers)
        network.dns = [machine.ip for machine in place.workers]
        print(
            "| network | callers | calls/s | p50 | p99 | failed | packets lost |\n|---|---|---|---|---|---|---|"
        )
        for weather in (
            Weather(),
            Weather(0.01),
            Weather(0.05),
            Weather(0.01, 0.04),
            Weather(0.01, 0.04, 0.01),
            Weather(0.01, 0.04, 0.05),
        ):
            for callers in (1, 100):
                slow(place, weather, callers)
        network.weather = Weather()
        print()
        for method in ("Net.Once", "Net.Again"):
            cut(place, method)
        for method in ("Net.Once", "Net.Quick"):
            roll(place, method)
    return 0


def slow(place: Place, weather: Weather, callers: int) -> None:
    network = place.network
    network.weather = weather
    packets, lost = network.packets, network.lost
    answers = place.call(TCP, method="Net.Quick", callers=callers).after(3.0)
    seconds = answers[-1].at - answers[0].at
    times = sorted(answer.latency * 1000 for answer in answers)
    part = (network.lost - lost) / (network.packets - packets)
    print(
        f"| {weather.delay * 1000:.0f} to {(weather.delay + weather.jitter) * 1000:.0f} ms, {weather.loss:.0%} | {callers} |"
        f" {len(answers) / seconds:.0f} | {times[len(times) // 2]:.1f} ms | {times[len(times) * 99 // 100]:.1f} ms |"
        f" {len(failures(answers))} | {part:.1%} |"
    )


def cut(place: Place, method: str) -> None:
    """One of three machines is cut off for 40 s while 24 callers make calls of 0.2 s."""
    machine = place.workers[0]
    callers = place.call(TCP, method=method, seconds=0.2, callers=24, timeout=60.0)
    callers.read_for(2)
    machine.is_cut = True
    at = callers.answers[-1].at
    since = time.monotonic()
    gone = 0.0
    while time.monotonic() < since + 40:
        callers.read()
        gone = gone or (time.monotonic() - since if machine.connections() == 0 else 0.0)
    machine.is_cut = False
    back = callers.answers[-1].at
    until = time.monotonic() + 60
    while time.monotonic() < until and callers.read().who != machine.ip:
        pass
    recovered = callers.answers[-1].at - back
    answers = callers.finish()
    lost = failures(answers)
    late = [answer for answer in answers if answer.latency > 2]
    runs = place.runs()
    print(
        f"{method}, cut for 40 s: {len(answers)} calls, {len(lost)} failed {dict(Counter(each.who for each in lost))}, "
        f"{len(late)} were late, the last by {max([each.latency for each in late], default=0):.1f} s, known after"
        f" {max([each.at - at for each in late], default=0):.1f} s; ran twice: {sum(runs[each.call] > 1 for each in answers)};"
        f" the broker's connections were gone after {gone:.1f} s; calls went there again {recovered:.1f} s after it was back"
    )


def roll(place: Place, method: str) -> None:
    """Three machines are replaced by others, one after the other, while 24 callers call."""
    *old, spare = place.workers
    place.end(spare)
    place.network.dns = [machine.ip for machine in old]
    more = {"seconds": 0.2} if method == "Net.Once" else {}
    callers = place.call(TCP, method=method, callers=24, **more)
    callers.read_for(3)
    ends, news = [], []
    reader = threading.Thread(target=lambda: [callers.read() for _ in iter(lambda: not done.is_set(), False)])
    done = threading.Event()
    reader.start()
    for machine in old:
        place.serve(spare)
        place.network.dns = [ip for ip in place.network.dns if ip != machine.ip] + [spare.ip]
        began = callers.answers[-1].at
        ends.append(place.end(machine))
        seen = len(callers.answers)
        while all(answer.who != spare.ip for answer in callers.answers[seen:]):
            time.sleep(0.01)
        news.append(callers.answers[-1].at - began)
        spare = machine
    done.set()
    reader.join()
    answers = callers.finish()
    place.serve(spare)
    runs = place.runs()
    seconds = answers[-1].at
    print(
        f"{method}, three machines replaced: {len(answers)} calls in {seconds:.0f} s, {len(failures(answers))} failed, "
        f"{sum(runs[each.call] != 1 for each in answers)} did not run exactly once; the longest took"
        f" {max(each.latency for each in answers):.2f} s; a broker ended in {max(ends):.1f} s, the new one had calls after"
        f" {max(news):.1f} s at the latest; the name was looked up {place.network.lookups} times so far"
    )


if __name__ == "__main__":
    sys.exit(main())
