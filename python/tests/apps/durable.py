"""Methods that Celery runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import current_app

import gotask

# Seconds after which Redis gives away again what a worker has taken and not acknowledged: in the tests that worker is dead.
current_app.conf.broker_transport_options = {"visibility_timeout": 0.5}


@gotask.service
class Report:
    @gotask.method(executor="celery")
    def build(self, rows: int, scale: float = 1.0) -> dict[str, Any]:
        call = gotask.current_call()
        return {"rows": rows * scale, "id": call.id, "headers": dict(call.headers), "left": call.remaining()}

    @gotask.method(executor="celery")
    def fail(self, key: str) -> None:
        raise LookupError(f"no {key}")

    @gotask.method(executor="celery")
    def wait_for(self, file: str) -> str:
        """Notes that it has begun, and ends once there is such a file."""
        with open(f"{file}.begun", "a") as begun:
            begun.write(f"{os.getpid()}\n")
        gotask.current_call().progress(0.5, "half", {"file": file})
        until = time.monotonic() + 30
        while not Path(file).exists() and time.monotonic() < until:
            time.sleep(0.01)
        Path(f"{file}.ended").touch()
        return "there"

    @gotask.method(executor="celery")
    def touch(self, file: str) -> None:
        Path(file).touch()

    def here(self) -> int:
        return os.getpid()
