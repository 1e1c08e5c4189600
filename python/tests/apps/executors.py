"""Methods that run in threads and processes of executors."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import gotask
from work import note, service  # type: ignore[import]  # beside this file, when it is loaded as an app


def one_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1)


def two_processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2)


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"))


def refuse() -> ThreadPoolExecutor:
    raise OSError("no threads today")


class AtOnce:
    """The smallest executor there is."""

    def submit(self, function: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args))
        return future

    def shutdown(self, wait: bool = True) -> None:
        note("shut down")
        if wait:
            threading.Event().wait()


THREADS = ThreadPoolExecutor(2)
OBJECT = ProcessPoolExecutor(1)


gotask.register(service(lambda: ThreadPoolExecutor(4)), "Threads")
gotask.register(service(THREADS), "Given")
gotask.register(service(one_process), "Pool")
gotask.register(service(two_processes), "Pair")
gotask.register(service(two_processes, idempotent=True), "Again")
gotask.register(service(OBJECT), "Object")
gotask.register(service(spawned), "Spawned")
gotask.register(service(refuse), "Refused")
gotask.register(service(AtOnce()), "AtOnce")
