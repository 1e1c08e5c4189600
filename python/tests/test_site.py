"""The documentation as a site: every link in it leads somewhere, and both languages show the same code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .browser import CHROMIUM, Browser

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
CHINESE = sorted(page.name for page in (DOCS / "zh").glob("*.md"))


class Page(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and (tag, name) in (("a", "href"), ("img", "src")):
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    pytest.importorskip("pymdownx", reason="mkdocs-material is not installed")
    root = tmp_path_factory.mktemp("site")
    for name, folder in (("mkdocs.yml", root), ("mkdocs.zh.yml", root / "zh")):
        build = [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "-f",
            str(REPOSITORY / name),
            "-d",
            str(folder),
        ]
        built = subprocess.run(build, capture_output=True, text=True, timeout=120)
        if "Unrecognised theme name: 'material'" in built.stderr:
            pytest.skip("mkdocs-material is not installed")
        assert built.returncode == 0, built.stdout + built.stderr
    yield root
    shutil.rmtree(root)


def test_every_link_leads_to_a_page_and_to_a_heading_in_it(site: Path) -> None:
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 20, "pages of both languages"
    dead = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or target in pages and anchor not in pages[target].anchors:
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_what_is_looked_for_is_found_in_both_languages(site: Path, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser(tmp_path)
    try:
        # The Chinese word stands in the middle of a sentence.
        for index, word in (("index.html", "dashboard"), ("zh/index.html", "仪表盘")):
            page = browser.open(f"http://127.0.0.1:{server.server_port}/{index}?q={word}")
            page.wait_for(
                "[...document.querySelectorAll('.md-search-result__link')].some(link => link.href.includes('monitoring.html'))"
            )
    finally:
        browser.close()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", CHINESE)
def test_the_chinese_page_shows_the_code_of_the_english_one(name: str) -> None:
    english, chinese = ((folder / name).read_text() for folder in (DOCS, DOCS / "zh"))
    assert code(chinese) == code(english)


def code(markdown: str) -> list[str]:
    """The code of fenced blocks, without comments, which are translated."""
    blocks = re.findall(r"^```\w+[^\n]*\n(.*?)^```", markdown, re.M | re.S)
    return [re.sub(r"\s*(?<!\S)(//|#).*$", "", text, flags=re.M) for text in blocks]
