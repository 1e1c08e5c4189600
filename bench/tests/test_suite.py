"""The benchmark itself: what it says of figures, and that nothing is left of a run, however it ends."""

import json
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from suite.contenders import Result
from suite.context import Context
from suite.figures import Figure, Row, quantile
from suite.measure import over_bare
from suite.processes import Process, page_faults
from suite.report import Report
from suite.rows import mongodb
from suite.rows.work import ideal
from suite.svg import Axis, plot

RUN = Path(__file__).resolve().parents[1] / "run"


def test_a_ratio_is_taken_round_by_round() -> None:
    # The machine was twice as slow in the second round, for both.
    assert Figure.ratio([10.0, 5.0, 10.0], [20.0, 10.0, 20.0]).text() == "0.50"


def test_a_ratio_with_a_wide_spread_is_not_printed() -> None:
    ratio = Figure.ratio([0.8, 1.0, 1.6, 0.7, 1.7], [1.0] * 5)
    assert ratio.text() == "too noisy: 0.80–1.60"
    assert Row("", "", ratio, at_least=0.5).verdict == ""


@pytest.mark.parametrize(("value", "verdict"), [(1.3, "yes"), (1.29, "no")])
def test_a_row_says_whether_its_figure_was_reached(value: float, verdict: str) -> None:
    assert Row("", "", Figure.of([value] * 5), at_least=1.3).verdict == verdict


def test_a_ratio_is_left_out_where_one_side_was_not_measured() -> None:
    report = Report({})
    report.ratio("", "", [1.0], None)
    report.ratio("", "", [], [])
    assert report.rows == []


def test_what_a_call_costs_over_the_bare_route_is_of_all_processes() -> None:
    results = {
        "bare": [Result(10, 1.0, {}, {"http": 100e-6})],
        "call": [Result(10, 1.0, {}, {"http": 200e-6, "worker": 50e-6})],
    }
    assert over_bare(results, "call") == pytest.approx([15.0])
    assert over_bare(results, "not measured") == []


def test_page_faults_of_a_process_are_counted() -> None:
    before, pages = page_faults(os.getpid()), 1000
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(pages):
        memory[page * mmap.PAGESIZE] = 1
    assert page_faults(os.getpid()) - before >= pages


def test_quantiles_lie_between_neighbours() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0.0, 0.5, 1.0)] == [1.0, 2.5, 4.0]


def test_in_an_ideal_queue_each_call_waits_for_those_before_it() -> None:
    # Eight clients, two workers, 10 ms each: four calls after each other.
    times = ideal([0.01], 2, 8)
    assert times == pytest.approx([0.04] * len(times))


def test_a_plot_is_well_formed_and_within_its_frame() -> None:
    text = plot("a < b", Axis("x", 10), Axis("y"), {"one & two": [(1.0, 0.0), (1000.0, 5.0)]}, {})
    root = ElementTree.fromstring(text)
    circles = root.iter("{http://www.w3.org/2000/svg}circle")
    assert [(circle.get("cx"), circle.get("cy")) for circle in circles] == [
        ("80.0", "380.0"),
        ("570.0", "40.0"),
    ]


def test_columns_without_anything_are_left_out() -> None:
    report = Report({}, [Row("Section", "name", Figure.of([2.0, 2.0], "µs"))])
    assert "|  | measured | half of the rounds |" in report.markdown()


def test_plots_of_another_run_do_not_stay_beside_those_of_this_one(tmp_path: Path) -> None:
    for name in ("one", "another"):
        report = Report({})
        report.plot(name, name, "x", "y", {"series": [(1.0, 1.0)]})
        report.draw(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["another.svg"]


def test_a_run_writes_its_figures_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--quick", "--only", "pinned", "--output", str(tmp_path / "out")).communicate(
        timeout=120
    )
    assert "p50, GoTask" in (tmp_path / "out/results.md").read_text(), done
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert all(row["figure"]["value"] > 0 for row in rows)
    assert left(tmp_path) == []


def test_nothing_is_left_of_a_run_that_is_interrupted(tmp_path: Path) -> None:
    process = run(tmp_path, "--only", "pinned", "--seconds", "20", "--output", str(tmp_path / "out"))
    until = time.monotonic() + 60
    while not any("load.php" in command for command in left(tmp_path)) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert left(tmp_path) == []


EVENT = "[2026-01-01 00:00:00.000] [DEBUG] Event Hyperf\\Framework\\Event\\BootApplication handled by"
CHATTER = f"""\
{EVENT} Hyperf\\ExceptionHandler\\Listener\\ExceptionHandlerListener listener.
{EVENT} Hyperf\\ExceptionHandler\\Listener\\ErrorExceptionHandler listener.
[2026-01-01 00:00:00] hyperf.INFO: An error handler is registered. [] []
"""


@pytest.mark.parametrize(
    ("wrote", "reason"),
    [
        ("", "it says nothing"),
        ("one\ntwo\n\n", "two"),
        (
            "PHP Fatal error:  Uncaught Exception: no lock\nStack trace:\n#0 {main}\n",
            "PHP Fatal error:  Uncaught Exception: no lock",
        ),
        (
            CHATTER + "[2026-01-01 00:00:00.000] [ERROR] no port\n",
            "[2026-01-01 00:00:00.000] [ERROR] no port",
        ),
        (
            CHATTER
            + "\nIn Server.php line 142:\n          \n  the port i  \n  s taken     \n          \n\nstart\n",
            "the port is taken",
        ),
        (CHATTER + "\x1b[33mIn Server.php line 1:\x1b[39m\n  taken  \n", "taken"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\n    raise Error(\nValueError: why\nend\n',
            "ValueError: why",
        ),
        (CHATTER + "ended\n", "ended"),
    ],
    ids=["nothing", "words", "uncaught", "a record", "a box", "a coloured box", "a traceback", "a last word"],
)
def test_a_program_that_does_not_start_is_quoted_with_its_reason(wrote: str, reason: str) -> None:
    process = Process([sys.executable, "-c", "import sys; sys.stderr.write(sys.argv[1])", wrote])
    process.wait(60)
    message = str(process.failed("does not start"))
    process.stop()
    assert message.endswith(f" does not start: {reason}")


def run(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [sys.executable, str(RUN), *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Who runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )


def left(folder: Path) -> list[str]:
    """Command lines of processes whose environment names this folder, and paths that are there, but for the output."""
    found = [str(path) for path in folder.iterdir() if path.name != "out"]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={folder}/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_reading_mongodb_is_left_out_and_named_where_no_server_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MONGODB_URI", raising=False)
    context = Context(tmp_path)
    report = Report({}, skipped=context.skipped)
    mongodb.measure(context, report)
    assert report.tables == []
    assert report.skipped == {"Reading MongoDB": "MONGODB_URI names no server"}


def test_a_mark_lies_where_its_series_has_that_point() -> None:
    points = [(1.0, 1.0), (2.0, 5.0)]
    root = ElementTree.fromstring(plot("", Axis("x"), Axis("y"), {"one": points}, {"one": points[1:]}))
    circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    dot, mark = circles[1:]
    assert (mark.get("cx"), mark.get("cy"), mark.get("stroke")) == (
        dot.get("cx"),
        dot.get("cy"),
        dot.get("fill"),
    )
