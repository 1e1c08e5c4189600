"""An app without async methods: its workers need no asyncio."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import gotask


class App:
    def __init__(self) -> None:
        self.opened = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        print("closed", file=sys.stderr, flush=True)

    def echo(self, value: Any) -> Any:
        return value

    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def state(self) -> list[Any]:
        return [os.getpid(), self.opened, "asyncio" in sys.modules]


gotask.register(App())
