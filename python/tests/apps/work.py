"""What methods do that run elsewhere. `service()` makes a class of them for an executor."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import gotask

NOTES = Path(os.environ["NOTES"])


def note(text: object) -> None:
    with open(NOTES, "a") as notes:
        notes.write(f"{text}\n")


def await_file(path: str) -> None:
    until = time.monotonic() + 20
    while not os.path.exists(path):
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.002)


class Work:
    """What methods of either kind of executor do."""

    def open(self) -> None:
        self.opened = os.getpid()
        note(f"open {os.getpid()}")

    def close(self) -> None:
        note(f"close {os.getpid()}")

    def echo(self, value: Any) -> Any:
        return value

    def double(self, number: int) -> int:
        return number * 2

    def where(self) -> list[Any]:
        return [self.opened, os.getpid(), threading.current_thread() is threading.main_thread()]

    def fail(self) -> None:
        raise ValueError("no")

    def unsendable(self) -> Any:
        return object()

    def who(self) -> list[Any]:
        time.sleep(0.01)  # so that others begin meanwhile
        call = gotask.current_call()
        return [call.method, call.headers.get("user"), call.remaining() is not None]

    def steps(self, count: int) -> str:
        for step in range(count):
            gotask.current_call().progress(step / count, f"step {step}", {"step": step})
        return "done"

    def ask(self) -> Any:
        return gotask.current_call().php.call("Config.get")

    def until_cancelled(self, begun: str) -> None:
        call = gotask.current_call()
        Path(begun).touch()
        until = time.monotonic() + 20
        while not call.cancelled:
            assert time.monotonic() < until, "nobody has cancelled it"
            time.sleep(0.002)
        note("cancelled")

    def hold(self, path: str, begun: str) -> str:
        Path(begun).touch()
        await_file(path)
        return "held"

    def hold_and_note(self, path: str, begun: str, text: str) -> str:
        Path(begun).write_text(str(os.getpid()))
        await_file(path)
        note(text)
        return "held"

    def note(self, text: str) -> None:
        note(text)

    def fork(self) -> list[int]:
        """Returns in the child, too, and there first."""
        reads, writes = os.pipe()
        child = os.fork()
        if child:
            os.close(writes)
            os.read(reads, 1)  # until its end is closed: the child has ended
        return [os.getpid(), child]

    def die(self, begun: str = "") -> None:
        note("die")
        if begun:
            await_file(begun)
        os.kill(os.getpid(), signal.SIGKILL)


def service(executor: Any, **settings: Any) -> Any:
    """A service whose methods have that executor."""
    names = [name for name in vars(Work) if not name.startswith("_") and name not in ("open", "close")]

    def copy(function: Any) -> Any:
        made = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
        made.__annotations__ = function.__annotations__
        return gotask.method(executor=executor, **settings)(made)

    return type("Service", (Work,), {name: copy(vars(Work)[name]) for name in names})


@gotask.middleware
def around(call: gotask.CurrentCall, next: Any) -> Any:
    result = next()
    return [result, "around"] if call.headers.get("around") else result
