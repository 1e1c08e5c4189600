"""Each in an interpreter of its own: what is imported here must not be there already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]

RUN = """
import sys
import gotask
from gotask.app.loader import AppNotFound, load
from gotask.app.registry import default_registry
try:
    load(sys.argv[1])
except AppNotFound as error:
    print(error)
    raise SystemExit(error.exit_code)
print(default_registry, "gotask" in sys.modules and sys.modules["gotask"] is gotask)
"""

APP = """
import gotask
import helper
assert __name__ != "__main__"

@gotask.register
def hi(name):
    return helper.VALUE
"""


def load(app: str, folder: Path) -> tuple[int, str]:
    program = folder / "elsewhere" / "program.py"
    program.parent.mkdir()
    program.write_text(f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n{RUN}")
    done = subprocess.run(
        [sys.executable, str(program), app], cwd=folder, capture_output=True, text=True, timeout=20
    )
    program.unlink()
    program.parent.rmdir()
    return done.returncode, done.stdout + done.stderr


def write(folder: Path, name: str = "app.py", text: str = APP) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / "helper.py").write_text("VALUE = 3")


@pytest.mark.parametrize("package", [False, True])
def test_a_file_in_a_folder_called_gotask(tmp_path: Path, package: bool) -> None:
    write(tmp_path / "gotask")
    if package:
        (tmp_path / "gotask" / "__init__.py").write_text("")
    assert load("gotask/app.py", tmp_path) == (0, "<Registry hi> True\n")


def test_a_name_that_is_no_identifier(tmp_path: Path) -> None:
    write(tmp_path, "my-app.v2.py")
    assert load("my-app.v2.py", tmp_path) == (0, "<Registry hi> True\n")


def test_a_module(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text(APP)
    assert load("pkg.mod", tmp_path) == (0, "<Registry hi> True\n")


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("missing.py", "does not exist"),
        ("folder.py", "is a folder"),
        ("./missing", "does not exist"),
        ("missing", "there is no module missing"),
        ("helper.missing", "there is no module helper.missing"),
        ("gotask.app", "give the file"),
        ("gotask.py", "rename it"),
        ("os.py", "rename it"),
        ("not a module", "neither a file nor"),
    ],
)
def test_no_app(tmp_path: Path, app: str, message: str) -> None:
    write(tmp_path)
    write(tmp_path, "gotask.py")
    write(tmp_path, "os.py", "raise AssertionError")
    (tmp_path / "folder.py").mkdir()
    code, output = load(app, tmp_path)
    assert code == 66 and message in output


def test_errors_of_the_app_are_its_own(tmp_path: Path) -> None:
    write(tmp_path, text="import nowhere_to_be_found")
    code, output = load("app.py", tmp_path)
    assert code == 1 and "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in output
    write(tmp_path, text="def broken(:")
    assert "SyntaxError" in load("app.py", tmp_path)[1]


def test_the_worker_imports_little(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(PACKAGE)!r})
import gotask
before = set(sys.modules)
import gotask.app.registry, gotask.wire.codec, gotask.app.loader
registry = gotask.app.registry.Registry()
registry.register(lambda a, b=1: a, "f")
registry.describe()
gotask.wire.codec.decode(16, gotask.wire.codec.encode(16, {{"a": 1}}))
heavy = {{"asyncio", "inspect", "typing", "json", "logging", "dataclasses", "re", "traceback"}}
print(sorted((set(sys.modules) - before) & heavy))
"""
    program = f"import sys; sys.path += {sys.path!r}\n{code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr
