"""A long job: a folder is packed into a ZIP file. Its caller is told how far it is, and can end it at any time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import gotask


# docs: pack
def pack(folder: Path, target: Path, tell: Callable[[float, str], object]) -> dict[str, int]:
    """Packs all files below `folder`. Ended early, by whatever `tell` or a signal raises, it leaves nothing behind."""
    files = [(file, file.stat().st_size) for file in sorted(folder.rglob("*")) if file.is_file()]
    total, done = sum(size for _, size in files) or 1, 0
    unfinished = target.with_name(target.name + ".part")
    try:
        with ZipFile(unfinished, "w", ZIP_DEFLATED) as archive:
            for file, size in files:
                name = str(file.relative_to(folder))
                with file.open("rb") as source, archive.open(
                    name, "w", force_zip64=size >= 1 << 31
                ) as packed:
                    while piece := source.read(1 << 20):
                        packed.write(piece)
                        done += len(piece)
                        tell(min(1.0, done / total), name)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return {"files": len(files), "bytes": done, "packed": target.stat().st_size}


@gotask.register
def archive(folder: Path, target: Path) -> dict[str, int]:
    """The caller waits for it, and is told how far it is."""
    return pack(folder, target, gotask.current_call().progress)


# docs: end


# docs: jobs
class Stopped(Exception):
    pass


class Job:
    def __init__(self) -> None:
        self.stop = False
        self.state: dict[str, Any] = {"state": "running", "fraction": 0.0}

    def tell(self, fraction: float, text: str) -> None:
        if self.stop:
            raise Stopped
        self.state = {"state": "running", "fraction": fraction, "text": text}


@gotask.service
class Jobs:
    """Jobs that one request starts, others ask about, and any of them ends. Their calls have the job's id as their key."""

    MOST = 1000

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    async def archive(self, id: str, folder: Path, target: Path) -> None:
        """Runs until it is done; who starts it does not wait: notify()."""
        while len(self._jobs) >= self.MOST:
            del self._jobs[next(iter(self._jobs))]  # the oldest
        job = self._jobs[id] = Job()
        try:
            job.state = {"state": "done", **await asyncio.to_thread(pack, folder, target, job.tell)}
        except Stopped:
            job.state = {"state": "cancelled"}
        except BaseException as error:
            job.stop = True  # where this call was ended, its thread does not know yet
            job.state = {"state": "failed", "text": str(error) or type(error).__name__}
            raise

    async def state(self, id: str) -> dict[str, Any]:
        return self._jobs[id].state if id in self._jobs else {"state": "unknown"}

    async def cancel(self, id: str) -> None:
        if id in self._jobs:
            self._jobs[id].stop = True


# docs: end
