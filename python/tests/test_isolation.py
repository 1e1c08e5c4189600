"""What a worker is given, and what of the app can be reached from outside: nothing but what was chosen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gotask.broker.environment import worker_environment

from .peer import APPS, PACKAGE, BrokerProcess, Peer

# How the links in /proc/self/fd of what a worker is given begin.
GIVEN = ("socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/null", "/dev/shm/", "/proc/")


@pytest.fixture
def stray(tmp_path: Path) -> Iterator[int]:
    """A descriptor that is inherited by whatever this process starts."""
    path = tmp_path / "stray"
    path.write_text("of no concern to workers")
    descriptor = os.open(path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    yield descriptor
    os.close(descriptor)


def listening(path: Path) -> Peer | None:
    """The file of a socket is there before anybody listens on it."""
    try:
        return Peer(f"unix://{path}")
    except (FileNotFoundError, ConnectionRefusedError):
        return None


@pytest.mark.parametrize("managed", [True, False], ids=["managed", "alone"])
@pytest.mark.parametrize("method", ["App.descriptors", "App.descriptors_of_child"])
def test_descriptors_are_given_and_not_inherited(
    tmp_path: Path, stray: int, managed: bool, method: str
) -> None:
    path = tmp_path / "b.sock"
    main = str(PACKAGE / "gotask" / "__main__.py")
    command = [sys.executable, main, str(APPS / "calls.py"), "--workers", "1", "--address", f"unix://{path}"]
    log = open(tmp_path / "log", "w+")
    with log, subprocess.Popen(
        command + ["--managed"] * managed, stdin=subprocess.PIPE, stdout=log, stderr=log, close_fds=False
    ) as process:
        try:
            while (peer := listening(path)) is None:
                assert process.poll() is None, (tmp_path / "log").read_text()
            open_files = peer.call(method)
        finally:
            process.terminate()
    assert open_files, "it sees at least its standard streams"
    for name in open_files:
        assert str(tmp_path) not in name, open_files
        assert name.startswith(GIVEN), open_files


def test_the_broker_reads_its_secrets_and_workers_do_not_see_them(tmp_path: Path) -> None:
    secret = {"DATABASE_PASSWORD": "s3cret", "API_TOKEN": "t0ken", "HARMLESS": "seen"}
    process = BrokerProcess(
        APPS / "calls.py",
        *("--secret", "DATABASE_PASSWORD, API_TOKEN,NOT_SET"),
        address=f"unix://{tmp_path}/b.sock",
        env=secret,
    )
    process.wait_for("ready")
    try:
        seen = Peer(f"unix://{tmp_path}/b.sock").call("App.environment")
        assert seen["HARMLESS"] == "seen" and not {"s3cret", "t0ken"} & set(seen.values())
    finally:
        process.end()


def test_a_workers_environment_is_its_parents_less_what_is_secret() -> None:
    parent = {"PATH": "/bin", "GOTASK_KEY": "a key", "TOKEN": "t", "OMP_NUM_THREADS": "3"}
    alone = worker_environment(parent, ("TOKEN",), "debug", False)
    assert alone == {"PATH": "/bin", "GOTASK_LOG_LEVEL": "debug", "OMP_NUM_THREADS": "3"}
    several = worker_environment(parent, (), "info", True)
    assert several["TOKEN"] == "t" and several["OMP_NUM_THREADS"] == "3" and several["MKL_NUM_THREADS"] == "1"
    assert "GOTASK_KEY" in parent, "the broker's own stays"


def test_what_was_not_registered_can_not_be_reached(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    app = tmp_path / "app.py"
    app.write_text(
        """
import gotask

def loose():
    return "reached"

class Base:
    def inherited(self): return "fine"
    def _hidden(self): return "reached"
    def __mangled(self): return "reached"

@gotask.service
class App(Base):
    constant = "reached"
    class Inner:
        def method(self): return "reached"
    def open(self): pass
    def close(self): pass
    def method(self): return "fine"
    def _private(self): return "reached"
    def __call__(self): return "reached"
    @property
    def attribute(self): return "reached"

class Other:
    def method(self): return "reached"
"""
    )
    process = BrokerProcess(app, workers=1, address=f"unix://{path}")
    process.wait_for("ready")
    try:
        peer = Peer(f"unix://{path}")
        assert peer.call("App.method") == "fine" and peer.call("App.inherited") == "fine"
        names = [
            *(
                "App._method",
                "App.__method",
                "App.__method__",
                "_App.method",
                "App._inherited",
                "App._private",
                "App.Private",
                "App._hidden",
                "App.hidden",
                "App.__mangled",
                "App._Base__mangled",
            ),
            *(
                "App.__call__",
                "App.call",
                "App.__init__",
                "App.init",
                "App.__class__",
                "App.__dict__",
                "App.__reduce__",
            ),
            *("App.__getattribute__", "App.__subclasshook__", "App.__eq__", "App.mro", "App.__class__.mro"),
            *("App.constant", "App.attribute", "App.Inner", "App.Inner.method", "App.open", "App.close"),
            *("App", "", ".", "App.", ".method", "App..method", "App.method.__self__", "App.method.__func__"),
            *(
                "Other.method",
                "Base.inherited",
                "loose",
                "gotask.run",
                "os.system",
                "builtins.eval",
                "__main__.loose",
            ),
            *(
                "GoTask.__class__",
                "GoTask._status",
                "GoTask.Reload",
                "\0App.method",
                "App.method\0",
                "App/method",
            ),
        ]
        for name in filter(None, names):
            error = peer.call(name)
            assert isinstance(error, dict) and error["code"] == "method_not_found", (name, error)
        described = {each["name"] for each in peer.call("GoTask.Methods")}
        assert described == {"App.method", "App.inherited"}, json.dumps(sorted(described))
    finally:
        process.end()
