"""Who may call a broker: shared keys and TLS at network addresses, users at Unix sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gotask.wire.address import is_loopback
from gotask.broker.pending_peers import MAX_LEAVING, MAX_WAITING, PendingPeers
from gotask.client.aio import AsyncClient
from gotask.client.sync import Client
from gotask.errors import ConnectFailed, GoTaskError, NotAuthorized
from gotask.wire import frames as wire
from gotask.wire.handshake import CALLER, Key
from gotask.wire.tls import Tls

from .certificates import Certificates
from .peer import APPS, PACKAGE, BrokerProcess, Peer, free_port, wait_until

KEY = "a key that is known to both"
OTHER = "a key that only one side has"

Caller = Callable[..., Any]


def call(*arguments: Any, method: str = "App.hi", payload: Any = "x", **named: Any) -> Any:
    with Client(*arguments, **named) as client:
        return client.call(method, payload)


def call_async(*arguments: Any, method: str = "App.hi", payload: Any = "x", **named: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(*arguments, **named) as client:
            return await client.call(method, payload)

    return asyncio.run(run())


callers = pytest.mark.parametrize("caller", [call, call_async], ids=["Client", "AsyncClient"])


def started(*arguments: str, address: str, env: dict[str, str] | None = None) -> BrokerProcess:
    process = BrokerProcess(APPS / "calls.py", *arguments, address=address, env=env)
    process.wait_for("ready")
    return process


def refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """What a broker says that does not start for the way it is used."""
    command = [sys.executable, str(PACKAGE / "gotask" / "__main__.py"), str(APPS / "calls.py"), *arguments]
    ended = subprocess.run(
        command, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2, ended.stderr
    return ended.stderr.splitlines()[-1]


def test_a_supervisor_is_told_what_is_wrong_and_not_how_the_command_line_is_written() -> None:
    command = [sys.executable, str(PACKAGE / "gotask" / "__main__.py"), str(APPS / "calls.py"), "--managed"]
    command += ["--address", "tcp://0.0.0.0:1"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith("python -m gotask: error: tcp://0.0.0.0:1 is open to the network")


# -- the shared key -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keyed() -> Iterator[BrokerProcess]:
    process = started(address=f"tcp://127.0.0.1:{free_port()}", env={"GOTASK_KEY": KEY})
    yield process
    assert process.end() == 0


@callers
def test_who_has_the_key_may_call(keyed: BrokerProcess, caller: Caller) -> None:
    assert caller(keyed.address, key=KEY) == {"hello": "x"}


@callers
@pytest.mark.parametrize(("key", "words"), [(OTHER, "another shared key"), (None, "asks for a shared key")])
def test_who_has_not_is_told_so_at_once(
    keyed: BrokerProcess, caller: Caller, key: str | None, words: str
) -> None:
    with pytest.raises(NotAuthorized, match=words) as caught:
        caller(keyed.address, key=key)
    assert KEY not in str(caught.value) and OTHER not in str(caught.value)
    assert keyed.logged(words)["level"] == "warning"


def test_a_plain_peer_is_told_in_its_own_way(keyed: BrokerProcess) -> None:
    assert keyed.address is not None
    plain = Peer(keyed.address, hello=False)
    assert "asks for a shared key" in plain.call("App.hi", "x")
    with pytest.raises(EOFError):
        plain.read()


@pytest.mark.parametrize(
    "calls",
    [
        [("App.hi", {})],
        [("GoTask.Status", {})],
        [("GoTask.Ping", {})],
        [("GoTask.Authenticate", {"proof": "0" * 64})],
        [("GoTask.Hello", {"protocol": 1})],
        [("GoTask.Hello", {"protocol": 1, "nonce": "00" * 32}), ("App.hi", {})],
        [("GoTask.Hello", {"protocol": 1, "nonce": "00" * 32}), ("GoTask.Authenticate", {})],
        [("GoTask.Hello", {"protocol": 1, "nonce": "00" * 32})] * 2,
        [("GoTask.Hello", [])],
    ],
    ids=str,
)
def test_nothing_is_run_before_the_proof(keyed: BrokerProcess, calls: list[tuple[str, Any]]) -> None:
    assert keyed.address is not None
    peer = Peer(keyed.address, hello=False)
    replies = [
        peer.reply(peer.send_raw(method, json.dumps(body).encode(), wire.JSON)) for method, body in calls
    ]
    assert [bool(reply.flags & wire.ERROR) for reply in replies] == [False] * (len(calls) - 1) + [True]
    with pytest.raises(EOFError):
        peer.read()


def test_a_call_sent_along_with_the_proof_is_not_run(keyed: BrokerProcess, tmp_path: Path) -> None:
    assert keyed.address is not None
    peer = Peer(keyed.address, hello=False)
    nonces = b"\1" * 32, b"\2" * 32
    peer.send_raw("GoTask.Hello", json.dumps({"nonce": nonces[0].hex()}).encode(), wire.JSON)
    peer.send_raw("GoTask.Authenticate", b'{"proof": "guessed"}', wire.JSON)
    peer.send("App.append", [str(tmp_path / "written"), "x"])
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            peer.read()
    assert not (tmp_path / "written").exists()


def test_a_proof_that_is_sent_several_times_leaves_nothing_behind() -> None:
    process = started(address=f"tcp://127.0.0.1:{free_port()}", env={"GOTASK_KEY": KEY})
    assert process.address is not None
    try:
        peer = Peer(process.address, hello=False)
        nonce = "11" * 32
        said = json.loads(peer.call_raw("GoTask.Hello", json.dumps({"nonce": nonce}).encode(), wire.JSON))
        proof = Key(KEY).proof(CALLER, bytes.fromhex(nonce), bytes.fromhex(said["nonce"]))
        body = b"GoTask.Authenticate" + json.dumps({"proof": proof}).encode()
        peer.socket.sendall(b"".join(wire.encode(wire.JSON, (sequence, 19), body) for sequence in (2, 3, 4)))
        assert b"calls came before" in peer.reply(2).payload
        with pytest.raises((EOFError, ConnectionResetError)):
            peer.read()
        with Client(process.address, key=KEY) as client:
            assert client.call("GoTask.Status")["connections"] == 1
            answers: list[Any] = []
            thread = threading.Thread(target=lambda: answers.append(client.call("App.sleep", 0.3)))
            thread.start()
            while not call(process.address, key=KEY, method="GoTask.Status", payload=None)["running"]:
                pass
            process.process.send_signal(signal.SIGTERM)
            thread.join(20)
            assert answers == [0.3]
        assert process.process.wait(20) == 0 and process.stderr() == ""
    finally:
        process.end()


@pytest.mark.parametrize("length", [15, 2**32 - 1], ids=str)
def test_a_name_longer_than_its_payload_is_no_call(keyed: BrokerProcess, length: int) -> None:
    assert keyed.address is not None
    peer = Peer(keyed.address, hello=False)
    peer.socket.sendall(wire.encode(wire.JSON, (1, length), b"GoTask.Hello{}"))
    reply = peer.reply(1)
    assert reply.flags & wire.ERROR and b"no call" in reply.payload
    with pytest.raises(EOFError):
        peer.read()


def test_a_proof_is_worth_nothing_on_another_connection(keyed: BrokerProcess) -> None:
    assert keyed.address is not None
    nonce = "11" * 32
    seen = []
    for _ in range(2):
        peer = Peer(keyed.address, hello=False)
        said = json.loads(peer.call_raw("GoTask.Hello", json.dumps({"nonce": nonce}).encode(), wire.JSON))
        proof = Key(KEY).proof(CALLER, bytes.fromhex(nonce), bytes.fromhex(said["nonce"]))
        seen.append((peer, proof))
    (first, used), (second, _) = seen
    body = json.dumps({"proof": used}).encode()
    assert b"another shared key" in second.call_raw("GoTask.Authenticate", body, wire.JSON)
    answer = json.loads(first.call_raw("GoTask.Authenticate", body, wire.JSON))
    assert set(answer) == {"proof", "signatures", "idempotent", "heartbeat"}
    assert first.call("App.hi", "x") == {"hello": "x"}


def test_a_large_frame_is_refused_before_the_proof(keyed: BrokerProcess) -> None:
    assert keyed.address is not None
    peer = Peer(keyed.address, hello=False)
    peer.socket.sendall(wire.encode_header(wire.JSON, (1, 12), 4097))
    reply = peer.reply(1)
    assert reply.flags & wire.ERROR and b"4097 bytes before it was shown" in reply.payload
    with pytest.raises(EOFError):
        peer.read()


def test_silent_peers_keep_nobody_out(keyed: BrokerProcess) -> None:
    host, _, port = str(keyed.address).removeprefix("tcp://").rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(300)]
    assert call(keyed.address, key=KEY) == {"hello": "x"}
    # The oldest had to go for it.
    silent[0].settimeout(20)
    assert silent[0].recv(1) == b""
    keyed.logged("too many peers")
    for connection in silent:
        connection.close()


def test_a_silent_peer_has_ten_seconds(keyed: BrokerProcess) -> None:
    host, _, port = str(keyed.address).removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.settimeout(60)
        assert silent.recv(1) == b""
    keyed.logged("within 10 s")


@callers
def test_a_broker_that_does_not_have_the_key_gets_no_call(caller: Caller) -> None:
    without = started(address=f"tcp://127.0.0.1:{free_port()}")
    try:
        with pytest.raises(NotAuthorized, match="can't show that it has ours"):
            caller(without.address, key=KEY)
        assert caller(without.address) == {"hello": "x"}
    finally:
        without.end()


@callers
def test_a_broker_that_only_pretends_to_have_it_gets_no_call(caller: Caller) -> None:
    """It sends back the caller's own nonce and proof, which is all that it can do."""
    frames: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def pretend() -> None:
        connected, _ = listening.accept()
        decoder = wire.Decoder()
        while data := connected.recv(65536):
            for frame in decoder.feed(data):
                assert isinstance(frame, wire.Frame)
                frames.append(frame.payload[: frame.options[1]])
                connected.sendall(bytes(frame.raw))
        connected.close()

    thread = threading.Thread(target=pretend)
    thread.start()
    with pytest.raises(NotAuthorized, match="does not have our shared key"):
        caller(f"tcp://127.0.0.1:{listening.getsockname()[1]}", key=KEY)
    thread.join(20)
    listening.close()
    assert frames == [b"GoTask.Hello", b"GoTask.Authenticate"]


def test_large_and_many_calls_pass_behind_the_gate(keyed: BrokerProcess) -> None:
    assert keyed.address is not None
    with Client(keyed.address, key=KEY) as client:
        assert client.call_many([("App.echo", index) for index in range(500)]) == list(range(500))
        body = os.urandom(1 << 20) * 8
        assert client.call("App.echo", body) == body


def test_workers_do_not_have_the_key(keyed: BrokerProcess) -> None:
    environment = call(keyed.address, key=KEY, method="App.environment", payload=None)
    assert "PATH" in environment and "GOTASK_KEY" not in environment
    assert KEY not in environment.values()


def test_a_network_address_without_anything_is_refused_and_says_what_to_do() -> None:
    for address in ("tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://[::]:1", "tcp://worker:1"):
        message = refused("--address", address)
        assert "is open to the network" in message and "--key-file" in message and "127.0.0.1" in message
    assert "GOTASK_KEY has 5 bytes" in refused("--address", "tcp://0.0.0.0:1", env={"GOTASK_KEY": "short"})
    assert "short" not in refused("--address", "tcp://0.0.0.0:1", env={"GOTASK_KEY": "short"})
    assert "needs a certificate" in refused("--address", "tls://127.0.0.1:1")
    assert "No such file" in refused("--address", "tcp://127.0.0.1:1", "--key-file", "/nowhere")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("128.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_key_file_opens_every_interface(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(KEY + "\n")
    port = free_port()
    process = started("--key-file", str(path), address=f"tcp://0.0.0.0:{port}")
    try:
        assert call(f"tcp://127.0.0.1:{port}", key=KEY) == {"hello": "x"}
        # What it is called here, and not 0.0.0.0.
        with pytest.raises(
            NotAuthorized, match=f"cannot connect to tcp://127.0.0.1:{port}: .* another shared key"
        ):
            call(f"tcp://127.0.0.1:{port}", key=OTHER)
    finally:
        process.end()


# -- TLS ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=["key", "certificates"])
def encrypted(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[BrokerProcess]:
    arguments = ["--tls-certificate", certificates.broker, "--tls-key", certificates.broker_key]
    if request.param == "certificates":
        arguments += ["--tls-ca", certificates.ca]
    env = {"GOTASK_KEY": KEY} if request.param == "key" else {}
    process = started(*arguments, address=f"tls://127.0.0.1:{free_port()}", env=env)
    yield process
    assert process.end() == 0


def credentials(process: BrokerProcess, certificates: Certificates) -> dict[str, Any]:
    tls = Tls(certificates.ca, certificates.caller, certificates.caller_key)
    try:
        call(process.address, tls=tls)
    except NotAuthorized:
        return {"key": KEY, "tls": Tls(certificates.ca)}
    return {"tls": tls}


@callers
def test_calls_pass_through_tls(encrypted: BrokerProcess, certificates: Certificates, caller: Caller) -> None:
    named = credentials(encrypted, certificates)
    assert caller(encrypted.address, **named) == {"hello": "x"}
    body = os.urandom(1 << 20) * 10
    assert caller(encrypted.address, method="App.echo", payload=body, **named) == body


def test_many_calls_pass_through_tls(encrypted: BrokerProcess, certificates: Certificates) -> None:
    assert encrypted.address is not None
    with Client(encrypted.address, **credentials(encrypted, certificates)) as client:
        bodies = [os.urandom(size) for size in (0, 1, 20_000, 70_000, 300_000)] * 30
        assert client.call_many([("App.echo", body) for body in bodies]) == bodies


@callers
def test_a_broker_without_the_right_certificate_gets_no_call(
    encrypted: BrokerProcess, certificates: Certificates, caller: Caller
) -> None:
    named = credentials(encrypted, certificates)
    for tls in (
        named["tls"]._replace(ca=certificates.other_ca),
        named["tls"]._replace(ca=None),
        named["tls"]._replace(peer_name="example.com"),
    ):
        with pytest.raises(ConnectFailed, match="(?i)certificate verify failed"):
            caller(encrypted.address, **{**named, "tls": tls})
    assert caller(encrypted.address, **{**named, "tls": named["tls"]._replace(peer_name="worker.test")}) == {
        "hello": "x"
    }


@callers
def test_a_caller_without_the_right_certificate_is_refused(
    certificates: Certificates, caller: Caller
) -> None:
    process = started(
        *("--tls-certificate", certificates.broker, "--tls-key", certificates.broker_key),
        *("--tls-ca", certificates.ca),
        address=f"tls://127.0.0.1:{free_port()}",
    )
    try:
        for tls in (
            Tls(certificates.ca),
            Tls(certificates.ca, certificates.other, certificates.other_key),
        ):
            with pytest.raises(GoTaskError):
                caller(process.address, tls=tls)
        process.logged("a peer could not connect")
    finally:
        process.end()


@callers
def test_a_caller_that_speaks_no_tls_where_the_broker_does_is_told_so(
    encrypted: BrokerProcess, caller: Caller
) -> None:
    address = str(encrypted.address).replace("tls://", "tcp://")
    for key in (KEY, None):
        with pytest.raises(NotAuthorized, match=f"{address}: .*: write tls:// instead"):
            caller(address, key=key)


@callers
def test_a_caller_that_speaks_tls_where_the_broker_does_not_is_told_so(
    keyed: BrokerProcess, certificates: Certificates, caller: Caller
) -> None:
    address = str(keyed.address).replace("tcp://", "tls://")
    with pytest.raises(ConnectFailed, match=f"{address}: .* may take no TLS: write tcp://"):
        caller(address, key=KEY, tls=Tls(certificates.ca))


def test_older_tls_is_refused(encrypted: BrokerProcess, certificates: Certificates) -> None:
    import ssl

    context = ssl.create_default_context(cafile=certificates.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, _, port = str(encrypted.address).removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port))) as connected:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connected, server_hostname=host)
    encrypted.logged("UNSUPPORTED_PROTOCOL")


@callers
def test_who_speaks_no_tls_gets_nothing(encrypted: BrokerProcess, caller: Caller) -> None:
    with pytest.raises(GoTaskError):
        caller(str(encrypted.address).replace("tls:", "tcp:"), key=KEY)
    encrypted.logged("a peer could not connect")


def test_peers_that_begin_no_handshake_keep_nobody_out(
    encrypted: BrokerProcess, certificates: Certificates
) -> None:
    host, _, port = str(encrypted.address).removeprefix("tls://").rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(300)]
    assert call(encrypted.address, **credentials(encrypted, certificates)) == {"hello": "x"}
    silent[0].settimeout(20)
    assert silent[0].recv(1) == b""
    for connection in silent:
        connection.close()


def descriptors(process: BrokerProcess) -> int:
    return len(os.listdir(f"/proc/{process.process.pid}/fd"))


def handshake(process: BrokerProcess, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A peer that comes through TLS and says nothing."""
    host, _, port = str(process.address).removeprefix("tls://").rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port))))


def test_peers_that_were_turned_away_keep_no_descriptor(certificates: Certificates) -> None:
    """Whatever they do: those that say nothing after TLS's handshake, and those that were refused and do not say goodbye."""
    process = started(
        *["--tls-certificate", certificates.broker, "--tls-key", certificates.broker_key],
        address=f"tls://127.0.0.1:{free_port()}",
        env={"GOTASK_KEY": KEY},
    )
    try:
        few = descriptors(process) + 3  # the loop opens some of its own
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        refused = [handshake(process, context) for _ in range(MAX_LEAVING + 1)]
        for peer in refused:
            peer.sendall(wire.encode(wire.RAW, (1, 6), b"App.hi"))
            assert b"asks for a shared key" in peer.recv(4096)
        # More of them than may be leaving at a time keep nobody out while they wait to be said goodbye to.
        assert call(process.address, key=KEY, tls=Tls(ca=certificates.ca)) == {"hello": "x"}
        wait_until(lambda: descriptors(process) <= few)
        silent = [handshake(process, context) for _ in range(MAX_WAITING + 40)]
        wait_until(lambda: descriptors(process) <= few + MAX_WAITING)
        assert call(process.address, key=KEY, tls=Tls(ca=certificates.ca)) == {"hello": "x"}
        for peer in (*refused, *silent):
            peer.close()
        wait_until(lambda: descriptors(process) <= few)
    finally:
        assert process.end() == 0


class Guest:
    """One whose descriptor is closed some time after it was turned away."""

    def __init__(self, pending: PendingPeers) -> None:
        self.pending = pending

    def turn_away(self, reason: str) -> None:
        self.pending.turned_away(self)


def test_whoever_has_to_go_counts_until_it_is_gone() -> None:
    pending = PendingPeers()
    guests = [Guest(pending) for _ in range(MAX_WAITING + MAX_LEAVING)]
    full = []
    for guest in guests:
        full.append(pending.is_full)
        pending.enter(guest)
    full.append(pending.is_full)
    assert full.index(True) == len(guests)
    pending.leave(guests[0])
    full.append(pending.is_full)
    assert not full[-1]
    for guest in guests:
        pending.leave(guest)
    assert not pending._waiting and not pending._leaving


def test_tls_alone_lets_nobody_in_from_the_network(certificates: Certificates) -> None:
    pair = ["--tls-certificate", certificates.broker, "--tls-key", certificates.broker_key]
    assert "is open to the network" in refused("--address", "tls://0.0.0.0:1", *pair)
    assert "can't be used" in refused("--address", "tls://127.0.0.1:1", "--tls-certificate", certificates.ca)
    assert "No such file" in refused("--address", "tls://127.0.0.1:1", "--tls-certificate", "/nowhere")


# -- users at Unix sockets ----------------------------------------------------------------------------------------------

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a caller as another user")


def call_as(uid: int, address: str) -> str:
    """The result of a call by another user, or the error."""
    program = (
        f"import os, sys; os.setgroups([]); os.setgid({uid}); os.setuid({uid})\n"
        f"from gotask.client.sync import Client\nfrom gotask.errors import GoTaskError\n"
        f"try: print(Client({address!r}).call('App.hi', 'x'))\n"
        "except GoTaskError as error: print(type(error).__name__, error)\n"
    )
    # Imported before the user changes: the package's folder may be this one's alone.
    program = "import gotask.client.sync, gotask.client.session, encodings.idna\n" + program
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE, capture_output=True, text=True, timeout=60
    )
    return ended.stdout + ended.stderr


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everybody can come to: a user's right to connect is then the socket's affair. Not below pytest's own folder,
    which each run of pytest closes to others."""
    with tempfile.TemporaryDirectory(prefix="gotask-access-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        yield path


@as_root
def test_whoever_came_by_rights_that_somebody_changed_is_told_what_lets_a_user_in(open_folder: Path) -> None:
    path = open_folder / "b.sock"
    process = started(address=f"unix://{path}")
    try:
        path.chmod(0o666)
        said = call_as(NOBODY, f"unix://{path}")
        assert said.startswith("NotAuthorized") and "GOTASK_SOCKET_GROUP" in said and "ALLOW_UIDS" not in said
    finally:
        process.end()


@as_root
def test_a_user_who_is_not_listed_is_told_so(open_folder: Path) -> None:
    path = open_folder / "b.sock"
    process = started("--socket-mode", "0666", "--allow-uids", "12345", address=f"unix://{path}")
    try:
        said = call_as(NOBODY, f"unix://{path}")
        assert said.startswith("NotAuthorized") and f"add {NOBODY} to GOTASK_ALLOW_UIDS" in said
        record = process.logged("a connection to")
        assert record["level"] == "warning" and f"user {NOBODY} of process" in record["message"]
        assert "hello" in call_as(12345, f"unix://{path}")
        assert call(f"unix://{path}") == {"hello": "x"}
    finally:
        process.end()


@as_root
def test_a_socket_that_was_opened_by_hand_lets_only_its_user_in(open_folder: Path) -> None:
    path = open_folder / "b.sock"
    process = started(address=f"unix://{path}")
    try:
        path.chmod(0o666)
        assert call_as(NOBODY, f"unix://{path}").startswith("NotAuthorized")
    finally:
        process.end()


@as_root
@pytest.mark.parametrize(
    ("arguments", "lets_in"),
    [(["--socket-mode", "0666"], True), (["--socket-group", str(NOBODY)], True), ([], False)],
    ids=["mode", "group", "neither"],
)
def test_mode_and_group_let_others_in(open_folder: Path, arguments: list[str], lets_in: bool) -> None:
    path = open_folder / "run" / "b.sock"
    process = started(*arguments, address=f"unix://{path}")
    try:
        assert ("hello" in call_as(NOBODY, f"unix://{path}")) is lets_in
        if "--socket-group" in arguments:
            assert "ConnectFailed" in call_as(12345, f"unix://{path}")
            assert [stat.S_IMODE(os.stat(each).st_mode) for each in (path.parent, path)] == [0o710, 0o660]
    finally:
        process.end()


@pytest.mark.parametrize(("neighbour", "mode"), [("b.sock.status", 0o711), ("diary", 0o700)])
def test_a_directory_is_opened_only_if_it_is_there_for_the_socket(
    tmp_path: Path, neighbour: str, mode: int
) -> None:
    folder = tmp_path / "run"
    folder.mkdir(0o700)
    (folder / neighbour).touch()
    process = started("--socket-mode", "0666", address=f"unix://{folder}/b.sock")
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == mode
    finally:
        process.end()


@as_root
def test_a_plain_peer_of_another_user_is_told_in_text(open_folder: Path) -> None:
    path = open_folder / "b.sock"
    process = started("--socket-mode", "0666", "--allow-uids", "12345", address=f"unix://{path}")
    program = (
        f"import os; os.setuid({NOBODY})\nimport socket\ns = socket.socket(socket.AF_UNIX); s.connect({str(path)!r})\n"
        f"s.sendall({wire.encode(wire.RAW, (1, 6), b'App.hi')!r}); print(s.recv(4096), s.recv(4096))\n"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert "takes no calls from the user" in ended.stdout and ended.stdout.rstrip().endswith("b''")
    finally:
        process.end()


@as_root
def test_a_refused_user_is_told_twice_and_no_more(open_folder: Path) -> None:
    path = open_folder / "b.sock"
    process = started("--socket-mode", "0666", "--allow-uids", "12345", address=f"unix://{path}")
    hello = wire.encode(wire.JSON, (1, 12), b"GoTask.Hello{}")
    program = (
        f"import os; os.setuid({NOBODY})\nimport socket\ns = socket.socket(socket.AF_UNIX); s.connect({str(path)!r})\n"
        f"s.sendall({hello!r} * 50)\nall = b''\nwhile True:\n  data = s.recv(4096)\n  all += data\n  if not data: break\n"
        "print(all.count(b'takes no calls from the user'))"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert ended.stdout == "2\n", ended.stderr
    finally:
        process.end()


def test_a_group_that_is_not_there_is_named() -> None:
    assert "there is no group 'nosuchgroup'" in refused("--socket-group", "nosuchgroup")
    assert "user ids" in refused("--allow-uids", "www-data")
