"""Whatever breaks under load: each call has one outcome, runs once at most, and all is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chaos.faults import GROUPS, Group
from .faults import Skipped, run


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group.name))
def test_no_call_is_lost_and_nothing_is_left(group: Group, tmp_path: Path) -> None:
    try:
        rows = list(run(group, tmp_path))
    except Skipped as reason:
        pytest.skip(str(reason))
    assert {row.fault: row.problems for row in rows if row.problems} == {}
    assert all(row.calls for row in rows)
