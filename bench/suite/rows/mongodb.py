"""Reading MongoDB for PHP: how many requests a second each way does, and what becomes of other requests beside slow queries."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection

from ..contenders.gotask import GoTask, start_broker
from ..contenders.http import wait_for_port
from ..contenders.web import Route, WebServer
from ..context import BENCH, PROCESSORS, Context
from ..figures import quantile
from ..measure import Results, alternate, started
from ..processes import Process
from ..report import Report
from .web import cell

WAYS = {
    "extension": "ext-mongodb in the HTTP worker",
    "task": "ext-mongodb in TaskWorker",
    "gotask": "GoTask, pymongo",
    "motor": "GoTask, motor (async)",
}
WHAT = {"one": "1 document", "hundred": "100 documents", "large": "1 document of 200 KB"}
SECTION = "Reading MongoDB, one HTTP process"
CONNECTIONS = 32
#: Slow queries at a time, in the background.
SLOW = 4
#: Seconds between two quick requests.
PAUSE = 0.005


class MongoServer(WebServer):
    name = SECTION

    def available(self) -> str | None:
        if not os.environ.get("MONGODB_URI"):
            return "MONGODB_URI names no server"
        context = self.context
        if context.output(context.hyperf_php, "-r", "echo extension_loaded('mongodb');") != "1":
            return "GOTASK_HYPERF_PHP has no ext-mongodb"
        if not context.succeeds(context.python, "-c", "import motor, pymongo"):
            return "Python has not both pymongo and motor"
        return super().available()

    def routes(self) -> Sequence[Route]:
        return [Route(self, "bare", "bare route"), *self.reading("one")]

    def reading(self, what: str) -> list[Route]:
        """The routes by which this is read in each way."""
        return [Route(self, f"{way}/{what}", title) for way, title in WAYS.items()]

    def serve(self) -> None:
        os.environ["BENCH_DATABASE"] = f"gotask_bench_{os.getpid()}"
        broker = GoTask(self.context, app="mongodb.py")
        start_broker(broker)
        self.processes += broker.servers.values()
        command = [self.context.hyperf_php, str(BENCH / "servers/mongodb.php")]
        command += [str(self.port), str(PROCESSORS), broker.address]
        self.processes.append(Process(command, cwd=self.context.folder))
        wait_for_port(self.port, self.processes[-1])
        self.get("/gotask/fill")


def measure(context: Context, report: Report) -> None:
    server = MongoServer(context)
    reason = server.available()
    if reason is not None:
        context.skip("Reading MongoDB", reason)
        return
    server.acquire()
    try:
        runs: dict[str, Results] = {}
        for what, title in WHAT.items():
            context.say(f"MongoDB, {title}")
            with started(context, server.reading(what)) as running:
                runs[what] = alternate(context, running, CONNECTIONS)
        beside = {way: others(context, server, way) for way in WAYS}
    finally:
        server.get("/gotask/drop")
        server.release()
    report.table(
        f"{SECTION}, requests a second, `ab -k -c {CONNECTIONS}`",
        ["", *WHAT.values(), "CPU a request, 1 document"],
        [
            [
                title,
                *(cell(runs[what].get(f"{way}/{what}"), lambda result: result.rate, "") for what in WHAT),
                cell(runs["one"].get(f"{way}/one"), lambda result: result.cpu_per_call, "µs"),
            ]
            for way, title in WAYS.items()
        ],
        f"{PROCESSORS} task workers, {PROCESSORS} sync Python workers, 1 async one. Documents as arrays. The CPU is that of "
        "all processes but ab's and the MongoDB server's, which runs on the same processors.",
    )
    report.table(
        f"Other requests while {SLOW} slow queries run all the time",
        [
            "slow queries by",
            "a slow query",
            "a route without MongoDB: p50",
            "p99",
            "1 document, same way: p50",
            "p99",
        ],
        [[WAYS[way], *cells] for way, cells in beside.items()],
        "One request at a time, beside slow queries that look at all documents of a collection.",
    )


def others(context: Context, server: MongoServer, way: str) -> list[str]:
    """What two quick routes take beside slow queries: one that has nothing to do with MongoDB, and one that has."""
    context.say(f"MongoDB, beside slow queries: {WAYS[way]}")
    slow = times(server, f"{way}/slow", 2 * context.seconds)
    cells = [f"{1000 * quantile(slow, 0.5):.0f} ms"]
    with under_load(server, f"{way}/slow"):
        for path in ("bare", f"{way}/one"):
            found = times(server, path, context.rounds * context.seconds)
            cells += [f"{1000 * quantile(found, share):.1f} ms" for share in (0.5, 0.99)]
    return cells


def times(server: MongoServer, path: str, seconds: float) -> list[float]:
    """Seconds that requests take on one connection, one every PAUSE; at least five."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    found: list[float] = []
    until = time.monotonic() + seconds
    try:
        while len(found) < 5 or time.monotonic() < until:
            began = time.monotonic()
            connection.request("GET", f"/{path}")
            connection.getresponse().read()
            found.append(time.monotonic() - began)
            time.sleep(PAUSE)
    finally:
        connection.close()
    return found


@contextmanager
def under_load(server: MongoServer, path: str) -> Iterator[None]:
    url = f"http://127.0.0.1:{server.port}/{path}"
    load = Process(["ab", "-k", "-q", "-c", str(SLOW), "-t", "600", "-n", "100000000", "-s", "60", url])
    try:
        time.sleep(0.5)
        yield
    finally:
        load.stop()
