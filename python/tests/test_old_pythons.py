"""An interpreter that is too old says so. One is pretended to be old here; the syntax of what says it is looked at, too."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = Path(__file__).parents[1] / "gotask" / "__main__.py"
OLD = """
import runpy, sys
sys.version_info = {version}
sys.argv = {arguments}
try:
    runpy.run_path({main!r}, run_name="__main__")
finally:
    assert not [name for name in sys.modules if name.startswith("gotask")], "the package can't be read there"
"""


def run(version: tuple[int, int, int], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = OLD.format(version=version, arguments=[str(MAIN), *arguments], main=str(MAIN))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 9, 18)])
def test_one_that_is_too_old_says_so_and_php_can_try_another(version: tuple[int, int, int]) -> None:
    told = run(version, "app.py", "--managed")
    event = json.loads(told.stdout)
    assert (told.returncode, event["event"]) == (69, "unsupported")
    assert event["version"] == ".".join(map(str, version)) and event["python"] == sys.executable

    said = run(version, "app.py")
    assert (said.returncode, said.stdout) == (69, "")
    assert "gotask needs Python 3.10 or later" in said.stderr


def test_the_file_that_says_it_can_be_read_there() -> None:
    source = MAIN.read_text()
    assert source.isascii(), "Python 2 takes nothing else without a declaration"
    tree = ast.parse(source)
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef, ast.Starred)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
