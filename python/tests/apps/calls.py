"""What the tests of the broker call."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import gotask


def is_open(descriptor: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")


@gotask.service
class App:
    def hi(self, name: str) -> dict[str, str]:
        return {"hello": name}

    def echo(self, value: Any) -> Any:
        return value

    def descriptors(self) -> list[str]:
        return [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_open(name)]

    def descriptors_of_child(self) -> list[str]:
        """Of a program that a method starts without care."""
        listing = "import os; [print(os.readlink(f'/proc/self/fd/{name}')) for name in os.listdir('/proc/self/fd')[:-1]]"
        command = [sys.executable, "-c", listing]
        return subprocess.run(command, capture_output=True, text=True, close_fds=False).stdout.splitlines()

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def pid(self) -> int:
        return os.getpid()

    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def append(self, path: str, line: str) -> str:
        """Leaves a trace on disk, which shows whether a call ran, and how often."""
        with open(path, "a") as file:
            file.write(line + "\n")
        time.sleep(0.002)
        return line

    def fail(self, message: str) -> None:
        raise ValueError(message)

    def leave(self, code: int) -> None:
        os._exit(code)

    def exit(self, code: int) -> None:
        sys.exit(code)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def segfault(self) -> None:
        import ctypes

        ctypes.string_at(0)

    def unsendable(self) -> object:
        return object()

    def zeros(self, count: int) -> bytes:
        return bytes(count)

    def say(self, text: str) -> None:
        print(text)
        logging.getLogger("app").warning("logged %s", text, extra={"size": len(text)})

    def fork(self) -> int:
        """Returns in the parent and in the child, as careless code does."""
        return 1 if os.fork() else 2

    def log_from_threads(self, threads: int, records: int) -> bytes:
        def write(name: int) -> None:
            for index in range(records):
                logging.getLogger("app").info("thread %s record %s %s", name, index, "x" * 2000)

        started = [threading.Thread(target=write, args=(name,)) for name in range(threads)]
        for thread in started:
            thread.start()
        data = bytes(50_000)
        for thread in started:
            thread.join()
        return data

    def call_id(self) -> list[Any]:
        call = gotask.current_call()
        return [call.method, call.remaining()]

    async def wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def async_pid(self) -> int:
        await asyncio.sleep(0)
        return os.getpid()

    async def async_echo(self, value: Any) -> Any:
        return value

    def headers(self, value: Any = None) -> list[Any]:
        """Those of the call, and whether what was sent came behind them whole."""
        return [dict(gotask.current_call().headers), value]

    def hold(self, path: str) -> None:
        """Says by that file that it has begun."""
        open(path, "x").close()
        time.sleep(30)

    async def async_headers(self, value: Any = None) -> list[Any]:
        return [dict(gotask.current_call().headers), value]

    def rows(self, value: Any = None) -> Any:
        for index in range(1000):
            yield index

    async def async_rows(self, value: Any = None) -> Any:
        for index in range(1000):
            yield index

    def converse(self, value: Any = None) -> Any:
        """Says all that can be said, and waits for all that can be waited for."""
        call = gotask.current_call()
        call.progress(0.5, "half", value)
        return [call.php.call("Config.get", value), *call.input]

    async def async_converse(self, value: Any = None) -> Any:
        call = gotask.current_call()
        call.progress(0.5, "half", value)
        return [await call.php.call("Config.get", value), *[item async for item in call.input]]


if __name__ == "__main__":
    gotask.run()
