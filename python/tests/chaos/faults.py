"""What breaks, and what calls may then end with."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..fast import GIVEN_BACK, LATE, TAKE_BACK, FastPeer
from .calls import FAST_STEPS, STEPS
from .clients import Php, Process, PythonProcess, php
from .proxy import Kind, Mode, Side
from .scene import PATIENT, WORKERS, Scene
from .system import descriptors, eventually

NONE: frozenset[str] = frozenset()
CRASHED = frozenset({"worker_crashed"})
FULL = frozenset({"overloaded"})
BROKER_GONE = frozenset({"connection_lost", "connect_failed"})

#: What lies in shared memory can't be received or given back where there is no descriptor or no room for it.
STARVED = frozenset({"overloaded", "remote_error", "worker_crashed", "unavailable"})

#: The longest file, in bytes, where there is no room: large bodies have more, the journal of executed calls has less.
ROOM = 150_000

#: Seconds that something stands still or is missing.
PAUSE = 0.7


#: Workers that die in a row.
DEATHS = 200


@dataclass(frozen=True)
class Fault:
    name: str
    inject: Callable[[Scene], None]
    errors: frozenset[str]


class Group(NamedTuple):
    """Faults that one broker goes through, one after the other."""

    name: str
    faults: tuple[Fault, ...]
    proxied: bool = False
    small_disk: bool = False
    arguments: tuple[str, ...] = ()  # of the broker
    is_long: bool = False  # it takes a minute


# -- workers --------------------------------------------------------------------------------------------------------------


def kill_idle_or_busy(scene: Scene) -> None:
    victim = shared_workers(scene)[0]
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: victim not in scene.workers())


def kill_at(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.step(name)


def kill_all(scene: Scene) -> None:
    before = scene.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not set(before) & set(scene.workers()))


def stop_worker(scene: Scene) -> None:
    victim = shared_workers(scene)[0]
    os.kill(victim, signal.SIGSTOP)
    time.sleep(PAUSE)
    try:
        os.kill(victim, signal.SIGCONT)
    except ProcessLookupError:
        pass  # the time of a call of its was over


def stop_worker_for_good(scene: Scene) -> None:
    """Stopped in the middle of a call, it is killed when the time of that is over."""
    before = set(scene.workers())
    error = scene.call("Sync.stop", None, 1000)
    assert error["code"] == "deadline_exceeded", error
    assert eventually(lambda: not before <= set(scene.workers())), "a stopped worker is kept"


def shared_workers(scene: Scene) -> list[int]:
    status = scene.call("GoTask.Status")
    return [
        worker["pid"]
        for worker in status["workers"]
        if not worker["service"] and worker["state"] in ("idle", "busy")
    ]


def reload(scene: Scene) -> None:
    before = scene.call("GoTask.Status")["generation"]
    os.kill(scene.pid, signal.SIGHUP)
    assert eventually(lambda: bool(scene.call("GoTask.Status")["generation"] > before), 60), "never reloaded"


# -- the fast path --------------------------------------------------------------------------------------------------------


def kill_many(scene: Scene) -> None:
    """Workers of the shared group die under load, each as soon as there is one that serves."""
    for _ in range(DEATHS):
        ready = eventually(lambda: shared_workers(scene), 60)
        assert ready, "no worker comes any more"
        with suppress(ProcessLookupError):
            os.kill(ready[-1], signal.SIGKILL)


def stop_within_fast_call(scene: Scene) -> None:
    """Stopped within a call of the fast path, a worker is killed once the client says that its time is over."""
    with closing(FastPeer(scene.address)) as peer:
        sequence = peer.send_fast("Sync.stop")
        assert eventually(lambda: stopped(scene)), "no worker has stopped"
        peer.stop(sequence, LATE)
        error = peer.ordinary_result(sequence)
        assert error["code"] == "deadline_exceeded", error


def stopped(scene: Scene) -> bool:
    return any(
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T" for pid in scene.workers()
    )


def hold_workers(scene: Scene) -> None:
    """Slow calls among quick ones: each worker has one in the middle of a message, again and again."""
    with closing(FastPeer(scene.address)) as peer:
        for _ in range(5):
            messages = [peer.send_many(*[("Sync.size", b"x"), ("Sync.hold", 0.1)] * 2) for _ in range(2)]
            for sequence in (sequence for message in messages for sequence in message):
                assert peer.fast_result(sequence), "it was not run"


def read_nothing(scene: Scene) -> None:
    """A client that does not read what its fast socket has, and one that never will."""
    with closing(FastPeer(scene.address)) as peer, closing(FastPeer(scene.address)) as gone:
        sequences = [peer.send_fast("Sync.zeros", 60_000) for _ in range(40)]
        for _ in range(40):
            gone.send_fast("Sync.zeros", 60_000)
        time.sleep(PAUSE)
        while len(peer.outcomes) < len(sequences):
            for ready in select.select([peer.socket, peer.fast], [], [], 20)[0]:
                peer.read() if ready is peer.socket else peer.receive()
        assert all(peer.value(sequence) == bytes(60_000) for sequence in sequences)


def fill_queues(scene: Scene) -> None:
    """While both workers are busy, a fast socket takes no more, and the broker's queue is full."""
    with closing(FastPeer(scene.address)) as peer:
        hold = [peer.send_fast("Sync.hold", PAUSE) for _ in range(WORKERS)]
        peer.fast.settimeout(0)
        sent = []
        with suppress(BlockingIOError):
            while True:
                sent.append(peer.send_fast("Sync.size", bytes(50_000)))
        for sequence in sent:
            peer.stop(sequence, TAKE_BACK)
        for sequence in (*hold, *sent):
            while sequence not in peer.outcomes:
                for ready in select.select([peer.socket, peer.fast], [], [], 20)[0]:
                    peer.read() if ready is peer.socket else peer.receive()
        assert sum(peer.value(sequence) == GIVEN_BACK for sequence in sent) > 0, "nothing was given back"


def kill_clients(scene: Scene) -> None:
    """Of each kind of client that has processes of its own; some of their calls have no outcome, and may run."""
    kinds: list[type[Process]] = [PythonProcess] if php() is None else [PythonProcess, Php]
    book = scene.load.books["direct"]
    victims = [
        kind(f"direct-doomed-{number}-", scene.address, book, PATIENT, 0.005)
        for number, kind in enumerate(kinds * 2)
    ]
    for victim in victims:
        assert eventually(lambda: book.has_answered(victim.name), 60), "a client is not answered"
    for victim in victims:
        victim.kill()
    for victim in victims:
        victim.join()


def go_on(scene: Scene) -> None:
    time.sleep(3 * PAUSE)


# -- the broker -----------------------------------------------------------------------------------------------------------


def kill_broker(scene: Scene) -> None:
    scene.die()
    scene.start()


def stop_broker(scene: Scene) -> None:
    os.kill(scene.pid, signal.SIGSTOP)
    time.sleep(PAUSE)
    os.kill(scene.pid, signal.SIGCONT)


# -- what they run out of -------------------------------------------------------------------------------------------------


def without_descriptors(of: Callable[[Scene], list[int]]) -> Callable[[Scene], None]:
    """No process of these gets a further descriptor for a while; one of the workers dies meanwhile."""

    def inject(scene: Scene) -> None:
        limits = {}
        for pid in of(scene):
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(descriptors(pid)), limits[pid][1]))
        time.sleep(PAUSE)
        restore(limits, resource.RLIMIT_NOFILE)

    return inject


def without_room(of: Callable[[Scene], list[int]]) -> Callable[[Scene], None]:
    """These processes can make no shared memory for large bodies for a while."""

    def inject(scene: Scene) -> None:
        limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in of(scene)}
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, hard))
        until = time.monotonic() + PAUSE
        while time.monotonic() < until:
            send_more_than_ever(scene)
        restore(limits, resource.RLIMIT_FSIZE)

    return inject


def send_more_than_ever(scene: Scene) -> None:
    """A body for which there is no shared memory yet that could be used again."""
    outcome = scene.call("Sync.size", bytes(3 << 20))
    assert outcome == 3 << 20 or outcome["code"] in STARVED


def restore(limits: dict[int, tuple[int, int]], which: int) -> None:
    for pid, limit in limits.items():
        try:
            resource.prlimit(pid, which, limit)
        except ProcessLookupError:
            pass  # it has died of its want


def the_broker(scene: Scene) -> list[int]:
    return [scene.pid]


def fill_disk(scene: Scene) -> None:
    """The folders of the socket and of temporary files are full; workers die, and the app is loaded again meanwhile."""
    filler = scene.run / "filler"
    try:
        with open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        pass
    error = scene.call("Sync.write", [str(scene.run / "more"), 4096])
    assert "No space left" in error["message"], error
    kill_idle_or_busy(scene)
    reload(scene)
    (scene.run / "more").unlink()
    filler.unlink()


def mount(folder: Path) -> str:
    """Makes a folder a disk of 64 KiB; why that is not possible, or nothing."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"mount can't be run: {error}"
    return f"mounting is not permitted: {done.stderr.strip()}" if done.returncode else ""


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


# -- the way between ------------------------------------------------------------------------------------------------------


def damage(mode: Mode) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        assert scene.proxy is not None
        scene.proxy.mode = mode
        time.sleep(PAUSE)
        scene.proxy.mode = Mode()

    return inject


def _proxied() -> tuple[Fault, ...]:
    found = []
    sides: tuple[Side, ...] = ("broker", "client")
    for side in sides:
        for kind, counts, seconds in _KINDS:
            for count in counts:
                name = f"proxy: {kind} towards the {side}" + (f" after {count} bytes" if count else "")
                found.append(Fault(name, damage(Mode(kind, side, count, seconds)), NONE))
    return tuple(found)


_KINDS: tuple[tuple[Kind, tuple[int, ...], float], ...] = (
    ("delay", (0,), 0.05),
    ("drip", (0,), 1.0),
    ("truncate", (0, 7, 5000), 0.0),
    ("reset", (0, 100_000), 0.0),
    ("stall", (0,), 0.0),
    ("half close", (0, 30), 0.0),
)

GROUPS = (
    Group(
        "workers",
        (
            Fault("kill -9 of a worker, whatever it does", kill_idle_or_busy, CRASHED),
            *(
                Fault(f"kill -9 of a worker: {name}", kill_at(name), CRASHED)
                for name in (*STEPS, *FAST_STEPS)
            ),
            Fault("kill -9 of all workers", kill_all, CRASHED),
            Fault("SIGSTOP of a worker, then SIGCONT", stop_worker, NONE),
            Fault("SIGSTOP of a worker within a call", stop_worker_for_good, CRASHED),
            Fault("reload (SIGHUP)", reload, NONE),
        ),
    ),
    Group(
        "fast",
        (
            Fault("SIGSTOP of a worker within a fast call", stop_within_fast_call, CRASHED),
            Fault("slow calls among quick ones", hold_workers, NONE),
            Fault("fast clients that do not read", read_nothing, NONE),
            Fault("kill -9 of clients", kill_clients, NONE),
        ),
    ),
    Group("full", (Fault("queues that are full", fill_queues, FULL),), arguments=("--queue-calls", "8")),
    Group(
        "recycling", (Fault("workers recycled (--max-calls)", go_on, NONE),), arguments=("--max-calls", "100")
    ),
    Group("deaths", (Fault(f"kill -9 of workers, {DEATHS} times", kill_many, CRASHED),), is_long=True),
    Group(
        "broker",
        (
            Fault("kill -9 of the broker, started again", kill_broker, BROKER_GONE),
            Fault("SIGSTOP of the broker, then SIGCONT", stop_broker, NONE),
        ),
    ),
    Group(
        "limits",
        (
            Fault("no descriptors left: broker", without_descriptors(the_broker), STARVED),
            Fault("no descriptors left: workers", without_descriptors(shared_workers), STARVED),
            Fault("no room for shared memory: broker", without_room(the_broker), STARVED),
            Fault("no room for shared memory: workers", without_room(shared_workers), STARVED),
        ),
    ),
    Group("disk", (Fault("full disk, a worker killed, reload", fill_disk, CRASHED),), small_disk=True),
    Group("proxy", _proxied(), proxied=True),
)
