"""Contenders take turns, round after round, so that what disturbs the machine disturbs all of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .contenders import Contender, Result
from .context import Context
from .processes import Failed, favour_all

Results = dict[str, list[Result]]


@contextmanager
def started(context: Context, contenders: Sequence[Contender]) -> Iterator[list[Contender]]:
    """Those of them that can be had, started; stopped in the end, however that comes."""
    running: list[Contender] = []
    try:
        for contender in contenders:
            reason = contender.available()
            if reason is None:
                try:
                    contender.start()
                    running.append(contender)
                    continue
                except Failed as failed:
                    contender.stop()
                    reason = str(failed)
                except BaseException:
                    contender.stop()
                    raise
            context.skip(contender.title, reason)
        yield running
    finally:
        for contender in reversed(running):
            contender.stop()


def alternate(
    context: Context,
    contenders: Sequence[Contender],
    concurrency: int,
    payload: int = 3,
    *,
    seconds: float | None = None,
    rounds: int | None = None,
) -> Results:
    """Each in turn, and another one first in each round. One that fails is left out from then on, and has no results."""
    favour_all()
    results: Results = {contender.name: [] for contender in contenders}
    left = list(contenders)
    for number in range(rounds or context.rounds):
        first = number % max(1, len(left))
        for contender in left[first:] + left[:first]:
            try:
                results[contender.name].append(
                    contender.run(concurrency, payload, seconds or context.seconds)
                )
            except Failed as failed:
                context.skip(f"{contender.title}, {concurrency} at a time, {payload} bytes", str(failed))
                left.remove(contender)
                del results[contender.name]
    return results


def rates(results: Results) -> dict[str, list[float]]:
    return {name: [result.rate for result in of] for name, of in results.items()}


def over_bare(results: Results, name: str) -> list[float]:
    """Microseconds of a processor a call, in all processes, less those of the bare route, round by round."""
    costs = {of: [result.cpu_per_call for result in results.get(of, [])] for of in (name, "bare")}
    return [call - bare for call, bare in zip(costs[name], costs["bare"])]
