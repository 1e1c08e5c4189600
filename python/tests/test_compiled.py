"""The compiled core: made by one command, used as long as it fits, and never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from gotask import _compiled

from .peer import APPS, PACKAGE, BrokerProcess, Peer

pytestmark = pytest.mark.skipif(
    find_spec("mypyc") is None or find_spec("setuptools") is None or shutil.which("cc") is None,
    reason="compiling needs mypy, setuptools and a C compiler",
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, compiled: with what was compiled of the package itself where that fits."""
    home = copy(tmp_path_factory.mktemp("compiled"))
    if _compiled.state == "yes":
        shutil.copytree(PACKAGE / "gotask/compiled", home / "gotask/compiled")
        return home
    result = compile_in(home)
    assert result.returncode == 0, result.stderr
    assert "compiled to" in result.stdout
    assert [child.name for child in (home / "gotask/compiled").iterdir()] == [sys.implementation.cache_tag]
    return home


@pytest.fixture
def package(compiled: Path, tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copytree(compiled, tmp_path / "python"))


def copy(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "compiled")
    shutil.copytree(PACKAGE / "gotask", folder / "gotask", ignore=ignored)
    return folder


def compile_in(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(home / "gotask/__main__.py"), "--compile"]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=900
    )


def state(home: Path, **variables: str) -> str:
    program = (
        "import gotask._worker_sync, gotask._compiled as c; print(c.state, gotask._worker_sync.__file__[-3:])"
    )
    environment = {**os.environ, "PYTHONPATH": str(home), "GOTASK_COMPILED": "1", **variables}
    return subprocess.check_output(
        [sys.executable, "-c", program], cwd=home, env=environment, text=True
    ).strip()


def test_brokers_and_workers_use_it(package: Path) -> None:
    assert state(package) == "yes .so"
    address = f"unix://{package}/b.sock"
    broker = BrokerProcess(APPS / "calls.py", address=address, package=package, env={"GOTASK_COMPILED": "1"})
    broker.wait_for("ready")
    peer = Peer(address)
    assert peer.call("GoTask.Status")["compiled"] is True
    assert peer.call("App.hi", "Reasno") == {"hello": "Reasno"}
    peer.close()
    assert broker.end() == 0


def test_a_variable_leaves_it_unused(package: Path) -> None:
    assert state(package, GOTASK_COMPILED="0") == "off .py"


def test_other_sources_leave_it_unused(package: Path) -> None:
    with open(package / "gotask/_lane.py", "a") as file:
        file.write("# another version\n")
    assert state(package) == "outdated .py"


def test_what_cannot_be_loaded_leaves_it_unused(package: Path) -> None:
    (library,) = (package / "gotask/compiled").glob("*/*__mypyc*")
    library.write_bytes(b"another machine's")
    assert state(package) == "unusable .py"


def test_without_a_compiler_it_says_what_it_needs_and_everything_is_as_it_was(tmp_path: Path) -> None:
    home = copy(tmp_path)
    result = compile_in(home, PATH=str(tmp_path), CC="no-compiler")
    assert result.returncode == 1
    assert "a C compiler" in result.stderr
    assert list((home / "gotask/compiled").iterdir()) == []
    assert state(home) == "no .py"
