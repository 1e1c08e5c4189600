"""What a worker notes in memory shared with the broker: the calls that it has taken, readable after a kill -9.

A call is noted before anything of it is looked at. An answer that has reached the broker makes its note void, so
notes are only overwritten, never wiped.
"""

from __future__ import annotations


from ._memory import Segment

# Sync calls: the one begun last; and of the message that held several, the first and the last.
_BEGUN, _FIRST, _LAST = 0, 1, 2
_ASYNC = 3
_WORD = 8


class Slots:
    """The notes of one worker that runs one sync call, or up to `concurrency` async ones."""

    def __init__(self, concurrency: int, path: str | None = None, fd: int | None = None) -> None:
        self.segment = Segment((_ASYNC + concurrency) * _WORD, fd=fd, path=path)
        self._words = self.segment.view.cast("Q")
        self._free = list(range(_ASYNC, _ASYNC + concurrency))

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
        self.segment.close()
