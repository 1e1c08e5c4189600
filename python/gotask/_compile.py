"""`python -m gotask --compile`: compiles the modules that every call passes through to C, by https://mypyc.readthedocs.io.

mypy, setuptools, a C compiler and Python's headers are needed when it runs; what it makes needs none of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from . import _compiled

_NEEDED = (
    "it needs mypy, setuptools, a C compiler and Python's headers"
    f" ({sys.executable} -m pip install mypy setuptools; Debian: apt-get install mypy python3-setuptools gcc python3-dev)"
)


def main() -> int:
    """Compiles, shows that the result can be imported, and puts it where it is found. Returns the exit code."""
    try:
        import setuptools  # noqa: F401
        from mypyc.build import mypycify  # noqa: F401
    except ImportError as error:
        print(f"{error.name} is missing: {_NEEDED}", file=sys.stderr)
        return 1
    target = _compiled.directory()
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        folder = tempfile.mkdtemp(prefix="build-", dir=os.path.dirname(target))
    except OSError as error:
        print(f"nothing can be written to {os.path.dirname(target)}: {error}", file=sys.stderr)
        return 1
    try:
        return _compile(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compile(folder: str, target: str) -> int:
    built = os.path.join(folder, "built")
    # In a process of its own: setuptools and mypy end the process where something is wrong.
    build = f"from gotask._compile import build; build({built!r})"
    result = _python(
        build, folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode != 0:
        sys.stderr.buffer.write(result.stdout)
        print(f"that did not work: {_NEEDED}", file=sys.stderr)
        return 1
    with open(os.path.join(built, _compiled.KEY), "w") as file:
        file.write(_compiled.fingerprint())
    old = os.path.join(folder, "old")
    if os.path.isdir(target):
        os.rename(target, old)
    os.rename(built, target)
    check = "import gotask._connection, gotask._worker_sync, gotask._compiled as c; raise SystemExit(c.state != 'yes')"
    if _python(check, folder).returncode != 0:
        shutil.rmtree(target)
        if os.path.isdir(old):
            os.rename(old, target)
        print("what was compiled can't be imported: everything is as it was", file=sys.stderr)
        return 1
    print(f"compiled to {target}; brokers and workers use it from their next start")
    return 0


def _python(code: str, folder: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs that in an interpreter of its own which finds this package."""
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
    environment.pop(_compiled.VARIABLE, None)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, **options)


def build(target: str) -> None:
    """Leaves the libraries in that folder. SystemExit: it does not work."""
    from mypyc.build import mypycify
    from setuptools import setup

    package = os.path.dirname(os.path.abspath(__file__))
    options = ["--config-file=", "--ignore-missing-imports"]
    extensions = mypycify([*options, *(os.path.join(package, f"{name}.py") for name in _compiled.MODULES)])
    for extension in extensions:
        # Its own warnings are for those who work on mypyc.
        extension.extra_compile_args = [each for each in extension.extra_compile_args if each != "-Werror"]
    setup(
        name="gotask",
        script_args=["--quiet", "build_ext", "--build-lib", target, "--build-temp", "objects"],
        ext_modules=extensions,
    )
