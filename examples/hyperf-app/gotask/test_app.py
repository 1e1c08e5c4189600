"""Tests of the app, without a broker: it is plain Python. Run them with `pytest gotask`."""

import pytest
import sales
from app import App
from gotask.testing import TestWorker
from primes import primes, survey
from table import Table


def test_it_greets():
    assert App().hi("Reasno") == {"hello": "Reasno"}


def test_it_fails_on_purpose():
    with pytest.raises(RuntimeError, match="failed on purpose"):
        App().fail("on purpose")


def test_primes():
    assert primes(0, 100) == 25


def test_a_survey_tells_how_far_it_is():
    told = []
    with TestWorker(survey) as worker:
        found = worker.call("survey", 1000, on_progress=lambda *progress: told.append(progress))
    assert found == {"below": 1000, "primes": 168}
    assert told[-1] == (1.0, "168 primes below 1000", {"found": 168})


def test_the_report_is_the_same_with_and_without_numpy(monkeypatch):
    report = sales.Sales()
    report.open()
    first = report.year(2026)
    monkeypatch.setattr(sales, "numpy", None)
    second = report.year(2026)

    assert second["engine"] == "python"
    assert {**first, "engine": ""} == {**second, "engine": ""}


def test_a_table_with_semicolons():
    found = Table().summary("name;price\nTea;2.5\nCoffee;3.5\n".encode())

    assert found["rows"] == 2
    assert found["delimiter"] == ";"
    assert found["columns"]["name"] == {"type": "text", "values": 2, "different": 2}
    assert found["columns"]["price"] == {
        "type": "number",
        "values": 2,
        "least": 2.5,
        "most": 3.5,
        "average": 3.0,
    }


def test_a_table_with_one_column_and_nothing_in_it():
    assert Table().summary(b"name\n") == {
        "rows": 0,
        "delimiter": ",",
        "columns": {"name": {"type": "empty", "values": 0}},
    }
