"""Whatever breaks under load: each call has one outcome, runs once at most, and all is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chaos.faults import GROUPS, Group
from .chaos.pairs import KINDS, Kind, play
from .faults import Skipped, run

#: Seconds that each client leaves between two rounds of calls: other tests need the machine, too.
PAUSE = 0.06


@pytest.mark.parametrize(
    "group", [group for group in GROUPS if not group.is_long], ids=lambda group: str(group.name)
)
def test_no_call_is_lost_and_nothing_is_left(group: Group, tmp_path: Path) -> None:
    try:
        rows = list(run(group, tmp_path, pause=PAUSE))
    except Skipped as reason:
        pytest.skip(str(reason))
    assert {row.fault: row.problems for row in rows if row.problems} == {}
    assert all(row.calls for row in rows)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_whatever_happens_in_whichever_state_of_a_call(kind: Kind, tmp_path: Path) -> None:
    assert play(tmp_path, kind) == {}
