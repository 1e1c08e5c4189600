"""Contenders take turns, round after round, so that what disturbs the machine disturbs all of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .contenders import Contender, Result
from .context import Context
from .figures import Figure
from .processes import Failed

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


def over_bare(results: Results, name: str, process: str | None = None) -> Figure:
    """Microseconds of a processor, round by round."""

    def costs(of: str) -> list[float]:
        return [
            1e6
            * (sum(result.cpu.values()) if process is None else result.cpu.get(process, 0.0))
            / result.calls
            for result in results[of]
        ]

    return Figure.of(
        [with_call - bare for with_call, bare in zip(costs(name), costs("bare"), strict=True)],
        "µs",
        relative=True,
    )
