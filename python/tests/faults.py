"""The fault suite: `python -m tests.faults [--only TEXT] [--markdown FILE]`, in the folder python.

Breaks a broker under load in every way it knows, and prints what each has cost. Ends with 1 where a call was lost, ran twice
or got a wrong answer, where capacity did not come back, or where something was left behind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .chaos.clients import php
from .chaos.faults import GROUPS, Group, mount, unmount
from .chaos.pairs import KINDS, play
from .chaos.scene import Row, Scene

COLUMNS = ("fault", "calls", "errors", "wrong answers", "executed twice", "recovery")


class Skipped(Exception):
    """Why a group can't be run here."""


def run(group: Group, folder: Path, only: str = "", pause: float = 0.0) -> Iterator[Row]:
    """A row for each fault of the group, and one for what is left behind in the end, if anything is."""
    faults = [fault for fault in group.faults if only in fault.name]
    if not faults:
        return
    disk = folder / "run"
    if group.small_disk:
        disk.mkdir()
        reason = mount(disk)
        if reason:
            raise Skipped(reason)
    try:
        scene = Scene(folder, group.proxied, arguments=group.arguments, pause=pause)
        try:
            for fault in faults:
                yield scene.perform(fault.name, fault.inject, fault.errors)
        finally:
            problems = scene.close()
        if problems:
            yield Row(f"{group.name}: what is left behind", 0, Counter(), 0, 0, 0.0, problems)
    finally:
        if group.small_disk:
            unmount(disk)


def cells(row: Row) -> tuple[str, ...]:
    errors = ", ".join(f"{count} {code}" for code, count in sorted(row.errors.items())) or "0"
    recovery = f"{row.recovery * 1000:.0f} ms"
    return row.fault, str(row.calls), errors, str(row.wrong), str(row.twice), recovery


def markdown(rows: Iterable[Row]) -> str:
    lines = [COLUMNS, ("---", "--:", "---", "--:", "--:", "--:"), *map(cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has this in it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there, too")
    given = parser.parse_args()
    if php() is None:
        print("without the PHP client: there is no php, or composer install was not run")
    rows = []
    for group in GROUPS:
        with tempfile.TemporaryDirectory(prefix="gotask-faults-") as folder:
            try:
                for row in run(group, Path(folder), given.only):
                    rows.append(row)
                    name, calls, errors, wrong, twice, recovery = cells(row)
                    print(
                        f"{name:48} {calls:>6} calls  {wrong} wrong  {twice} twice  {recovery:>8}  errors: {errors}",
                        flush=True,
                    )
                    for problem in row.problems:
                        print(f"    PROBLEM: {problem}", flush=True)
            except Skipped as reason:
                print(f"skipped {group.name}: {reason}")
    for kind in KINDS if not given.only else ():
        with tempfile.TemporaryDirectory(prefix="gotask-faults-") as folder:
            found = play(Path(folder), kind)
        rows.append(
            Row(f"each event in each state: {kind.name}", 0, Counter(), 0, 0, 0.0, list(found.values()))
        )
        print(f"{rows[-1].fault:72} {len(found)} with problems", flush=True)
        for pair, problem in found.items():
            print(f"    PROBLEM: {pair}: {problem}", flush=True)
    if given.markdown is not None:
        given.markdown.write_text(markdown(row for row in rows if row.calls))
    failed = sum(bool(row.problems) for row in rows)
    print(f"{len(rows)} faults, {sum(row.calls for row in rows)} calls, {failed} with problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
