"""The life of the broker's process: listen, start workers, serve, drain, end. Nothing is left behind, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

from ..config import Config
from ..ipc.linux import adopt_orphans, die_with_parent, name_process
from ..ipc.loop import run_in_loop
from ..ipc.messages import EX_ADDRESS
from ..wire.address import FAST, MAX_UNIX_PATH, UnixAddress
from .acceptor import Acceptor
from .broker import Broker
from .children import has_trackers
from .environment import is_limit, reason
from .fastpath import FastPath
from .listener import AddressUnusable, Listener
from .log import Log
from .watches import FileWatch
from .web import WebProcess

# Exit codes, beside 0 (ended as asked) and 2 (usage): of sysexits.h where it has one.
EX_APP_FAILED = 70
EX_OS = 71

# Descriptors of an event loop and of the channels by which it wakes.
_LOOP_DESCRIPTORS = 10

# How often it is looked whether all is answered while it drains.
_DRAIN_CHECK = 0.01


def serve(config: Config) -> int:
    """Runs a broker until it is told to end; returns the exit code."""
    name_process("gotask-broker")
    if config.managed:
        # What the parent has open is none of ours; a supervisor in PHP passes on every socket it has.
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
        die_with_parent(os.getppid(), signal.SIGQUIT)
        # A terminal's Ctrl-C is for the supervisor, who then ends this process in its own way.
        if os.getpgrp() != os.getpid() and os.getsid(0) != os.getpid():
            os.setpgid(0, 0)
    log = Log(config.log_level, config.managed)
    log.event("starting", pid=os.getpid())
    listeners: list[Listener] = []
    try:
        for address in config.addresses:
            listeners.append(Listener(address, config.socket_mode, config.socket_group))
    except AddressUnusable as error:
        for listener in listeners:
            listener.close()
        log.event("failed", code=EX_ADDRESS, message=str(error))
        return EX_ADDRESS
    fast = _fast_listener(config, log)
    if fast is not None:
        listeners.insert(0, fast)  # closed first: another one may have made its folder
    try:
        # The loop needs some, too, and could not say that it has none.
        for descriptor in [os.dup(2) for _ in range(_LOOP_DESCRIPTORS)]:
            os.close(descriptor)
        return run_in_loop(_Server(config, log, listeners, fast).run())
    except OSError as error:
        if not is_limit(error):
            raise
        log.event("failed", code=EX_OS, message=f"it can't run here: {reason(error)}")
        return EX_OS
    finally:
        for listener in listeners:
            listener.close()


def _fast_listener(config: Config, log: Log) -> Listener | None:
    """For the fast path, beside the first Unix socket; None where there can't be one."""
    paths = [address.path for address in config.addresses if isinstance(address, UnixAddress)]
    if sys.platform != "linux" or not paths or len(os.fsencode(paths[0])) + len(FAST) > MAX_UNIX_PATH:
        return None
    try:
        address = UnixAddress(paths[0] + FAST)
        return Listener(address, config.socket_mode, config.socket_group, socket.SOCK_SEQPACKET)
    except AddressUnusable as error:
        log.warning(f"there is no fast path, and all calls go by the broker: {error}")
        return None


class _Server:
    def __init__(self, config: Config, log: Log, listeners: list[Listener], fast: Listener | None) -> None:
        self._fast = fast
        self._config = config
        self._log = log
        self._listeners = listeners
        self._exit_code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._log.attach(loop)
        self._end = asyncio.Event()  # drain
        self._now = asyncio.Event()  # and not even that
        self._decided = asyncio.Event()  # it is ready, or is to end
        loop.add_signal_handler(signal.SIGTERM, self._end_soon)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        loop.add_signal_handler(signal.SIGQUIT, self._end_now)
        loop.add_signal_handler(signal.SIGHUP, lambda: broker.reload())
        if self._config.managed:
            loop.add_reader(0, self._lifeline)
        broker = Broker(self._config, self._log, loop, self._ready, self._start_failed, self._fast)
        adopt_orphans()
        web: WebProcess | None = None

        def children_ended() -> None:
            if web is not None:
                web.look_for_end()
            broker.generations.children_ended()

        # Not by the loop: uvloop refuses this one.
        signal.signal(signal.SIGCHLD, lambda *_: loop.call_soon_threadsafe(children_ended))
        try:
            if self._config.web is not None:
                web = WebProcess(self._config, self._log, loop)
            broker.start()
            if self._config.watch:
                self._watch = FileWatch(loop, self._config.app, self._config.folder, broker.reload)
            await self._decided.wait()
            entrances: list[Acceptor | FastPath] = [
                Acceptor(broker, listener) for listener in self._listeners if listener is not self._fast
            ]
            if broker.fast is not None:
                entrances.append(broker.fast)
            if not self._now.is_set():
                for acceptor in entrances:
                    acceptor.open()
            await self._end.wait()
            for acceptor in entrances:
                acceptor.close()
            for listener in self._listeners:
                listener.close()
            if not self._now.is_set():
                await self._drain(broker)
        except OSError as error:
            if not is_limit(error):
                raise
            self._log.event("failed", code=EX_OS, message=f"it can't run here: {reason(error)}")
            self._exit_code = EX_OS
        finally:
            broker.generations.kill()
            await self._wait_for_workers(broker)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if web is not None:
                web.end()
            self._log.close()
            # The loop lets go of its handlers as it is closed: one more SIGTERM would end this process with that signal.
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        return self._exit_code

    async def _drain(self, broker: Broker) -> None:
        self._log.event("stopping", pid=os.getpid(), message="ending after the running calls")
        loop = asyncio.get_running_loop()
        until = loop.time() + self._config.shutdown_timeout
        broker.drain()
        while not broker.idle and loop.time() < until and not self._now.is_set():
            await asyncio.sleep(_DRAIN_CHECK)
        if not broker.idle:
            why = (
                "it was told to end at once"
                if self._now.is_set()
                else "they ran longer than the shutdown timeout"
            )
            self._log.warning(f"calls were cut off: {why}", running=broker.generations.running)
        broker.close()
        broker.generations.end()
        if not broker.ready:
            broker.generations.kill()  # no worker has run anything yet
        while (broker.generations.workers or broker.is_read_from) and loop.time() < until:
            if self._now.is_set():
                return
            await asyncio.sleep(_DRAIN_CHECK)

    async def _wait_for_workers(self, broker: Broker) -> None:
        """After SIGKILL: only a process in an uninterruptible system call takes longer than a moment."""
        for _ in range(100):
            if not broker.generations.workers and not has_trackers():
                return
            await asyncio.sleep(_DRAIN_CHECK)

    def _ready(self, workers: str) -> None:
        self._decided.set()
        addresses = [str(address) for address in self._config.addresses]
        self._log.event(
            "ready",
            pid=os.getpid(),
            addresses=addresses,
            message=f"ready at {', '.join(addresses)} with {workers}",
        )

    def _start_failed(self, message: str) -> None:
        if not self._end.is_set():
            self._log.event(
                "failed", code=EX_APP_FAILED, message=f"{self._config.app} could not be started: {message}"
            )
            self._exit_code = EX_APP_FAILED
            self._end_now()

    def _interrupted(self) -> None:
        """Ctrl-C; pressed again, it ends at once. SIGTERM does not: a service manager may send it twice."""
        if self._end.is_set():
            self._now.set()
        self._end_soon()

    def _end_now(self) -> None:
        self._now.set()
        self._end_soon()

    def _end_soon(self) -> None:
        self._end.set()
        self._decided.set()

    def _lifeline(self) -> None:
        """Standard input ends with the parent: so does this process, at once."""
        try:
            if os.read(0, 4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        asyncio.get_running_loop().remove_reader(0)
        self._end_now()
