"""Replies that a worker gathers, to send them together, in memory that the broker can read, too.

It does when the worker does not get to send them: one of the quick calls that share a message takes long for once, or kills
the worker.
"""

from __future__ import annotations

from typing import Final

from ..wire.frames import LARGE

# Its turn, which goes up each time that what was gathered has been sent; and the bytes gathered in this turn.
_TURN: Final = 0
_END: Final = 1
_HEAD: Final = 16

# Bytes of frames: what a client receives as one message. The kernel cuts off what is beyond.
_ROOM: Final = LARGE

SIZE: Final = _HEAD + _ROOM


class Gathered:
    """Whole frames, one after the other. What the broker reads may be sent too: a call is answered once."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._words = memory[:_HEAD].cast("Q")
        self._frames = memory[_HEAD:]
        self._length = 0

    # -- the worker's part ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._length

    def add(self, frame: bytes) -> bool:
        """False: there is no room for it. There is when nothing else is there, unless it is large."""
        end = self._length + len(frame)
        if end > _ROOM:
            return False
        self._frames[self._length : end] = frame
        # Only now: what lies before the end is whole and stays as it is until the next turn.
        self._words[_END] = self._length = end
        return True

    @property
    def frames(self) -> memoryview:
        """What is to be sent, and then to be cleared."""
        return self._frames[: self._length]

    def clear(self) -> None:
        self._words[_TURN] += 1
        self._words[_END] = self._length = 0

    # -- the broker's part ------------------------------------------------------------------------------------------

    def read(self) -> bytes:
        """What is there; empty where the worker sends it at this moment."""
        turn, end = self._words[_TURN], self._words[_END]
        frames = bytes(self._frames[: min(end, _ROOM)])
        return frames if self._words[_TURN] == turn else b""

    def close(self) -> None:
        self._words.release()
        self._frames.release()
        self._memory.release()
