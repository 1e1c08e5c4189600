"""The number of workers where none is given: what the machine and the container let this process use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gotask.broker import environment


@pytest.mark.parametrize(
    ("cgroup", "files", "quotas"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, [1.5]),
        ("0::/", {"cpu.max": "max 100000"}, []),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, [2.0]),
        ("0::/a/b", {"a/b/cpu.max": "100000 100000", "a/cpu.max": "50000 100000"}, [1.0, 0.5]),
        ("0::/docker/0123", {"cpu.max": "300000 100000"}, [3.0]),
        ("0::/../../a", {"cpu.max": "300000 100000"}, [3.0]),
        ("5:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, [0.5]),
        (
            "5:cpu,cpuacct:/",
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            [2.0],
        ),
        ("1:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, []),
        ("3:cpuset:/\n0::/", {"cpu.max": "nonsense"}, []),
        ("", {}, []),
    ],
)
def test_quotas_of_control_groups(
    tmp_path: Path, cgroup: str, files: dict[str, str], quotas: list[float]
) -> None:
    (tmp_path / "cgroup").write_text(cgroup + "\n")
    for name, content in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    assert list(environment._quotas(str(tmp_path), f"{tmp_path}/mount")) == quotas


@pytest.mark.parametrize(
    ("quotas", "expected"), [([0.5], 1), ([1.2, 8.0], 2), ([], 4), ([100.0], 4), ([3.0], 3)]
)
def test_the_smallest_limit_counts(
    monkeypatch: pytest.MonkeyPatch, quotas: list[float], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(environment, "_quotas", lambda *_: iter(quotas))
    assert environment.available_processors() == expected
