"""What is known of a worker's death: how it ended, where its threads were, how much memory it had, what it wrote last."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any, NamedTuple

from ._memory import Segment

# Bytes of stacks that are kept: faulthandler writes up to 100 frames for each of up to 100 threads.
MAX_STACKS = 32 * 1024

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


class Stacks:
    """Memory into which a worker's faulthandler writes the Python stack of each thread; it outlives the worker."""

    def __init__(self) -> None:
        self._segment = Segment(0)

    @property
    def fd(self) -> int:
        return self._segment.fd

    @property
    def size(self) -> int:
        """Bytes written since the beginning, or since clear()."""
        return os.fstat(self.fd).st_size

    def read(self) -> str:
        """What was written since the beginning, or since clear()."""
        return os.pread(self.fd, MAX_STACKS, 0).strip(b"\0\n").decode("utf-8", "replace")

    def clear(self) -> None:
        """Forgets what a worker wrote that lives on. Its descriptor shares the place where it writes next with ours."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def close(self) -> None:
        self._segment.close()


# Characters.
MAX_LAST_WORDS = 4096


class Certificate(NamedTuple):
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
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    by = " of the kernel's out-of-memory killer" if oom else ""
    return f"was killed by {name}{by}"
