"""What the pictures show: the methods of a shop, which take about as long as such methods do."""

import asyncio
import random
import time

import gotask


def _takes(seconds: float, busy: float = 0.2) -> float:
    """Of these seconds about so much of a processor's, the rest waiting."""
    seconds *= random.lognormvariate(0.0, 0.5)
    until = time.monotonic() + seconds * busy
    while time.monotonic() < until:
        pass
    time.sleep(seconds * (1 - busy))
    return seconds


@gotask.service
class Orders:
    def validate(self, order: int) -> bool:
        return _takes(0.001) > 0

    def import_csv(self, rows: list[str]) -> int:
        _takes(0.01)
        return sum(int(row) for row in rows)


@gotask.service
class Images:
    def thumbnail(self, picture: bytes) -> bytes:
        _takes(0.03, busy=0.5)
        return picture[: len(picture) // 4]


@gotask.service
class Reports:
    def monthly(self, month: int) -> int:
        _takes(1.0)
        return month


@gotask.service
class Search:
    async def suggest(self, text: str) -> list[str]:
        await asyncio.sleep(0.04 * random.lognormvariate(0.0, 0.4))
        return [text, text + "s"]

    async def embed(self, text: str) -> list[float]:
        await asyncio.sleep(0.2 * random.lognormvariate(0.0, 0.3))
        if random.random() < 0.02:
            raise TimeoutError("the model has not answered")
        return [random.random() for _ in range(64)]
