"""Machines for tests: network namespaces joined by a switch in this process, which can delay, lose and cut what they send.

A machine is a namespace with one interface, a TUN device, whose packets a thread here forwards. So TCP meets a real network:
what is lost is retransmitted, and a cable that is cut brings neither FIN nor RST. It takes root.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

PORT = 9630
NAME = "worker.internal"

_NET = "10.77.0."
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_numbers = count(1)


def why_not() -> str:
    """Why there can be no machines here; empty: there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    if shutil.which("ip") is None or shutil.which("nsenter") is None or not os.path.exists("/dev/net/tun"):
        return "there is no ip, nsenter or /dev/net/tun"
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "" if made.returncode == 0 else "this host lets nobody make network namespaces"


class Weather(NamedTuple):
    """What happens to a packet on its way, in one direction. Seconds."""

    delay: float = 0.0
    jitter: float = 0.0  # up to so much more; packets stay in their order
    loss: float = 0.0  # the part of them that is lost


class Machine:
    """A network namespace."""

    def __init__(self, number: int) -> None:
        self.name = f"gt{os.getpid()}n{next(_numbers)}"
        self.ip = f"{_NET}{number}"
        self.is_cut = False
        self._processes: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", self.name)
        self.tun = self.inside(_open_tun)
        _ip("-n", self.name, "addr", "add", f"{self.ip}/24", "dev", "tun0")
        _ip("-n", self.name, "link", "set", "tun0", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def inside(self, do: Callable[[], T]) -> T:
        """What `do` gives in a thread that is in there: sockets that it opens are this machine's."""
        given: list[T] = []

        def run() -> None:
            with open(f"/run/netns/{self.name}") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            given.append(do())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return given[0]

    def start(self, *command: str, resolv: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """A process on this machine. resolv: its /etc/resolv.conf."""
        whole = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        if resolv is not None:
            script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
            whole = [*whole[:2], "unshare", "--mount", "sh", "-c", script, str(resolv), *command]
        process = subprocess.Popen(whole, **options)
        self._processes.append(process)
        return process

    def connections(self) -> int:
        """That are established to PORT, as far as this machine's kernel knows."""
        command = ["nsenter", f"--net=/run/netns/{self.name}", "cat", "/proc/net/tcp"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        sockets = [line.split()[1:4:2] for line in lines[1:]]
        return sum(local.endswith(f":{PORT:04X}") and state == "01" for local, state in sockets)

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        _ip("netns", "del", self.name)


class Network:
    """Machines and the switch between them; `dns` are the addresses that NAME has."""

    def __init__(self, machines: int) -> None:
        self.weather = Weather()
        self.dns: list[str] = []
        self.lookups = 0
        self.packets = self.lost = 0
        self._random = random.Random(1)
        self._until: dict[int, float] = {}  # by descriptor: when the last packet to it leaves
        self._wake_read, self._wake_write = os.pipe()
        self.machines = [Machine(number) for number in range(1, machines + 1)]
        self._ports = {socket.inet_aton(machine.ip): machine for machine in self.machines}
        self._name_server = self.machines[0].inside(_udp_53)
        self._thread = threading.Thread(target=self._switch, daemon=True)
        self._thread.start()

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for machine in self.machines:
            machine.stop()
        os.close(self._wake_write)
        self._thread.join(5)
        self._name_server.close()
        os.close(self._wake_read)
        for machine in self.machines:
            os.close(machine.tun)

    def _switch(self) -> None:
        poll = select.epoll()
        poll.register(self._wake_read, select.EPOLLIN)
        poll.register(self._name_server, select.EPOLLIN)
        by_tun = {machine.tun: machine for machine in self.machines}
        for tun in by_tun:
            poll.register(tun, select.EPOLLIN)
        waiting: list[tuple[float, int, int, bytes]] = []  # when, number, to, packet
        numbers = count()
        while True:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(waiting)
                self._deliver(to, packet)
            pause = waiting[0][0] - now if waiting else None
            for tun, _ in poll.poll(pause):
                if tun == self._wake_read:
                    poll.close()
                    return
                if tun == self._name_server.fileno():
                    self._answer_name()
                    continue
                for packet in _read_all(tun):
                    target = self._ports.get(packet[16:20])
                    if packet[0] >> 4 != 4 or target is None:
                        continue
                    self.packets += 1
                    weather = self.weather
                    if target.is_cut or by_tun[tun].is_cut or self._random.random() < weather.loss:
                        self.lost += 1
                    elif not weather.delay:
                        self._deliver(target.tun, packet)
                    else:
                        at = time.monotonic() + weather.delay + weather.jitter * self._random.random()
                        at = self._until[target.tun] = max(at, self._until.get(target.tun, 0.0))
                        heapq.heappush(waiting, (at, next(numbers), target.tun, packet))

    def _deliver(self, tun: int, packet: bytes) -> None:
        try:
            os.write(tun, packet)
        except OSError:
            self.lost += 1  # the machine is being taken away

    def _answer_name(self) -> None:
        question, caller = self._name_server.recvfrom(512)
        self.lookups += 1
        end = question.index(b"\0", 12) + 5
        ips = self.dns if question[end - 4 : end - 2] == b"\0\1" else []
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(ips), 0, 0)
        records = [struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(ip) for ip in ips]
        self._name_server.sendto(head + question[12:end] + b"".join(records), caller)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _open_tun() -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN_NO_PI))
    return tun


def _udp_53() -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    return server


def _read_all(tun: int) -> Sequence[bytes]:
    packets = []
    for _ in range(64):
        try:
            packets.append(os.read(tun, 65536))
        except OSError:
            break
    return packets
