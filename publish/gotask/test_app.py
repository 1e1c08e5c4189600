"""Tests of the app, without a broker: it is plain Python. Run them with `pytest gotask`."""

from app import App


def test_it_greets():
    assert App().hi("Reasno") == {"hello": "Reasno"}
