"""What a worker and the broker tell each other in shared memory, readable even after a kill -9.

The worker notes the calls that it has taken, each before anything of it is looked at. An answer that has reached the broker
makes its note void, so notes are only overwritten, never wiped. The broker notes what it wants of the worker before it
sends the signal that makes it look (see `worker.interrupts`), and which calls no worker is to begin any more (`Revocations`).
"""

from __future__ import annotations

from typing import Final

from . import gathered
from .gathered import Gathered
from .segment import Segment

# Sync calls: the one that was begun last; the first and the last one of the message that held several.
_BEGUN: Final = 0
_FIRST: Final = 1
_LAST: Final = 2
# What the broker asks for: to interrupt this sync call; to end once all that was taken is answered.
_INTERRUPT: Final = 3
_LEAVE: Final = 4
# The async call that held the loop when the worker looked last.
_HOLDER: Final = 5
# One word for each async call that may run, with its number. Behind these as many words for the async calls that the broker
# asks to interrupt.
_ASYNC: Final = 6
_WORD: Final = 8

# Calls of a queue that can be revoked at a time. Far fewer ever wait in the kernel.
PLACES: Final = 4096

# Instead of the number of the call that holds the loop: the worker has not looked yet; no call holds it.
UNKNOWN: Final = 2**64 - 1
NONE: Final = 0


class WorkerNotes:
    """The notes of one worker: a sync one, with no concurrency, or one that runs up to `concurrency` async calls."""

    def __init__(self, concurrency: int, fd: int | None = None) -> None:
        size = (_ASYNC + 2 * concurrency) * _WORD
        self.segment = Segment(size + gathered.SIZE, fd)
        self._words = self.segment.view[:size].cast("Q")
        self.gathered = Gathered(self.segment.view[size:])
        self._concurrency = concurrency
        self._free = list(range(_ASYNC, _ASYNC + concurrency))

    # -- the worker's part ------------------------------------------------------------------------------------------

    def message(self, first: int, last: int) -> None:
        """Notes a message of several calls, which this worker begins one after the other."""
        self._words[_FIRST] = first
        self._words[_LAST] = last

    def begin(self, number: int) -> None:
        """Notes that the sync call is begun: from here on it never runs again."""
        self._words[_BEGUN] = number

    def take(self, number: int) -> int:
        """Notes an async call; returns the slot to give back. IndexError: more are running than `concurrency`."""
        slot = self._free.pop()
        self._words[slot] = number
        return slot

    def give_back(self, slot: int) -> None:
        """The call's answer is on its way."""
        self._free.append(slot)

    def hold(self, number: int) -> None:
        """Notes which async call holds the loop now, or NONE."""
        self._words[_HOLDER] = number

    def is_unwanted(self, number: int) -> bool:
        """Whether the broker asks to interrupt that sync call."""
        return self._words[_INTERRUPT] == number

    def is_unwanted_async(self, number: int) -> bool:
        """Whether the broker asks to interrupt that async call. True once for each time it asks."""
        for place in range(_ASYNC + self._concurrency, _ASYNC + 2 * self._concurrency):
            if self._words[place] == number:
                self._words[place] = 0
                return True
        return False

    @property
    def leaving(self) -> bool:
        return self._words[_LEAVE] != 0

    # -- the broker's part ------------------------------------------------------------------------------------------

    def interrupt(self, number: int) -> None:
        """Asks to interrupt a sync call."""
        self._words[_INTERRUPT] = number

    def interrupt_async(self, number: int) -> None:
        """Asks to interrupt an async call if its code holds up the loop, and which call does."""
        self._words[_HOLDER] = UNKNOWN
        for place in range(_ASYNC, _ASYNC + self._concurrency):
            if self._words[place] == number:
                self._words[place + self._concurrency] = number

    def has_heeded(self, number: int) -> bool:
        """Whether code of that async call has been interrupted since the last interrupt_async()."""
        words = self._words
        return any(
            words[place] == number and words[place + self._concurrency] != number
            for place in range(_ASYNC, _ASYNC + self._concurrency)
        )

    def leave(self) -> None:
        """Asks the worker to end."""
        self._words[_LEAVE] = 1

    @property
    def holder(self) -> int:
        """The async call that held the loop when the worker looked, or NONE; UNKNOWN: not since interrupt_async()."""
        return self._words[_HOLDER]

    @property
    def begun(self) -> int:
        """The sync call begun last; 0 before the first one."""
        return self._words[_BEGUN]

    def begun_sync(self) -> list[int]:
        """Sync calls that it has begun and perhaps not answered."""
        begun, first, last = self._words[_BEGUN], self._words[_FIRST], self._words[_LAST]
        if first <= begun <= last:
            return list(range(first, begun + 1))
        return [begun] if begun else []

    def waiting_sync(self) -> list[int]:
        """Sync calls that it has taken and not begun."""
        begun, first, last = self._words[_BEGUN], self._words[_FIRST], self._words[_LAST]
        return list(range(max(first, begun + 1), last + 1)) if first else []

    def running_async(self) -> list[int]:
        """Async calls that it has taken and perhaps not answered."""
        return [number for number in self._words[_ASYNC : _ASYNC + self._concurrency] if number]

    def close(self) -> None:
        self._words.release()
        self.gathered.close()
        self.segment.close()


class Revocations:
    """The calls of one queue that no worker is to begin, in memory that all its workers share.

    A worker notes a call as begun, and then looks here. So where the broker has revoked a call, and finds it in no notes some
    milliseconds later, that call will not run.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.segment = Segment(PLACES * _WORD, fd)
        self._words = self.segment.view.cast("Q")

    def has(self, number: int) -> bool:
        return self._words[number % PLACES] == number

    def add(self, number: int) -> None:
        self._words[number % PLACES] = number

    def in_place_of(self, number: int) -> int:
        """The call in the place of this one, that was revoked last; 0: none."""
        return self._words[number % PLACES]

    def close(self) -> None:
        self._words.release()
        self.segment.close()
