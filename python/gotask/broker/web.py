"""The process of the page and of the metrics, an ordinary client, as the broker sees it: started, started again, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from asyncio import AbstractEventLoop, TimerHandle
from typing import Final

from ..config import Config
from ..ipc.messages import EX_ADDRESS, MESSAGES
from ..ipc.signals import TO_ALL
from . import children
from .environment import MAIN, worker_environment
from .log import Log
from .output import WorkerOutput

# Seconds before it is started again: at first, at most, and how long it has to live for the first pause to count again.
PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
_STEADY: Final = 60.0


class WebProcess:
    """Runs while the broker does, whatever becomes of it. Its settings come by standard input, which is its lifeline, too."""

    def __init__(self, config: Config, log: Log, loop: AbstractEventLoop) -> None:
        access = config.access
        self._settings = json.dumps(
            {
                "address": str(config.web),
                "broker": str(config.addresses[0]),
                "key": access.key.reveal() if access.key is not None else None,
                "tls": access.files,
                "parent": os.getpid(),
            }
        ).encode()
        self._address = config.web
        self._environment = worker_environment(os.environ, config.secret, config.log_level, False)
        self._log = log
        self._loop = loop
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: TimerHandle | None = None
        self._pause = PAUSE
        self._start()

    def look_for_end(self) -> None:
        """Sees whether it has ended, and starts it again after a pause."""
        process = self._process
        if process is None or not children.has_ended(process.pid):
            return
        self._reap(process)
        if self._loop.time() - self._started_at >= _STEADY:
            self._pause = PAUSE
        if process.returncode != EX_ADDRESS:
            how = f"code {process.returncode}" if process.returncode >= 0 else f"signal {-process.returncode}"
            self._log.error(f"the page's process has ended ({how}): it is started again in {self._pause:g} s")
        self._again()

    def end(self) -> None:
        """Ends it at once: it has nothing to finish."""
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            self._process.kill()
            self._reap(self._process)

    def _again(self) -> None:
        self._timer = self._loop.call_later(self._pause, self._start)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _start(self) -> None:
        self._started_at = self._loop.time()
        try:
            self._process = self._spawn()
        except OSError as error:
            self._log.error(f"the page at {self._address} could not be started: {error}")
            self._again()

    def _spawn(self) -> subprocess.Popen[bytes]:
        records, their_records = socket.socketpair(socket.AF_UNIX, MESSAGES)
        printed, their_printed = os.pipe()
        # Blocked until it handles them, so that none of them ends it while it starts.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, TO_ALL)
        try:
            process = subprocess.Popen(
                [sys.executable, MAIN, "--web-process", str(their_records.fileno())],
                stdin=subprocess.PIPE,
                stdout=their_printed,
                stderr=their_printed,
                pass_fds=(their_records.fileno(),),
                start_new_session=True,
                env=self._environment,
            )
        except OSError:
            records.close()
            os.close(printed)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            their_records.close()
            os.close(their_printed)
        assert process.stdin is not None
        try:
            process.stdin.write(self._settings + b"\n")
            process.stdin.flush()  # less than a pipe holds
        except BrokenPipeError:
            pass  # it has ended already, which its signal tells
        records.setblocking(False)
        os.set_blocking(printed, False)
        self._records, self._printed = records, printed
        self._output = WorkerOutput(records, printed, process.pid, self._loop, self._log)
        return process

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.returncode, _ = children.wait(process.pid)
        self._process = None
        self._output.finish_printed()
        self._output.finish()
        self._records.close()
        os.close(self._printed)
        assert process.stdin is not None
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
