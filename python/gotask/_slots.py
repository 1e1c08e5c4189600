"""What a worker and the broker tell each other in shared memory, readable even after a kill -9.

The worker notes the calls that it has taken, each before anything of it is looked at. An answer that has reached the broker
makes its note void, so notes are only overwritten, never wiped. The broker notes what it wants of the worker before it
sends the signal that makes it look (see `_interrupts`).
"""

from __future__ import annotations

from . import _gathered
from ._gathered import Gathered
from ._memory import Segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Sync calls: the one begun last; and of the message that held several, the first and the last.
_BEGUN: Final = 0
_FIRST: Final = 1
_LAST: Final = 2
# What the broker wants: this call to be interrupted; the worker to end, once it has answered what it has.
_INTERRUPT: Final = 3
_LEAVE: Final = 4
# The async call that held the loop when the worker looked last.
_HOLDER: Final = 5
# Up to here the broker wants calls back that were not begun.
_REVOKED: Final = 6
_ASYNC: Final = 7
_WORD: Final = 8

# In place of a call that holds the loop: the worker has not looked; it has, and none did.
UNKNOWN: Final = 2**64 - 1
NONE: Final = 0


class Slots:
    """The notes of one worker that runs one sync call, or up to `concurrency` async ones."""

    def __init__(self, concurrency: int, path: str | None = None, fd: int | None = None) -> None:
        size = (_ASYNC + concurrency) * _WORD
        self.segment = Segment(size + _gathered.SIZE, fd=fd, path=path)
        self._words = self.segment.view[:size].cast("Q")
        self.gathered = Gathered(self.segment.view[size:])
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

    def begin_of_many(self, number: int) -> bool:
        """The same for a call of a message with several. False: the broker wants it back, and all behind it."""
        self._words[_BEGUN] = number
        return self._words[_REVOKED] < number

    @property
    def interrupted(self) -> int:
        """The call that the broker wants to be interrupted; 0 before it ever did."""
        return self._words[_INTERRUPT]

    @property
    def leaving(self) -> bool:
        return self._words[_LEAVE] != 0

    # -- the broker's part ------------------------------------------------------------------------------------------

    def interrupt(self, number: int) -> None:
        """Wants a call to be interrupted."""
        self._words[_HOLDER] = UNKNOWN
        self._words[_INTERRUPT] = number

    def revoke(self, last: int) -> None:
        """Wants back what is not begun of the message whose last call that is."""
        self._words[_REVOKED] = last

    def leave(self) -> None:
        """Wants the worker to end."""
        self._words[_LEAVE] = 1

    @property
    def holder(self) -> int:
        """The async call that held the loop when the worker looked, or NONE; UNKNOWN: it has not looked since interrupt()."""
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
        return [number for number in self._words[_ASYNC:] if number]

    def close(self) -> None:
        self._words.release()
        self.gathered.close()
        self.segment.close()
