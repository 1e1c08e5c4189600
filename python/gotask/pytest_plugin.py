"""For pytest: `pytest_plugins = ["gotask.pytest_plugin"]` in conftest.py, and `gotask_app = app.py` in its configuration.

A file counts from the configuration's folder.

    def test_hi(gotask_worker):
        assert gotask_worker.call("App.Hi", "Jo") == {"hello": "Jo"}
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .testing import TestWorker
from .wire.names import is_file


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("gotask_app", "the file or module that registers the services of GoTask")


@pytest.fixture(scope="session")
def _gotask_worker(request: pytest.FixtureRequest) -> Iterator[TestWorker]:
    app = str(request.config.getini("gotask_app"))
    if not app:
        raise pytest.UsageError(
            "gotask_worker needs to know the app: set gotask_app = app.py in pytest's configuration"
        )
    with TestWorker(str(request.config.rootpath / app) if is_file(app) else app) as worker:
        yield worker


@pytest.fixture
def gotask_worker(_gotask_worker: TestWorker) -> Iterator[TestWorker]:
    """The app's methods; what a test puts into its `php` is gone with the test."""
    php = dict(_gotask_worker.php)
    yield _gotask_worker
    _gotask_worker.php = php
