"""The fast path under mutated first messages and messages of calls: only their sender suffers, and nothing is kept."""

from __future__ import annotations

import random
import socket
import tempfile
import time
from pathlib import Path

import msgpack

from gotask.ipc.messages import FAST_BIT, SENT
from gotask.wire import frames as wire

from ..chaos.system import eventually
from ..fast import FastPeer
from ..peer import APPS, BrokerProcess
from . import remains
from .mutations import EDGES, Result, call, frame, mutated, with_checksum

WORKERS = 2

#: Clients at a time; cases between two looks at the one beside them; seconds in which that is to be answered.
CLIENTS = 4
LOOK = 20
PATIENCE = 20.0

_METHODS = (
    b"App.echo",
    b"App.hi",
    b"App.fail",
    b"App.async_echo",
    b"App.nothing",
    b"\xff",
    b"GoTask.Ping",
    b"",
)


def run(cases: int, seconds: float, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="gotask-fuzz-") as folder:
        address = f"unix://{folder}/b.sock"
        broker = BrokerProcess(APPS / "calls.py", workers=WORKERS, address=address)
        broker.wait_for("ready")
        result = _run(broker, address, cases, seconds, seed)
        result.findings.extend(remains.end(broker))
        return result


def _run(broker: BrokerProcess, address: str, cases: int, seconds: float, seed: int) -> Result:
    chance = random.Random(seed)
    folder = Path(address.partition("://")[2]).parent
    beside = FastPeer(address)
    started = eventually(lambda: bool(beside.call("GoTask.Status")["services"][0]["workers"] == WORKERS))
    assert started, "not all workers have started"
    workers = {worker["pid"] for worker in beside.call("GoTask.Status")["workers"]}
    before = remains.held(broker, beside, folder)
    findings: list[str] = []
    clients: list[_Client] = []
    until = time.monotonic() + seconds
    done = 0
    while done < cases and time.monotonic() < until and not findings:
        done += 1
        if len(clients) < CLIENTS:
            clients.append(_Client(address, chance))
        client = chance.choice(clients)
        if not client.act():
            client.close()
            clients.remove(client)
        if done % LOOK == 0:
            findings += _look(broker, beside, workers, done)
    for client in clients:
        client.close()
    if not findings:
        findings += remains.left(broker, beside, folder, before)
    beside.close()
    return Result(done, findings)


class _Client:
    """It does what comes to its mind, on both sockets, until one of them is closed."""

    def __init__(self, address: str, chance: random.Random) -> None:
        self._chance = chance
        self._peer = FastPeer(address, open=False)
        self._is_open = False

    def act(self) -> bool:
        """One more thing. False: that was its last."""
        chance, peer = self._chance, self._peer
        try:
            if not self._is_open:
                self._open()
                return True
            act = chance.random()
            if act < 0.7:
                peer.fast.send(_message(chance, peer), socket.MSG_DONTWAIT)
            elif act < 0.85:
                peer.stop(chance.choice((peer.fast_sequence, *EDGES)), chance.choice((0, 1, 2, 2, 3, 4)))
            elif act < 0.95:
                peer.receive(0.002)
            else:
                self._close_one()
            return chance.random() < 0.97
        except TimeoutError:
            return True
        except BlockingIOError:
            return chance.random() < 0.5  # it has sent more than is read
        except (OSError, EOFError, AssertionError):
            return False  # it was closed, or what came back is no frame that one expects

    def _open(self) -> None:
        """Mostly as it should be; else with another body, a token that is damaged or another's, or no token at all."""
        chance, peer = self._chance, self._peer
        if chance.random() < 0.2:
            body = chance.randbytes(chance.randint(0, 9))
            peer.send_raw("GoTask.FastPath", body, chance.choice((wire.MSGPACK, wire.JSON)))
        invitation = peer.invitation()
        if "token" not in invitation:
            raise EOFError
        if chance.random() < 0.2:
            token = bytes.fromhex(invitation["token"])
            invitation["token"] = (
                chance.choice((mutated(chance, token), token[:-1], token * 2, b"\0")).hex() or "00"
            )
        peer.fast = peer.connect(**invitation)
        self._is_open = True

    def _close_one(self) -> None:
        if self._chance.random() < 0.5:
            self._peer.fast.close()
        else:
            self._peer.socket.close()
        raise EOFError

    def close(self) -> None:
        self._peer.close()


def _message(chance: random.Random, peer: FastPeer) -> bytes:
    """Frames of calls, and foreign ones among them; half of the messages are damaged."""
    frames = []
    for _ in range(chance.randint(1, 18 if chance.random() < 0.1 else 4)):
        if chance.random() < 0.1:
            frames.append(frame(chance))
            continue
        peer.fast_sequence += 1
        sequence = peer.fast_sequence if chance.random() < 0.9 else chance.choice((*EDGES, FAST_BIT))
        value = chance.choice((1, "x", [1, {"a": None}], bytes(chance.choice((5, 20_000)))))
        timeout, flags = chance.choice((0, 0, 1, 5000, *EDGES)), chance.choice((0, 0, 0, 1, 2, 3, 4, 255))
        frames.append(
            call(sequence, chance.choice(_METHODS), msgpack.packb(value), wire.MSGPACK, timeout, flags)
        )
        if chance.random() < 0.2:
            damaged = mutated(chance, frames[-1])
            frames[-1] = with_checksum(damaged) if len(damaged) >= 12 and chance.random() < 0.7 else damaged
    sent = chance.choice((time.monotonic_ns(), time.monotonic_ns(), chance.choice(EDGES), 2**64 - 1))
    message = SENT.pack(sent) + b"".join(frames)
    return (mutated(chance, message) if chance.random() < 0.3 else message)[:200_000]


def _look(broker: BrokerProcess, beside: FastPeer, workers: set[int], number: int) -> list[str]:
    if broker.process.poll() is not None:
        return [f"the broker died at case {number}: {broker.stderr()[-2000:]}"]
    try:
        answers = beside.call_fast("App.echo", number), beside.call("App.echo", number)
        now = {worker["pid"] for worker in beside.call("GoTask.Status")["workers"]}
    except TimeoutError:
        return [f"no answer within {PATIENCE} s beside case {number}"]
    except (OSError, EOFError, AssertionError) as error:
        return [f"another client broke ({error!r}) beside case {number}"]
    if answers != (number, number):
        return [f"wrong answers {answers} beside case {number}"]
    return [] if now == workers else [f"a worker died by case {number}"]
