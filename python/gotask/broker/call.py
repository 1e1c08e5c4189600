"""A call's life. Whatever changes where a call is, or what its caller knows of it, stands in this file.

Two things are true of a call at any time, and each has its table.

Where it is:

    RECEIVED   in no queue: its frame has just come, or it was taken out of one
    QUEUED     it waits in the broker's queue
    SENT       its message is with the kernel or with a worker, which may begin it at any time, or has
    STOPPING   the same, and it is to end: its time is over, or nobody wants it any more
    REVOKED    the same, and it is certain that no worker will begin it; it has its outcome
    ENDED      no queue and no worker has it, and its memory is free

What its caller knows:

    WAITING    nothing yet
    ACCEPTED   that it was taken, which is all that the caller of a notification wants to know
    TOLD       its outcome, and there is only one
    LEFT       nothing any more: it has cancelled the call, or is gone

A call runs at most once: only one that is certainly with no worker (RECEIVED) is sent. One that a worker has begun comes back
there only where that worker is dead and the method may run again. A call keeps its number, and a large payload's memory, until
nobody can look at them any more, whatever its caller knows.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar, Final, Protocol

from ..errors import Cancelled, GoTaskError
from ..ipc.segment import Segment
from ..wire.frames import WANTS_ITEMS, Buffer, Frame
from .access import Credentials
from .counts import MethodCounts
from .exchange import Exchange


RECEIVED: Final = "received"
QUEUED: Final = "queued"
SENT: Final = "sent"
STOPPING: Final = "stopping"
REVOKED: Final = "revoked"
ENDED: Final = "ended"

MOVES: Final = {
    RECEIVED: (QUEUED, SENT, ENDED),
    QUEUED: (RECEIVED,),
    # A worker that does not begin a call gives it back, also one that is to end. A call whose worker is dead may be made again.
    SENT: (STOPPING, RECEIVED, ENDED),
    STOPPING: (REVOKED, RECEIVED, ENDED),
    REVOKED: (ENDED,),
    ENDED: (),
}

WAITING: Final = "waiting"
ACCEPTED: Final = "accepted"
TOLD: Final = "told"
LEFT: Final = "left"

OUTCOMES: Final = {WAITING: (ACCEPTED, TOLD, LEFT), ACCEPTED: (), TOLD: (), LEFT: ()}


class IllegalMove(AssertionError):
    """A fault of the broker's own: a call would be in two places, run twice, or have two outcomes."""


class Caller(Protocol):
    """What a call knows of the connection that it came from."""

    structured: bool  # it understands structured errors
    timed: bool  # it is told how long methods took
    fast: int  # the number of its client's fast socket; 0: it has none

    def hello(self, body: Any) -> None:
        """The call was GoTask.Hello, with that body."""

    def queued(self, calls: int, size: int) -> None:
        """So many more calls and bytes wait for a worker, or fewer."""

    def answer(self, call: Call, frame: Buffer, segment: Segment | None = None) -> bool:
        """Sends the reply. False: nobody waits for it any more, and `segment` stays the broker's to close."""

    def tell(self, call: Call, error: GoTaskError) -> None:
        """Sends an error, unless nobody waits for it any more."""

    @property
    def credentials(self) -> Credentials | None:
        """Of the process at the other end of a Unix socket."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""

    def message(self, call: Call, frame: Buffer, segment: Segment | None = None) -> None:
        """Sends a message within the call, which waits for its outcome; an error instead where too much is unread."""

    def expect(self, call: Call) -> None:
        """A call that came by the fast path may be answered here."""

    def expected(self, sequence: int) -> Call | None:
        """The call of that sequence that waits for its outcome here."""

    def forget(self, call: Call) -> None:
        """Nothing more is said of a call that came by the fast path."""

    def give_back(self, call: Call) -> None:
        """A call that came by the fast path has not run, and its client sends it again."""

    def pass_on(self, frames: bytes) -> None:
        """Sends whole frames."""

    def flush(self) -> None:
        """Writes what was gathered."""


class Destination(Protocol):
    """What a call knows of the group of workers that it goes to."""

    def submit(self, call: Call) -> bool:
        """Queues the call, or sends it. False: the queue is full. Unavailable: no worker can be started."""

    def requeue(self, call: Call) -> None:
        """Queues a call that was taken before, whatever the limits say."""

    def cancel(self, call: Call) -> None:
        """Ends a call whose time is over, or that nobody waits for any more."""


class Route:
    """Where the calls of a method go, and what holds for them."""

    __slots__ = ("group", "timeout", "idempotent", "counts")

    def __init__(self, group: Destination, timeout: float, idempotent: bool, counts: MethodCounts) -> None:
        self.group = group
        self.timeout = timeout  # seconds, 0.0: none
        self.idempotent = idempotent
        self.counts = counts


class Call:
    """One call. `number`: of its message, once it was sent; another one each time. Times are seconds of time.monotonic()."""

    __slots__ = (
        "owner",
        "sequence",
        "method",
        "frame",
        "segment",
        "size",
        "deadline",
        "arrived",
        "number",
        "route",
        "attempts",
        "state",
        "outcome",
        "exchange",
        "counts",
    )

    key: ClassVar[int] = 0  # only a KeyedCall has one

    def __init__(
        self,
        owner: Caller,
        sequence: int,
        method: bytes,
        frame: Frame,
        segment: Segment | None,
        deadline: float,
        arrived: float,
    ) -> None:
        self.owner = owner
        self.sequence = sequence
        self.method = method
        self.frame = frame
        self.segment = segment
        self.size = len(frame.raw)
        self.deadline = deadline  # 0.0 for none
        self.arrived = arrived
        self.number = 0
        self.route: Route | None = None  # where it goes, once that is known
        self.attempts = 0  # how often it was begun and lost with its worker
        self.state = RECEIVED
        self.outcome = WAITING
        self.exchange: Exchange | None = None  # once its worker has sent a message
        self.counts: MethodCounts | None = None  # where it is to be counted; None: not here, or it has been

    @property
    def body_at(self) -> int:
        """Where its body begins in the frame: behind the method's name, and the headers where it has some."""
        options = self.frame.options
        return self.frame.start + len(self.method) + (options[4] if len(options) > 4 else 0)

    @property
    def not_run(self) -> str:
        """In words, that its method has not begun since it was sent last."""
        return "it has not run again, after its worker died with it" if self.attempts else "it has not run"

    @property
    def name(self) -> str:
        """Its method, as the caller wrote it."""
        return self.method.decode("utf-8", "replace")

    @property
    def is_stream(self) -> bool:
        """Whether its caller reads elements, without whom nothing of it is worth going on."""
        return len(self.frame.options) >= 4 and bool(self.frame.options[3] & WANTS_ITEMS)

    # -- where it is --------------------------------------------------------------------------------------------------

    def move(self, state: str) -> None:
        """The only way from one place to another."""
        if state not in MOVES[self.state]:
            raise IllegalMove(f"call {self.sequence} of {self.name} is {self.state} and can't become {state}")
        self.state = state

    def lose(self) -> None:
        """It was lost with the worker that had begun it, and is made again."""
        self.move(RECEIVED)
        self.attempts += 1

    def end(self) -> None:
        """Nobody has it any more: a large payload's memory may be used for another call."""
        self.move(ENDED)
        if self.counts is not None:
            self.count(Cancelled("nobody waited for it any more"))
        if self.segment is not None:
            self.segment.close()
            self.take_segment()

    def take_segment(self) -> Segment | None:
        """A large payload's memory, which is the call's no longer: who keeps the call from now on keeps no view of it, since
        a view keeps the memory, and a descriptor of it, also where the segment has been freed."""
        segment, self.segment = self.segment, None
        if segment is not None:
            self.frame.raw = b""
        return segment

    # -- what its caller knows ----------------------------------------------------------------------------------------

    def conclude(self, outcome: str) -> None:
        """The only way to an outcome."""
        if outcome not in OUTCOMES[self.outcome]:
            raise IllegalMove(f"call {self.sequence} of {self.name} has {self.outcome}, not also {outcome}")
        self.outcome = outcome

    @property
    def is_notification(self) -> bool:
        """Whether its caller has been told that it was accepted, and waits no longer."""
        return self.outcome is ACCEPTED

    @property
    def is_wanted(self) -> bool:
        """Whether it is still to run: somebody waits for its outcome, or it was accepted."""
        return self.outcome is WAITING or self.outcome is ACCEPTED

    # -- both ---------------------------------------------------------------------------------------------------------

    def fail(self, error: GoTaskError) -> None:
        """Ends it with an error."""
        self.count(error)
        self.end()
        self.owner.tell(self, error)

    def tell(self, error: GoTaskError) -> None:
        """Tells its caller an error; whoever has it may come upon it yet."""
        self.count(error)
        self.owner.tell(self, error)

    def count(self, error: GoTaskError) -> None:
        """Counts it as one that has failed, once."""
        counts, self.counts = self.counts, None
        if counts is not None:
            counts.failed(error, time.monotonic() - self.arrived)


class KeyedCall(Call):
    """One that goes to the same worker as others with its key."""

    __slots__ = ("key",)

    key: int  # type: ignore[misc]  # of the class of all others it is an attribute
