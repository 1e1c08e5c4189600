"""bench/simulate: measures what calls cost, simulates with that, and lays measured points beside it."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from suite import machine
from suite.context import ROOT, Context
from suite.main import interrupt
from suite.processes import stop_all
from suite.report import Report
from suite.svg import plot

from . import costs, questions
from .beside import beside
from .product import Costs

BEGIN, END = "<!-- figures: written by bench/simulate --docs -->\n", "<!-- end of figures -->\n"
MACHINE = ("Date", "Commit", "Processor", "Kernel", "Load before", "PHP", "Python")
PAGE, IMAGES = ROOT / "docs/scaling.md", ROOT / "docs/images"


def main() -> int:
    options = parse()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    with tempfile.TemporaryDirectory(prefix="gotask-bench-") as folder:
        context = Context(
            Path(folder), 5, options.seconds, lambda text: print(text, file=sys.stderr, flush=True)
        )
        said = machine.describe(context)
        report = Report({name: said[name] for name in MACHINE}, skipped=context.skipped)
        try:
            if options.costs:
                found = Costs(**json.loads(options.costs.read_text()))
            else:
                found = costs.measure(context)
            questions.costs(report, found)
            marks = beside(context, report, found) if options.seconds else {}
        finally:
            stop_all()
    for question in questions.ALL:
        context.say(question.__name__.replace("_", " "))
        question(report, found)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "costs.json").write_text(json.dumps(found.json()))
    (options.output / "results.json").write_text(report.json(runs=False))
    draw(report, options.output, marks)
    if options.docs:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{report.markdown('images/')}\n{END}{after}")
        draw(report, IMAGES, marks)
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
    parser.add_argument("--docs", action="store_true", help="also into docs/scaling.md and docs/images/")
    options = parser.parse_args()
    if not options.seconds and not options.costs:
        parser.error("--seconds 0 needs --costs")
    return options


def draw(report: Report, folder: Path, marks: questions.Marks) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for drawn in report.plots:
        text = plot(drawn.title, *drawn.axes, drawn.series, marks.get(drawn.name))
        (folder / f"{drawn.name}.svg").write_text(text)
