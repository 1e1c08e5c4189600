"""What the tests of reloading call: it says which version of itself runs, which stands in a file beside it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import gotask

VERSION = (Path(__file__).parent / "version").read_text()
if VERSION == "broken":
    raise RuntimeError("this version is broken")


@gotask.service
class App:
    def version(self) -> str:
        return VERSION

    def slow(self, seconds: float) -> str:
        time.sleep(seconds)
        return VERSION

    async def waits(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return VERSION


@gotask.service(workers=1)
class Own:
    def version(self) -> str:
        return VERSION


if VERSION == "1":

    @gotask.register
    def only_in_1() -> str:
        return VERSION
