"""The fuzzer: `python -m tests.fuzz [PART …] [--cases N] [--seconds S] [--seed N]`, in the folder python.

Ends with 1 where something crashed, hung, or was seen in two ways.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial

from .chaos.clients import php
from .fuzzing import broker, clients, fast, frames, handshake
from .fuzzing.mutations import Result

#: By name: what runs so many cases, for so many seconds at most, with a seed.
PARTS: dict[str, Callable[[int, float, int], Result]] = {
    "frames": frames.run,
    "broker": broker.run,
    "fast": fast.run,
    "handshake": handshake.run,
    "client": partial(clients.run, kind="blocking"),
    "async client": partial(clients.run, kind="async"),
    "PHP client": partial(clients.run, kind="php"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--cases", type=int, default=sys.maxsize, metavar="N", help="of each part, at most")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="for each part")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), metavar="N")
    given = parser.parse_args()
    unknown = set(given.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    print(f"seed {given.seed}")
    found = 0
    for name in given.parts or PARTS:
        if name == "PHP client" and php() is None:
            print(f"{name}: skipped, there is no php, or composer install was not run")
            continue
        began = time.monotonic()
        result = PARTS[name](given.cases, given.seconds, given.seed)
        took = time.monotonic() - began
        print(
            f"{name:14} {result.cases:>8} cases in {took:.0f} s, {len(result.findings)} findings", flush=True
        )
        for finding in result.findings[:20]:
            print(f"    {finding}")
        found += len(result.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
