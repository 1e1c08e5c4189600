"""Says which version of itself runs. That stands in a file, beside it unless VERSION_FILE names another.

"broken" does not import.
"""

from __future__ import annotations

import asyncio
import os
import time

import gotask

with open(os.environ.get("VERSION_FILE") or os.path.join(os.path.dirname(__file__), "version")) as file:
    VERSION = file.read()
if VERSION == "broken":
    raise RuntimeError("this version is broken")


@gotask.service
class App:
    def version(self) -> str:
        return VERSION

    def slow(self, seconds: float) -> str:
        time.sleep(seconds)
        return VERSION

    async def wait(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return VERSION


@gotask.service(workers=1)
class Own:
    def version(self) -> str:
        return VERSION
