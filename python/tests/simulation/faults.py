"""Faults put back into the real code, one at a time: each is one line of one function, as it was or might be.

The simulation must find each (tests/test_simulation.py), so that it is known to look.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Fault(NamedTuple):
    """`place`: module and function. `line`: text that it has once. `instead`: what stands there with the fault.

    theme: of the worlds that are about what it needs. first: the seed that is tried first, near one that is known to show it.
    """

    theme: str
    what: str
    place: str
    line: str
    instead: str
    first: int = 1

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """AssertionError: the function has no such line any more; the fault is to be written anew."""
        module_name, _, path = self.place.partition(":")
        owner = module = importlib.import_module(module_name)
        *classes, name = path.split(".")
        for part in classes:
            owner = getattr(owner, part)
        before = vars(owner)[name]
        function = before.fget if isinstance(before, property) else before
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.line) == 1, f"{self.place} has no longer the line {self.line!r}"
        scope: dict[str, object] = {}
        exec(compile(source.replace(self.line, self.instead), self.place, "exec"), vars(module), scope)
        setattr(owner, name, scope[name])
        try:
            yield
        finally:
            setattr(owner, name, before)


_BROKER = "gotask.broker."

FAULTS = (
    Fault(
        "memory",
        "the memory of a large call that a dead caller has in the kernel is given to the next call",
        _BROKER + "group:WorkerGroup.give_up",
        "queue_of(call.number).give_up(call)\n",
        "queue_of(call.number).give_up(call)\n    call.segment and call.segment.close()\n",
    ),
    Fault(
        "memory",
        "a late large call in the kernel loses its memory when its caller is told",
        _BROKER + "group:WorkerGroup.give_up",
        "call.tell(",
        "call.segment and call.segment.close(); call.tell(",
    ),
    Fault(
        "lateness",
        "a call that was cancelled in the kernel starts all the same",
        "gotask.ipc.notes:Revocations.has",
        "words[PLACES] != 0",
        "False",
    ),
    Fault(
        "lateness",
        "a call is told to have been cancelled although a worker has just noted it",
        _BROKER + "deadlines:Deadlines._revoke",
        "stop.sure_at = now + SURE",
        "self._group.give_up(call, stop.reason)",
    ),
    Fault(
        "memory",
        "a place among the revocations is given to another call too early",
        "gotask.ipc.notes:Revocations.add",
        "if other in self._outstanding:",
        "if False:",
    ),
    Fault(
        "lateness",
        "calls count as revoked no longer once one of them is over",
        "gotask.ipc.notes:Revocations.free",
        "if not self._outstanding:",
        "if True:",
    ),
    Fault(
        "deaths",
        "a call that a killed worker had read and not noted is lost",
        _BROKER + "recovery:CrashRecovery.look",
        "if not sent:",
        "if True:",
        196,
    ),
    Fault(
        "standstill",
        "a call counts as lost with a dead worker while another one that stands still has it",
        _BROKER + "recovery:CrashRecovery._look_for_lost",
        "if holders:",
        "if False:",
        13,
    ),
    Fault(
        "deaths",
        "a call that lies in the kernel is taken for lost with a worker",
        _BROKER + "shared_queue:SharedQueue.lost",
        "if not self.kernel.is_empty:",
        "if False:",
    ),
    Fault(
        "deaths",
        "a call is run again after its worker died having begun it",
        _BROKER + "recovery:CrashRecovery._crash",
        "elif self._runtime.retry_budget.allow(call):",
        "elif True:",
    ),
    Fault(
        "deaths",
        "what a dead worker had begun is forgotten",
        _BROKER + "recovery:CrashRecovery._crash",
        "self._fail(call, WorkerCrashed(message, data))",
        "pass",
    ),
    Fault(
        "anything",
        "an answer is given twice",
        _BROKER + "shared_queue:SharedQueue.answered",
        "self.sent.pop(number, None)",
        "self.sent.get(number)",
    ),
    Fault(
        "deaths",
        "a call that a worker has given back runs although it has its outcome",
        _BROKER + "shared_queue:SharedQueue.returned",
        "elif call.is_wanted:",
        "elif True:",
    ),
    Fault(
        "deaths",
        "calls are taken back from the kernel and stay there as well",
        _BROKER + "shared_queue:SharedQueue.recall",
        "self.kernel.clear()",
        "pass",
    ),
    Fault(
        "fast",
        "a call with a large number is taken for one of the fast path",
        _BROKER + "replies:Replies._answered",
        "number >> FAST_SHIFT",
        "number >> 32",
    ),
    Fault(
        "keys",
        "calls with a key that a dead worker had not begun are forgotten",
        _BROKER + "keyed:GroupQueues.remove",
        "queue.recall()",
        "pass",
    ),
    Fault(
        "keys",
        "calls with a key that a leaving worker has received go to another worker, too",
        _BROKER + "shared_queue:SharedQueue.take_back",
        "for number in self.kernel.clear()]",
        "for number in (self.kernel.clear(), *self.sent)[1:]]",
    ),
    Fault(
        "keys",
        "calls of the shared queue count as lost once a worker has begun a later one of its own",
        _BROKER + "shared_queue:SharedQueue.lost",
        "if not number & 1",
        "if True",
        258,
    ),
    Fault(
        "fast",
        "replies that a worker had gathered are lost with it",
        _BROKER + "fastpath:FastPath.settle",
        "self.frames(client, notes.gathered.read())",
        "pass",
        369,
    ),
    Fault(
        "fast",
        "a call that was given back runs all the same, as the workers of the next generation do not know that",
        _BROKER + "fastpath:FastPath.serve",
        "for number in self._stopped:",
        "for number in ():",
        83,
    ),
    Fault(
        "fast",
        "the broker is believed before the fast socket was read",
        "tests.simulation.clients:Client._read",
        "said = self._drain_fast()",
        "said: list[str] = []",
    ),
    Fault(
        "fast",
        "a call is given back that a worker has begun",
        _BROKER + "fastpath:FastPath.find",
        "if number not in methods:",
        "if True:",
    ),
    Fault(
        "fast",
        "a call that was let go as begun, and that its worker found revoked, is forgotten",
        _BROKER + "fastpath:FastPath.returned",
        "self.answered(number)",
        "self.answered(number) if number in self._stopped else self._free(number)",
        345,
    ),
    Fault(
        "fast",
        "a revoked call that no worker comes upon any more keeps its place",
        _BROKER + "fastpath:FastPath.give_up",
        "elif not self._looking:",
        "elif False:",
    ),
    Fault(
        "fast",
        "a call of the fast path that killed its worker is forgotten",
        _BROKER + "fastpath:FastPath.settle",
        "crash(call, report, reason)",
        "pass",
    ),
    Fault(
        "reloads",
        "a reload forgets the calls that wait",
        _BROKER + "generations:Generations._ready",
        "self._runtime.resubmit(call)",
        "pass",
    ),
    Fault(
        "reloads",
        "calls that come back to a group which drains are forgotten",
        _BROKER + "group:WorkerGroup._hand_over",
        "self._runtime.resubmit(call)",
        "pass",
    ),
    Fault(
        "lateness",
        "a worker is killed for a call that has ended",
        _BROKER + "process:WorkerProcess.kill_if_running",
        "if self._group.call_of(number) is None:",
        "if False:",
    ),
    Fault(
        "lateness",
        "an answer that comes as its call is given up stops the ending of all others",
        _BROKER + "deadlines:Deadlines._revoke",
        "self._stops.pop(call.number, None)",
        "del self._stops[call.number]",
        30,
    ),
    Fault(
        "lateness",
        "an answer that has come counts for less than a revocation",
        _BROKER + "deadlines:Deadlines._revoke",
        "self._group.read_answers()",
        "pass",
    ),
    Fault(
        "deaths",
        "a worker's last answers are not read when it has died",
        _BROKER + "process:WorkerProcess.look_for_end",
        "self.read_all()",
        "pass",
    ),
    Fault(
        "starts",
        "notifications that wait are lost without a word when no worker can be started",
        _BROKER + "group:WorkerGroup.refuse_waiting",
        "self._runtime.lost(call, error.message)",
        "pass",
    ),
    Fault(
        "starts",
        "a generation whose groups could not be made never ends",
        _BROKER + "generation:Generation.loaded",
        "if not self._decided:",
        "if True:",
    ),
    Fault(
        "anything",
        "a caller that reads again is not served any more",
        _BROKER + "connection:Connection._drain",
        "self._broker.generations.release(self)",
        "pass",
    ),
    Fault(
        "deaths",
        "a call that was made again after a crash is said not to have run",
        _BROKER + "call:Call.not_run",
        "if self.attempts",
        "if False",
        41,
    ),
    Fault(
        "anything",
        "a full kernel is waited for and then forgotten",
        _BROKER + "shared_queue:SharedQueue._has_room",
        "self._blocked = False",
        "pass",
    ),
    Fault(
        "lateness",
        "a call whose time is over waits for ever for a worker that does not end it",
        _BROKER + "deadlines:Deadlines._advance",
        "elif now >= stop.kill_at:",
        "elif False:",
    ),
    Fault(
        "lateness",
        "late calls in the queue are not seen",
        _BROKER + "group:WorkerGroup.late",
        "queue.waiting.expired(now)",
        "()",
    ),
)
