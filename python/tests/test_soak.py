"""The soak command, for some seconds; and how it tells a flat curve from a leak."""

from __future__ import annotations

import json
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest

from . import soak
from .chaos.curves import Points, fit


def curve(leak: float) -> Points:
    """Half an hour of a value about 100 that rises by so much an hour, with peaks as large calls make them."""
    chance = random.Random(1)
    return [
        (float(at), 100 + leak * at / 3600 + chance.random() * (50 if at % 7 == 0 else 2))
        for at in range(1800)
    ]


def test_a_leak_is_found_beneath_peaks_and_a_flat_curve_is_flat() -> None:
    assert fit(curve(0), 0.02, 1).is_flat
    leaking = fit(curve(20), 0.02, 1)
    assert not leaking.is_flat
    assert leaking.growth == pytest.approx(20 / 2 * 2 / 3, rel=0.2)
    assert fit([(0.0, 5.0)], 0.02, 1).is_flat


def test_what_rises_only_while_it_warms_up_is_flat() -> None:
    warming = [(float(at), min(100.0, 20.0 + at)) for at in range(1800)]
    assert fit(warming, 0.02, 1).is_flat


def test_a_short_run_loses_no_call_and_draws_its_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "FAULT", 2.0)
    monkeypatch.setattr(soak, "PIECE", 3.0)
    assert soak.main(["--minutes", "0.2", "--output", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["problems"] == [] and report["calls"] > 100 and sum(report["faults"].values()) > 0
    picture = ElementTree.parse(tmp_path / "soak.svg").getroot()
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(report["curves"])
