"""What the tests of the page and of the metrics call; its failures are hostile."""

from __future__ import annotations

import os
import time

import gotask

MARKUP = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"


@gotask.service
class Orders:
    def total(self, items: int) -> int:
        return items

    def invoice(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def fail(self) -> None:
        raise ValueError(MARKUP)

    def leave(self) -> None:
        os._exit(3)

    async def pays(self, amount: float) -> float:
        return amount
