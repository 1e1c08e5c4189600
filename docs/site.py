"""Hooks of mkdocs: pages that are written for GitHub become those of a site, in each language."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parent.parent
_ENGLISH = _REPOSITORY / "docs"
_README = {"docs": "README.md", "zh": "README-CN.md"}
_LINK = re.compile(r"(\]\()([^)\s]+)(?=\))")


def on_files(files: Any, config: Any) -> Any:
    """The Chinese pages are a site of their own."""
    for file in list(files):
        if file.src_uri.startswith("zh/") or file.src_uri.endswith(".py"):
            files.remove(file)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The first page is the README. Links to pages stay within the site; those to the repository's other files lead to GitHub."""
    pages = Path(config["docs_dir"])
    source = Path(page.file.abs_src_path)
    if source == pages / "index.md":
        source = _REPOSITORY / _README[pages.name]
        markdown = source.read_text(encoding="utf-8")

    def lead(match: re.Match[str]) -> str:
        path, hash, anchor = match[2].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        file = (source.parent / path).resolve()
        if not file.exists():
            raise FileNotFoundError(f"{source}: {path} leads to nothing")
        if file.name in _README.values() and file.parent == _REPOSITORY:
            path = "index.html" if pages == _ENGLISH else "../index.html"
            path = path if file.name == "README.md" else "zh/index.html"
        elif file.is_relative_to(pages) and not file.is_relative_to(_ENGLISH / "zh") or pages.name == file.parent.name == "zh":
            path = os.path.relpath(file, Path(page.file.abs_src_path).parent)
        elif file.is_relative_to(_ENGLISH):
            path = "../" + file.relative_to(_ENGLISH).as_posix().replace(".md", ".html")
        else:
            path = f"{config['repo_url'].rstrip('/')}/blob/main/{file.relative_to(_REPOSITORY).as_posix()}"
        return match[1] + path + hash + anchor

    return _LINK.sub(lead, markdown)
