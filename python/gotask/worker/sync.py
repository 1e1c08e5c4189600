"""Runs the calls of a message to a sync worker, one after the other."""

from __future__ import annotations

import os
import time
from typing import Final

from ..app.context import Job
from ..app.runner import Runner
from ..ipc.messages import ENTRY, QUICK, SHARED
from ..ipc.notes import Revocations, WorkerNotes
from ..wire.frames import Buffer
from .channel import Channel, NoRoom
from .jobs import NoPayload, make_job, parse_job

# Seconds that a reply waits for others at most, while the calls of a message run.
GATHER_TIME: Final = 0.0003


class Worker:
    """Runs sync calls one at a time, in the order in which the kernel hands them out."""

    def __init__(self, channel: Channel, notes: WorkerNotes, revoked: Revocations, runner: Runner) -> None:
        self._channel = channel
        self._notes = notes
        self._revoked = revoked
        self._runner = runner
        self._took: dict[bytes, float] = {}  # seconds that the last call of a method took

    def run(self, message: bytes, fd: int) -> None:
        """Runs the calls of one message; `fd`: the descriptor that came with it, or -1.

        Replies are gathered, for GATHER_TIME at most and while the methods are quick, which is: the last call took less than
        QUICK seconds. What was slow for once is sent at once, with what was gathered before it.
        """
        number, deadline, size, flags = ENTRY.unpack_from(message)
        if ENTRY.size + size == len(message) or flags & SHARED:
            self._notes.begin(number)
            if self._revoked.has(number):
                if fd >= 0:
                    os.close(fd)
                self._channel.returned(number)
                return
            if flags & SHARED:
                try:
                    job = parse_job(message, 0, fd)
                except NoPayload as error:
                    self._channel.refused(number, error)
                    return
            else:
                job = make_job(number, deadline, flags, message, ENTRY.size, size, None)
            began = time.monotonic()
            reply = self._answer(job, began)
            took = time.monotonic() - began
            try:
                self._channel.reply(job, reply, took)
            except NoRoom as full:
                self._channel.reply(job, self._runner.lost(job, str(full)), took)
            return
        offsets = _entries(message)
        self._notes.message(number, number + len(offsets) - 1)
        sent = now = time.monotonic()
        for offset in offsets:
            job = parse_job(message, offset, -1)
            if self._took.get(job.method, QUICK) >= QUICK:
                self._channel.flush()
            self._notes.begin(job.number)
            if self._revoked.has(job.number):
                self._channel.flush()
                self._channel.returned(job.number)
                continue
            reply = self._answer(job, now)
            began, now = now, time.monotonic()
            self._took[job.method] = took = now - began
            try:
                self._channel.gather(job, reply, took)
            except NoRoom as full:
                self._channel.gather(job, self._runner.lost(job, str(full)), took)
            if took >= QUICK or now - sent >= GATHER_TIME:
                self._channel.flush()
                sent = now
        self._channel.flush()

    def _answer(self, job: Job, now: float) -> list[Buffer]:
        if job.deadline and job.deadline <= now:
            return self._runner.expired(job)
        return self._runner.run(job)


def _entries(message: bytes) -> list[int]:
    offsets = []
    offset, end = 0, len(message)
    while offset < end:
        offsets.append(offset)
        offset += ENTRY.size + int(ENTRY.unpack_from(message, offset)[2])
    return offsets
