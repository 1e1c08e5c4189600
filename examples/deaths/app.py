"""Methods that end in ways that nobody wants."""

import ctypes
import os
import sys
import time

import gotask


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


@gotask.service
class Deaths:
    def segfault(self):
        ctypes.string_at(0)

    def leave(self, code: int):
        print("leaving without a word to anybody", file=sys.stderr, flush=True)
        os._exit(code)

    def exit(self, code: int):
        sys.exit(code)

    def recurse(self):
        return self.recurse()

    def raise_unprintable(self):
        raise Unprintable

    def allocate(self, mebibytes: int):
        blocks = []
        for _ in range(mebibytes):
            blocks.append(b"x" * (1 << 20))
        return len(blocks)

    def sleep(self, seconds: float):
        time.sleep(seconds)

    def hold_the_interpreter(self):
        return sum(range(10**13))
