"""Methods that run in threads and processes of executors."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
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


class Odd:
    """Does to a future, or in place of it, what no executor should."""

    def __init__(self, do: Any) -> None:
        self._do = do

    def submit(self, function: Any, *args: Any) -> Any:
        future: Future[Any] = Future()
        return self._do(future) or future


def cancel(future: Future[Any]) -> None:
    future.cancel()


def raises(error: BaseException) -> Any:
    raise error


class Dropping(ThreadPoolExecutor):
    """Whoever comes while a call waits in it ends it, and cancels that call."""

    def submit(self, *args: Any, **named: Any) -> Future[Any]:
        if self._work_queue.qsize():
            self.shutdown(wait=False, cancel_futures=True)
        return super().submit(*args, **named)


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
gotask.register(service(Odd(cancel)), "Cancels")
gotask.register(service(lambda: Dropping(1)), "Drops")
for name, error in (
    ("Exits", SystemExit(3)),
    ("Interrupts", KeyboardInterrupt()),
    ("Stops", StopIteration(3)),
):
    gotask.register(service(Odd(partial(Future.set_exception, exception=error))), name)
gotask.register(service(Odd(partial(Future.set_result, result=(1, 2)))), "Alters")
gotask.register(service(Odd(lambda future: "a text")), "NoFuture")
gotask.register(service(Odd(lambda future: raises(OverflowError("not today")))), "NotToday")
gotask.register(service(lambda: "a text"), "NoExecutor")
