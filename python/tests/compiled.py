"""Tests that put something of their own in the place of what may be compiled."""

from __future__ import annotations

import pytest

from gotask import _compiled

sources_only = pytest.mark.skipif(
    _compiled.state == "yes", reason="compiled modules take no fakes: it runs on the sources alone"
)
