"""PHP calls workers on other machines: the network is slow, loses packets, is cut; machines are replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gotask.client.aio import AsyncClient
from gotask.errors import ConnectionLost

from .chaos.clients import php
from .machines import PORT, Network, Weather, why_not
from .network import KEY, TCP, TLS, Answer, Place, failures

pytestmark = [
    pytest.mark.skipif(why_not() != "", reason=why_not() or "there can be machines"),
    pytest.mark.skipif(php() is None, reason="there is no PHP with the client's dependencies"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with Network(4) as network:
        place = Place(network, tmp_path_factory.mktemp("network"))
        place.serve(*place.workers)
        yield place


@pytest.fixture(autouse=True)
def fine(place: Place) -> None:
    place.network.weather = Weather()
    place.network.dns = [machine.ip for machine in place.workers]


def machines(answers: list[Answer]) -> set[str]:
    return {answer.who for answer in answers}


@pytest.mark.parametrize("addresses", [TCP, TLS], ids=["tcp", "tls"])
def test_over_a_slow_network_that_loses_packets_each_call_runs_once_and_is_answered_rightly(
    place: Place, addresses: list[str]
) -> None:
    place.network.weather = Weather(delay=0.01, jitter=0.04, loss=0.02)
    before = place.network.lost
    callers = place.call(addresses, method="Net.Quick", callers=16, calls=320)
    answers = callers.wait()
    assert failures(answers) == [] and len(answers) == 320
    assert place.network.lost > before
    runs = place.runs()
    assert [answer.call for answer in answers if runs[answer.call] != 1] == []


def test_a_name_with_several_records_is_all_of_its_machines_and_looked_up_once(place: Place) -> None:
    before = place.network.lookups
    answers = place.call(TCP, method="Net.Quick", callers=6, calls=120).wait()
    assert failures(answers) == []
    assert machines(answers) == {machine.ip for machine in place.workers}
    assert place.network.lookups == before + 1


def test_a_record_of_a_machine_that_is_not_there_costs_no_call(place: Place) -> None:
    place.network.dns.append("10.77.0.99")
    answers = place.call(TCP, method="Net.Quick", callers=4, calls=200).wait()
    assert failures(answers) == [] and len(answers) == 200
    assert max(answer.latency for answer in answers) < 10


@pytest.mark.parametrize("plain", [False, True], ids=["many at a time", "one at a time"])
def test_machines_that_are_replaced_one_after_the_other_cost_no_call(place: Place, plain: bool) -> None:
    *old, spare = place.workers
    place.network.dns = [machine.ip for machine in old]
    callers = place.call(TCP, method="Net.Once", seconds=0.02, callers=8, plain=plain, pause=0.001)
    callers.read()
    for machine in old:
        place.network.dns = [each for each in place.network.dns if each != machine.ip] + [spare.ip]
        place.end(machine)
        seen = len(callers.answers)
        while spare.ip not in machines(callers.answers[seen:]):
            callers.read()
        place.serve(machine)
        spare = machine
    answers = callers.finish()
    assert failures(answers) == []
    runs = place.runs()
    assert [answer.call for answer in answers if runs[answer.call] != 1] == []


def test_a_cut_cable_is_noticed_on_both_sides_and_what_may_run_again_goes_elsewhere(place: Place) -> None:
    """Within 20 s: three heartbeats of 5 s."""
    cut = place.workers[0]
    address = f"tcp://{cut.ip}:{PORT}"
    many = place.call(TCP, method="Net.Once", seconds=0.1, timeout=90.0, callers=6)
    plain = place.call(TCP, method="Net.Once", seconds=0.01, timeout=90.0, plain=True, pause=0.001)
    again = place.call(TCP, method="Net.Again", seconds=0.1, timeout=90.0, callers=6)
    alone = place.call([address], method="Net.Once", seconds=90.0, timeout=90.0, plain=True, calls=1)
    for callers in (many, plain, again):
        while cut.ip not in machines(callers.answers):
            callers.read()
    with ThreadPoolExecutor() as threads:
        python = threads.submit(in_python, place, address)
        while "python" not in place.runs() or (before := cut.connections()) < 5:
            time.sleep(0.01)
        cut.is_cut = True
        began = time.monotonic()
        for callers in (many, plain):
            while not failures(callers.answers):
                callers.read()
        assert "its machine, or the network, is down" in python.result(60)
    assert [answer.who for answer in alone.wait()] == ["ConnectionLost"]
    lost = failures(many.finish() + plain.finish())
    assert {answer.who for answer in lost} == {"ConnectionLost"}
    assert "so it may have run" in lost[0].error and max(answer.latency for answer in lost) < 40
    assert failures(again.finish()) == []
    while cut.connections():
        assert time.monotonic() < began + 90, f"the broker keeps {cut.connections()} of {before} connections"
        time.sleep(0.1)
    cut.is_cut = False
    runs = place.runs()
    assert all(runs[answer.call] <= 1 for callers in (many, plain) for answer in callers.answers)
    assert max(runs[answer.call] for answer in again.answers) <= 2
    assert failures(place.call([address], method="Net.Quick", plain=True, calls=1).wait()) == []


def in_python(place: Place, address: str) -> str:
    return place.caller.inside(lambda: asyncio.run(wait_in_python(address)))


async def wait_in_python(address: str) -> str:
    async with AsyncClient(address, key=KEY, timeout=90.0) as client:
        with pytest.raises(ConnectionLost) as lost:
            await client.call("Net.Once", ["python", 90.0])
    return lost.value.message
