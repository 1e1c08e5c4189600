"""What a worker and the broker tell each other in shared memory, readable even after a kill -9.

The worker notes the calls that it has taken, each before anything of it is looked at. An answer that has reached the broker
makes its note void, so notes are only overwritten, never wiped. The broker notes what it wants of the worker before it
sends the signal that makes it look (see `worker.interrupts`), and which calls no worker is to begin any more (`Revocations`).
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Any, Final

from . import counters, gathered
from .counters import Counters
from .gathered import Gathered
from .messages import MESSAGE_SIZE
from .segment import Segment

# The call of the shared queue that was begun last, and behind it that of the worker's own queue, whose numbers are odd. An
# answer that has reached the broker makes this void.
_BEGUN: Final = 0
# The message of a fast socket that the worker has (0: none): whose it is, in the upper 32 bits; how many bytes of it lie in the
# inbox, in the next 17; which of its calls is begun, counted from 0. To have noted a message is to have begun its first call.
MESSAGE: Final = 2
SIZE_SHIFT: Final = 15
# What the broker asks for: to interrupt this sync call; to take no more calls.
_INTERRUPT: Final = 3
LEAVING: Final = 4
# The async call that held the loop when the worker looked last; of a sync worker, that it has looked.
_HOLDER: Final = 5
# Calls of fast sockets that it has run; with how many calls in all it is to say that it has run its number.
CALLS: Final = 6
LIMIT: Final = 7
# When the calls of the queues were begun, as _BEGUN has them: nanoseconds of CLOCK_MONOTONIC. Written before their numbers.
_BEGUN_AT: Final = 8
# One word for each async call that may run, with its number. Behind these as many words for the async calls that the broker
# asks to interrupt, and as many for when the calls were begun.
_ASYNC: Final = 10
_WORD: Final = 8

# Calls of a queue that can be revoked at a time. Far fewer ever wait in the kernel.
PLACES: Final = 4096

# Instead of the number of the call that holds the loop: the worker has not looked yet; no call holds it.
UNKNOWN: Final = 2**64 - 1
NONE: Final = 0


class WorkerNotes:
    """The notes of one worker: a sync one, with no concurrency, or one that runs up to `concurrency` async calls.

    A sync worker writes those about fast sockets into `words` itself: as few instructions as that takes.
    """

    def __init__(self, concurrency: int, fd: int | None = None) -> None:
        words = _ASYNC + 3 * concurrency + 1  # in the last one, the last request to look that it has heeded
        size = words * _WORD
        inbox_at = size + gathered.SIZE
        counters_at = inbox_at + -(-MESSAGE_SIZE // _WORD) * _WORD
        self.segment = Segment(counters_at + counters.SIZE, fd)
        self.words = self.segment.view[:size].cast("Q")
        self.gathered = Gathered(self.segment.view[size:inbox_at])
        self.counters = Counters(self.segment.view, counters_at)
        self.inbox_at = inbox_at
        self.inbox = self.segment.view[inbox_at:counters_at]
        self.memory: Any = self.segment.view.obj
        self._concurrency = concurrency
        self._free = list(range(_ASYNC, _ASYNC + concurrency))

    # -- the worker's part ------------------------------------------------------------------------------------------

    @property
    def looked(self) -> int:
        """The number of the last request to look at all sockets that the worker has heeded."""
        return self.words[-1]

    @looked.setter
    def looked(self, number: int) -> None:
        self.words[-1] = number

    def begin(self, number: int) -> None:
        """Notes that the sync call is begun: from here on it never runs again."""
        self.words[_BEGUN_AT + (number & 1)] = monotonic_ns()
        self.words[_BEGUN + (number & 1)] = number

    def take(self, number: int) -> int:
        """Notes an async call; returns the slot to give back. IndexError: more are running than `concurrency`."""
        slot = self._free.pop()
        self.words[slot + 2 * self._concurrency] = monotonic_ns()
        self.words[slot] = number
        return slot

    def give_back(self, slot: int) -> None:
        """The call's answer is on its way."""
        self._free.append(slot)

    def hold(self, number: int) -> None:
        """Notes which async call holds the loop now, or NONE."""
        self.words[_HOLDER] = number

    def is_unwanted(self, number: int) -> bool:
        """Whether the broker asks to interrupt that sync call."""
        return self.words[_INTERRUPT] == number

    def is_unwanted_async(self, number: int) -> bool:
        """Whether the broker asks to interrupt that async call. True once for each time it asks."""
        for place in range(_ASYNC + self._concurrency, _ASYNC + 2 * self._concurrency):
            if self.words[place] == number:
                self.words[place] = 0
                return True
        return False

    @property
    def leaving(self) -> bool:
        return self.words[LEAVING] != 0

    # -- the broker's part ------------------------------------------------------------------------------------------

    def interrupt(self, number: int) -> None:
        """Asks to interrupt a call, an async one if its code holds up the loop; and which call does."""
        self.words[_INTERRUPT] = number
        self.words[_HOLDER] = UNKNOWN
        for place in range(_ASYNC, _ASYNC + self._concurrency):
            if self.words[place] == number:
                self.words[place + self._concurrency] = number

    def has_heeded(self, number: int) -> bool:
        """Whether code of that async call has been interrupted since the last interrupt()."""
        words = self.words
        return any(
            words[place] == number and words[place + self._concurrency] != number
            for place in range(_ASYNC, _ASYNC + self._concurrency)
        )

    def leave(self) -> None:
        """Asks the worker to end."""
        self.words[LEAVING] = 1

    @property
    def holder(self) -> int:
        """The async call that held the loop when the worker looked, or NONE; UNKNOWN: not since interrupt()."""
        return self.words[_HOLDER]

    def limit_calls(self, limit: int) -> None:
        """Has the worker say when it has run so many calls in all."""
        self.words[LIMIT] = limit

    @property
    def calls(self) -> int:
        """Calls of fast sockets that it has run."""
        return self.words[CALLS]

    @property
    def has_message(self) -> bool:
        """Whether it runs calls of a fast socket."""
        return self.words[MESSAGE] != 0

    def message(self) -> tuple[int, int, bytes] | None:
        """The message of a fast socket that the worker has: whose it is, which of its calls is begun, and its bytes."""
        noted, calls = self.words[MESSAGE], self.words[CALLS]
        client, place = noted >> 32, noted & (1 << SIZE_SHIFT) - 1
        message = bytes(self.inbox[: min((noted & 0xFFFFFFFF) >> SIZE_SHIFT, MESSAGE_SIZE)])
        # A worker that goes on meanwhile counts its calls and wipes this word before it takes another message.
        return (
            (client, place, message)
            if client and self.words[MESSAGE] and self.words[CALLS] == calls
            else None
        )

    def begun(self) -> list[int]:
        """The calls of queues that it has begun and perhaps not answered; of sync ones the last of each queue."""
        words = self.words
        noted = (*words[_BEGUN:MESSAGE], *words[_ASYNC : _ASYNC + self._concurrency])
        return [number for number in noted if number]

    def begun_at(self) -> list[tuple[int, float]]:
        """The same, each with when it was begun, in seconds of time.monotonic()."""
        words = self.words
        begun, times = [*words[_BEGUN:MESSAGE]], [*words[_BEGUN_AT:_ASYNC]]
        if self._concurrency:
            begun += words[_ASYNC : _ASYNC + self._concurrency]
            times += words[_ASYNC + 2 * self._concurrency : _ASYNC + 3 * self._concurrency]
        return [(number, at / 1e9) for number, at in zip(begun, times) if number]

    def close(self) -> None:
        self.words.release()
        self.gathered.close()
        self.counters.close()
        self.inbox.release()
        self.segment.close()


class Revocations:
    """The calls of one queue that no worker is to begin, in memory that all its workers share.

    A worker notes a call as begun, and then looks here. So where the broker has revoked a call, and finds it in no notes some
    milliseconds later, that call will not run. `words[PLACES]` is 0 while none is revoked.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.segment = Segment((PLACES + 1) * _WORD, fd)
        self.words = self.segment.view.cast("Q")
        self._outstanding: set[int] = set()

    # -- the worker's part ------------------------------------------------------------------------------------------

    def has(self, number: int) -> bool:
        words = self.words
        return words[PLACES] != 0 and words[_place(number)] == number

    # -- the broker's part ------------------------------------------------------------------------------------------

    def add(self, number: int) -> bool:
        """Has no worker begin this call. False: an outstanding one has its place, so it can't be revoked yet."""
        place = _place(number)
        other = self.words[place]
        if other != number:
            if other in self._outstanding:
                return False
            self._outstanding.add(number)
            self.words[place] = number
            self.words[PLACES] = 1
        return True

    def free(self, number: int) -> None:
        """No worker will come upon this call any more."""
        if self._outstanding:
            self._outstanding.discard(number)
            if not self._outstanding:
                self.words[PLACES] = 0

    def close(self) -> None:
        self.words.release()
        self.segment.close()


def _place(number: int) -> int:
    """Calls of one client lie side by side, those of another one elsewhere."""
    return ((number >> 32) * 2654435761 + (number & 0xFFFFFFFF)) % PLACES
