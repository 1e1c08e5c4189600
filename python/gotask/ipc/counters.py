"""What a worker counts of the calls of fast sockets, in memory that the broker reads, also after a kill -9.

Each method has a row, and in it a cell for each pair of how long a call waited and how long it ran, both as powers of two of a
microsecond. A cell has its calls and their sums, so to count a call is to write one cell. Only those that occur take memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import sub
from struct import Struct
from typing import Any, Final

from ..errors import BY_CODE, RemoteError

# Methods that have a row of their own; the others share the first one. The longest name has 255 bytes.
ROWS: Final = 256
_NAME: Final = 256
# Cells of all rows together. With none left, calls are counted in the nearest one of their row.
CELLS: Final = 8192

# How many bits of microseconds there can be, of times that have 64 bits, and 0.
BITS: Final = 65
# No count comes near it: a worker's code has written over its memory, which is to do no harm in the broker.
_GARBAGE: Final = 1 << 56

CODES: Final = (RemoteError.code, *sorted(BY_CODE))

# How many rows and cells are in use; the names; of each row the calls that were not begun, and errors by code; the cells.
_HEAD: Final = 16
_ERRORS_AT: Final = _HEAD + ROWS * _NAME
_ERRORS: Final = 1 + len(CODES)
_NO_ERRORS: Final = (0,) * _ERRORS
_CELLS_AT: Final = _ERRORS_AT + ROWS * _ERRORS * 8
# A cell: row and times; the number of its last call, calls, nanoseconds that they ran, and waited, bytes received, and sent.
_CELL: Final = Struct("7Q")
# Bytes of some cells that are compared at a time: most workers and most cells have counted nothing since the last look.
_LOOK: Final = 16 * _CELL.size
SIZE: Final = _CELLS_AT + CELLS * _CELL.size

# What of a cell changes. It is copied to its place: pack_into() would wipe the place first, and who reads meanwhile, or after a
# kill -9, would find nothing there.
packed: Final = Struct("6Q").pack


class Cell:
    """The calls of one method that took about as long. place: of what changes, in the memory as a whole."""

    __slots__ = ("place", "calls", "ran", "waited", "received", "sent")

    def __init__(self, place: slice) -> None:
        self.place = place
        self.calls = self.ran = self.waited = self.received = self.sent = 0


class Row:
    """One method's cells, by run << 8 | wait: the bits of both times in microseconds."""

    __slots__ = ("index", "cells")

    def __init__(self, index: int) -> None:
        self.index = index
        self.cells: dict[int, Cell] = {}


class Counters:
    """Of one worker, who alone writes. They lie in `memory` from `at` on."""

    def __init__(self, memory: memoryview, at: int = 0) -> None:
        self.memory = memory[at : at + SIZE]
        self._whole: Any = memory.obj  # a part of it is overwritten in half the time
        self._at = at
        self._words = self.memory.cast("Q")
        self._rows: dict[bytes, Row] = {}
        self._seen = b""  # the cells, as they were when the broker looked last
        self._seen_errors: dict[int, tuple[int, ...]] = {}  # by row

    # -- the worker's part ------------------------------------------------------------------------------------------

    def row(self, name: str) -> Row:
        """That of a method."""
        key = name.encode()
        row = self._rows.get(key)
        if row is None:
            index = len(self._rows) + 1
            if index >= ROWS:
                return self._rows.setdefault(b"", Row(0))
            row = self._rows[key] = Row(index)
            at = _HEAD + index * _NAME
            self.memory[at : at + 1 + len(key)] = bytes((len(key),)) + key
            self._words[0] = index + 1
        return row

    def cell(self, row: Row, key: int) -> Cell:
        """That of calls which took so long, where it is not among the row's cells yet."""
        used = self._words[1]
        if row.cells and used >= CELLS - ROWS:  # what is left is for rows that have none
            found = row.cells[min(row.cells, key=lambda other: abs(other - key))]
        else:
            at = _CELLS_AT + used * _CELL.size
            _CELL.pack_into(self.memory, at, row.index << 16 | key, 0, 0, 0, 0, 0, 0)
            self._words[1] = used + 1
            found = Cell(slice(self._at + at + 8, self._at + at + _CELL.size))
        row.cells[key] = found
        return found

    def add(self, row: Row, number: int, ran: int, waited: int, received: int, sent: int) -> None:
        """Counts the call of that number: nanoseconds and bytes. A call that succeeds passes through a copy of this."""
        key = (ran // 1000).bit_length() << 8 | (waited // 1000).bit_length()
        cell = row.cells.get(key) or self.cell(row, key)
        cell.calls += 1
        cell.ran += ran
        cell.waited += waited
        cell.received += received
        cell.sent += sent
        self._whole[cell.place] = packed(number, cell.calls, cell.ran, cell.waited, cell.received, cell.sent)

    def failed(self, row: Row, code: str) -> None:
        """A call has failed, which is counted otherwise, too."""
        self._words[_ERRORS_AT // 8 + row.index * _ERRORS + 1 + CODES.index(code)] += 1

    def not_begun(self, row: Row, code: str) -> None:
        """A call has failed, and its method has not begun."""
        self._words[_ERRORS_AT // 8 + row.index * _ERRORS] += 1
        self.failed(row, code)

    # -- the broker's part ------------------------------------------------------------------------------------------

    def cells(self) -> Iterator[tuple[str, int, int, tuple[int, ...]]]:
        """What was counted since this was asked last, by cells: a method's name, which is empty for those that share a row; the
        bits of the microseconds that a call ran, and waited; and of all these calls together their number, nanoseconds that
        they ran, and waited, bytes received, and sent."""
        cells, seen = bytes(self._cells()), self._seen
        names = self._names()  # after the cells: a worker names a row before it counts anything in it
        self._seen = cells
        for at in range(0, len(cells), _LOOK):
            part, before = cells[at : at + _LOOK], seen[at : at + _LOOK]
            if part == before:
                continue
            old = _CELL.iter_unpack(before.ljust(len(part), b"\0"))
            for (key, _, *counts), (_, _, *counted) in zip(_CELL.iter_unpack(part), old):
                new = tuple(map(sub, counts, counted))
                row, run, wait = key >> 16, key >> 8 & 0xFF, key & 0xFF
                if any(new) and row < len(names) and max(run, wait) < BITS:
                    if min(new) >= 0 and max(counts) < _GARBAGE:
                        yield names[row], run, wait, new

    def has_counted(self, number: int) -> bool:
        """Whether the last call of any cell has that number: the last call that was counted at all is one of these."""
        return any(last == number for _, last, *_ in _CELL.iter_unpack(self._cells()))

    def errors(self) -> Iterator[tuple[str, int, dict[str, int]]]:
        """The same of each method: how many calls were not begun, and the errors by code."""
        for index, name in enumerate(self._names()):
            at = _ERRORS_AT // 8 + index * _ERRORS
            counts, counted = tuple(self._words[at : at + _ERRORS]), self._seen_errors.get(index, _NO_ERRORS)
            if counts != counted:
                self._seen_errors[index] = counts
                not_begun, *errors = map(sub, counts, counted)
                if min(not_begun, *errors) >= 0 and max(counts) < _GARBAGE:
                    yield name, not_begun, {code: count for code, count in zip(CODES, errors) if count}

    def _cells(self) -> memoryview:
        return self.memory[_CELLS_AT : _CELLS_AT + min(self._words[1], CELLS) * _CELL.size]

    def _names(self) -> list[str]:
        names = [""]
        for index in range(1, min(self._words[0], ROWS)):
            at = _HEAD + index * _NAME
            names.append(bytes(self.memory[at + 1 : at + 1 + self.memory[at]]).decode("utf-8", "replace"))
        return names

    def close(self) -> None:
        self._words.release()
        self.memory.release()
