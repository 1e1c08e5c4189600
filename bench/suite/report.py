"""What a run is written as: Markdown, JSON, and a plot for each curve."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .figures import Figure, Row
from .measure import Results
from .svg import Axis, Points, plot


@dataclass
class Table:
    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]
    note: str = ""


@dataclass
class Plot:
    name: str
    title: str
    axes: tuple[Axis, Axis]
    series: Mapping[str, Points]
    marks: Mapping[str, Points]


@dataclass
class Report:
    machine: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    results: dict[str, Results] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def ratio(
        self,
        section: str,
        name: str,
        above: Sequence[float] | None,
        below: Sequence[float] | None,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """A row of it, where both were measured."""
        if above and below:
            self.rows.append(Row(section, name, Figure.ratio(above, below), at_least, at_most))

    def table(self, title: str, head: Sequence[str], lines: Sequence[Sequence[str]], note: str = "") -> None:
        if lines:
            self.tables.append(Table(title, head, lines, note))

    def cpu_table(self, title: str, titles: Mapping[str, str], results: Results) -> None:
        """Microseconds of a processor a call, by process."""
        processes = list(
            dict.fromkeys(process for of in results.values() for result in of for process in result.cpu)
        )
        lines = []
        for name, of in results.items():
            cells = []
            for process in processes:
                cost = Figure.of([1e6 * result.cpu.get(process, 0.0) / result.calls for result in of], "µs")
                cells.append(cost.text() if cost.value >= 0.05 else "")
            lines.append([titles[name], *cells])
        self.table(title, ["", *processes], lines)

    def plot(
        self,
        name: str,
        title: str,
        x: str,
        y: str,
        series: Mapping[str, Points],
        *,
        base_x: int = 0,
        base_y: int = 0,
        marks: Mapping[str, Points] | None = None,
    ) -> None:
        """base_x, base_y: of logarithmic axes; 0: linear. marks: single points beside the series of the same name."""
        series = {label: points for label, points in series.items() if points}
        if series:
            self.plots.append(Plot(name, title, (Axis(x, base_x), Axis(y, base_y)), series, marks or {}))

    def markdown(self, plots: str = "") -> str:
        """Headings from the second level on; plots are looked for at this relative path."""
        parts = [
            "\n".join(
                ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items())]
            )
        ]
        for section in dict.fromkeys(row.section for row in self.rows):
            lines = [
                [row.name, row.reach, row.figure.text(), row.figure.spread(), row.verdict, row.note]
                for row in self.rows
                if row.section == section and row.figure is not None
            ]
            parts.append(
                f"### {section}\n\n"
                + table(["", "reach", "measured", "half of the rounds", "reached", ""], lines)
            )
        for each in self.tables:
            parts.append(
                f"### {each.title}\n\n" + "\n\n".join(filter(None, [each.note, table(each.head, each.lines)]))
            )
        for drawn in self.plots:
            parts.append(f"![{drawn.title}]({plots}{drawn.name}.svg)")
        if self.skipped:
            lines = [[what, why] for what, why in self.skipped.items()]
            parts.append("### Not measured\n\n" + table(["", ""], lines))
        return "\n\n".join(parts) + "\n"

    def json(self, runs: bool) -> str:
        """With all runs, or only what came out of them."""
        document = {
            "machine": self.machine,
            "rows": [
                {
                    **asdict(row),
                    "too_noisy": row.figure is not None and row.figure.too_noisy,
                    "verdict": row.verdict,
                }
                for row in self.rows
            ],
            "tables": [asdict(each) for each in self.tables],
            "plots": {drawn.name: drawn.series for drawn in self.plots},
            "skipped": self.skipped,
        }
        if runs:
            document["runs"] = {
                title: {name: [asdict(result) for result in of] for name, of in results.items()}
                for title, results in self.results.items()
            }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """All there is."""
        self.draw(folder)
        (folder / "results.md").write_text("# Results\n\n" + self.markdown())
        (folder / "results.json").write_text(self.json(runs=True))

    def insert(self, page: Path, program: str, plots: str) -> None:
        """The figures into their place in a page, between two comments."""
        begin, end = f"<!-- figures: written by {program} --docs -->\n", "<!-- end of figures -->\n"
        before, _, rest = page.read_text().partition(begin)
        page.write_text(f"{before}{begin}\n{self.markdown(plots)}\n{end}{rest.partition(end)[2]}")

    def draw(self, folder: Path) -> None:
        """The plots alone, instead of those of another run."""
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob("*.svg"):
            other.unlink()
        for drawn in self.plots:
            (folder / f"{drawn.name}.svg").write_text(
                plot(drawn.title, *drawn.axes, drawn.series, drawn.marks)
            )


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns that are empty throughout are left out."""
    kept = [place for place in range(len(head)) if any(line[place] for line in lines)]
    rows = [[line[place].replace("|", "\\|") for place in kept] for line in [head, *lines]]
    rows.insert(1, ["---"] * len(kept))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
