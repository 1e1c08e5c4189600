"""What everything in a run shares: interpreters, a folder for its time, how long and how often."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType

from .processes import stop_all

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent

#: What the default number of workers is.
PROCESSORS = len(os.sched_getaffinity(0))


@dataclass
class Context:
    folder: Path
    rounds: int = 5
    seconds: float = 1.0
    say: Callable[[str], None] = lambda text: None
    numbers: dict[str, int] = field(default_factory=dict)

    # What could not be had, and why.
    skipped: dict[str, str] = field(default_factory=dict)

    php: str = os.environ.get("PHP") or "php"

    # A PHP that has ext-swoole, and an application to copy, as in the tests.
    hyperf_php: str = os.environ.get("GOTASK_HYPERF_PHP") or os.environ.get("PHP") or "php"
    hyperf_app: str | None = os.environ.get("GOTASK_HYPERF_APP") or None
    go: str | None = os.environ.get("GOTASK_BENCH_GO") or None

    @cached_property
    def python(self) -> str:
        """The interpreter itself: a version manager's stand-in would be measured with it."""
        for candidate in (
            os.environ.get("GOTASK_PYTHON"),
            str(ROOT / ".venv/bin/python"),
            "/usr/bin/python3",
            sys.executable,
        ):
            if candidate and self.succeeds(candidate, "-c", "import msgpack"):
                return candidate
        raise SystemExit("no Python with msgpack: set GOTASK_PYTHON")

    def skip(self, what: str, why: str) -> None:
        if what not in self.skipped:
            self.skipped[what] = why
            self.say(f"  not measured: {what}: {why}")

    def fresh(self, name: str) -> Path:
        """A path that nothing is at."""
        self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.folder / f"{name}{self.numbers[name]}"

    @cached_property
    def compiler(self) -> str | None:
        return shutil.which("cc")

    def compiled(self, name: str) -> str:
        """One of our own few lines of C."""
        binary = self.folder / name
        if not binary.exists():
            subprocess.run(["cc", "-O2", "-o", str(binary), str(BENCH / f"servers/{name}.c")], check=True)
        return str(binary)

    def succeeds(self, *command: str) -> bool:
        return self.output(*command) is not None

    def output(self, *command: str) -> str | None:
        """What a command prints; null where it fails or is not there."""
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=30, check=True, text=True, errors="replace"
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()


@contextmanager
def running(rounds: int, seconds: float) -> Iterator[Context]:
    """A run, of which neither files nor processes stay. SIGTERM and SIGHUP end it as Ctrl-C does, with exit code 130."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    with tempfile.TemporaryDirectory(prefix="gotask-bench-") as folder:
        # Whatever a contender keeps for its time is gone with the rest.
        os.environ["TMPDIR"] = folder
        try:
            yield Context(
                Path(folder), rounds, seconds, lambda text: print(text, file=sys.stderr, flush=True)
            )
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None
        finally:
            stop_all()


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
