"""Tests of an app without a broker (gotask.testing)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import gotask
from gotask.errors import RemoteError
from gotask.testing import Args, TestWorker

PACKAGE = Path(__file__).parents[1]


class App:
    def __init__(self) -> None:
        self.events: list[str] = []

    def open(self) -> None:
        self.events.append("open")

    def close(self) -> None:
        self.events.append("close")

    def hi(self, name: str, greeting: str = "hello") -> dict[str, str]:
        return {greeting: name}

    def fail(self) -> None:
        raise ValueError("no")

    def unsendable(self) -> object:
        return object()

    def echo(self, value: Any) -> Any:
        return value

    def rows(self, count: int) -> Iterator[int]:
        try:
            for row in range(count):
                if row == 5:
                    raise ValueError("the sixth")
                yield row
        finally:
            self.events.append("finally")

    async def ticks(self) -> AsyncIterator[str]:
        try:
            while True:
                yield "tick"
                await asyncio.sleep(0)
        finally:
            self.events.append("finally")

    def total(self) -> int:
        return sum(gotask.current_call().input)

    async def total_later(self) -> int:
        return sum([number async for number in gotask.current_call().input])

    async def total_wrongly(self) -> int:
        return sum(gotask.current_call().input)

    def hints(self) -> None:
        gotask.current_call().progress(Decimal("0.5"), Path("a.png"))  # type: ignore[arg-type]

    def things(self) -> Iterator[object]:
        yield object()

    def resize(self, width: int, crop: bool = False) -> tuple[int, bool]:
        return width, crop

    def setting(self, name: str) -> Any:
        return gotask.current_call().php.call("Config.get", name, default=[1])

    async def setting_later(self, name: str) -> Any:
        return await gotask.current_call().php.call("Config.get", name)

    def steps(self) -> None:
        for step in range(100):
            gotask.current_call().progress(step / 100, data=(step,))

    async def call(self) -> tuple[str, Any, bool]:
        call = gotask.current_call()
        return call.method, dict(call.headers), call.remaining() is None


@pytest.fixture
def worker() -> Iterator[TestWorker]:
    with TestWorker(App()) as worker:
        yield worker


def test_names_conversion_and_codec_are_a_workers(worker: TestWorker) -> None:
    assert worker.call("App.Hi", "Jo") == {"hello": "Jo"}
    assert worker.call("app.HI", Args("Jo", greeting="bye")) == {"bye": "Jo"}
    assert worker.call("App.Echo", (1, {2: b"\xff"})) == [1, {2: b"\xff"}]
    assert worker.call("App.Echo", datetime(2026, 1, 2, tzinfo=timezone.utc)) == datetime(
        2026, 1, 2, tzinfo=timezone.utc
    )
    with pytest.raises(gotask.MethodNotFound, match="App.hi"):
        worker.call("App.Hii")
    with pytest.raises(gotask.InvalidArguments, match="name"):
        worker.call("App.Hi", Args())


def test_failures_are_a_callers(worker: TestWorker) -> None:
    with pytest.raises(gotask.RemoteError, match="App.fail raised ValueError: no|ValueError: no") as raised:
        worker.call("App.fail")
    assert raised.value.type == "ValueError"
    with pytest.raises(gotask.InvalidResult, match="object"):
        worker.call("App.unsendable")
    with pytest.raises(gotask.EncodeFailed):
        worker.call("App.echo", object())
    with pytest.raises(
        gotask.InvalidResult, match="App.Things yielded what can't be sent: element is an object"
    ):
        list(worker.stream("App.Things"))
    for payload in ({"width": "64", "crop": "on"}, [64, True]):
        with pytest.raises(
            gotask.InvalidArguments, match="such as 64; to give several arguments, send Args$"
        ):
            worker.call("App.resize", payload)
    with pytest.raises(gotask.InvalidArguments, match="such as 64$"):
        worker.call("App.resize", "x")


def test_services_are_opened_and_closed_once() -> None:
    app = App()
    worker = TestWorker(app)
    with pytest.raises(RuntimeError, match="with TestWorker"):
        worker.call("App.Hi", "Jo")
    with worker:
        assert app.events == ["open"]
    assert app.events == ["open", "close"]


def test_elements_come_before_what_the_generator_raises(worker: TestWorker) -> None:
    assert list(worker.stream("App.rows", 3)) == [0, 1, 2]
    rows = worker.stream("App.rows", 9)
    assert [next(rows) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(gotask.RemoteError, match="the sixth"):
        next(rows)
    with pytest.raises(gotask.InvalidResult, match="no elements"):
        next(worker.stream("App.Hi", "Jo"))


@pytest.mark.parametrize("method, payload", [("App.rows", 9), ("App.ticks", None)])
def test_a_reader_that_leaves_closes_the_generator(method: str, payload: Any) -> None:
    app = App()
    with TestWorker(app) as worker:
        assert len(list(worker.stream(method, payload, most=2))) == 2
        assert app.events == ["open", "finally"]


@pytest.mark.parametrize("method", ["App.total", "App.total_later"])
def test_input_is_read(worker: TestWorker, method: str) -> None:
    assert worker.call(method, input=range(5)) == 10
    with pytest.raises(gotask.RemoteError, match="an async method reads its input by `async for`"):
        worker.call("App.total_wrongly", input=[1])
    with pytest.raises(gotask.RemoteError, match="sends no input"):
        worker.call(method)


def test_methods_call_fake_services_of_php(worker: TestWorker) -> None:
    worker.php["Config.get"] = lambda name, default=None: [name, default]
    assert worker.call("App.setting", "app.name") == ["app.name", [1]]
    assert worker.call("App.setting_later", "app.name") == ["app.name", None]
    worker.php["Config.get"] = lambda name, default=None: 1 / 0
    with pytest.raises(gotask.RemoteError, match="ZeroDivisionError"):
        worker.call("App.setting", "app.name")
    del worker.php["Config.get"]
    with pytest.raises(gotask.RemoteError, match="there is no service Config.get"):
        worker.call("App.setting_later", "app.name")


def test_all_progress_is_told(worker: TestWorker) -> None:
    told: list[tuple[Any, ...]] = []
    worker.call("App.steps", on_progress=lambda *progress: told.append(progress))
    assert told[:2] == [(0.0, "", [0]), (0.01, "", [1])]
    assert len(told) == 100
    worker.call("App.steps")
    told.clear()
    worker.call("App.hints", on_progress=lambda *progress: told.append(progress))
    assert told == [(0.5, "a.png", None)]


def test_the_current_call_is_there(worker: TestWorker) -> None:
    assert worker.call("App.call", headers={"a": "b"}) == ["App.call", {"a": "b"}, True]
    assert worker.call("App.call", timeout=3.0) == ["App.call", {}, False]


def test_a_run_of_pytest_shares_one_worker(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import gotask\n@gotask.service\nclass App:\n    def hi(self, name):\n        return id(self)\n"
        "    def setting(self):\n        return gotask.current_call().php.call('Config.get')\n"
    )
    (tmp_path / "pytest.ini").write_text(f'[pytest]\ngotask_app = app.py\npythonpath = "{PACKAGE}"\n')
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['gotask.pytest_plugin']\n")
    (tmp_path / "test_app.py").write_text(
        "seen = set()\n"
        "def test_one(gotask_worker):\n    gotask_worker.php['Config.get'] = lambda: 7\n"
        "    assert gotask_worker.call('App.setting') == 7\n    seen.add(gotask_worker.call('App.Hi', 'Jo'))\n"
        "def test_two(gotask_worker):\n    assert not gotask_worker.php\n    seen.add(gotask_worker.call('App.Hi', 'Li'))\n"
        "    assert len(seen) == 1\n"
        "def test_three():\n    from pathlib import Path\n    from gotask.testing import TestWorker\n    from app import App\n"
        "    with TestWorker(Path(__file__).with_name('app.py')) as worker:\n        assert worker.call('App.Hi', 'Jo')\n"
    )
    (tmp_path / "test_alone.py").write_text(
        "from pathlib import Path\nfrom app import App\nfrom gotask.testing import TestWorker\n"
        "def test_it():\n    with TestWorker(Path(__file__).with_name('app.py')) as worker:\n"
        "        assert worker.call('App.Hi', 'Jo')\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "4 passed" in run.stdout, run.stdout + run.stderr


class Files:
    def lines(self) -> list[str]:
        return [line.decode() for line in gotask.current_call().input.file()]


def test_an_input_of_bytes_or_text_is_read_as_a_file() -> None:
    with TestWorker(Files) as worker:
        assert worker.call("Files.Lines", input=[b"one\ntw", "", "o\nthr", b"ee"]) == [
            "one\n",
            "two\n",
            "three",
        ]
        assert worker.call("Files.Lines", input=[]) == []
        with pytest.raises(
            RemoteError, match="an element that is no bytes but int.* read other elements by `for`"
        ):
            worker.call("Files.Lines", input=[b"one\n", 2])
