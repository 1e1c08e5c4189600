"""What is known of a worker's death: how it ended, where its threads were, how much memory it had, what it wrote last."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..ipc.segment import Segment
from ..ipc.signals import STACKS_BEGIN, STACKS_END

# Bytes of stacks that are read, and characters that a report keeps: faulthandler writes up to 100 frames for each of up to 100
# threads.
MAX_TOLD = 128 * 1024
MAX_STACKS = 32 * 1024

# The line of what writes the stacks.
_TELLING = " in tell"

# Ends that a worker's own code causes. Others (SIGKILL, SIGTERM …) that nobody here sent came from outside.
_OWN_SIGNALS = frozenset(
    (
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGSYS,
        signal.SIGTRAP,
    )
)


class Reading(NamedTuple):
    """Of the stacks of a worker that goes on: where they begin, and how often the others had been cleared by then."""

    at: int
    turn: int


class Stacks:
    """Memory into which a worker writes the Python stack of each thread; it outlives the worker."""

    def __init__(self) -> None:
        self._segment = Segment(0)
        self._start = 0  # before it lies what was read of a worker that went on
        self._turn = 0

    @property
    def fd(self) -> int:
        return self._segment.fd

    @property
    def size(self) -> int:
        """Bytes written since the beginning, or since clear()."""
        return os.fstat(self.fd).st_size

    def read(self) -> str:
        """What was written since the beginning, or since clear(), but for what end() has given."""
        return as_text(os.pread(self.fd, MAX_TOLD, self._start))[:MAX_STACKS]

    def begin(self) -> Reading:
        """The worker is about to write its stacks and goes on."""
        if self._start == self.size > 0:
            self.clear()
        return Reading(self.size, self._turn)

    def told(self, reading: Reading) -> bytes:
        """What it has written since."""
        return os.pread(self.fd, MAX_TOLD, reading.at if reading.turn == self._turn else 0)

    def end(self, reading: Reading) -> None:
        """What it has written since is not part of a later report, unless one is under way."""
        if reading == (self._start, self._turn):
            self._start = self.size

    def clear(self) -> None:
        """Forgets what a worker wrote that lives on. Its descriptor shares the place where it writes next with ours."""
        self._start = 0
        self._turn += 1
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def close(self) -> None:
        self._segment.close()


def as_text(told: bytes) -> str:
    """What a worker has written last, for people: the main thread's stack alone is left out where Python has told all."""
    before, _, rest = told.rpartition(STACKS_BEGIN)
    threads, end, fatal = rest.partition(STACKS_END)
    alone = before.rpartition(STACKS_END)[2]
    lines = (threads + fatal if end else alone + rest).strip(b"\0\n").decode("utf-8", "replace").split("\n")
    return "\n".join(line for line in lines if not line.endswith(_TELLING))


# Characters.
MAX_LAST_WORDS = 4096


class CrashReport(NamedTuple):
    """`how`: in words, such as "was killed by SIGSEGV". `reason`, and `why` in words: for what the broker killed it."""

    pid: int
    status: int  # as of subprocess.Popen.returncode: an exit code, or minus a signal
    how: str
    reason: str
    why: str
    oom: bool | None  # None: can't be known
    stack: str
    stderr: str
    peak_memory: int  # bytes; 0: not known

    def death(self, during: str = "") -> str:
        """One sentence: the worker 17 was killed while it ran App.hi: why."""
        return f"the worker {self.pid} {self.how}{during and ' ' + during}{self.why and ': ' + self.why}"

    def last_words(self) -> str:
        """The end of what it wrote, on lines of its own; empty where it wrote nothing."""
        words = self.stderr.strip()
        return f":\n{words[-MAX_LAST_WORDS:]}" if words else ""

    @property
    def is_own_doing(self) -> bool:
        """Whether what the worker ran brought its end about, as far as can be known."""
        return self.status >= 0 or bool(self.reason) or self.oom is True or -self.status in _OWN_SIGNALS

    @property
    def cause(self) -> str:
        """In a word or two, to be counted: why the broker killed it, a signal's name, an exit code."""
        if self.reason or self.oom:
            return self.reason or "memory"
        return f"exit {self.status}" if self.status >= 0 else _signal_name(-self.status)

    def data(self, call: int, method: bytes) -> dict[str, Any]:
        """The data of the error that a call gets whose worker died."""
        data: dict[str, Any] = {
            "pid": self.pid,
            "call": call,
            "method": method.decode("utf-8", "replace"),
            "stderr": self.stderr,
        }
        if self.status < 0:
            data["signal"] = -self.status
        else:
            data["exit_code"] = self.status
        optional: Mapping[str, Any] = {
            "stack": self.stack,
            "peak_memory": self.peak_memory,
            "oom": self.oom if self.status == -signal.SIGKILL else None,
            "reason": self.reason,
        }
        return data | {name: value for name, value in optional.items() if value not in (None, "", 0)}


def describe(status: int, oom: bool | None, by_us: bool) -> str:
    """How a process ended, in words that follow "the worker"; `by_us`: the broker killed it."""
    if by_us:
        return "was killed"
    if status >= 0:
        return f"ended with exit code {status}"
    name = _signal_name(-status)
    by = " of the kernel's out-of-memory killer" if oom else ""
    return f"was killed by {name}{by}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_KEY = "oom_kill "


class OomCounter:
    """Counts kills by the kernel's out-of-memory killer since it was asked last, as far as a process without rights can tell.

    The kernel counts them in `oom_kill` of the control group that the process is in (cgroup v2: memory.events, v1:
    memory.oom_control) and of the whole system (/proc/vmstat, since Linux 4.13). Which process it chose is only in the kernel's
    log: a worker that ended by a SIGKILL that nobody here sent, while a counter went up, is taken for its victim.
    """

    def __init__(self) -> None:
        self._paths = [path for path in (*_cgroup_files(), "/proc/vmstat") if _count(path) is not None]
        self._last = self._counts()

    @property
    def is_available(self) -> bool:
        """Whether this can be known here."""
        return bool(self._paths)

    def has_killed(self) -> bool:
        """Whether the killer has ended any process since the last time this was asked, of this group where it has a counter."""
        before, self._last = self._last, self._counts()
        # The group's own counter is the more exact one, and stands first.
        return any(now > then for now, then in zip(self._last[:1], before[:1]))

    def _counts(self) -> list[int]:
        return [_count(path) or 0 for path in self._paths]


def _count(path: str) -> int | None:
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(_KEY):
                    return int(line[len(_KEY) :])
    except (OSError, ValueError):
        pass
    return None


def _cgroup_files() -> Iterable[str]:
    try:
        with open("/proc/self/cgroup") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            # In a container the path is that of the host, and the group is mounted at the root.
            yield f"/sys/fs/cgroup{path.rstrip('/')}/memory.events"
            yield "/sys/fs/cgroup/memory.events"
        elif "memory" in controllers.split(","):
            yield f"/sys/fs/cgroup/memory{path.rstrip('/')}/memory.oom_control"
            yield "/sys/fs/cgroup/memory/memory.oom_control"
