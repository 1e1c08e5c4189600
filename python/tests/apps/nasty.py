"""Methods that do what nobody should."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import sys
import threading
import time
from typing import Any

import gotask


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def announce(path: str) -> None:
    with open(f"{path}.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, path)


def wait_beside() -> None:
    while True:
        time.sleep(60)


@gotask.service
class Sync:
    def echo(self, value: Any) -> Any:
        return value

    def pid(self) -> int:
        return os.getpid()

    def spin(self) -> None:
        while True:
            pass

    def hold_the_gil(self, begun: str = "") -> int:
        """begun: a file for the process's id, written before."""
        if begun:
            announce(begun)
        return sum(range(10**13))  # one call of C

    def never_end_beside_threads(self, begun: str, is_python: bool) -> int:
        for _ in range(32):
            threading.Thread(target=wait_beside, daemon=True).start()
        while True:
            try:
                if not is_python:
                    return self.hold_the_gil(begun)
                announce(begun)
                while True:
                    pass
            except BaseException:
                pass

    def ignore_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass

    def block(self) -> bytes:
        reading, _ = os.pipe()
        return os.read(reading, 1)

    def clean_up(self, path: str) -> None:
        open(f"{path}.begun", "w").close()
        try:
            time.sleep(60)
        finally:
            with open(path, "a") as file:
                file.write("cleaned up\n")

    def swallow(self) -> str:
        try:
            time.sleep(60)
        except gotask.Interrupted:
            return "interrupted"
        return "slept"

    def watch(self, path: str) -> None:
        """Interrupted in a thread of its own, which looks at the call."""
        call = gotask.current_call()

        def work() -> None:
            while not call.cancelled:
                time.sleep(0.005)
            with open(path, "a") as file:
                file.write("seen\n")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            time.sleep(60)
        finally:
            thread.join()

    def append(self, path: str, line: str, seconds: float = 0.0) -> str:
        with open(path, "a") as file:
            file.write(line + "\n")
        time.sleep(seconds)
        return line

    def segfault(self) -> None:
        ctypes.string_at(0)

    def leave(self, code: int) -> None:
        os._exit(code)

    def exit(self, code: int) -> None:
        sys.exit(code)

    def recurse(self) -> None:
        self.recurse()

    def raise_unprintable(self) -> None:
        raise Unprintable

    def limit_memory(self, mebibytes: int) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    def allocate(self, mebibytes: int, seconds: float = 0.0) -> int:
        self.kept = bytearray(mebibytes << 20)
        for index in range(0, len(self.kept), 4096):
            self.kept[index] = 1
        time.sleep(seconds)
        return len(self.kept)

    @gotask.method(timeout=0.2)
    def limited(self) -> None:
        time.sleep(60)

    @gotask.method(idempotent=True)
    def crash_once(self, path: str) -> str:
        """Dies when it is called for the first time."""
        with open(path, "a") as file:
            file.write("called\n")
        with open(path) as file:
            if len(file.readlines()) == 1:
                os._exit(9)
        return "done"


@gotask.service
class Async:
    async def echo(self, value: Any) -> Any:
        return value

    async def pid(self) -> int:
        return os.getpid()

    async def wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def clean_up(self, path: str) -> None:
        open(f"{path}.begun", "w").close()
        try:
            await asyncio.sleep(60)
        finally:
            with open(path, "a") as file:
                file.write("cleaned up\n")

    async def swallow(self) -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    async def spin(self) -> None:
        while True:
            pass

    async def hold_the_gil(self) -> int:
        return sum(range(10**13))

    async def block(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds
