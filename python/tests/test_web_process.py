"""The page's process beside a broker: it starts and ends with it, and nothing that becomes of it disturbs calls."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .certificates import Certificates
from .peer import APPS, PACKAGE, BrokerProcess, Peer, free_port, gone, serving

KEY = "a key that nobody can guess"


def page(broker: BrokerProcess) -> str:
    """Where its page is now."""
    broker.logged("the page is at ")
    told = [record["message"] for record in broker.records if "the page is at " in record.get("message", "")]
    return str(told[-1].rpartition(" ")[2])


def get(address: str, authorization: str = "", context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(
        address, headers={"Authorization": authorization} if authorization else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def process(broker: BrokerProcess) -> int:
    """That serves the page."""
    pid = broker.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"--web-process" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("there is none")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    yield from serving(tmp_path_factory.mktemp("web"), APPS / "calls.py", "--web", "tcp://127.0.0.1:0")


def test_it_shows_what_the_broker_says(broker: BrokerProcess) -> None:
    address = page(broker)
    status = json.loads(get(address + "status")[1])
    assert status["pid"] == broker.process.pid and status["workers"]
    assert b"gotask_up 1.0" in get(address + "metrics")[1]
    assert isinstance(json.loads(get(address + "failures")[1]), list)
    assert b"<title>GoTask</title>" in get(address)[1]
    # The key is not among what it was started with.
    assert b"GOTASK_KEY" not in Path(f"/proc/{process(broker)}/environ").read_bytes()


def test_a_reload_does_not_disturb_it(broker: BrokerProcess) -> None:
    before = process(broker)
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_for("reloaded")
    assert process(broker) == before and get(page(broker) + "status")[0] == 200


def test_signals_to_all_processes_of_a_service_are_the_brokers(broker: BrokerProcess) -> None:
    before = process(broker)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(before, number)
    assert get(page(broker) + "status")[0] == 200 and process(broker) == before


def test_when_it_dies_calls_go_on_and_it_is_started_again(broker: BrokerProcess) -> None:
    old, address = process(broker), page(broker)
    broker.records.clear()
    os.kill(old, signal.SIGKILL)
    assert (
        "(signal 9): it is started again in 1 s" in broker.logged("the page's process has ended")["message"]
    )
    assert Peer(str(broker.address)).call("GoTask.Ping", 7) == 7
    assert page(broker) != address and get(page(broker) + "status")[0] == 200
    assert process(broker) != old


def test_an_address_that_is_taken_keeps_nothing_from_serving(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        broker = BrokerProcess(APPS / "calls.py", "--web", address, address=f"unix://{tmp_path}/b.sock")
        broker.wait_for("ready")
        record = broker.logged("the page can't be at ")
        assert record["level"] == "error" and f"{address}: Address already in use" in record["message"]
        assert Peer(str(broker.address)).call("GoTask.Ping", 7) == 7
    assert page(broker)
    # However the broker ends, it ends, too.
    pid = process(broker)
    broker.end(signal.SIGKILL)
    assert gone([pid], 20)


def test_it_ends_with_its_standard_input_also_where_no_signal_tells_of_the_broker(tmp_path: Path) -> None:
    settings = {
        "address": "tcp://127.0.0.1:0",
        "broker": f"unix://{tmp_path}/b.sock",
        "key": None,
        "tls": [None] * 4,
        "parent": os.getpid(),
    }
    records, its_records = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with records, its_records:
        alone = subprocess.Popen(
            [
                sys.executable,
                str(PACKAGE / "gotask" / "__main__.py"),
                "--web-process",
                str(its_records.fileno()),
            ],
            stdin=subprocess.PIPE,
            pass_fds=[its_records.fileno()],
        )
        assert alone.stdin is not None
        alone.stdin.write(json.dumps(settings).encode() + b"\n")
        alone.stdin.flush()
        records.settimeout(20)
        address = json.loads(records.recv(4096))["message"].rpartition(" ")[2]
        assert get(address + "status")[0] == 503
        alone.stdin.close()
        assert alone.wait(10) == 0


def test_with_a_key_and_tls_of_the_brokers(tmp_path: Path) -> None:
    files = Certificates(tmp_path)
    address = f"tls://127.0.0.1:{free_port()}"
    broker = BrokerProcess(
        APPS / "calls.py",
        # A certificate of another name: the page's process knows the broker by the file.
        *("--tls-certificate", files.caller, "--tls-key", files.caller_key, "--tls-ca", files.ca),
        *("--web", "tls://127.0.0.1:0"),
        address=address,
        env={"GOTASK_KEY": KEY},
    )
    broker.wait_for("ready")
    context = ssl.create_default_context(cafile=files.ca)
    context.check_hostname = False
    assert get(page(broker), context=context)[0] == 401
    basic = "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()
    assert get(page(broker) + "status", basic, context)[0] == 200
    pid = process(broker)
    assert broker.end() == 0
    assert gone([pid], 20)
