"""What the tests of the PHP client call on a real broker."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import gotask


@gotask.service
class App:
    def hi(self, name: str) -> dict[str, str]:
        return {"hello": name}

    async def fetch(self, name: str) -> dict[str, str]:
        await asyncio.sleep(0.001)
        return {"hello": name}

    def say(self, first: str, last: str = "") -> str:
        return f"{first} {last}".strip()

    def greet(self, name: str = "nobody") -> str:
        return name

    def echo(self, value: bytes) -> bytes:
        return value

    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def meet(self, path: str, name: str, other: str) -> bool:
        """Whether a call with the names the other way round runs at the same time, sooner or later."""
        open(f"{path}-{name}", "w").close()
        until = time.monotonic() + 20
        while not os.path.exists(f"{path}-{other}") and time.monotonic() < until:
            time.sleep(0.005)
        return time.monotonic() < until

    def note(self, path: str, name: int, seconds: float) -> int:
        """Takes its time, and leaves a line in a file that shows that it has run."""
        with open(path, "a") as file:
            file.write(f"{name}\n")
        time.sleep(seconds)
        return os.getppid()

    @gotask.method(idempotent=True)
    def note_again(self, path: str, name: int, seconds: float) -> int:
        return self.note(path, name, seconds)

    def hang(self, path: str) -> None:
        with open(path, "w") as file:
            file.write("begun")
        try:
            time.sleep(60)
        except BaseException as end:
            with open(path, "w") as file:
                file.write(type(end).__name__)
            raise

    async def linger(self, path: str) -> None:
        with open(path, "w") as file:
            file.write("begun")
        try:
            await asyncio.sleep(60)
        except BaseException as end:
            with open(path, "w") as file:
                file.write(type(end).__name__)
            raise

    def boom(self) -> None:
        raise ValueError("as told")

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def pid(self) -> int:
        return os.getpid()

    @gotask.method(idempotent=True)
    def die_once(self, path: str) -> str:
        """Dies where there is such a file, which there is no more then."""
        if os.path.exists(path):
            os.unlink(path)
            self.die()
        return path

    def die_if(self, does: bool) -> bool:
        if does:
            self.die()
        return does


@gotask.service
class Limited:
    """Methods that the broker ends: a caller that has more time hears how, however busy the machine is."""

    @gotask.method(timeout=0.3)
    def hang(self, path: str) -> None:
        App().hang(path)

    @gotask.method(timeout=0.3)
    async def linger(self, path: str) -> None:
        await App().linger(path)

    @gotask.method(timeout=0.3)
    def spin(self) -> int:
        return sum(range(10**13))


if __name__ == "__main__":
    gotask.run()
