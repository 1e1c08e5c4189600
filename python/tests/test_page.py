"""The page in a real browser: figures move, hostile text stays text, and it says when the broker is away."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from .apps.shop import MARKUP
from .browser import CHROMIUM, Browser, Page
from .peer import APPS, BrokerProcess, Peer
from .test_web_process import page as address

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

CALLS = (
    "[...document.querySelectorAll('#methods tbody tr')].find(row => row.cells[0].textContent === 'Orders.total')"
    "?.cells[2].textContent"
)
VERDICT = "(document.getElementById('verdict')?.textContent ?? '')"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    address = f"unix://{tmp_path_factory.mktemp('page')}/b.sock"
    process = BrokerProcess(APPS / "shop.py", "--web", "tcp://127.0.0.1:0", address=address)
    process.wait_for("ready")
    yield process
    process.process.send_signal(signal.SIGCONT)
    assert process.end() == 0


@pytest.fixture(scope="module")
def shown(broker: BrokerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    try:
        opened = browser.open(address(broker))
        opened.wait_for(f"{VERDICT}.startsWith('All is well')")
        yield opened
    finally:
        browser.close()


def test_figures_move(broker: BrokerProcess, shown: Page) -> None:
    peer = Peer(str(broker.address))
    for calls in (3, 5):
        for _ in range(calls - int(shown.evaluate(CALLS) or 0)):
            peer.call("Orders.total", 1)
        shown.wait_for(f"{CALLS} === '{calls}'")
    sequence = peer.send("Orders.invoice", 2.0)
    shown.wait_for("document.getElementById('workers').innerText.includes('Orders.invoice for ')")
    peer.result(sequence)
    # Each plot has a line by now.
    shown.wait_for(
        "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('path').getAttribute('d').length > 20)"
    )
    assert shown.evaluate("document.querySelectorAll('.plot').length") == 4


def test_hostile_text_is_shown_as_what_it_is(broker: BrokerProcess, shown: Page) -> None:
    Peer(str(broker.address)).call("Orders.fail", None)
    shown.wait_for("document.querySelector('#failures details') !== null")
    shown.evaluate("document.querySelector('#failures summary').click()")
    text = shown.wait_for("document.querySelector('#failures details[open] pre')?.innerText")
    assert text.startswith("Traceback (most recent call last):") and f"ValueError: {MARKUP}" in text
    assert "in fail" in text and MARKUP in shown.evaluate(
        "document.querySelector('#failures summary').innerText"
    )
    assert shown.evaluate("document.querySelectorAll('#failures img, #failures script').length") == 0
    assert shown.evaluate("document.title").endswith("GoTask")
    # It is still open when the next one has come above it.
    Peer(str(broker.address)).call("Orders.fail", None)
    shown.wait_for("document.querySelectorAll('#failures details').length === 2")
    assert shown.evaluate("[...document.querySelectorAll('#failures details')].map(one => one.open)") == [
        False,
        True,
    ]


def test_it_names_a_method_that_fails_though_most_calls_do_not(broker: BrokerProcess, shown: Page) -> None:
    peer = Peer(str(broker.address))
    for _ in range(100):
        peer.call("Orders.total", 1)
    peer.call("Orders.fail", None)
    shown.wait_for(f"{VERDICT}.startsWith('100 % of the calls of Orders.fail ')")


def test_the_policy_lets_nothing_else_in(shown: Page) -> None:
    assert shown.complaints() == []
    for attempt in (
        "document.body.innerHTML = '<b>'",
        "fetch('https://gotask.example/')",
        "document.body.append(Object.assign(document.createElement('iframe'), {src: 'https://gotask.example/'}))",
    ):
        shown.evaluate(f"(async () => {{ try {{ await ({attempt}) }} catch (error) {{}} }})()")
    assert (
        sum(
            "Content Security Policy" in complaint or "TrustedHTML" in complaint
            for complaint in shown.complaints()
        )
        >= 2
    )
    assert shown.evaluate("document.getElementById('methods') !== null"), "and its content is what it was"


def test_it_says_that_the_broker_is_away_and_when_it_is_back(broker: BrokerProcess, shown: Page) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    shown.wait_for(f"{VERDICT}.startsWith('The broker does not answer since ')")
    assert shown.evaluate("document.title") == "away · GoTask"
    broker.process.send_signal(signal.SIGCONT)
    shown.wait_for(f"!document.body.classList.contains('away') && !{VERDICT}.startsWith('The broker')")
