"""The broker's socket under mutated sessions: it lives, answers others, hangs nowhere, and keeps nothing."""

from __future__ import annotations

import random
import select
import socket
import tempfile
import time
from pathlib import Path

from ..chaos.system import eventually
from ..peer import APPS, BrokerProcess, Peer
from . import remains
from .mutations import Result, mutated, pieces, session, with_checksum

#: Seconds in which a peer beside it is to be answered.
PATIENCE = 20.0

WORKERS = 2

#: Cases between two looks at the peer beside it.
LOOK = 20

#: Seconds that answers are waited for before the connection is closed.
READ = 0.003


def run(cases: int, seconds: float, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="gotask-fuzz-") as folder:
        address = f"unix://{folder}/b.sock"
        options = ("--max-payload", "100000", "--idle-time", "0.5", "--shutdown-timeout", "1")
        broker = BrokerProcess(APPS / "calls.py", *options, workers=WORKERS, address=address)
        broker.wait_for("ready")
        result = _run(broker, address, cases, seconds, seed)
        result.findings.extend(remains.end(broker))
        return result


def _run(broker: BrokerProcess, address: str, cases: int, seconds: float, seed: int) -> Result:
    chance = random.Random(seed)
    path = address.partition("://")[2]
    folder = Path(path).parent
    beside = Peer(address)
    beside.socket.settimeout(PATIENCE)
    beside.call("App.echo", 0)
    workers = eventually(lambda: bool(beside.call("GoTask.Status")["services"][0]["workers"] == WORKERS))
    assert workers, "not all workers have started"
    before = remains.held(broker, beside, folder)
    findings: list[str] = []
    until = time.monotonic() + seconds
    done = 0
    while done < cases and time.monotonic() < until and not findings:
        done += 1
        data = _case(chance)
        _send(path, pieces(chance, data), chance)
        if done % LOOK == 0:
            findings += _look(broker, beside, done, data)
    if not findings:
        findings += remains.left(broker, beside, folder, before)
    beside.close()
    return Result(done, findings)


def _case(chance: random.Random) -> bytes:
    frames = session(chance)
    for index, frame in enumerate(frames):
        if chance.random() < 0.4:
            frame = mutated(chance, frame)
            # Mostly the header is accepted, so that what is behind it is looked at.
            frames[index] = with_checksum(frame) if len(frame) >= 12 and chance.random() < 0.7 else frame
    if chance.random() < 0.1:
        chance.shuffle(frames)
    return b"".join(frames)


def _send(path: str, parts: list[bytes], chance: random.Random) -> None:
    """Some of those that send such things read the answers, some leave at once."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        for part in parts:
            connection.sendall(part)
        while chance.random() < 0.9 and select.select([connection], [], [], READ)[0]:
            if not connection.recv(65536):
                break
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has had enough
    finally:
        connection.close()


def _look(broker: BrokerProcess, beside: Peer, number: int, data: bytes) -> list[str]:
    case = f"case {number}, the last one {data[:300].hex()}"
    try:
        if beside.call("App.echo", number) != number or beside.call("App.async_echo", number) != number:
            return [f"a wrong answer beside {case}"]
    except TimeoutError:
        return [f"no answer within {PATIENCE} s beside {case}"]
    except (OSError, EOFError) as error:
        return [f"another connection broke ({error!r}) beside {case}"]
    if broker.process.poll() is not None:
        return [f"the broker died of {case}: {broker.stderr()[-2000:]}"]
    return []
