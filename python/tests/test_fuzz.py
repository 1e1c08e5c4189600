"""Bounded fuzzing with fixed seeds; `python -m tests.fuzz` goes on for longer, with others."""

from __future__ import annotations

import pytest

from .chaos.clients import php
from .fuzz import PARTS


@pytest.mark.parametrize(
    ("part", "cases"),
    [
        ("frames", 3000),
        ("broker", 1000),
        ("fast", 1000),
        ("handshake", 300),
        ("client", 300),
        ("async client", 300),
        ("PHP client", 300),
    ],
)
def test_nothing_crashes_hangs_or_is_seen_in_two_ways(part: str, cases: int) -> None:
    if part == "PHP client" and php() is None:
        pytest.skip("there is no php, or composer install was not run")
    result = PARTS[part](cases, 12.0, 1)
    assert result.findings == []
    assert result.cases
