"""Code in the documentation that is taken from files which tests run. `python3 -m tests.docs` in python/ renews it.

A page names its source in the line above a fenced block:

    <!-- from examples/recipes/chat.py: tokens -->

The source has it between the lines `# docs: tokens` and `# docs: end`; `// docs: …` and `<!-- docs: … -->` do as well. The
indentation that its lines share is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^(<!-- from (\S+): (\S+) -->\n+```\w*\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^<!-- from .*$", re.MULTILINE)
_MARKER = re.compile(r"\s*(?:#|//|<!--) docs: (\S+)(?: -->)?\s*")


class Block(NamedTuple):
    """A fenced block of a page, and what its source has in that place."""

    page: Path
    source: str
    name: str
    shown: str
    current: str


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """ValueError: a comment that no fenced block follows, or a source that has no such part."""
    text = page.read_text()
    found = list(_BLOCK.finditer(text))
    if len(found) != len(_COMMENT.findall(text)):
        raise ValueError(
            f"{page}: behind each `<!-- from FILE: NAME -->` there has to be a fenced block, and nothing else"
        )
    for block in found:
        _, source, name, shown, _ = block.groups()
        yield Block(page, source, name, shown, part(ROOT / source, name))


def part(source: Path, name: str) -> str:
    """The lines between the markers, without the indentation that they share. ValueError: there is no such part."""
    lines: list[str] | None = None
    for line in source.read_text().splitlines(keepends=True):
        marker = _MARKER.fullmatch(line)
        if lines is None:
            lines = [] if marker and marker[1] == name else None
        elif marker is None:
            lines.append(line)
        elif marker[1] == "end":
            return dedent("".join(lines)).strip("\n") + "\n"
        else:
            break
    raise ValueError(
        f"{source} has no lines between `docs: {name}` and `docs: end`, without another marker there"
    )


def renewed(page: Path) -> str:
    """The page with the code that its sources have now."""
    current = iter(list(blocks(page)))
    return _BLOCK.sub(lambda block: block[1] + next(current).current + block[5], page.read_text())


if __name__ == "__main__":
    for page in pages():
        text = renewed(page)
        if text != page.read_text():
            page.write_text(text)
            print(page.relative_to(ROOT))
