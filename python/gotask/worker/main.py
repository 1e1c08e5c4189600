"""The worker process: takes calls from its group's queue and runs them. A sync worker imports no asyncio by itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from ..app import context
from ..app.failures import failure_text
from ..app.loader import import_own, load
from ..app.registry import Method, default_registry
from ..app.runner import Runner, keep_alarm
from ..ipc.linux import die_with_group, die_with_parent, name_process
from ..ipc.messages import FAILED, LOADED, READY
from ..ipc.notes import Revocations, WorkerNotes
from ..wire.names import SHARED_GROUP
from . import interrupts
from .channel import Channel
from .logging import forward_logging
from .sync import Worker

# Seconds that processes of multiprocessing get to end when their worker does.
PROCESS_GRACE = 0.5


def main() -> int:
    """`--worker APP GROUP KIND NUMBER GENERATION NUMBERS`, as the broker starts it (see `broker.process`).

    With no concurrency it is a sync worker. What is between is for those who look at the list of processes.
    """
    _, _, app, group, kind, name, _, of_all = sys.argv
    name_process(f"gotask-{kind}-{name.rpartition('-')[2]}")
    group = SHARED_GROUP if group == "(shared)" else group
    numbers = [int(number) for number in of_all.split(",")]
    (
        channel_fd,
        descriptors_fd,
        log_fd,
        notes_fd,
        stacks_fd,
        lifeline,
        queue_fd,
        revoked_fd,
    ) = numbers[:8]
    concurrency, max_payload, parent, grace = numbers[8:]
    for fd in numbers[:8]:
        os.set_inheritable(fd, False)  # what a method starts gets none of them: it could hold them for ever
    interrupts.write_stacks(stacks_fd)
    die_with_group(lifeline)
    # Only this process holds it: once this one has ended, closing the other end signals nobody.
    watched = [lifeline]

    def let_go() -> None:
        while watched:  # not again in a child of the child, where that number may be another file's
            os.close(watched.pop())

    os.register_at_fork(after_in_child=let_go)
    die_with_parent(parent, signal.SIGKILL)
    sys.argv = [app]
    # What a method prints goes to the log; a dying worker's last words are not to be lost in a buffer.
    # The broker reads UTF-8, whatever the locale says.
    sys.stdout, sys.stderr = (
        open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for fd in (1, 2)
    )
    notes = WorkerNotes(concurrency, fd=notes_fd)
    channel = Channel(channel_fd, descriptors_fd, log_fd)
    context.is_unwanted = notes.is_unwanted
    revoked = Revocations(revoked_fd)
    with socket.socket(fileno=queue_fd) as queue:
        forward_logging(channel)
        try:
            load(app)
            offer = {
                "methods": default_registry.describe(),
                "groups": default_registry.describe_groups(),
                "signatures": default_registry.signatures(),
            }
            channel.record(LOADED, offer)
            default_registry.answer_describe(_describing(app, bool(concurrency)))
            runner = Runner(default_registry, max_payload)
            if concurrency:
                aio = import_own("gotask.worker.aio", app)
            else:
                interrupts.listen(notes)
                for _, opens in default_registry.opening(group, False):
                    _run(opens, app)
        except BaseException as error:
            return report_failure(channel, error)
        if concurrency:
            shared = channel, notes, revoked, runner, queue
            return int(aio.serve(aio.AsyncWorker(*shared, concurrency, grace / 1e6), channel, group, app))
        keep_alarm()

        def can_be_fast(method: Method) -> bool:
            """Whether a caller may come here itself: the broker alone holds calls to a method's own time limit."""
            return group == SHARED_GROUP and not (method.is_async or method.group or method.settings.timeout)

        channel.can_be_fast = lambda name: can_be_fast(runner.method(name))
        worker = Worker(channel, notes, revoked, runner, queue, can_be_fast)
        context.make_exchange = worker.exchange
        channel.record(READY, None)
        worker.serve()
        return _close(app)


def _describing(app: str, is_async: bool) -> Callable[[], Any]:
    """What answers `GoTask.Describe`. Most workers are never asked, so they do not import what is needed for it."""

    def describe() -> Any:
        described = import_own("gotask.app.describe", app).describe(default_registry.describe_fully())
        return {"signatures": default_registry.signatures(), **described}

    async def describe_async() -> Any:
        return describe()

    return describe_async if is_async else describe


def _close(app: str) -> int:
    for name, closes in default_registry.closing():
        try:
            _run(closes, app)
        except Exception as error:
            report_close(name, error)
    return 0


def _run(step: Callable[[], Awaitable[Any] | None], app: str) -> None:
    """A service's open() or close(): an async one runs to its end in a loop of its own, before or after all calls."""

    async def wait(step: Awaitable[Any]) -> int:
        await step
        return 0

    waiting = step()
    if waiting is not None:
        import_own("gotask.ipc.loop", app).run_in_loop(wait(waiting))


def report_failure(channel: Channel, error: BaseException) -> int:
    """Tells the broker why this worker can't start; returns the exit code."""
    text = failure_text(error)
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    channel.record(FAILED, {"message": text})
    return 70


def leave(code: int) -> NoReturn:
    """Ends this process as Python does, but without waiting for threads and processes that a method left running."""
    import atexit

    from ..app.fork import end

    _end_processes()
    atexit._run_exitfuncs()
    end(code)


def _end_processes() -> None:
    """Those of multiprocessing, whose own exit function would wait for them: SIGTERM, and SIGKILL to what is left."""
    util: Any = sys.modules.get("multiprocessing.util")
    if not hasattr(util, "_run_finalizers"):
        return  # there are none, or the application has a package of that name
    import atexit
    from multiprocessing.process import active_children

    atexit.unregister(util._exit_function)
    # Before anything else a pool ends its own, as it would wait for ever for a lock that one of them had when it was killed.
    _finalize(util, 0)
    children = active_children()
    for child in children:
        child.terminate()
    until = time.monotonic() + PROCESS_GRACE
    for child in children:
        child.join(max(0.0, until - time.monotonic()))
        if child.is_alive():
            child.kill()
    _finalize(util)


def _finalize(util: Any, *least: int) -> None:
    """What multiprocessing has to do at the end, as far as it ends: a queue waits until somebody has read all of it."""
    from threading import Thread

    ending = Thread(target=util._run_finalizers, args=least, daemon=True)
    ending.start()
    ending.join(PROCESS_GRACE)


def report_close(service: str, error: BaseException) -> None:
    """A service that can't be closed keeps no other from it."""
    import logging

    logging.getLogger("gotask").error("closing %s failed", service, exc_info=error)
