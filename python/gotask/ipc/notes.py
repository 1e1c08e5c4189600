"""What a worker and the broker tell each other in shared memory, readable even after a kill -9.

The worker notes the calls that it has taken, each before anything of it is looked at. An answer that has reached the broker
makes its note void, so notes are only overwritten, never wiped. The broker notes what it wants of the worker before it
sends the signal that makes it look (see `worker.interrupts`), and which calls no worker is to begin any more (`Revocations`).
"""

from __future__ import annotations

from typing import Final

from . import gathered
from .gathered import Gathered
from .messages import MESSAGE_SIZE
from .segment import Segment

# The call of the shared queue that was begun last. An answer that has reached the broker makes this void.
_BEGUN: Final = 0
# The message of a fast socket that the worker has: whose it is (0: none), how many bytes of it lie in the inbox, and which of
# its calls is begun, counted from 0. To have noted a message is to have begun its first call.
_CLIENT: Final = 1
_SIZE: Final = 2
_PLACE: Final = 3
# What the broker asks for: to interrupt this sync call; to take no more calls.
_INTERRUPT: Final = 4
_LEAVE: Final = 5
# The async call that held the loop when the worker looked last.
_HOLDER: Final = 6
# Calls of fast sockets that it has run; with how many calls in all it is to say that it has run its number.
_CALLS: Final = 7
_LIMIT: Final = 8
# Of the last messages of fast sockets, in turn: how long the first call waited, in the upper 32 bits, and ran, in microseconds.
SAMPLES: Final = 1024
_SAMPLES: Final = 9
# One word for each async call that may run, with its number. Behind these as many words for the async calls that the broker
# asks to interrupt.
_ASYNC: Final = _SAMPLES + SAMPLES
_WORD: Final = 8

# Calls of a queue that can be revoked at a time. Far fewer ever wait in the kernel.
PLACES: Final = 4096

# Instead of the number of the call that holds the loop: the worker has not looked yet; no call holds it.
UNKNOWN: Final = 2**64 - 1
NONE: Final = 0


class WorkerNotes:
    """The notes of one worker: a sync one, with no concurrency, or one that runs up to `concurrency` async calls."""

    def __init__(self, concurrency: int, fd: int | None = None) -> None:
        size = (
            _ASYNC + 2 * concurrency + 1
        ) * _WORD  # in the last one, the last request to look that it has heeded
        self.segment = Segment(size + gathered.SIZE + MESSAGE_SIZE, fd)
        self._words = self.segment.view[:size].cast("Q")
        self.gathered = Gathered(self.segment.view[size : size + gathered.SIZE])
        self.inbox = self.segment.view[size + gathered.SIZE :]
        self._concurrency = concurrency
        self._free = list(range(_ASYNC, _ASYNC + concurrency))

    # -- the worker's part ------------------------------------------------------------------------------------------

    def take_message(self, client: int, size: int) -> None:
        """Notes the message of a fast socket that lies in the inbox, and that its first call is begun."""
        self._words[_SIZE] = size
        self._words[_PLACE] = 0
        self._words[_CLIENT] = client

    def begin_in_message(self, place: int) -> None:
        """Notes that this call of the message is begun."""
        self._words[_PLACE] = place

    def end_message(self) -> None:
        """The replies to all calls of the message are with the kernel."""
        self._words[_CLIENT] = 0

    def count(self, calls: int, waited: int, ran: int) -> None:
        """Adds calls of a message, the first of which waited and ran so many microseconds, below 2³² each."""
        words = self._words
        words[_CALLS] = total = words[_CALLS] + calls
        words[_SAMPLES + total % SAMPLES] = waited << 32 | ran

    @property
    def limit(self) -> int:
        """With so many calls in all the worker says that it has run its number; 0: it never does."""
        return self._words[_LIMIT]

    @property
    def looked(self) -> int:
        """The number of the last request to look at all sockets that the worker has heeded."""
        return self._words[-1]

    @looked.setter
    def looked(self, number: int) -> None:
        self._words[-1] = number

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
        """Asks to interrupt a call, an async one if its code holds up the loop; and which call does."""
        self._words[_INTERRUPT] = number
        self._words[_HOLDER] = UNKNOWN
        for place in range(_ASYNC, _ASYNC + self._concurrency):
            if self._words[place] == number:
                self._words[place + self._concurrency] = number

    def has_heeded(self, number: int) -> bool:
        """Whether code of that async call has been interrupted since the last interrupt()."""
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
        """The async call that held the loop when the worker looked, or NONE; UNKNOWN: not since interrupt()."""
        return self._words[_HOLDER]

    def limit_calls(self, limit: int) -> None:
        """Has the worker say when it has run so many calls in all."""
        self._words[_LIMIT] = limit

    @property
    def calls(self) -> int:
        """Calls of fast sockets that it has run."""
        return self._words[_CALLS]

    @property
    def has_message(self) -> bool:
        """Whether it runs calls of a fast socket."""
        return self._words[_CLIENT] != 0

    def samples(self) -> list[tuple[float, int]]:
        """Of its last calls of fast sockets: seconds from call to answer, and microseconds that they ran."""
        words = [word for word in self._words[_SAMPLES : _SAMPLES + SAMPLES] if word]
        return [((word >> 32) / 1e6 + (word & 0xFFFFFFFF) / 1e6, word & 0xFFFFFFFF) for word in words]

    def message(self) -> tuple[int, int, bytes] | None:
        """The message of a fast socket that the worker has: whose it is, which of its calls is begun, and its bytes."""
        client, place = self._words[_CLIENT], self._words[_PLACE]
        message = bytes(self.inbox[: min(self._words[_SIZE], MESSAGE_SIZE)])
        # A worker that goes on meanwhile wipes the first word before it takes another message.
        return (client, place, message) if client and self._words[_CLIENT] == client else None

    def begun(self) -> list[int]:
        """The calls of the shared queue that it has begun and perhaps not answered; of sync ones the last."""
        words = self._words
        return [number for number in (words[_BEGUN], *words[_ASYNC : _ASYNC + self._concurrency]) if number]

    def close(self) -> None:
        self._words.release()
        self.gathered.close()
        self.inbox.release()
        self.segment.close()


class Revocations:
    """The calls of one queue that no worker is to begin, in memory that all its workers share.

    A worker notes a call as begun, and then looks here. So where the broker has revoked a call, and finds it in no notes some
    milliseconds later, that call will not run.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.segment = Segment((PLACES + 1) * _WORD, fd)
        self._words = self.segment.view.cast("Q")
        self._outstanding: set[int] = set()

    # -- the worker's part ------------------------------------------------------------------------------------------

    def has(self, number: int) -> bool:
        words = self._words
        return words[PLACES] != 0 and words[_place(number)] == number

    # -- the broker's part ------------------------------------------------------------------------------------------

    def add(self, number: int) -> bool:
        """Has no worker begin this call. False: an outstanding one has its place, so it can't be revoked yet."""
        place = _place(number)
        other = self._words[place]
        if other != number:
            if other in self._outstanding:
                return False
            self._outstanding.add(number)
            self._words[place] = number
            self._words[PLACES] = 1
        return True

    def free(self, number: int) -> None:
        """No worker will come upon this call any more."""
        if self._outstanding:
            self._outstanding.discard(number)
            if not self._outstanding:
                self._words[PLACES] = 0

    def close(self) -> None:
        self._words.release()
        self.segment.close()


def _place(number: int) -> int:
    """Calls of one client lie side by side, those of another one elsewhere."""
    return ((number >> 32) * 2654435761 + (number & 0xFFFFFFFF)) % PLACES
