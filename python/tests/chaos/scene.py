"""A broker under load from all kinds of clients, with what is needed to break it and to judge what became of it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..peer import PACKAGE, BrokerProcess, Peer, gone
from .calls import FAST_STEPS, GROUPS
from .load import Load
from .proxy import Proxy
from .system import Holdings, children, eventually, holdings

#: Of the shared group, and of the service with a worker of its own.
WORKERS = 2
ASYNC_WORKERS = OWN_WORKERS = 1

#: Seconds of load before a fault and after its recovery.
LEAD = 0.15

#: Seconds that calls may take: of the clients that a fault must not concern, and of those behind the proxy.
PATIENT = 30.0
HASTY = 0.5


@dataclass
class Row:
    """What a fault has cost."""

    fault: str
    calls: int
    errors: Counter[str]
    wrong: int
    twice: int
    recovery: float  # seconds from the fault's end until every worker serves
    problems: list[str] = field(default_factory=list)


class Scene:
    """One broker in a folder of its own; `close` says what it has left behind."""

    load: Load  # while a fault is performed

    def __init__(
        self,
        folder: Path,
        proxied: bool = False,
        with_php: bool = True,
        arguments: tuple[str, ...] = (),
        pause: float = 0.0,
    ) -> None:
        """pause: seconds that each client leaves between two rounds of calls."""
        self.run = folder / "run"
        self.temporary = folder / "tmp"
        self.chaos = folder / "chaos"
        for made in (self.run, self.temporary, self.chaos):
            made.mkdir(exist_ok=True)
        self.address = f"unix://{self.run}/b.sock"
        self._with_php = with_php
        self._arguments = arguments
        self._pause = pause
        self.start()
        self.proxy = Proxy(str(folder / "proxy.sock"), f"{self.run}/b.sock") if proxied else None
        assert self.serves(), "not all workers serve"
        self.baseline = self.settled()

    def start(self) -> None:
        self.broker = BrokerProcess(
            "tests.apps.steps",
            "--interrupt-grace",
            "5",  # on a busy machine a worker may not get to run for long; it is not to be killed for that
            *self._arguments,
            workers=WORKERS,
            address=self.address,
            cwd=PACKAGE,
            env={"GOTASK_CHAOS": str(self.chaos), "TMPDIR": str(self.temporary)},
        )
        self.broker.wait_for("ready", 60)

    @property
    def pid(self) -> int:
        return self.broker.process.pid

    def workers(self) -> list[int]:
        return children(self.pid)

    def perform(self, name: str, inject: Callable[[Scene], None], errors: frozenset[str]) -> Row:
        """Breaks something under load. `errors`: what calls may end with, of clients that do not go through the proxy."""
        addresses = {"direct": (self.address, PATIENT)}
        if self.proxy is not None:
            addresses["proxied"] = (f"unix://{self.proxy.path}", HASTY)
        self.load = load = Load(addresses, with_php=self._with_php, pause=self._pause)
        try:
            assert eventually(lambda: load.is_under_way, 60), "not all callers are answered"
            time.sleep(LEAD)
            inject(self)
            began = time.monotonic()
            problems = [] if self.serves() else ["not all workers serve again"]
            recovery = time.monotonic() - began
            time.sleep(LEAD)
        finally:
            load.stop()
        return self._judge(name, load, errors, recovery, problems)

    def serves(self, timeout: float = 60.0) -> bool:
        """Whether, sooner or later, as many workers as there are to be answer calls."""
        seen: set[int] = set()

        def ask() -> bool:
            try:
                peer = Peer(self.address)
            except (OSError, EOFError):
                return False
            try:
                status = peer.call("GoTask.Status")
                in_service = [service["workers"] for service in status["services"]]
                held = [peer.send("Sync.hold", 0.02) for _ in range(WORKERS)]
                seen.update(pid for pid in map(peer.result, held) if isinstance(pid, int))
                current = {
                    worker["pid"] for worker in status["workers"] if worker["state"] in ("idle", "busy")
                }
                return in_service == [WORKERS, ASYNC_WORKERS, OWN_WORKERS] and len(current & seen) == WORKERS
            except (OSError, EOFError):
                return False
            finally:
                peer.close()

        return eventually(ask, timeout)

    def settled(self, like: Holdings | None = None, timeout: float = 20.0) -> Holdings:
        """What it holds while nobody is connected but who asks; what it held before, if it comes to that within so long."""
        found = self._held_alone()
        until = time.monotonic() + timeout
        while like is not None and found != like and time.monotonic() < until:
            time.sleep(0.1)
            found = self._held_alone()
        return found

    def _held_alone(self) -> Holdings:
        peer = None
        try:
            peer = asking = Peer(self.address)
            eventually(lambda: bool(asking.call("GoTask.Status")["connections"] == 1))
        except (OSError, EOFError):
            pass  # it is dead, which others say
        found = holdings(self.pid, self.run, self.temporary)
        if peer is not None:
            peer.close()
        return found

    def close(self) -> list[str]:
        """Ends it; what is left that should not be."""
        problems = []
        after = self.settled(self.baseline)
        if after != self.baseline:
            problems.append(self.baseline.became(after))
        if self.proxy is not None:
            self.proxy.close()
        workers = self.workers()
        code = self.broker.end(timeout=60)
        if code:
            problems.append(f"the broker ended with {code}")
        if not gone(workers, 5):
            problems.append("workers are left")
        left = [*self.run.iterdir(), *self.temporary.iterdir()]
        if left:
            problems.append(f"files are left: {left}")
        return problems

    def die(self) -> None:
        """Kills the broker, and waits until its workers are gone."""
        workers = self.workers()
        self.broker.end(signal.SIGKILL)
        assert gone(workers, 10), "workers outlive a killed broker"

    def step(self, name: str) -> None:
        """Has a worker of each kind that comes to a step die there, and waits for that."""
        kinds = ("sync",) if name in FAST_STEPS else GROUPS
        files = [self.chaos / f"step-{kind}-{name}" for kind in kinds]
        for file in files:
            file.touch()
        assert eventually(lambda: not any(file.exists() for file in files), 30), f"no worker came to {name}"

    def call(self, method: str, payload: Any = None, timeout: int = 0) -> Any:
        """timeout: milliseconds; 0 for none."""
        peer = Peer(self.address)
        try:
            return peer.call(method, payload, timeout, 0)
        finally:
            peer.close()

    def _judge(
        self, name: str, load: Load, allowed: frozenset[str], recovery: float, problems: list[str]
    ) -> Row:
        journal = self.chaos / "journal"
        tokens = journal.read_text().split()
        os.truncate(journal, 0)
        errors: Counter[str] = Counter()
        calls = wrong = 0
        for kind, book in load.books.items():
            calls += len(book.begun)
            wrong += len(book.wrong)
            errors += book.errors
            mine = [token for token in tokens if token.startswith(f"{kind}-")]
            for what, found in book.contradictions(mine).items():
                problems.append(f"{kind}: {what}: {len(found)} calls, {found[:3]}")
            unexpected = {code for code in book.errors if code not in allowed | {"given up"}}
            if kind == "direct" and unexpected:
                problems.append(f"unexpected errors: {sorted(unexpected)}, of {dict(book.errors)}")
        del errors["given up"]
        twice = sum(count > 1 for count in Counter(tokens).values())
        if self.broker.process.poll() is not None:
            problems.append("the broker is dead")
        return Row(name, calls, errors, wrong, twice, recovery, problems)
