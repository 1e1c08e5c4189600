"""The soak: `python -m tests.soak [--minutes N] [--output FOLDER]`, in the folder python.

Calls of all kinds, faults and reloads, for as long as it is told. It samples the memory, descriptors, threads and children of
the broker, its workers and the clients, and writes report.json and soak.svg. Ends with 1 where a call was lost, ran twice or
was answered wrongly, where a curve is not flat, or where something is left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .chaos.audit import Audit
from .chaos.calls import Book
from .chaos.clients import php, Php, Process, PythonProcess
from .chaos.curves import Panel, Points, fit, svg, thinned
from .chaos.faults import GROUPS, Fault
from .chaos.scene import Scene
from .chaos.system import children, descriptors, memory, threads

MIB = 1024 * 1024

#: Seconds between two samples, two faults, two pieces of the books.
SAMPLE, FAULT, PIECE = 1.0, 8.0, 20.0

#: Seconds that a run has to have for its curves to be judged: in less, caches still fill.
JUDGED = 240.0

#: Of calls in seconds, but for those that are meant to be late; and the pause of each caller, which leaves room on the machine.
TIMEOUT, PAUSE = 20.0, 0.01

#: Curves, their units, and how much they may grow: by a part of the beginning, or by so much, whichever is more. A Python
#: client has a thread for each caller, and the allocator may keep one of the largest bodies for some of them.
CURVES = {
    "broker: memory": ("MiB", 0.05, 4.0),
    "broker: descriptors": ("", 0.0, 3.0),
    "broker: threads": ("", 0.0, 1.0),
    "broker: children": ("", 0.0, 1.0),
    "workers: memory": ("MiB", 0.05, 8.0),
    "workers: descriptors": ("", 0.0, 3.0),
    "Python client: memory": ("MiB", 0.05, 16.0),
    "Python client: descriptors": ("", 0.0, 3.0),
    "PHP client: memory": ("MiB", 0.05, 4.0),
    "PHP client: descriptors": ("", 0.0, 3.0),
}


class Rough(PythonProcess):
    more = ("rough",)


class Soak:
    def __init__(self, folder: Path, seconds: float, seed: int) -> None:
        self._seconds = seconds
        self._random = random.Random(seed)
        self._scene = Scene(folder, proxied=True)
        self._levels: Counter[str] = Counter()
        self._reader = threading.Thread(target=self._read_records, daemon=True)
        self._reader.start()
        self._book = Book()
        self._audit = Audit(self._book, self._scene.chaos / "journal")
        self._samples: dict[str, Points] = {}
        self._faults: Counter[str] = Counter()
        self._recoveries: list[float] = []
        proxied = f"unix://{self._scene.proxy.path}" if self._scene.proxy else ""
        self._python = Rough("python", self._scene.address, self._book, TIMEOUT, 0.02, PAUSE)
        self._clients: list[Process] = [
            self._python,
            Rough("proxied", proxied, self._book, 2.0, 0.02, PAUSE),
        ]
        self._php: Process | None = None
        if php() is not None:
            self._php = Php("php", self._scene.address, self._book, TIMEOUT, 0.02, PAUSE)
            self._clients.append(self._php)

    def run(self) -> dict[str, Any]:
        """Its report."""
        began = time.monotonic()
        faults = threading.Thread(target=self._break_things, args=(began + self._seconds,), daemon=True)
        faults.start()
        next_piece = began + PIECE
        while (now := time.monotonic()) < began + self._seconds:
            self._sample(now - began)
            if now >= next_piece:
                self._audit.close_piece()
                next_piece += PIECE
            time.sleep(max(0.0, SAMPLE - (time.monotonic() - now)))
        faults.join()
        for client in self._clients:
            client.stop()
        for client in self._clients:
            client.join()
        left = self._scene.close()
        self._audit.end()  # nothing runs any more
        return self._report(left)

    def _break_things(self, until: float) -> None:
        choices = [
            fault
            for group in GROUPS
            if group.name in ("workers", "limits", "proxy")
            for fault in group.faults
            # The journal is longer than what this lets workers write.
            if fault.name != "no room for shared memory: workers"
        ]
        choices.append(next(f for group in GROUPS for f in group.faults if "SIGSTOP of the broker" in f.name))
        reload = next(fault for fault in choices if fault.name.startswith("reload"))
        count = 0
        while time.monotonic() + FAULT < until:
            time.sleep(FAULT)
            count += 1
            self._break(reload if count % 4 == 0 else self._random.choice(choices))

    def _break(self, fault: Fault) -> None:
        self._faults[fault.name] += 1
        try:
            fault.inject(self._scene)
            began = time.monotonic()
            if not self._scene.serves():
                self._audit.problems[f"capacity did not come back: {fault.name}"] += 1
            self._recoveries.append(time.monotonic() - began)
        except Exception as error:
            self._audit.problems[f"{fault.name}: {error!r}"] += 1

    def _read_records(self) -> None:
        """Drains what the broker says, as a supervisor does."""
        assert self._scene.broker.process.stdout is not None
        for line in self._scene.broker.process.stdout:
            record = json.loads(line)
            self._levels[str(record.get("event") or record.get("level"))] += 1

    def _sample(self, at: float) -> None:
        broker = self._scene.pid
        workers = children(broker)
        values = {
            "broker: memory": memory(broker) / MIB,
            "broker: descriptors": len(descriptors(broker)),
            "broker: threads": threads(broker),
            "broker: children": len(workers),
            "workers: memory": sum(map(memory, workers)) / MIB,
            "workers: descriptors": sum(len(descriptors(pid)) for pid in workers),
            "Python client: memory": memory(self._python.pid) / MIB,
            "Python client: descriptors": len(descriptors(self._python.pid)),
        }
        if self._php is not None:
            values["PHP client: memory"] = memory(self._php.pid) / MIB
            values["PHP client: descriptors"] = len(descriptors(self._php.pid))
        for name, value in values.items():
            self._samples.setdefault(name, []).append((at, value))

    def _report(self, left: list[str]) -> dict[str, Any]:
        curves = {}
        judged = self._seconds >= JUDGED
        problems = [
            f"{what}: {count}, {self._audit.examples.get(what, '')}"
            for what, count in self._audit.problems.items()
        ] + left
        for name, points in self._samples.items():
            found = fit(points, *CURVES[name][1:])
            curves[name] = {
                "unit": CURVES[name][0],
                "first": round(found.first, 3),
                "growth": round(found.growth, 3),
                "limit": round(found.limit, 3),
                "highest": round(max(value for _, value in points), 3),
                "flat": found.is_flat,
                "points": [(round(at, 1), round(value, 3)) for at, value in thinned(points)],
            }
            if judged and not found.is_flat:
                problems.append(f"{name} grows by {found.growth:.2f} {CURVES[name][0]} after the warm-up")
        return {
            "seconds": self._seconds,
            "calls": self._audit.calls,
            "outcomes": dict(self._audit.outcomes.most_common()),
            "faults": dict(self._faults.most_common()),
            "longest recovery": round(max(self._recoveries, default=0.0), 3),
            "records": dict(self._levels.most_common()),
            "judged": judged,
            "problems": problems,
            "curves": curves,
        }


def picture(report: dict[str, Any]) -> str:
    title = f"{report['seconds'] / 60:.0f} minutes, {report['calls']} calls, {sum(report['faults'].values())} faults"
    panels = [
        Panel(
            f"{name}{', ' if curve['unit'] else ''}{curve['unit']}",
            curve["unit"],
            curve["points"],
            fit(curve["points"], *CURVES[name][1:]),
        )
        for name, curve in report["curves"].items()
    ]
    return svg(title, panels)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N")
    parser.add_argument("--output", type=Path, default=Path("soak"), metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order of the faults")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gotask-soak-") as folder:
        report = Soak(Path(folder), given.minutes * 60, given.seed).run()
    (given.output / "report.json").write_text(json.dumps(report, indent=1))
    (given.output / "soak.svg").write_text(picture(report))
    print(f"{report['calls']} calls: {report['outcomes']}")
    print(f"{sum(report['faults'].values())} faults, longest recovery {report['longest recovery']} s")
    for name, curve in report["curves"].items():
        print(f"{name:28} {curve['first']:9.2f} {curve['growth']:+9.2f}  (may grow by {curve['limit']:.2f})")
    for problem in report["problems"]:
        print(f"PROBLEM: {problem}")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
