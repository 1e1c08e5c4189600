"""The pictures of the documentation: `python3 -m tests.pictures [SECONDS]` writes docs/images/*.png anew.

A shop's worker has calls for so many seconds (270 unless said otherwise), a killed process and a reload
among them. It takes chromium, prometheus, and PHP with what Composer installs.
"""

from __future__ import annotations

import math
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gotask
from gotask.errors import GoTaskError

from ..browser import Browser
from ..peer import BrokerProcess, free_port
from ..test_prometheus import Prometheus
from ..test_web_process import page as page_address
from . import dashboard, terminal

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT / "docs" / "images"

# Calls a second, and what they carry.
CALLS: list[tuple[str, float, Any]] = [
    ("Orders.validate", 60.0, 7),
    ("Search.suggest", 35.0, "tea"),
    ("Images.thumbnail", 14.0, b"\0" * 24_000),
    ("Orders.import_csv", 10.0, ["7", "9"]),
    ("Search.embed", 7.0, "a pot of tea"),
    ("Reports.monthly", 0.5, 3),
]


def load(client: gotask.Client, method: str, rate: float, payload: Any, ended: threading.Event) -> None:
    """As callers come: at random, more of them in some minutes than in others."""
    phase = random.uniform(0, 2 * math.pi)
    while not ended.wait(random.expovariate(rate * (1.0 + 0.6 * math.sin(time.monotonic() / 25 + phase)))):
        if method == "Orders.import_csv" and random.random() < 0.04:
            threading.Thread(target=call, args=(client, method, ["abc"]), daemon=True).start()
        else:
            threading.Thread(target=call, args=(client, method, payload), daemon=True).start()


def call(client: gotask.Client, method: str, payload: Any) -> None:
    try:
        client.call(method, payload)
    except GoTaskError:
        pass  # it is on the page


def chat(browser: Browser) -> None:
    address = f"127.0.0.1:{free_port()}"
    server = subprocess.Popen(
        ["php", str(ROOT / "examples/recipes/serve.php"), address], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("http"):
            break
    time.sleep(1)
    page = browser.open(f"http://{address}/chat#ask", 760, 400)
    page.wait_for("parseInt(document.getElementById('state')?.textContent) > 60")
    page.picture(IMAGES / "chat.png")
    server.send_signal(signal.SIGTERM)
    server.wait(20)


def main(seconds: float) -> None:
    folder = Path(tempfile.gettempdir()) / "shop"
    folder.mkdir(mode=0o700)
    cleanup = ExitStack()
    cleanup.callback(shutil.rmtree, folder)
    browser = Browser(folder / "browser")
    cleanup.callback(browser.close)
    with cleanup:
        chat(browser)
        app = Path(shutil.copy(Path(__file__).with_name("shop.py"), folder / "app.py"))
        address = f"unix://{folder}/gotask.sock"
        broker = BrokerProcess(app, "--web", "tcp://127.0.0.1:0", workers=4, address=address)
        broker.wait_for("ready")
        place = page_address(broker)
        (folder / "prometheus").mkdir()
        prometheus = Prometheus(folder / "prometheus", place.removeprefix("http://").rstrip("/"))
        cleanup.callback(prometheus.end)
        client, ended = gotask.Client(address), threading.Event()
        callers = [threading.Thread(target=load, args=(client, *one, ended), daemon=True) for one in CALLS]
        for caller in callers:
            caller.start()
        page = browser.open(place, 1180, 1560)
        time.sleep(seconds / 3)
        worker = client.call("GoTask.Status")["workers"][0]["pid"]
        subprocess.run(["kill", "-KILL", str(worker)], check=True)
        time.sleep(seconds / 4)
        broker.process.send_signal(signal.SIGHUP)
        time.sleep(seconds * 5 / 12)
        page.evaluate("document.querySelector('details').open = true")
        page.wait_for("document.getElementById('verdict').className === 'good'")
        for scheme in ("light", "dark"):
            page.picture(IMAGES / f"page-{scheme}.png", scheme)
        top = ["php", str(ROOT / "bin/gotask"), "top", "--address", address]
        drawings = {
            "top": (terminal.shown(top, b"jj", 5.0, 117, 21), 1084, 478),
            "dashboard": dashboard.page(prometheus, seconds),
        }
        for name, (content, width, height) in drawings.items():
            (folder / f"{name}.html").write_text(content)
            browser.open(f"file://{folder}/{name}.html", width, height).picture(IMAGES / f"{name}.png")
        ended.set()
        for caller in callers:
            caller.join()
        client.close()
        assert broker.end() == 0


main(float(sys.argv[1]) if len(sys.argv) > 1 else 270.0)
