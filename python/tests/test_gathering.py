"""Replies that a worker gathers in memory that the broker can read, too."""

from __future__ import annotations

from gotask.ipc.gathered import SIZE, Gathered


def test_what_the_worker_has_sent_is_not_read() -> None:
    memory = memoryview(bytearray(SIZE))
    worker, broker = Gathered(memory), Gathered(memory)
    assert worker.add(b"first") and worker.add(b"second")
    assert broker.read() == b"firstsecond"
    worker.clear()
    assert broker.read() == b""
    assert worker.add(b"third")
    assert broker.read() == b"third"


def test_what_does_not_fit_is_refused() -> None:
    gathered = Gathered(memoryview(bytearray(SIZE)))
    assert gathered.add(b"x" * (SIZE // 2)) and not gathered.add(b"x" * (SIZE // 2))
    assert gathered.frames == b"x" * (SIZE // 2)
