"""Processes that are started here: what they and those below them take, and that none of them stays."""

import ctypes
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
_running: list["Process"] = []
_core: int | None = None


class Failed(Exception):
    """A process did not do what it was started for; the message has what it wrote."""


class Process:
    """A program, started in a session of its own and killed with this one, whatever ends it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        piped: bool = False,
    ) -> None:
        self.command = list(command)
        self._log = tempfile.TemporaryFile()
        cores = None if _core is None else {_core}

        def prepare() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if cores is not None:
                os.sched_setaffinity(0, cores)

        self._popen = subprocess.Popen(
            self.command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else self._log,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=prepare,
        )
        self.pid = self._popen.pid
        _running.append(self)

    def ask(self, line: str, seconds: float) -> str:
        """Writes a line, and waits for one, so long at most."""
        try:
            self.tell(line)
        except BrokenPipeError:
            pass
        return self.line(seconds)

    def tell(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def line(self, seconds: float) -> str:
        """The next line that it writes. It writes one at a time, so nothing is buffered when this begins to wait."""
        assert self._popen.stdout is not None
        ready = select.select([self._popen.stdout], [], [], seconds)[0]
        answer = self._popen.stdout.readline() if ready else b""
        if not answer:
            raise self.failed("ended" if ready else "does not answer")
        return answer.decode().rstrip("\n")

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait(self, seconds: float) -> None:
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.failed("does not end") from None

    def log(self) -> str:
        """The last 64 KiB of what it wrote."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 65536))
        return self._log.read().decode(errors="replace")

    def failed(self, how: str) -> Failed:
        return Failed(f"{' '.join(self.command)} {how}: {reason(self.log())}")

    def tree(self) -> list[int]:
        """It and all below it."""
        return descendants(self.pid)

    def stop(self) -> None:
        """Asks it to end, and kills what is left of its tree after some seconds."""
        if self in _running:
            _running.remove(self)
        pids = self.tree()
        if self.is_running():
            self._popen.terminate()
            try:
                self._popen.wait(5)
            except subprocess.TimeoutExpired:
                pids = self.tree()
                self._popen.kill()
                self._popen.wait()
        for pid in pids[1:]:
            # A number may be another's by now: only one that is still in the session that was started here is.
            if session(pid) == self.pid or parent(pid) == self.pid:
                os.kill(pid, signal.SIGKILL)
        for stream in (self._popen.stdin, self._popen.stdout, self._log):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


#: Log records that are no reason for anything, as Hyperf's console, Monolog and Python's logging write them.
CHATTER = re.compile(r"\b(DEBUG|INFO|NOTICE)\b")

#: "Fatal error:", "RuntimeException", "[ERROR]"; no class in whose name there is more, such as ErrorExceptionHandler.
COMPLAINT = re.compile(r"\b\w*(error|exception)\b", re.IGNORECASE)

#: Symfony's console: that line, and below it the message in a box, broken wherever its width ends.
BOX = re.compile(r"In \S+ line \d+:$")

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason(log: str) -> str:
    """What a program that did not start says of it: the first complaint in its log, else the last line."""
    lines = [line for line in COLOUR.sub("", log).splitlines() if line.strip() and not CHATTER.search(line)]
    for number, line in enumerate(lines):
        below = lines[number + 1 :]
        if BOX.match(line.strip()):
            return "".join(
                text[2:-2] for text in takewhile(lambda text: text.startswith("  "), below)
            ).strip()
        if line.startswith("Traceback (most recent call last):"):
            return next((text for text in below if not text[0].isspace()), line)
        if COMPLAINT.search(line):
            return line.strip()
    return lines[-1].strip() if lines else "it says nothing"


def favour_all() -> None:
    """Gives all that runs this process's niceness, if below 0: Linux shares processors among sessions before it counts."""
    if os.nice(0) < 0:
        for pid in {pid for process in _running for pid in process.tree()}:
            Path(f"/proc/{pid}/autogroup").write_text(str(os.nice(0)))


def stop_all() -> None:
    for process in reversed(_running[:]):
        process.stop()


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started within runs on this one core."""
    global _core
    before, _core = _core, core
    try:
        yield
    finally:
        _core = before


def wait_for(path: Path, process: Process, seconds: float = 10.0) -> None:
    """Until a socket is there."""
    until = time.monotonic() + seconds
    while not path.exists():
        if not process.is_running() or time.monotonic() > until:
            raise process.failed("does not start")
        time.sleep(0.01)


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def parent(pid: int) -> int:
    fields = stat(pid)
    return int(fields[1]) if fields else 0


def session(pid: int) -> int:
    fields = stat(pid)
    return int(fields[3]) if fields else 0


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(parent(int(entry)), []).append(int(entry))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def cpu(pid: int) -> float:
    """Processor seconds of a process, and of its children that have ended and were waited for."""
    return sum(map(int, stat(pid)[11:15])) / TICKS


def page_faults(pid: int) -> float:
    """Of a process, those for which nothing was read from a disk."""
    return sum(map(int, stat(pid)[7:8]))


def memory(pid: int, field: str = "VmHWM") -> float:
    """MiB of /proc/PID/status: VmHWM is the most that was resident since reset_peak(), VmRSS what is."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
