"""Modules of an app that have names of the standard library's: they are the app's, and the worker needs none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .peer import BrokerProcess
from .test_deadlines import connect

APP = """
import gotask, {module}

class Odd: pass

@gotask.register
def odd(): return {{"a": Odd()}}

@gotask.register
def fails(): raise ValueError("on purpose")

@gotask.register
def needs(a, b): return 1

@gotask.register
def own(): return {module}.VALUE

@gotask.register
async def waits():
    import asyncio
    await asyncio.sleep(0)
    return "waited"
"""

NAMES = """uuid decimal difflib inspect queue ssl selectors subprocess concurrent asyncio random numbers secrets
    calendar locale gettext shutil pprint string textwrap ast dis opcode statistics fractions errors codec""".split()


@pytest.mark.parametrize("module", ["uuid", "inspect", "queue", "errors"])
def test_errors_are_explained_and_loops_run_whatever_the_app_s_modules_are_called(
    tmp_path: Path, module: str
) -> None:
    (tmp_path / "app.py").write_text(
        APP.format(module=module).replace("import asyncio", "asyncio = gotask.ipc.loop.asyncio")
    )
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('of no use to the worker')\n")
    (tmp_path / f"{module}.py").write_text("VALUE = 'its own'\n")
    broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/b.sock")
    broker.wait_for("ready")
    peer = connect(broker)
    assert peer.call("own") == "its own"
    assert "send a dict of its fields" in peer.call("odd")["message"]
    error = peer.call("fails")
    assert error["type"] == "ValueError" and "on purpose" in error["traceback"]
    assert peer.call("needs", 1)["code"] == "invalid_arguments"
    assert peer.call("neds")["code"] == "method_not_found"
    assert peer.call("waits") == "waited"
    assert broker.end() == 0
