"""What a service manager, a container and their health checks need: sd_notify, `ping`, being the first process; and deploy/."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .peer import APPS, PACKAGE, BrokerProcess, Peer, free_port, gone
from .test_lifecycle import processes

MAIN = PACKAGE / "gotask" / "__main__.py"
DEPLOY = PACKAGE.parent / "deploy"
KEY = "0123456789abcdef0123456789abcdef"


def ping(address: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MAIN), "ping", "--address", address, *options],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **env},
    )


def test_ping_says_by_its_exit_code_whether_the_broker_answers(tmp_path: Path) -> None:
    network = f"tcp://127.0.0.1:{free_port()}"
    both = f"{network},unix://{tmp_path}/s"
    broker = BrokerProcess(APPS / "sync_only.py", env={"GOTASK_ADDRESS": both, "GOTASK_KEY": KEY})
    broker.wait_for("ready")
    assert ping(network, GOTASK_KEY=KEY).returncode == 0
    assert ping(both).returncode == 0  # by the Unix socket, which asks for no key
    refused = ping(network)
    assert refused.returncode == 5 and "key" in refused.stderr
    broker.end()
    ended = ping(network, GOTASK_KEY=KEY)
    assert ended.returncode == 3 and network in ended.stderr
    assert ping("nowhere").returncode == 2
    assert ping(network, "--timeout", "0").returncode == 2


def test_a_service_manager_is_told_what_becomes_of_the_broker(tmp_path: Path) -> None:
    shutil.copy(APPS / "sync_only.py", tmp_path / "app.py")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"{tmp_path}/notify")
        told.settimeout(20)

        def wait_for(state: str) -> str:
            while True:
                text = told.recv(4096).decode()
                if text.startswith(state):
                    return text

        env = {"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "200000"}
        broker = BrokerProcess(tmp_path / "app.py", address=f"unix://{tmp_path}/s", env=env)
        assert f"STATUS=ready at unix://{tmp_path}/s" in wait_for("READY=1")
        wait_for("WATCHDOG=1")
        broker.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in wait_for("RELOADING=1")
        wait_for("READY=1")
        (tmp_path / "app.py").write_text("raise OSError('broken')")
        broker.process.send_signal(signal.SIGHUP)
        wait_for("RELOADING=1")
        assert "old code goes on" in wait_for("READY=1")
        worker = processes(Peer(f"unix://{tmp_path}/s"))[1]
        environment = Path(f"/proc/{worker}/environ").read_bytes()
        assert b"NOTIFY_SOCKET" not in environment and b"WATCHDOG_USEC" not in environment
        broker.process.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        assert broker.end() == 0


def test_a_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"{tmp_path}/notify")
        told.settimeout(20)
        env = {"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
        broker = BrokerProcess(APPS / "sync_only.py", address=f"unix://{tmp_path}/s", env=env)
        broker.wait_for("ready")
        assert told.recv(4096).startswith(b"READY=1")
        broker.end()
        assert told.recv(4096).startswith(b"STOPPING=1")


def can_unshare() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0
    )


ORPHANS = """
import os, time
import gotask

class Orphans:
    def leave(self):
        if not os.fork():
            if not os.fork():
                time.sleep(0.05)
            os._exit(0)
        os.wait()

    def zombies(self):
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
        states = [open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] for pid in pids]
        return len(states), states.count("Z")

gotask.register(Orphans)
"""


@pytest.mark.skipif(not can_unshare(), reason="namespaces of processes take root")
def test_the_first_process_of_a_container_reaps_what_is_left_and_ends_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(ORPHANS)
    address = f"unix://{tmp_path}/s"
    command = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        sys.executable,
        str(MAIN),
        str(tmp_path / "app.py"),
    ]
    outside = subprocess.Popen(
        [*command, "--workers", "2", "--address", address], stderr=subprocess.PIPE, text=True
    )
    assert outside.stderr is not None
    assert "ready" in outside.stderr.readline()
    peer = Peer(address)
    status = peer.call("GoTask.Status")
    assert status["pid"] == 1
    for _ in range(5):
        peer.call("Orphans.Leave")
    until = time.monotonic() + 20
    while (counts := peer.call("Orphans.Zombies")) != [3, 0] and time.monotonic() < until:
        time.sleep(0.01)
    assert counts == [3, 0], "the broker and its two workers, none of them a zombie"
    first = int(Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
    os.kill(first, signal.SIGTERM)
    assert outside.wait(15) == 0
    assert gone([first], 20)
    outside.stderr.close()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("name", ["gotask.service", "gotask-celery.service"])
def test_the_systemd_units_are_right_and_hardened(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name
    text = (DEPLOY / "systemd" / name).read_text()
    unit.write_text(re.sub("/srv/app/.venv/bin/[a-z0-9]+", sys.executable, text))
    analyze = ["systemd-analyze", "--offline=yes"]
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert [line for line in verified.stderr.splitlines() if name in line] == []
    rated = subprocess.run(
        [*analyze, "security", "--threshold=25", str(unit)], capture_output=True, text=True
    )
    assert rated.returncode == 0, rated.stdout


def documents(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_the_kubernetes_manifest_keeps_to_what_the_broker_needs() -> None:
    service, deployment, budget = documents("kubernetes/worker.yaml")
    pod = deployment["spec"]["template"]["spec"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["clusterIP"] == "None"
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (container,) = pod["containers"]
    drain = int(container["lifecycle"]["preStop"]["exec"]["command"][1]) + 30  # --shutdown-timeout
    assert pod["terminationGracePeriodSeconds"] > drain
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] > 60  # --start-timeout
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[kind]["exec"]["command"][:2] == ["gotask", "ping"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }


def test_the_image_has_all_that_the_package_imports() -> None:
    (compose,) = documents("docker/compose.yaml")
    assert set(compose["services"]["worker"]) >= {"build", "secrets", "stop_grace_period"}
    folders = {path.parent.name for path in (PACKAGE / "gotask").glob("*/__init__.py")}
    project = (PACKAGE / "pyproject.toml").read_text()
    assert [name for name in sorted(folders) if f'"gotask.{name}"' not in project] == []


def test_compose_gives_no_secret_of_the_environment_to_a_container_that_it_can_not_write_to() -> None:
    (compose,) = documents("docker/compose.yaml")
    written = {name for name, secret in compose["secrets"].items() if "environment" in secret}
    for service in compose["services"].values():
        sources = {secret["source"] for secret in service.get("secrets", [])}
        assert not (service.get("read_only") and sources & written)


def test_nothing_is_started_as_a_module_from_a_folder_that_may_have_a_package_of_that_name() -> None:
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
        assert not [line for line in lines if re.search(r"-m\W+gotask", line)], path


def test_the_unit_of_celery_finds_the_package_beside_an_app_folder_of_its_name(tmp_path: Path) -> None:
    pytest.importorskip("celery")
    home = tmp_path / "a folder"
    (home / "gotask").mkdir(parents=True)
    (home / "gotask" / "__init__.py").touch()
    (home / "gotask" / "app.py").write_text(
        "import gotask, os\nos.write(1, f'{gotask.__file__}\\n'.encode())\n"
    )
    (home / "vendor" / "reasno" / "gotask").mkdir(parents=True)
    (home / "vendor" / "reasno" / "gotask" / "python").symlink_to(PACKAGE)
    script = home / ".venv" / "bin" / "celery"
    script.parent.mkdir(parents=True)
    script.write_text("from celery.__main__ import main\nmain()\n")
    lines = (DEPLOY / "systemd" / "gotask-celery.service").read_text().splitlines()
    env = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "PATH": os.environ["PATH"]}
    for line in lines:
        if line.startswith("Environment="):
            name, _, value = line.removeprefix("Environment=").partition("=")
            env[name] = value.replace("/srv/app", str(home))
    (start,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    program, *options = start.split(" worker")[0].split()
    command = [sys.executable, program.replace("/srv/app", str(home)), *options, "report"]
    run = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert str(PACKAGE / "gotask" / "__init__.py") == os.path.realpath(run.stdout.splitlines()[0])
