"""bench/run: measures everything that this machine has the peers for, and writes it down."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from . import machine
from .context import ROOT, Context, running
from .processes import Failed
from .report import Report
from .rows import bulk, curves, mongodb, pinned, plain, startup, streams, tables, web, work

PARTS: dict[str, Callable[[Context, Report], None]] = {
    "hyperf": web.hyperf,
    "swoole": web.swoole,
    "plain": plain.measure,
    "pinned": pinned.measure,
    "workers": plain.workers,
    "work": work.measure,
    "quick": work.quick,
    "waiting": work.waiting,
    "bulk": bulk.measure,
    "tables": tables.measure,
    "streams": streams.measure,
    "start": startup.measure,
    "throughput": curves.throughput,
    "latency": curves.latency,
    "sizes": curves.sizes,
    "scaling": work.scaling,
    "mongodb": mongodb.measure,
}


def main() -> int:
    options = parse()
    with running(options.rounds, options.seconds) as context:
        report = Report(machine.describe(context), skipped=context.skipped)
        for name, part in PARTS.items():
            if not options.only or name in options.only:
                try:
                    part(context, report)
                except Failed as failed:
                    context.skip(name, str(failed))
    report.write(options.output)
    if options.docs:
        report.insert(ROOT / "docs/performance.md", "bench/run", "performance/")
        report.draw(ROOT / "docs/performance")
        (ROOT / "docs/performance/results.json").write_text(report.json(runs=False))
    print(report.markdown())
    print(f"written to {options.output}", file=sys.stderr)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures what calls cost, beside what else could be used."
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="NAME", default=[], help="of " + ", ".join(PARTS)
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="how often each is measured; at least 5 for a spread (default: 5)",
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement (default: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="a look whether all works: the figures mean little"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "runtime/bench",
        help="a folder for what is written (default: runtime/bench)",
    )
    parser.add_argument(
        "--docs", action="store_true", help="also into docs/performance.md and docs/performance/"
    )
    options = parser.parse_args()
    if options.rounds < 1 or not 0.01 <= options.seconds <= 60:
        parser.error("--rounds must be at least 1, --seconds from 0.01 to 60")
    if options.quick:
        options.rounds, options.seconds = 2, 0.1
    return options
