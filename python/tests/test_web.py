"""The page and the metrics: who may look, what is bounded, what they say."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest

from gotask.config import parse_arguments
from gotask.errors import ConnectFailed
from gotask.web import http
from gotask.web.feed import Feed, point
from gotask.web.http import Malformed, Response, Server
from gotask.web.metrics import Places, exposition, families, text
from gotask.web.site import Site
from gotask.wire.address import TcpAddress
from gotask.wire.handshake import Key
from gotask.wire.histogram import BOUNDS, percentile

from .statuses import method, status, times, worker

KEY = "a key that nobody can guess: ä"
HOSTILE = 'a"b\\c\n<script>'
GONE = ConnectFailed("cannot connect to unix:///run/gotask.sock: is the worker running?")
PAGES = ("/", "/status", "/failures", "/history", "/metrics")


class Client:
    """A broker that says `answer`, whatever it is asked, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    async def call(self, name: str, timeout: float) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def feed(answer: Any) -> Feed:
    client: Any = Client(answer)
    return Feed(client)


def ask(
    path: str = "/",
    answer: Any = None,
    key: str | None = None,
    at: str = "127.0.0.1",
    verb: str = "GET",
    host: str = "localhost:9180",
    **headers: str,
) -> Response:
    """The response of a site at that address, where the broker says `answer`."""
    lines = [
        f"{verb} {path} HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]

    async def answered() -> Response:
        site = Site(feed(answer or status()), TcpAddress(at, 9180), Key(key) if key else None)
        return await site.answer(http.parse("\r\n".join([*lines, "", ""]).encode()))

    return asyncio.run(answered())


# -- who may look -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:9180", "127.0.0.1:80", "127.0.0.2", "[::1]:9180"])
def test_on_this_machine_it_goes_by_its_names(host: str) -> None:
    assert ask(host=host).status == 200


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "[::2]", "10.0.0.1:9180"])
def test_a_name_that_was_made_to_mean_this_machine_is_refused(host: str) -> None:
    assert [ask(path, host=host).status for path in PAGES] == 5 * [403]
    assert ask(host=host, at="0.0.0.0", key=KEY).status == 401, "there the key protects"


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_who_has_the_key_may_look() -> None:
    for authorization in (basic(KEY), basic(KEY, "").replace("Basic", "BASIC")):
        for path in PAGES:
            # As bytes on the wire.
            head = f"GET {path} HTTP/1.1\r\nHost: gotask\r\nAuthorization: {authorization}\r\n\r\n"
            request = http.parse(head.encode("latin-1"))
            answer = Site(feed(status()), TcpAddress("0.0.0.0", 1), Key(KEY)).answer
            assert asyncio.run(_started(answer, request)).status == 200


async def _started(answer: Callable[[http.Request], Awaitable[Response]], request: http.Request) -> Response:
    return await answer(request)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        basic(KEY[:-1]),
        basic(""),
        basic(KEY + "x"),
        "Bearer " + KEY,
        "Basic ???",
        "Basic " + KEY[:16],
        "Digest x",
    ],
)
def test_nobody_else_may(authorization: str) -> None:
    for at in ("127.0.0.1", "10.0.0.1"):
        refused = [ask(path, key=KEY, at=at, authorization=authorization) for path in PAGES]
        assert [response.status for response in refused] == 5 * [401]
        assert dict(refused[0].headers)["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_there_is_only_something_to_look_at(verb: str) -> None:
    assert ask(verb=verb).status == 405
    assert ask("/", verb="HEAD").status == 200
    assert ask("/../etc/passwd").status == 404


def parsed(*arguments: str, **environment: str) -> Any:
    return parse_arguments(["app.py", *arguments], environment, "1").web


def test_beyond_this_machine_it_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed() is None
    assert parsed(GOTASK_WEB="tcp://127.0.0.1:9180") == TcpAddress("127.0.0.1", 9180)
    assert parsed("--web", "tcp://0.0.0.0:9180", GOTASK_KEY=KEY) == TcpAddress("0.0.0.0", 9180)
    for address, why in {
        "tcp://0.0.0.0:9180": "tcp://0.0.0.0:9180 is open to the network and nothing says who may look: give a shared key",
        "tcp://gotask.example:9180": "is open to the network",
        "unix:///run/page.sock": "'unix:///run/page.sock' is no address for a browser: write tcp://127.0.0.1:9180",
        "tls://127.0.0.1:9180": "--web tls://127.0.0.1:9180 needs a certificate",
        "9180": "'9180' is no address",
    }.items():
        with pytest.raises(SystemExit):
            parsed("--web", address)
        assert why in capsys.readouterr().err.replace("\n", " ")


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_the_page_runs_its_own_script_and_nothing_else() -> None:
    page = ask()
    policy = dict(page.headers)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    for tag, directive in ((b"script", "script-src"), (b"style", "style-src")):
        (content,) = re.findall(b"<%s>(.*?)</%s>" % (tag, tag), page.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)|innerHTML|<[^>]* (on\w+|style)=", page.body)


def test_the_status_as_the_broker_tells_it_and_failures() -> None:
    told = status(method("App.hi", 0.1))
    assert json.loads(ask("/status", told).body) == told
    assert json.loads(ask("/failures", [{"method": "App.hi"}]).body) == [{"method": "App.hi"}]
    assert ask("/history?after=yesterday").status == 400


def test_a_broker_that_is_away() -> None:
    assert ask("/").status == 200
    for path in ("/status", "/failures"):
        refused = ask(path, GONE)
        assert (refused.status, json.loads(refused.body)["message"]) == (503, str(GONE))
    metrics = ask("/metrics", GONE)
    assert metrics.status == 200 and re.findall(rb"^(?!#).+", metrics.body, re.MULTILINE) == [
        b"gotask_up 0.0"
    ]


def test_however_many_look_the_broker_is_asked_once() -> None:
    client: Any = Client(status())

    async def many() -> list[Any]:
        shared = Feed(client)
        first = await asyncio.gather(*(shared.status() for _ in range(50)))
        return [*first, await shared.status()]

    assert asyncio.run(many()) == 51 * [status()] and client.asked == 1


def test_what_happened_between_two_looks() -> None:
    before = status(method("App.hi", 0.1), workers=[worker(1, cpu=2.0), worker(2, cpu=9.0)])
    after = status(
        method("App.hi", 0.1, 0.2, 0.2, remote_error=1, cancelled=5),
        method("App.new", 3.0),
        workers=[worker(1, "busy", cpu=3.0), worker(3, cpu=0.5)],
    )
    found = point(before, after, 2.0)
    assert (found["calls"], found["errors"], found["cpu"]) == (1.5, 0.5, 0.75)
    assert 0.131 <= found["run50"] <= 0.263 and 2.097 <= found["run99"] <= 4.195
    idle = point(after, after, 1.0)
    assert (idle["calls"], idle["run50"], idle["wait99"]) == (0, None, None)


@pytest.mark.parametrize(
    "buckets, part, seconds",
    [
        ([(1.0, 10), (2.0, 20), (None, 20)], 0.5, 1.0),
        ([(1.0, 10), (2.0, 20), (None, 20)], 0.75, 1.5),
        ([(1.0, 0), (2.0, 0), (None, 5)], 0.5, 2.0),
        ([(1.0, 0), (None, 0)], 0.99, None),
        ([], 0.5, None),
    ],
)
def test_percentiles_out_of_buckets(buckets: Any, part: float, seconds: float | None) -> None:
    assert percentile(buckets, part) == seconds


# -- metrics ----------------------------------------------------------------------------------------------------------


def some() -> dict[str, Any]:
    return status(
        method("App.hi", 0.001, 0.2, remote_error=1, overloaded=2),
        method(HOSTILE, 40.0, 5000.0, service="Own"),
        workers=[worker(10, "busy"), worker(11, "leaving", service="Own", kind="async", memory=123456789012)],
        counters={**status()["counters"], "deaths": {"SIGKILL": 1, "exit 3": 2}, "slow": 12345678},
    )


def series(content: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def test_with_prometheus_client_and_without_they_are_the_same() -> None:
    pytest.importorskip("prometheus_client")
    theirs, kind = exposition(some(), Places(), "")
    assert kind.startswith("text/plain")
    with mock.patch.dict(sys.modules, {"prometheus_client.exposition": None}):
        ours, own_kind = exposition(some(), Places(), "application/openmetrics-text")
    assert own_kind == "text/plain; version=0.0.4; charset=utf-8"
    assert series(ours) == series(theirs)
    heads = [sorted(re.findall(rb"^# .+", content, re.MULTILINE)) for content in (ours, theirs)]
    assert heads[0] == heads[1] and len(heads[0]) > 40


def test_a_reader_that_knows_openmetrics_gets_it() -> None:
    pytest.importorskip("prometheus_client")
    content, kind = exposition(some(), Places(), "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text") and content.endswith(b"# EOF\n")


def test_what_a_name_holds_breaks_no_line() -> None:
    content = text(list(families(some(), Places()))).decode()
    assert 'gotask_calls_total{method="a\\"b\\\\c\\n<script>",service="Own"} 2.0' in content
    assert all(re.match(r"# (HELP|TYPE) |gotask_\w+(\{.*\})? \d", line) for line in content.splitlines())


def test_families_have_what_happened() -> None:
    found = series(text(list(families(some(), Places()))))
    own = (("method", "App.hi"), ("service", ""))
    assert found["gotask_calls_total", own] == 2
    assert found["gotask_errors_total", (("code", "overloaded"), *own)] == 2
    assert found["gotask_call_run_seconds_count", own] == 2
    assert found["gotask_call_run_seconds_sum", own] == pytest.approx(0.201)
    assert found["gotask_call_run_seconds_bucket", (("le", "+Inf"), *own)] == 2
    assert found["gotask_call_run_seconds_bucket", (("le", repr(2.0**10 * 1e-6)), *own)] == 1
    assert found["gotask_workers", (("kind", "sync"), ("service", ""), ("state", "idle"))] == 0
    assert found["gotask_workers", (("kind", "sync"), ("service", ""), ("state", "busy"))] == 1
    assert found["gotask_worker_deaths_total", (("reason", "exit 3"),)] == 2
    assert found["gotask_worker_deaths_total", (("reason", "SIGSEGV"),)] == 0, "there before the first one"
    large = (("kind", "async"), ("service", "Own"), ("worker", "1"))
    assert found["gotask_worker_memory_bytes", large] == 123456789012
    assert sum(name.startswith("gotask_call_run_seconds_bucket") for name, _ in found) == 2 * len(BOUNDS)


def test_a_worker_that_takes_the_place_of_another_makes_no_new_series() -> None:
    places = Places()
    for turn in range(100):
        numbers = places.of([turn, turn + 1, 1000])
        assert (
            set(numbers.values()) == {0, 1, 2}
            and numbers[1000] == 2
            and set(numbers) == {turn, turn + 1, 1000}
        )


def test_times_of_statuses_here_are_as_the_broker_tells_them() -> None:
    told = times(0.5, 0.001)
    assert told["buckets"][-1] == [None, 2] and told["sum"] == 0.501


# -- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        "",
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/2",
        "GET http://x/ HTTP/1.1",
        "GET /[ HTTP/1.1 x",
        "\0",
    ],
)
def test_what_is_no_request(head: str) -> None:
    with pytest.raises(Malformed):
        http.parse(f"{head}\r\n\r\n".encode())


@pytest.mark.parametrize("line", ["no colon", ": nameless", "Host : x", " Host: x", "Host: a\r\nhost: b"])
def test_what_is_no_header(line: str) -> None:
    with pytest.raises(Malformed):
        http.parse(f"GET / HTTP/1.1\r\n{line}\r\n\r\n".encode())


def exchanged(*sent: bytes, ends: bool = False) -> list[bytes]:
    """What comes back on connections that send so much each, opened in this order and all at the same time."""

    async def answer(request: http.Request) -> Response:
        return Response(b"fine" + request.path.encode())

    async def exchange() -> list[bytes]:
        server = await asyncio.start_server(Server(answer).connected, "127.0.0.1", 0, limit=http.MAX_HEAD)
        streams = []
        for data in sent:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(data)
            if ends:
                writer.write_eof()
            streams.append((reader, writer))
        received = await asyncio.gather(*(_all(reader) for reader, _ in streams))
        for _, writer in streams:
            writer.close()
        server.close()
        return received

    return asyncio.run(asyncio.wait_for(exchange(), 20))


async def _all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_requests_over_a_socket() -> None:
    get, head, wrong, large = exchanged(
        b"GET /a%20b?x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * (http.MAX_HEAD + 1) + b"\r\n\r\n",
    )
    assert get.startswith(b"HTTP/1.1 200 OK\r\n") and get.endswith(b"\r\n\r\nfine/a b")
    assert b"Content-Length: 5\r\n" in head and head.endswith(b"\r\n\r\n")
    assert b"400 Bad Request" in wrong
    assert b"431 " in large
    for name in (b"X-Content-Type-Options: nosniff", b"Cache-Control: no-store", b"Connection: close"):
        assert name in get
    assert exchanged(b"GET / HT", ends=True) == [b""]


def test_who_sends_slowly_is_let_go_for_who_comes_when_all_places_are_taken_or_when_time_is_up() -> None:
    with mock.patch.object(http, "REQUEST_TIME", 5.0), mock.patch.object(http, "MAX_CONNECTIONS", 2):
        first, second, *others = exchanged(b"GET / HTTP/1.1\r\nX: ", b"", *[b"GET / HTTP/1.1\r\n\r\n"] * 3)
    assert (first, second) == (b"", b"") and all(other.endswith(b"fine/") for other in others)
    with mock.patch.object(http, "REQUEST_TIME", 0.1):
        assert exchanged(b"GET / HTTP/1.1\r\nX: ") == [b""]


def test_who_takes_a_response_slowly_is_let_go_for_who_comes_when_all_places_are_taken() -> None:
    body = b"x" * 20_000_000  # more than the sockets hold

    async def exchange() -> bytes:
        answered = asyncio.Semaphore(0)

        async def answer(request: http.Request) -> Response:
            answered.release()
            return Response(body)

        server = await asyncio.start_server(Server(answer).connected, "127.0.0.1", 0)
        clients = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1000)
            clients.append((reader, writer))
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            if len(clients) < 3:
                await answered.acquire()
        received = await _all(clients[-1][0])
        for _, writer in clients:
            writer.close()
        server.close()
        return received

    with mock.patch.object(http, "MAX_CONNECTIONS", 2):
        assert asyncio.run(asyncio.wait_for(exchange(), 20)).endswith(body)
