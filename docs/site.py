"""Hooks of mkdocs: pages that are written for GitHub become those of a site, in each language."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
_ENGLISH = _REPOSITORY / "docs"
_CHINESE = _ENGLISH / "zh"
_FIRST = {_ENGLISH: _REPOSITORY / "README.md", _CHINESE: _REPOSITORY / "README-CN.md"}
_ELSEWHERE = "elsewhere:"
# Lines of code have up to 128 columns, which need more room than the theme gives; its links are hard to read in the dark.
_STYLE = (
    ".md-grid { max-width: 75rem } .md-typeset h1 { color: inherit; font-weight: 400 }"
    " .md-typeset pre > code { font-size: .75em } .md-typeset table:not([class]) td { min-width: 5rem }"
    ' [data-md-color-scheme="slate"] { --md-typeset-a-color: #b39ddb }'
    " @media (min-width: 76.25em) { .md-sidebar { width: 10.5rem } .md-sidebar__inner { width: auto } }"
)
# Chinese has no spaces between words: what is looked for is found anywhere between two spaces or commas, where the theme,
# whose search has the Japanese rules for Chinese, finds beginnings alone.
_SEARCH = """<script>var __search = { transform: query =>
    query.replace(/[*+:^~-]+/g, " ").trim().split(/\\s+/).filter(Boolean).map(word => "+*" + word).join("* ") }</script>"""
_RULES = {
    '"search.config.lang": "ja"': '"search.config.lang": "en"',
    '"search.config.pipeline": "trimmer, stemmer"': '"search.config.pipeline": ""',
}
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)")


def on_files(files: Any, config: Any) -> Any:
    """The Chinese pages are a site of their own."""
    for file in list(files):
        if file.src_uri.startswith("zh/") or file.src_uri.endswith((".py", ".pyc")):
            files.remove(file)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The first page is the README. Links stay within the site, or lead to the repository's files on GitHub."""
    pages = Path(config["docs_dir"])
    at = source = Path(page.file.abs_src_path)
    if source == pages / "index.md":
        source = _FIRST[pages]
        markdown = source.read_text(encoding="utf-8")

    def lead(match: re.Match[str]) -> str:
        if re.match(r"[a-z]+:", match[0]):
            return match[0]
        file = (source.parent / match[0]).resolve()
        if not file.exists():
            raise FileNotFoundError(f"{source}: {match[0]} leads to nothing")
        for folder, first in _FIRST.items():
            if file == first:
                file = folder / "index.md"
        if not file.is_relative_to(_ENGLISH):
            return f"{config['repo_url'].rstrip('/')}/blob/main/{file.relative_to(_REPOSITORY).as_posix()}"
        path = os.path.relpath(file, at.parent)
        # What belongs to the other language's site mkdocs does not know.
        if file.is_relative_to(_CHINESE) != (pages == _CHINESE):
            return _ELSEWHERE + path.replace(".md", ".html")
        return path

    return _LINK.sub(lead, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Tables without titles have an empty line in Markdown, not here."""
    return re.sub(r"<thead>\s*<tr>(\s*<th[^>]*></th>)+\s*</tr>\s*</thead>", "", html).replace(
        f'="{_ELSEWHERE}', '="'
    )


def on_post_page(output: str, page: Any, config: Any) -> str:
    head = f"<style>{_STYLE}</style>"
    if Path(config["docs_dir"]) == _CHINESE:
        head += _SEARCH
        for theirs, ours in _RULES.items():
            output = output.replace(theirs, ours)
    return output.replace("</head>", f"{head}</head>")
