"""A broker with a shared key under mutated handshakes: nothing runs before the proof, and nobody stays behind."""

from __future__ import annotations

import json
import random
import socket
import tempfile
import time
from pathlib import Path

import msgpack

from gotask.client.sync import Client
from gotask.wire import frames as wire, handshake
from gotask.wire.handshake import Key

from ..chaos.system import eventually
from ..peer import APPS, BrokerProcess, free_port
from . import remains
from .mutations import Result, call, mutated, pieces, session, with_checksum

KEY = "a key for the fuzzer alone"
NONCE = bytes(range(32))

#: Cases between two looks, and seconds in which a broker that is asked beside is to answer.
LOOK = 20
PATIENCE = 20.0


def run(cases: int, seconds: float, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="gotask-fuzz-") as folder:
        port = free_port()
        address = f"tcp://127.0.0.1:{port}"
        broker = BrokerProcess(APPS / "calls.py", workers=1, address=address, env={"GOTASK_KEY": KEY})
        broker.wait_for("ready")
        result = _run(broker, port, Path(folder) / "trace", cases, seconds, seed)
        result.findings.extend(remains.end(broker))
        return result


def _run(broker: BrokerProcess, port: int, trace: Path, cases: int, seconds: float, seed: int) -> Result:
    chance = random.Random(seed)
    findings: list[str] = []
    until = time.monotonic() + seconds
    done = 0
    with Client(f"tcp://127.0.0.1:{port}", key=KEY, timeout=PATIENCE) as beside:
        while done < cases and time.monotonic() < until and not findings:
            done += 1
            _case(chance, port, trace)
            if trace.exists():
                findings.append(f"a call ran before the proof, case {done}")
            if done % LOOK == 0:
                if beside.call("App.echo", done) != done:
                    findings.append(f"a wrong answer beside case {done}")
                if not eventually(lambda: bool(beside.call("GoTask.Status")["connections"] == 1), PATIENCE):
                    findings.append(f"somebody has stayed behind, case {done}")
    return Result(done, findings)


def _case(chance: random.Random, port: int, trace: Path) -> None:
    knows_key = chance.random() < 0.5
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(PATIENCE)
        try:
            peer.sendall(call(1, b"GoTask.Hello", json.dumps({"nonce": NONCE.hex()}).encode(), wire.JSON))
            frames = session(chance)
            if knows_key:
                body = json.dumps({"proof": _proof(peer)}).encode()
                proofs = [call(number, b"GoTask.Authenticate", body, wire.JSON) for number in (2, 3, 4)]
                frames = [*proofs[: chance.randint(1, 3)], *frames[: chance.randint(0, 2)]]
            else:
                frames.insert(0, call(2, b"App.append", msgpack.packb([str(trace), "x"])))
                wrong = json.dumps({"proof": chance.choice(("", "0" * 64, None, [], "é"))}).encode()
                frames.insert(0, call(3, b"GoTask.Authenticate", wrong, wire.JSON))
            for index, frame in enumerate(frames):
                if chance.random() < 0.3:
                    frame = mutated(chance, frame)
                    frames[index] = with_checksum(frame) if len(frame) >= 12 else frame
            data = b"".join(frames)
            for part in [data] if chance.random() < 0.5 else pieces(chance, data):
                peer.sendall(part)
            if chance.random() < 0.5:
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
        except OSError:
            pass  # it has had enough


def _proof(peer: socket.socket) -> str:
    decoder = wire.Decoder()
    while True:
        for frame in decoder.feed(peer.recv(65536)):
            assert isinstance(frame, wire.Frame)
            nonce = bytes.fromhex(json.loads(frame.payload[frame.options[1] :])["nonce"])
            return Key(KEY).proof(handshake.CALLER, NONCE, nonce)
