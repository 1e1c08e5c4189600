"""Code in the documentation is that of its source; `python3 -m tests.docs` renews it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import docs


@pytest.mark.parametrize("page", docs.pages(), ids=lambda page: str(page.relative_to(docs.ROOT)))
def test_each_block_is_as_its_source_has_it(page: Path) -> None:
    for block in docs.blocks(page):
        where = f"{page.name}: {block.name} of {block.source} is not as its source has it; run python3 -m tests.docs"
        assert block.shown == block.current, where


def test_a_changed_source_renews_the_page(tmp_path: Path) -> None:
    source, page = tmp_path / "app.py", tmp_path / "page.md"
    source.write_text("class App:\n    # docs: hi\n    def hi(self):\n        return 2\n\n    # docs: end\n")
    before = f"text\n\n<!-- from {source}: hi -->\n```python\nold()\n```\nmore\n"
    page.write_text(before)

    assert docs.renewed(page) == before.replace("old()\n", "def hi(self):\n    return 2\n")


def test_a_part_or_a_block_that_is_missing_is_told(tmp_path: Path) -> None:
    source, page = tmp_path / "app.py", tmp_path / "page.md"
    source.write_text("# docs: hi\nhi()\n# docs: bye\nbye()\n# docs: end\n")
    page.write_text(f"<!-- from {source}: hi -->\n```python\n```\n")
    with pytest.raises(ValueError, match="no lines between `docs: hi`"):
        list(docs.blocks(page))
    page.write_text(f"<!-- from {source}: bye -->\n\ntext\n")
    with pytest.raises(ValueError, match="there has to be a fenced block"):
        list(docs.blocks(page))
