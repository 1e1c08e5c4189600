"""What a broker holds of the system: processes, descriptors, shared memory, files. Compared before and after a fault."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Descriptor(NamedTuple):
    """One of a process. Two that stand for the same thing have the same inode: mapped memory has a second one."""

    pid: int
    number: int
    what: str
    inode: int

    def __str__(self) -> str:
        try:
            size = os.stat(f"/proc/{self.pid}/fd/{self.number}").st_size
        except OSError:
            size = 0  # it is closed by now
        return f"{self.number} of {self.pid}: {self.what}, inode {self.inode}, {size} bytes"


@dataclass(frozen=True)
class Holdings:
    """Of a broker and its workers, while no call is under way."""

    descriptors: int  # of the broker
    of_workers: tuple[int, ...]
    memfds: int  # the broker's shared memory, by its descriptors
    children: int
    files: tuple[str, ...]  # in the folders of its socket and of temporary files
    opened: frozenset[Descriptor] = field(compare=False, repr=False)  # of all these processes

    def became(self, now: Holdings) -> str:
        """In words, what it holds now, and which descriptors that concerns."""
        new, gone = sorted(now.opened - self.opened), sorted(self.opened - now.opened)
        named = f"new: {'; '.join(map(str, new)) or 'none'} | gone: {'; '.join(map(str, gone)) or 'none'}"
        return f"it held {self} and now holds {now} | descriptors that are {named}"


def holdings(pid: int, *folders: Path) -> Holdings:
    below = {child: opened(child) for child in children(pid)}
    own = opened(pid)
    names = tuple(sorted(str(path.relative_to(folder)) for folder in folders for path in folder.rglob("*")))
    return Holdings(
        len(own),
        tuple(sorted(map(len, below.values()))),
        sum("memfd:gotask" in descriptor.what for descriptor in own),
        len(below),
        names,
        frozenset(own).union(*below.values()),
    )


def opened(pid: int) -> list[Descriptor]:
    """The descriptors of a process; none of one that is gone."""
    found = []
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return []
    for number in numbers:
        path = f"{folder}/{number}"
        try:
            found.append(Descriptor(pid, int(number), os.readlink(path), os.stat(path).st_ino))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def descriptors(pid: int) -> list[str]:
    """What each descriptor of a process is; none of one that is gone."""
    return [descriptor.what for descriptor in opened(pid)]


def children(pid: int) -> list[int]:
    """Its children, but those that have ended and wait to be noticed."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry))
    return found


def memory(pid: int) -> int:
    """Bytes of its own: what it shares with others, code and shared segments, is not counted."""
    try:
        text = Path(f"/proc/{pid}/statm").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(text[1]) - int(text[2])) * os.sysconf("SC_PAGE_SIZE")


def threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def eventually(ask: Callable[[], T], timeout: float = 20.0, pause: float = 0.01) -> T:
    """The answer to `ask`, asked until it is true or the time in seconds is over."""
    until = time.monotonic() + timeout
    while not (answer := ask()) and time.monotonic() < until:
        time.sleep(pause)
    return answer
