"""All kinds of Python clients in one process.

`python -m tests.chaos.caller ADDRESS NAME TIMEOUT SLEEP PAUSE [rough]`; rough: also one whose calls are meant to fail.
It ends when its standard input does. What becomes of its calls it says on standard output; it remembers none of them.
"""

from __future__ import annotations

import json
import sys
import threading

from .calls import Book, answer
from .clients import Caller
from .load import KINDS
from .rough import Rough


# Until 3.12.4 Python's text streams lose their count of what threads write at the same time, and write what lies in memory.
_speaking = threading.Lock()


class Spoken(Book):
    def begin(self, token: str) -> None:
        say(token, "begun")

    def end(self, token: str, code: str, message: str = "") -> None:
        say(token, code, message)

    def returned(self, token: str, body: bytes, times: int, value: object) -> None:
        say(token, "ok" if value == answer(token, body, times) else "wrong")


def say(token: str, event: str, message: str = "") -> None:
    line = json.dumps({"token": token, "event": event, "message": message})
    with _speaking:
        sys.stdout.write(line + "\n")


def main() -> int:
    address, name = sys.argv[1:3]
    timeout, sleep, pause = map(float, sys.argv[3:6])
    book = Spoken()
    kinds: list[type[Caller]] = [*KINDS, Rough] if "rough" in sys.argv[6:] else [*KINDS]
    callers = [kind(f"{name}-{kind.__name__}", address, book, timeout, sleep, pause) for kind in kinds]
    sys.stdin.read()
    for caller in callers:
        caller.stop()
    for caller in callers:
        caller.join()
    if book.twice or book.wrong:
        print(book.twice, book.wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
