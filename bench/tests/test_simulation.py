"""The simulation agrees with theory where theory has a formula, and with itself where two ways lead to the same."""

import pytest

pytest.importorskip("numpy")

import numpy as np  # noqa: E402

from simulation import theory  # noqa: E402
from simulation.costs import between  # noqa: E402
from simulation.points import Measured  # noqa: E402
from simulation.product import BROKERED, OVERDUE, Costs, brokered, fast  # noqa: E402
from simulation.queues import by_connection, idle_first, least_loaded, round_robin, shared  # noqa: E402
from simulation.times import TIMES, Seconds, poisson  # noqa: E402

CALLS = 400_000
FREE = Costs(0, 0, 0, 0, 0, 0, 0)
#: Of a mean over so many calls, whose waits depend on each other.
NEAR = 0.08


def drawn(kind: str, rate: float, count: int = CALLS, mean: float = 1.0) -> tuple[Seconds, Seconds]:
    random = np.random.default_rng(7)
    return poisson(random, rate, count), TIMES[kind](random, mean, count)


def settled(waits: Seconds) -> Seconds:
    return waits[len(waits) // 10 :]


@pytest.mark.parametrize(("workers", "load"), [(1, 0.5), (4, 0.8), (64, 0.85)])
def test_a_shared_queue_of_exponential_times_waits_as_erlang_says(workers: int, load: float) -> None:
    waits = settled(shared(*drawn("exponential", workers * load), workers))
    assert waits.mean() == pytest.approx(theory.mmc_wait(workers, load, 1.0), rel=NEAR)
    assert (waits > 0).mean() == pytest.approx(theory.erlang_c(workers, load), rel=NEAR)
    p99 = theory.mmc_wait_quantile(workers, load, 1.0, 0.99)
    assert np.quantile(waits, 0.99) == pytest.approx(p99, rel=NEAR)


@pytest.mark.parametrize(("kind", "variance"), [("constant", 0.0), ("exponential", 1.0)])
def test_one_worker_waits_as_pollaczek_and_khinchine_say(kind: str, variance: float) -> None:
    waits = settled(shared(*drawn(kind, 0.7), 1))
    assert waits.mean() == pytest.approx(theory.mg1_wait(0.7, 1.0, variance), rel=NEAR)


def test_the_mix_has_the_variance_that_its_wait_comes_from() -> None:
    at, times = drawn("1 % take 100 times as long", 0.5)
    assert times.mean() == pytest.approx(1.0, rel=NEAR)
    expected = theory.mg1_wait(0.5, times.mean(), times.var())
    assert settled(shared(at, times, 1)).mean() == pytest.approx(expected, rel=2 * NEAR)


@pytest.mark.parametrize("kind", TIMES)
def test_times_have_the_mean_that_is_asked_for(kind: str) -> None:
    assert drawn(kind, 1.0, mean=0.005)[1].mean() == pytest.approx(0.005, rel=NEAR)


def test_connections_that_belong_to_workers_are_queues_of_their_own() -> None:
    at, times = drawn("exponential", 8 * 0.7)
    waits = settled(by_connection(at, times, 8, np.random.default_rng(3)))
    assert waits.mean() == pytest.approx(theory.mmc_wait(1, 0.7, 1.0), rel=NEAR)


def test_with_one_worker_it_does_not_matter_who_gives_it_its_calls() -> None:
    at, times = drawn("lognormal", 0.8, 20_000)
    for policy in (idle_first, round_robin):
        assert policy(at, times, 1) == pytest.approx(shared(at, times, 1))
    assert least_loaded(at, times, 1, 4) == pytest.approx(shared(at, times, 4))


def test_a_shared_queue_is_the_best_of_those_that_know_no_times() -> None:
    at, times = drawn("lognormal", 16 * 0.7)
    means = [policy(at, times, 16).mean() for policy in (shared, idle_first, round_robin)]
    assert means == sorted(means)


def test_the_product_without_costs_is_a_shared_queue() -> None:
    at, times = drawn("exponential", 4 * 0.8, 30_000)
    assert brokered(at, times, 4, FREE).waits == pytest.approx(shared(at, times, 4), abs=1e-9)
    # Quick enough for the fast path, all from one caller: its socket is that queue.
    at, times = drawn("constant", 4 * 0.8 / 1e-4, 30_000, 1e-4)
    run = fast(at, times, np.zeros(len(at), int), 4, FREE)
    assert run.waits == pytest.approx(shared(at, times, 4), abs=1e-9)
    assert run.given_back == 0


def test_the_broker_does_no_more_calls_a_second_than_its_cost_allows() -> None:
    costs = Costs(turn=10e-6, request=5e-6, reply=5e-6, worker=0.0, fast_worker=0.0, way=0.0, fast_way=0.0)
    at, times = drawn("exponential", 200_000, 50_000, 1e-3)
    ends = np.sort(brokered(at, times, 1000, costs).ends)
    assert len(ends) / ends[-1] == pytest.approx(1 / costs.broker, rel=NEAR)


def test_quick_calls_that_share_a_message_with_a_slow_one_are_given_back() -> None:
    # The first of a message takes 0.2 s; the others go by the broker to the other worker, and the caller's next call, too.
    at = np.array([0.0] * 4 + [2 * OVERDUE, 2 * OVERDUE + BROKERED])
    times = np.array([0.2] + [20e-6] * 5)
    run = fast(at, times, np.zeros(6, int), 2, Costs(0, 0, 0, 0, 0, way=1e-3, fast_way=0.0))
    assert run.given_back == 3
    assert run.waits.tolist() == pytest.approx(
        [0.0, OVERDUE + 1e-3, OVERDUE + 1e-3 + 20e-6, OVERDUE + 1e-3 + 40e-6, 1e-3, 0.0]
    )


def test_what_a_worker_needs_between_calls_is_seen_where_the_next_one_waits() -> None:
    # Three calls at once, then one that finds the worker idle.
    made, began, times = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.7, 1.1]), np.full(4, 0.2)
    assert between(Measured(made, began - made, times, np.zeros(4, int))) == pytest.approx(0.1)
