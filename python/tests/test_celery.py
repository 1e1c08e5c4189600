"""Methods with `executor="celery"`, on a Redis and a Celery worker of their own, and what becomes of durable calls."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from gotask.client.outcome import Outcome
from gotask.client.session import Args
from gotask.client.sync import Client
from gotask.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidArguments,
    InvalidRequest,
    RemoteError,
    Unavailable,
    WorkerCrashed,
)
from gotask.wire import frames as wire
from gotask.wire.exchange import PROGRESS

from .celery_servers import REDIS, Redis, celery_worker
from .exchanges import Exchanger
from .peer import APPS, BrokerProcess, wait_until

pytest.importorskip("redis")
celery = pytest.importorskip("celery")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Celery's own
    celery_task = pytest.importorskip("gotask.executors.celery_task")
    celery_results = pytest.importorskip("gotask.executors.celery_results")
    celery_engine = pytest.importorskip("gotask.executors.celery")
    from celery.exceptions import NotRegistered, TaskRevokedError
pytestmark = [
    pytest.mark.skipif(REDIS is None, reason="redis-server is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Celery's own
]


class Servers:
    """All that a durable call meets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = Redis(folder)
        self.env = {"CELERY_BROKER_URL": self.redis.url}
        self.start()

    def start(self) -> None:
        self.worker = celery_worker(self.folder, self.env)
        self.broker = BrokerProcess(
            APPS / "durable.py", address=f"unix://{self.folder}/gotask.sock", env=self.env
        )
        assert self.broker.address is not None
        self.client = Client(self.broker.address)
        self.broker.wait_for("ready")

    def kill(self) -> None:
        """All of them, workers among them, and nothing can be said any more."""
        self.client.close()
        self.worker.kill()
        self.broker.end(signal.SIGKILL)
        self.redis.kill()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("celery"))
    yield servers
    servers.kill()


def outcome(client: Client, id: str, *states: str) -> Outcome:
    """Once it has one of these states."""
    seen: list[Outcome] = []

    def is_there() -> bool:
        seen[:] = [client.outcome(id)]
        return seen[0].state in states

    wait_until(is_there, f"{id} has not become {states}")
    return seen[0]


def durable(client: Client, method: str, *args: Any) -> str:
    id = client.notify(method, Args(*args), durable=True)
    assert id is not None
    return id


# -- calls --------------------------------------------------------------------------------------------------------------


def test_a_call_returns_what_the_method_returns_there(servers: Servers) -> None:
    result = servers.client.call("Report.Build", Args(2, scale=1.5))
    assert result["rows"] == 3.0 and 0 < result["left"] <= 30.0
    assert len(result["id"]) == 36, "Celery's id, for a method that must not do its work twice"


def test_an_error_is_as_of_any_method(servers: Servers) -> None:
    with pytest.raises(RemoteError, match="no key") as raised:
        servers.client.call("Report.Fail", "key")
    assert raised.value.type == "LookupError" and "in fail" in raised.value.where
    assert "durable.py" in raised.value.traceback
    with pytest.raises(InvalidArguments, match="rows"):
        servers.client.call("Report.Build", "many")


def test_progress_comes_while_it_runs(servers: Servers, tmp_path: Path) -> None:
    assert servers.broker.address is not None
    peer = Exchanger(servers.broker.address)
    sequence = peer.begin("Report.WaitFor", str(tmp_path / "end"), flags=wire.WANTS_PROGRESS)
    message = peer.next(sequence)
    assert message is not None and message[0] == PROGRESS
    assert message[2] == [0.5, "half", {"file": str(tmp_path / "end")}]
    (tmp_path / "end").touch()
    assert peer.result(sequence) == "there"


def test_many_calls_wait_and_take_no_thread_each(servers: Servers, tmp_path: Path) -> None:
    (worker,) = [each for each in servers.client.call("GoTask.Status")["workers"] if each["kind"] == "async"]
    assert servers.broker.address is not None
    peer = Exchanger(servers.broker.address)
    calls = [peer.begin("Report.WaitFor", str(tmp_path / "end")) for _ in range(40)]
    wait_until(lambda: (tmp_path / "end.begun").exists(), "none has begun")
    assert servers.client.call("Report.Here"), "the broker has taken all of them"
    assert len(os.listdir(f"/proc/{worker['pid']}/task")) < 25
    (tmp_path / "end").touch()
    assert [peer.result(sequence) for sequence in calls] == ["there"] * 40


def test_a_call_whose_time_is_over_is_not_begun(servers: Servers, tmp_path: Path) -> None:
    assert servers.broker.address is not None
    peer = Exchanger(servers.broker.address)
    busy = [peer.begin("Report.WaitFor", str(tmp_path / f"end{each}")) for each in range(2)]
    wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2, "both processes are to be busy")
    with pytest.raises(DeadlineExceeded):
        servers.client.call("Report.Touch", str(tmp_path / "late"), timeout=0.2)
    (tmp_path / "end0").touch()
    (tmp_path / "end1").touch()
    assert [peer.result(sequence) for sequence in busy] == ["there"] * 2
    servers.client.call(
        "Report.Touch", str(tmp_path / "next")
    )  # what was before it in the queue has been looked at
    assert not (tmp_path / "late").exists()


# -- durable ones -------------------------------------------------------------------------------------------------------


def test_a_durable_call_has_an_outcome_for_whoever_asks(servers: Servers, tmp_path: Path) -> None:
    id = durable(servers.client, "Report.WaitFor", str(tmp_path / "end"))
    assert servers.broker.address is not None
    other = Client(servers.broker.address)
    running = outcome(other, id, "running")
    while running.progress is None:
        running = outcome(other, id, "running")
    assert running.progress == (0.5, "half", {"file": str(tmp_path / "end")})
    with pytest.raises(RuntimeError, match="running"):
        running.result()
    (tmp_path / "end").touch()
    assert outcome(other, id, "done").result() == "there"
    id = durable(servers.client, "Report.Build", 3)
    assert outcome(other, id, "done").result() == {"rows": 3.0, "id": id, "headers": {}, "left": None}
    other.close()


def test_a_durable_call_that_fails_has_its_error(servers: Servers) -> None:
    failed = outcome(servers.client, durable(servers.client, "Report.Fail", "key"), "failed")
    with pytest.raises(RemoteError, match="no key") as raised:
        failed.result()
    assert raised.value.type == "LookupError" and "durable.py" in raised.value.traceback


def test_asking_for_an_outcome_is_counted_as_that(servers: Servers) -> None:
    assert servers.client.outcome("nobody").state == "unknown"
    methods = {each["name"]: each for each in servers.client.call("GoTask.Status")["methods"]}
    assert methods["GoTask.Outcome"]["calls"] > 0


def test_an_id_that_waits_is_told_from_one_that_nobody_gave(servers: Servers, tmp_path: Path) -> None:
    assert servers.broker.address is not None
    busy = [durable(servers.client, "Report.WaitFor", str(tmp_path / "end")) for _ in range(3)]
    states = [outcome(servers.client, id, "waiting", "running").state for id in busy]
    assert states[2] == "waiting"
    assert servers.client.outcome("nobody").state == "unknown"
    with pytest.raises(RuntimeError, match="unknown"):
        servers.client.outcome("nobody").result()
    (tmp_path / "end").touch()
    assert [outcome(servers.client, id, "done").result() for id in busy] == ["there"] * 3


def test_other_methods_keep_no_durable_calls(servers: Servers) -> None:
    with pytest.raises(InvalidArguments, match=r'Report.Here keeps no durable calls: .*executor="celery"'):
        durable(servers.client, "Report.Here")
    broker = BrokerProcess(APPS / "sync_only.py", address=f"unix://{servers.folder}/other.sock")
    broker.wait_for("ready")
    with pytest.raises(InvalidRequest, match='executor="celery"'):
        Client(f"unix://{servers.folder}/other.sock").outcome("nobody")
    broker.end()


def test_calls_that_are_lost_with_everything_run_to_their_ends(servers: Servers, tmp_path: Path) -> None:
    ends = [tmp_path / f"end{each}" for each in range(2)]
    begun = [tmp_path / f"end{each}.begun" for each in range(2)]
    running = [durable(servers.client, "Report.WaitFor", str(end)) for end in ends]
    wait_until(lambda: all(each.exists() for each in begun), "they have not begun")
    waiting = durable(servers.client, "Report.Touch", str(tmp_path / "touched"))
    servers.kill()
    servers.redis.start()
    servers.start()
    assert {servers.client.outcome(id).state for id in running} == {"running"}
    # Celery looks for what Redis is to give away again when it starts, and every 100 s.
    wait_until(
        lambda: all(len(each.read_text().split()) > 1 for each in begun), "they have not begun again", 180
    )
    for end in ends:
        end.touch()
    assert [outcome(servers.client, id, "done").result() for id in running] == ["there"] * 2
    assert outcome(servers.client, waiting, "done").result() is None and (tmp_path / "touched").exists()


def test_a_redis_that_is_full_or_gone_is_named_and_nothing_hangs(servers: Servers) -> None:
    def assert_nothing_is_taken(why: str) -> None:
        for is_durable in (False, True):
            where = rf"has not been taken .*127.0.0.1:{servers.redis.port}/0 {why}"
            with pytest.raises(Unavailable, match=where) as raised:
                if is_durable:
                    durable(servers.client, "Report.Build", 1)
                else:
                    servers.client.call("Report.Build", 1)
            assert servers.redis.password not in str(raised.value)

    servers.client.call("Report.Build", 1)
    servers.redis.order("CONFIG", "SET", "maxmemory", "1")
    assert_nothing_is_taken("does not take it: OOM")
    servers.redis.kill()
    assert_nothing_is_taken("can't be reached")
    with pytest.raises(Unavailable, match="does not say what has become of nobody") as raised:
        servers.client.outcome("nobody")
    assert servers.redis.password not in str(raised.value)
    servers.redis.start()  # without which an outcome would still wait in the worker
    servers.worker.process.wait(30)  # whatever has started it starts it anew
    servers.worker = celery_worker(servers.folder, servers.env)
    id = durable(servers.client, "Report.Build", 1)
    assert outcome(servers.client, id, "done").result()["id"] == id
    assert servers.client.call("Report.Build", 1)["rows"] == 1.0


def test_a_result_waits_for_redis_to_be_back(servers: Servers, tmp_path: Path) -> None:
    id = durable(servers.client, "Report.WaitFor", str(tmp_path / "end"))
    outcome(servers.client, id, "running")
    servers.redis.kill()
    (tmp_path / "end").touch()
    wait_until((tmp_path / "end.ended").exists, "it has not ended")
    servers.redis.start()
    assert outcome(servers.client, id, "done").result() == "there"
    servers.worker.process.wait(30)  # whatever has started it starts it anew
    servers.worker = celery_worker(servers.folder, servers.env)


# -- without servers ----------------------------------------------------------------------------------------------------


def task(state: str, result: Any) -> Any:
    backend = SimpleNamespace(
        get_task_meta=lambda id, cache: {"status": state, "result": result}, store_result=lambda *state: None
    )
    return SimpleNamespace(name="Report.build", request=SimpleNamespace(id="1"), backend=backend)


def test_a_call_that_kills_its_process_each_time_ends() -> None:
    state = celery_task._begin(task("STARTED", {"attempts": celery_task.ATTEMPTS - 1}))
    with pytest.raises(celery_task.Failed) as raised:
        celery_task._begin(task("STARTED", state))
    assert isinstance(raised.value.error(), WorkerCrashed)


def test_an_outcome_waits_until_redis_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [celery_task.ResponseError("OOM"), celery_task.ResponseError("READONLY"), None]
    stored = []

    def store(*args: Any) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        stored.append(args[1:])

    monkeypatch.setattr(celery_task.RedisBackend, "store_result", store)
    monkeypatch.setattr(celery_task, "PAUSE", 0.0)
    backend = celery_task.PatientRedis(app=celery.Celery(), url="redis://127.0.0.1:1/0")
    backend.store_result("1", "it", "SUCCESS")
    assert stored == [("1", "it", "SUCCESS")]
    answers.insert(0, celery_task.ResponseError("OOM"))
    with pytest.raises(celery_task.ResponseError):
        backend.store_result("1", "half", "STARTED")  # which is only told


@pytest.mark.parametrize(
    "status, result, error, says",
    [
        (
            "FAILURE",
            NotRegistered("Report.new"),
            Unavailable,
            "has not run: .* no method 'Report.new'.* restart",
        ),
        ("REVOKED", TaskRevokedError("expired"), DeadlineExceeded, "by the clock of Celery's worker"),
        ("REVOKED", TaskRevokedError("terminated"), Cancelled, "revoked in Celery"),
    ],
)
def test_what_celery_says_itself_of_a_task_is_an_error_of_ours(
    status: str, result: Exception, error: type[Exception], says: str
) -> None:
    found = celery_engine.outcome_of({"status": status, "result": result, "task_id": "1"}, "Report.new")
    assert type(found) is error and re.search(says, str(found))


@pytest.mark.parametrize(
    "status, result, state",
    [
        ("STARTED", "text", "running"),
        ("STARTED", None, "running"),
        ("SUCCESS", {"codec": "h264"}, "unknown"),
        ("XYZ", None, "waiting"),
        ("FAILURE", celery_task.Failed(), "does not say"),
    ],
)
def test_an_id_of_another_apps_task_does_no_harm(status: str, result: Any, state: str) -> None:
    engine = object.__new__(celery_engine.Celery)
    engine._threads = ThreadPoolExecutor(1)
    meta = {"status": status, "result": result, "task_id": "1"}
    engine._backend = SimpleNamespace(get_task_meta=lambda id, cache: meta, as_uri=lambda **_: "redis://")
    try:
        told = asyncio.run(engine.outcome("1"))["state"]
    except Unavailable as error:
        told = str(error)
    assert state in told


def test_a_celery_that_can_not_be_made_is_said_to_who_asks_for_an_outcome(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "import gotask\n@gotask.register\nclass App:\n    @gotask.method(executor='celery')\n    def do(self): ..."
    )
    env = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "CELERY_RESULT_BACKEND": "nowhere://"}
    broker = BrokerProcess(app, address=f"unix://{tmp_path}/s.sock", env=env)
    broker.wait_for("ready")
    assert broker.address is not None
    with Client(broker.address) as client, pytest.raises(RemoteError, match="nowhere"):
        client.outcome("1")
    assert broker.end() == 0


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
def test_a_call_that_comes_again_after_its_end_is_not_begun(state: str) -> None:
    with pytest.raises(celery.exceptions.Ignore):
        celery_task._begin(task(state, {}))


def test_results_are_heard_of_from_redis_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = celery.Celery(
        "other", broker="redis://127.0.0.1:1/0", backend=f"file://{tmp_path}", set_as_current=False
    )
    monkeypatch.setattr(celery_engine, "find_app", lambda: app)
    with pytest.raises(Unavailable, match=f"{tmp_path} is no Redis"):
        celery_engine.Celery()


def test_a_result_is_not_expected_for_ever_whose_caller_left_while_redis_hung() -> None:
    results = celery_results.Results(Mock())
    results._pubsub = Mock(get_message=lambda timeout: results._closed.wait(timeout) and None)
    order = SimpleNamespace(id="id", heard=print, given_up=Event())

    class Hanging:
        def expect(self, id: str, heard: Any) -> None:
            order.given_up.set()
            results.leave(id)  # by another thread, which is quicker
            results.expect(id, heard)

        leave = results.leave

    engine = celery_engine.Celery.__new__(celery_engine.Celery)  # whose app is not needed
    engine._results = Hanging()
    engine._place(order)
    assert not results._heard
    results.close()
