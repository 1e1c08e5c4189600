"""A real Prometheus scrapes a real worker: every expression of the dashboard and of the alerts is about what is there."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .peer import APPS, BrokerProcess, Peer, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
KEY = "a key that nobody can guess"

# Seconds until what was scraped has to be there.
TIME = 40.0

CONFIGURATION = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: gotask
    basic_auth: {{username: prometheus, password: {key}}}
    static_configs: [{{targets: ['{target}']}}]
"""

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed"
)


class Prometheus:
    def __init__(self, folder: Path, target: str) -> None:
        rules = DEPLOY / "prometheus" / "gotask.rules.yml"
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(rules=rules, key=KEY, target=target))
        self._address = f"127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={self._address}",
                "--log.level=error",
            ],
            start_new_session=True,
        )

    def ask(self, path: str, **query: str) -> Any:
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:  # it is starting
                    raise urllib.error.URLError(error.reason) from None
                raise AssertionError(f"{query}: {json.load(error)['error']}") from None

    def value(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """What the expression gives as soon as that is something."""
        until = time.monotonic() + TIME
        while True:
            try:
                if found := self.value(expression):
                    return found
            except urllib.error.URLError:
                pass  # or it does not listen yet
            assert time.monotonic() < until, f"nothing comes of {expression}"
            time.sleep(0.1)

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Peer]]:
    folder = tmp_path_factory.mktemp("prometheus")
    page = f"127.0.0.1:{free_port()}"
    broker = BrokerProcess(
        APPS / "shop.py",
        *("--web", f"tcp://{page}"),
        address=f"unix://{folder}/b.sock",
        env={"GOTASK_KEY": KEY},
    )
    broker.wait_for("ready")
    prometheus = Prometheus(folder, page)
    try:
        prometheus.wait_for("gotask_up == 1")
        yield prometheus, Peer(str(broker.address))
    finally:
        prometheus.end()
    assert broker.end() == 0


def expressions() -> dict[str, str]:
    """Of the dashboard, with its variables replaced, by the panel's title."""
    dashboard = json.loads((DEPLOY / "grafana" / "gotask.json").read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
    found |= {each["name"]: each["expr"] for each in dashboard["annotations"]["list"]}
    replaced = {"$__rate_interval": "5s", "$instance": ".*", "$method": ".*"}
    for title, expression in found.items():
        for variable, value in replaced.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression, title
        found[title] = expression
    return found


@needs_prometheus
def test_every_expression_of_the_dashboard_has_something_to_show(scraped: tuple[Prometheus, Peer]) -> None:
    prometheus, peer = scraped
    wanted = expressions()
    assert len(wanted) > 20
    until = time.monotonic() + TIME
    deaths = 0
    while wanted:
        assert time.monotonic() < until, f"nothing comes of {wanted}"
        for _ in range(20):
            peer.call("Orders.total", 1)
        peer.call("Orders.pays", 2.5)
        peer.call("Orders.fail", None)
        if deaths < 8:  # the first one makes a series that has not grown yet
            peer.call("Orders.leave", None)
            deaths += 1
        wanted = {
            title: expression for title, expression in wanted.items() if not prometheus.value(expression)
        }


@needs_prometheus
def test_what_prometheus_knows_is_what_the_broker_says(scraped: tuple[Prometheus, Peer]) -> None:
    prometheus, peer = scraped
    for _ in range(3):
        peer.call("Orders.total", 1)
    (method,) = [one for one in peer.call("GoTask.Status")["methods"] if one["name"] == "Orders.total"]
    selector = '{method="Orders.total", service=""}'
    prometheus.wait_for(f"gotask_calls_total{selector} == {method['calls']}")
    (bucket,) = prometheus.wait_for("sum(gotask_call_run_seconds_bucket{method='Orders.total', le='+Inf'})")
    assert int(bucket["value"][1]) == method["run"]["buckets"][-1][1]


@needs_prometheus
def test_alerts_and_variables_name_metrics_that_exist(scraped: tuple[Prometheus, Peer]) -> None:
    prometheus, peer = scraped
    peer.call("Orders.total", 1)
    peer.call("Orders.fail", None)
    prometheus.wait_for("gotask_errors_total")
    known = {*prometheus.ask("label/__name__/values")}
    rules = (DEPLOY / "prometheus" / "gotask.rules.yml").read_text()
    dashboard = (DEPLOY / "grafana" / "gotask.json").read_text()
    named = {*re.findall(r"gotask_\w+", re.sub("#.*", "", rules))} | {
        *re.findall(r"\((gotask_\w+), \w+\)", dashboard)
    }
    assert len(named) >= 8 and named <= known
    (group,) = prometheus.ask("rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alerts_fire_when_they_should() -> None:
    for command in (("check", "rules", "gotask.rules.yml"), ("test", "rules", "gotask.rules.test.yml")):
        ran = subprocess.run(
            ["promtool", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
