"""Services with worker processes of their own."""

from __future__ import annotations

from typing import NamedTuple

from ..wire.names import SHARED_GROUP


class GroupSettings(NamedTuple):
    """A service's settings for its own worker processes. 0 stands for the broker's setting."""

    name: str
    workers: int
    queue_calls: int
    queue_bytes: int


def make_group(
    name: str, workers: int | None, queue_calls: int | None, queue_bytes: int | None
) -> GroupSettings:
    if workers is None:
        if queue_calls is not None or queue_bytes is not None:
            raise ValueError(
                f"{name} has a queue of its own only with workers of its own: give workers=, too"
            )
        return GroupSettings(SHARED_GROUP, 0, 0, 0)
    for what, number, least, most in (
        ("workers", workers, 1, 1024),
        ("queue_calls", queue_calls, 1, 10_000_000),
        ("queue_bytes", queue_bytes, 1024, 2**40),
    ):
        if number is not None and (type(number) is not int or not least <= number <= most):
            raise ValueError(
                f"{what} of {name} must be a whole number from {least} to {most}, not {number!r}"
            )
    return GroupSettings(name, workers, queue_calls or 0, queue_bytes or 0)
