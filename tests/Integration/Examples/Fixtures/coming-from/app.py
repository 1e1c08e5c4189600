"""What stood in onTask, and what hyperf/gotask's README has in Go."""

from __future__ import annotations

import asyncio
import os
import time

import gotask


class App:
    def hi(self, name: str) -> dict[str, str]:
        return {"hello": name}

    def say_hello(self, first: str, last: str = "") -> str:
        return f"Hello {first} {last}".strip()

    def fail(self) -> None:
        raise ValueError("this one fails")

    def setting(self, name: str) -> object:
        return gotask.current_call().php.call("Config.get", name)

    def size(self, data: bytes) -> tuple[str, int]:
        return type(data).__name__, len(data)


@gotask.service
class Mail:
    def send(self, to: str, path: str) -> str:
        """Leaves a file that shows that it has run."""
        with open(path, "w") as file:
            file.write(to)
        return "sent"

    def slow(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    async def wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds


@gotask.service
class Process:
    def pid(self) -> int:
        return os.getpid()


gotask.register(App())

if __name__ == "__main__":
    gotask.run()
