"""What a caller is told of the death of its worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .peer import APPS, BrokerProcess, serving
from .test_deadlines import connect, workers

CGROUP = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("deaths"), APPS / "nasty.py", workers=2)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[BrokerProcess]:
    """Another one, whose workers get less memory than they need."""
    yield from serving(tmp_path, APPS / "nasty.py", workers=2)


@pytest.mark.parametrize(
    ("method", "payload", "words", "data", "in_stack"),
    [
        ("Sync.segfault", None, "SIGSEGV", {"signal": 11}, "segfault"),
        ("Sync.leave", 3, "exit code 3", {"exit_code": 3}, ""),
    ],
)
def test_a_certificate_says_how_where_and_with_how_much_memory(
    broker: BrokerProcess, method: str, payload: Any, words: str, data: dict[str, int], in_stack: str
) -> None:
    peer = connect(broker)
    before = workers(peer)
    error = peer.call(method, payload)
    assert error["code"] == "worker_crashed" and words in error["message"]
    assert data.items() <= error["data"].items()
    assert error["data"]["method"] == method and error["data"]["call"] > 0 and error["data"]["pid"] in before
    assert error["data"]["peak_memory"] > 1 << 20
    assert in_stack in error["data"].get("stack", "")
    assert len(workers(peer)) == 2


@pytest.mark.parametrize(
    ("method", "payload", "kind"),
    [
        ("Sync.exit", 3, "SystemExit"),
        ("Sync.recurse", None, "RecursionError"),
        ("Sync.raise_unprintable", None, "tests.apps.nasty.Unprintable"),
    ],
)
def test_what_looks_like_an_end_and_is_none(
    broker: BrokerProcess, method: str, payload: Any, kind: str
) -> None:
    peer = connect(broker)
    before = workers(peer)
    error = peer.call(method, payload)
    assert error["code"] == "remote_error" and error["type"].endswith(kind.rpartition(".")[2])
    assert workers(peer) == before


def test_no_memory_left_is_an_exception(limited: BrokerProcess) -> None:
    peer = connect(limited)
    for _ in workers(peer):
        peer.call("Sync.limit_memory", 300)
    error = peer.call("Sync.allocate", 1000)
    # The limit was perhaps set twice for the same one of the two workers.
    assert error == 1000 << 20 or error["code"] == "remote_error" and error["type"] == "MemoryError"


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with little memory."""
    group = CGROUP / f"gotask-test-{os.getpid()}"
    try:
        current = next(
            line.split(":", 2)[2]
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.split(":")[1] == "memory"
        )
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(160 << 20))
    except (OSError, StopIteration) as error:
        pytest.skip(f"no control group can be made here: {error!r}")
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        (CGROUP / current.lstrip("/") / "cgroup.procs").write_text(pid)
    group.rmdir()


def test_the_kernel_s_out_of_memory_killer_is_named(tmp_path: Path, small_group: Path) -> None:
    broker = BrokerProcess(
        APPS / "nasty.py",
        workers=1,
        address=f"unix://{tmp_path}/b.sock",
        preexec=lambda: (small_group / "cgroup.procs").write_text("0"),
    )
    broker.wait_for("ready")
    peer = connect(broker)
    error = peer.call("Sync.allocate", 400)
    assert error["code"] == "worker_crashed" and "out-of-memory killer" in error["message"]
    assert error["data"]["oom"] is True and error["data"]["signal"] == 9
    assert peer.call("Sync.echo", 1) == 1
    assert broker.end() == 0


def test_whoever_calls_what_killed_workers_before_is_told_how_its_own_ended(broker: BrokerProcess) -> None:
    peer = connect(broker)
    for _ in range(3):
        error = peer.call("Sync.leave", 7)
        assert error["code"] == "worker_crashed" and "exit code 7" in error["message"]
        assert "has not run" not in error["message"]


def test_calls_that_were_ended_with_their_worker_keep_nobody_from_the_same_one(broker: BrokerProcess) -> None:
    impatient, peer = connect(broker), connect(broker)
    for _ in range(2):
        assert impatient.call("Sync.hold_the_gil", None, 100, 0)["code"] == "deadline_exceeded"
    workers(peer)
    error = peer.call("Sync.hold_the_gil", None, 100, 0)
    assert error["code"] == "deadline_exceeded" and "has not run" not in error["message"]


def test_a_call_of_an_idempotent_method_is_made_again_once(broker: BrokerProcess, tmp_path: Path) -> None:
    peer = connect(broker)
    workers(peer)
    assert peer.call("Sync.crash_once", str(tmp_path / "log")) == "done"
    assert (tmp_path / "log").read_text() == "called\n" * 2
    assert broker.logged("is idempotent and made again")["level"] == "warning"
    described = {method["name"]: method for method in peer.call("GoTask.Methods")}
    assert described["Sync.crash_once"]["idempotent"] and not described["Sync.echo"]["idempotent"]
    assert "Sync.crash_once" in peer.hello["idempotent"] and "Sync.echo" not in peer.hello["idempotent"]
