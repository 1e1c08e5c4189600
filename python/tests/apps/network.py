"""What machines serve in tests of the network. Each run of a method is written down, so that one that ran twice is seen."""

from __future__ import annotations

import asyncio
import os

import gotask

MACHINE = os.environ.get("MACHINE", "")
_ran = os.open(os.environ["RAN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT) if "RAN" in os.environ else -1


def note(call: str) -> list[str]:
    if _ran >= 0:
        os.write(_ran, f"{call}\n".encode())
    return [call, MACHINE]


class Net:
    def quick(self, call: str) -> list[str]:
        return note(call)

    async def once(self, call: str, seconds: float, padding: str = "") -> list[str]:
        note(call)
        await asyncio.sleep(seconds)
        return [call, MACHINE]

    @gotask.method(idempotent=True)
    async def again(self, call: str, seconds: float, padding: str = "") -> list[str]:
        note(call)
        await asyncio.sleep(seconds)
        return [call, MACHINE]


gotask.register(Net)
