"""Redis, and a Celery worker: servers of the tests' own, on a free port.

As a program it starts a broker, too, says its address, or what is missing, and ends with its input: PHP's tests use it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from .peer import APPS, PACKAGE, BrokerProcess, free_port, wait_until

REDIS = shutil.which("redis-server")


class Process:
    """One that is killed with all that it has started."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)

    def __del__(self) -> None:
        """Of a test that failed: it leaves nothing for the next ones."""
        if hasattr(self, "process"):
            self.kill()


class Redis:
    """Keeps what it has taken, whatever becomes of it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(8)  # no other one answers to it
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        assert REDIS is not None
        options = f"--port {self.port} --bind 127.0.0.1 --requirepass {self.password} --save"
        command = [REDIS, *options.split(), "", "--appendonly", "yes", "--appendfsync", "always"]
        self.process = Process([*command, "--dir", str(self._folder)], self._folder / "redis.log")
        wait_until(lambda: b"PONG" in self.order("PING") or self.process.has_ended(), "an answer of Redis")
        assert not self.process.has_ended(), self.process.log.read_text()

    def kill(self) -> None:
        self.process.kill()

    def order(self, *words: str) -> bytes:
        """What it answers to one of its commands; empty: it is not there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as peer:
                peer.sendall(f"AUTH {self.password}\r\n{' '.join(words)}\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (data := peer.recv(100)):
                    answer += data
                return answer
        except OSError:
            return b""


def celery_worker(folder: Path, env: dict[str, str], *options: str) -> Process:
    """Two processes. What it is given before it is ready waits in the broker."""
    command = [sys.executable, "-m", "celery", "-A", "gotask.celery", "worker", "-c", "2", *options]
    command += ["--without-gossip", "--without-mingle"]
    path = f"{PACKAGE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    env = {"GOTASK_APP": str(APPS / "durable.py"), "PYTHONPATH": path, **env}
    return Process(command, folder / "celery.log", env)


def main() -> None:
    missing = [name for name in ("celery", "redis") if find_spec(name) is None]
    if REDIS is None or missing:
        print(json.dumps({"missing": f"not installed: {', '.join(missing) or 'redis-server'}"}), flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = Redis(folder)
        env = {"CELERY_BROKER_URL": redis.url}
        worker = celery_worker(folder, env)
        broker = BrokerProcess(APPS / "durable.py", address=f"unix://{folder}/gotask.sock", env=env)
        try:
            broker.wait_for("ready")
            print(json.dumps({"address": broker.address}), flush=True)
            sys.stdin.read()
        finally:
            worker.kill()
            broker.end(signal.SIGKILL)
            redis.kill()


if __name__ == "__main__":
    main()
