"""Heartbeats pass through TLS: a slow upload goes on while they come, and a call ends when they do not."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gotask.client.sync import Client
from gotask.errors import GoTaskError
from gotask.wire.tls import Tls

from .certificates import Certificates
from .chaos.clients import php
from .network import KEY
from .peer import APPS, PACKAGE, BrokerProcess, free_port, wait_until

# The broker as it is, but for a heartbeat each second.
QUICK = f"""
import runpy, sys
sys.path.insert(0, {str(PACKAGE)!r})
from gotask.broker import heartbeat
heartbeat.SECONDS = 1
runpy.run_path({str(PACKAGE / "gotask" / "__main__.py")!r}, run_name="__main__")
"""

# Bytes of an upload that takes longer than three heartbeats, and how many pass in a second.
UPLOAD = 1_000_000
SPEED = 180_000


class Line:
    """A way to a port, through which so many bytes a second go there. Where it is cut nothing comes through any more."""

    def __init__(self, port: int, speed: int) -> None:
        self.is_cut = False
        self._port, self._speed = port, speed
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        for end in (self._listening, *self._ends):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(20)
        for end in (self._listening, *self._ends):
            end.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._port))
            self._ends += [here, there]
            self._start(self._pass, here, there, self._speed)
            self._start(self._pass, there, here, 0)

    def _pass(self, source: socket.socket, target: socket.socket, speed: int) -> None:
        try:
            while data := source.recv(max(speed // 20, 4096)):
                if not self.is_cut:
                    target.sendall(data)
                time.sleep(len(data) / speed if speed else 0)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other one has closed


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, Certificates, Path]]:
    (tmp_path / "gotask").mkdir()
    (tmp_path / "gotask" / "__main__.py").write_text(QUICK)
    certificates = Certificates(tmp_path)
    port = free_port()
    process = BrokerProcess(
        APPS / "network.py",
        *("--tls-certificate", certificates.broker, "--tls-key", certificates.broker_key),
        address=f"tls://localhost:{port}",
        env={"GOTASK_KEY": KEY, "RAN": str(tmp_path / "ran")},
        package=tmp_path,
    )
    process.wait_for("ready")
    yield port, certificates, tmp_path / "ran"
    process.end(signal.SIGQUIT)  # without waiting for the calls of the cut line


def by_python(port: int, ca: str, seconds: float, size: int) -> str:
    with Client(f"tls://localhost:{port}", key=KEY, tls=Tls(ca), timeout=60.0) as client:
        try:
            client.call("Net.Once", ["python", seconds, "x" * size])
        except GoTaskError as error:
            return f"{type(error).__name__} {error}"
    return ""


def by_php(plain: bool) -> Callable[[int, str, float, int], str]:
    def call(port: int, ca: str, seconds: float, size: int) -> str:
        options = {
            **{
                "addresses": [f"tls://localhost:{port}"],
                "key": KEY,
                "ca": ca,
                "plain": plain,
                "timeout": 60.0,
            },
            **{"method": "Net.Once", "seconds": seconds, "bytes": size, "calls": 1},
        }
        script = Path(__file__).parent / "network.php"
        with subprocess.Popen(
            [str(php()), str(script), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            _, _, who, error, _ = json.loads(process.stdout.readline())
            return f"{who} {error}".strip()

    return call


def test_through_tls_a_slow_upload_goes_on_and_a_cut_is_noticed(
    broker: tuple[int, Certificates, Path]
) -> None:
    port, certificates, ran = broker
    callers = [by_python, *([by_php(True), by_php(False)] if php() else [])]
    slow, cut = Line(port, SPEED), Line(port, 10_000_000)
    try:
        with ThreadPoolExecutor(2 * len(callers)) as threads:
            lost = [threads.submit(caller, cut.port, certificates.ca, 60.0, 1) for caller in callers]
            uploads = [threads.submit(caller, slow.port, certificates.ca, 0.0, UPLOAD) for caller in callers]
            wait_until(lambda: ran.exists() and len(ran.read_text().split()) >= len(callers))
            cut.is_cut = True
            errors = [each.result(60) for each in lost]
            assert [each.result(60) for each in uploads] == [""] * len(callers)
    finally:
        slow.close()
        cut.close()
    assert all(error.startswith("ConnectionLost") for error in errors), errors
    assert all("its machine, or the network, is down" in error for error in errors), errors
