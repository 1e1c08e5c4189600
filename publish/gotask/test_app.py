"""Tests of the app, without a broker: it is plain Python. Run them with `pytest gotask`."""

import sys
from pathlib import Path

# The package comes with Composer and need not be installed.
sys.path.insert(0, str(Path(__file__).parent.parent / "vendor" / "reasno" / "gotask" / "python"))
sys.path.insert(0, str(Path(__file__).parent))

from app import App


def test_it_greets():
    assert App().hi("Reasno") == {"hello": "Reasno"}
