"""The broker's log: what reaches people, and that who does not read it holds up nothing."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gotask.broker import log
from gotask.broker.log import OFTEN, Log
from gotask.broker.writer import MAX_BACKLOG, NonBlockingWriter

from .peer import PACKAGE, Peer


def shown(capfd: pytest.CaptureFixture[str], record: dict[str, Any]) -> str:
    Log("debug", False).record(record)
    return capfd.readouterr().err


HOSTILE = {
    "forged": "fine\n12:00:00 error    gotask: forged",
    "carriage return": "fine\r12:00:00 error    gotask: forged",
    "colours": "\x1b[2J\x1b]0;title\x07",
    "c1": "\x9b31m",
    "direction": "abc\u202egpj.exe",
    "line separator": "a\u2028b",
    "surrogate": "\ud800",
    "zero": "\0",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("field", ["message", "logger", "level", "exception", "context", "key"])
def test_nothing_in_a_record_is_obeyed_by_a_terminal_or_looks_like_another(
    capfd: pytest.CaptureFixture[str], field: str, text: str
) -> None:
    record: dict[str, Any] = {"level": "error", "logger": "app", "message": "m"}
    if field == "context":
        record["context"] = {"a": text}
    elif field == "key":
        record["context"] = {text: 1}
    else:
        record[field] = text
    first, *others = shown(capfd, record).split("\n")[:-1]
    assert all(other.startswith("    ") for other in others)
    assert all(line.isprintable() for line in (first, *others))


def test_a_traceback_stays_readable(capfd: pytest.CaptureFixture[str]) -> None:
    exception = 'Traceback (most recent call last):\n  File "app.py", line 1, in f\n\traise\nValueError: é'
    lines = shown(capfd, {"level": "error", "message": "it failed", "exception": exception}).split("\n")
    assert lines[0].endswith("gotask: it failed")
    assert lines[1:-1] == ["    " + line for line in exception.split("\n")]


@pytest.mark.parametrize(
    "record",
    [
        {"level": ["x"], "message": None, "time": "yesterday"},
        {"level": 3, "time": 1e300, "context": "no map", "exception": 5},
        {},
    ],
    ids=str,
)
def test_a_record_that_makes_no_sense_is_written_all_the_same(
    capfd: pytest.CaptureFixture[str], record: dict[str, Any]
) -> None:
    assert "gotask: " in shown(capfd, record)


def test_of_what_workers_print_only_colours_reach_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    Log("info", False).raw(
        b"a\tb\r\n\x1b[1;31mred\x1b[0m \xc3\xa9 \xe2\x82\xac\x1b]0;title\x07\x1b[2J\xc2\x9b1m\0"
    )
    assert capfd.readouterr().err == "a\tb\r\n\x1b[1;31mred\x1b[0m é €\\x1b]0;title\\x07\\x1b[2J\\x9b1m\\x00"


def test_nor_is_what_a_worker_writes_in_halves(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log("info", False)
    for piece in (b"a\xc2", b"\x9b2Jb\xc2", b"\xa0c\x1b", b"[2J"):
        log.raw(piece)
    assert capfd.readouterr().err == "a\\x9b2Jb\xa0c\\x1b[2J"


def test_what_peers_can_cause_as_often_as_they_like_is_counted(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log("info", False)
    later: list[Callable[[], None]] = []
    log._loop = SimpleNamespace(  # type: ignore[assignment]
        call_later=lambda seconds, callback, *arguments: later.append(partial(callback, *arguments))
    )
    for number in range(1000):
        log.often("a peer was refused", f"peer {number}")
    log.often("something else", "happened")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == OFTEN + 1 and lines[0].endswith("a peer was refused: peer 0")
    assert len(later) == 2
    for callback in later:
        callback()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(f"a peer was refused: {1000 - OFTEN} more in the last 10 s, the last one: peer 999")
    log.often("a peer was refused", "once more")
    assert "once more" in capfd.readouterr().err
    for number in range(OFTEN + 5):
        log.often("a peer was refused", f"peer {number}")
    log.close()
    assert "6 more" in capfd.readouterr().err
    later[-1]()
    assert capfd.readouterr().err == ""


# -- a reader that does not read ----------------------------------------------------------------------------------------


def test_what_an_outlet_closes_is_watched_by_no_loop_any_more() -> None:
    reading, writing = os.pipe()
    loop = asyncio.new_event_loop()
    try:
        writer = NonBlockingWriter(writing, lambda pieces, size: b"")
        writer.attach(loop)
        for _ in range(200):
            writer.write(bytes(1000))
        watched = writer._fd
        assert watched in {key.fd for key in loop._selector.get_map().values()}  # type: ignore[attr-defined]
        writer.close()
        assert watched not in {key.fd for key in loop._selector.get_map().values()}  # type: ignore[attr-defined]
    finally:
        loop.close()
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_an_outlet_never_waits_and_says_what_it_dropped(kind: str) -> None:
    if kind == "pipe":
        reading, writing = os.pipe()
    elif kind == "socket":
        import socket

        reading, writing = (end.detach() for end in socket.socketpair())
    else:
        reading, writing = os.openpty()
    loop = asyncio.new_event_loop()
    try:
        writer = NonBlockingWriter(
            writing, lambda pieces, size: b"dropped %d pieces, %d bytes\n" % (pieces, size)
        )
        writer.attach(loop)
        piece = b"x" * 999 + b"\n"
        for _ in range(5000):
            writer.write(piece)
        assert os.get_blocking(writing)  # others may write there, too
        seen = bytearray()

        def read() -> None:
            seen.extend(os.read(reading, 65536).replace(b"\r", b""))
            if b"bytes\n" in seen:
                loop.stop()

        loop.add_reader(reading, read)
        loop.call_later(20, loop.stop)
        loop.run_forever()
        lines = bytes(seen).split(b"\n")[:-1]
        said = lines.pop()
        assert set(lines) == {piece[:-1]}  # whole ones
        dropped = 5000 - len(lines)
        assert said == b"dropped %d pieces, %d bytes" % (dropped, dropped * 1000) and dropped > 0
        assert MAX_BACKLOG // 1000 <= len(lines)
        writer.write(b"and on\n")
        writer.close()
        assert os.read(reading, 100).startswith(b"and on")
    finally:
        loop.close()
        os.close(reading)
        os.close(writing)


def test_the_end_waits_for_who_reads_and_for_nobody_else() -> None:
    loop = asyncio.new_event_loop()
    for is_read in (False, True):
        reading, writing = os.pipe()
        writer = NonBlockingWriter(writing, lambda pieces, size: b"")
        writer.attach(loop)
        writer.write(b"x" * 500_000)
        got: list[int] = []

        def read() -> None:
            while data := os.read(reading, 65536):
                got.append(len(data))

        thread = threading.Thread(target=read)
        if is_read:
            thread.start()
        writer.close()
        os.close(writing)
        if is_read:
            thread.join(20)
            assert sum(got) == 500_000
        os.close(reading)
    loop.close()


def test_a_broker_whose_standard_error_nobody_reads_goes_on(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/run/b.sock"
    reading, writing = os.pipe()
    main = str(PACKAGE / "gotask" / "__main__.py")
    app = tmp_path / "app.py"
    app.write_text(
        "import gotask, logging, sys\n"
        "@gotask.service\n"
        "class App:\n"
        "    def say(self, count):\n"
        "        for _ in range(count): logging.error('%s', 'x' * 900)\n"
        "        sys.stderr.write('y' * 100_000 + '\\n')\n"
        "        return count\n"
    )
    command = [sys.executable, main, str(app), "--address", address, "--workers", "1"]
    process = subprocess.Popen(command, stderr=writing)
    try:
        assert select.select([reading], [], [], 20)[0] and b"ready" in os.read(reading, 65536)
        peer = Peer(address)
        for _ in range(20):
            assert peer.call("App.say", 100) == 100
        assert os.get_blocking(writing)
        seen = bytearray()
        while b"were dropped: nobody read them" not in seen:
            assert select.select([reading], [], [], 20)[0]
            seen += os.read(reading, 65536)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)


def test_the_notice_of_dropped_records_is_a_record() -> None:
    record = json.loads(log._dropped_records(3, 100))
    assert record["level"] == "warning" and record["message"].startswith("3 log records were dropped")
