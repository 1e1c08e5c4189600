"""What the figures hold for: the machine, the versions, the commit."""

import os
import platform
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path

from .context import PROCESSORS, ROOT, Context

PHP_VERSIONS = """
echo 'PHP ', PHP_VERSION, ', msgpack ', phpversion('msgpack') ?: 'none', ', swoole ', phpversion('swoole') ?: 'none';
"""
PYTHON_VERSIONS = """
import platform, msgpack
try:
    import uvloop
    loop = "uvloop " + uvloop.__version__
except ImportError:
    loop = "no uvloop"
print(f"Python {platform.python_version()}, msgpack {'.'.join(map(str, msgpack.version))}, {loop}")
"""


def describe(context: Context) -> dict[str, str]:
    changed = context.output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    commit = context.output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD") or "unknown"
    machine = {
        "Date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Commit": commit + (", with changes" if changed else ""),
        "Processor": f"{processor()}, {PROCESSORS} processors",
        "Memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Load before": load(),
        "PHP": context.output(context.php, "-r", PHP_VERSIONS) or "none",
        "Python": context.output(context.python, "-c", PYTHON_VERSIONS) or "none",
        "Command": shlex.join(["bench/run", *sys.argv[1:]]),
        "Rounds": f"{context.rounds} of {context.seconds:g} s for each, taking turns",
    }
    if context.hyperf_php != context.php:
        machine["PHP with Swoole"] = context.output(context.hyperf_php, "-r", PHP_VERSIONS) or "none"
    others = {
        "uvicorn": (context.python, "-c", "import uvicorn; print(uvicorn.__version__)"),
        "redis-server": ("redis-server", "--version"),
        "ab": ("ab", "-V"),
        "cc": ("cc", "--version"),
    }
    found = {name: context.output(*command) for name, command in others.items()}
    machine["Others"] = "; ".join(
        f"{name}: {said.splitlines()[0][:60]}" for name, said in found.items() if said
    )
    return machine


def load() -> str:
    """Of the last minute, by which the figures can be doubted."""
    now = os.getloadavg()[0]
    busy = (
        ": other programs ran before or beside this, so the figures may be worse than they could be"
        if now > 0.5
        else ""
    )
    return f"{now:.2f}{busy}"


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
