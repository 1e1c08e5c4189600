"""bench/simulate: measures what calls cost, simulates with that, and lays measured points beside it."""

import argparse
import json
from pathlib import Path

from suite import machine
from suite.context import ROOT, running
from suite.report import Report

from . import costs, questions
from .beside import beside
from .product import Costs

MACHINE = ("Date", "Commit", "Processor", "Kernel", "Load before", "PHP", "Python")


def main() -> int:
    options = parse()
    with running(5, options.seconds) as context:
        said = machine.describe(context)
        report = Report({name: said[name] for name in MACHINE}, skipped=context.skipped)
        if options.costs:
            found = Costs(**json.loads(options.costs.read_text()))
        else:
            found = costs.measure(context)
        questions.costs(report, found)
        if options.seconds:
            beside(context, report, found)
    for question in questions.ALL:
        context.say(question.__name__.replace("_", " "))
        question(report, found)
    report.write(options.output)
    (options.output / "costs.json").write_text(json.dumps(found.json()))
    if options.docs:
        report.insert(ROOT / "docs/scaling.md", "bench/simulate", "scaling/")
        report.draw(ROOT / "docs/scaling")
    print(report.markdown())
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/simulate", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=6.0,
        help="of each measured point; 0: none is measured (default: 6)",
    )
    parser.add_argument(
        "--costs", type=Path, help="a costs.json of an earlier run: nothing is measured of what a call costs"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "runtime/simulation",
        help="a folder for what is written (default: runtime/simulation)",
    )
    parser.add_argument("--docs", action="store_true", help="also into docs/scaling.md and docs/scaling/")
    options = parser.parse_args()
    if not options.seconds and not options.costs:
        parser.error("--seconds 0 needs --costs")
    return options
