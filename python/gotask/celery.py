"""Celery's own workers, for methods with `executor="celery"`:

    GOTASK_APP=app.py CELERY_BROKER_URL=redis://127.0.0.1:6379/0 python3 -m celery -A gotask.celery worker

`app` is the Celery instance that the app has made, or Celery's default one.
"""

from __future__ import annotations

import os

from celery.signals import worker_process_shutdown

from .app.loader import load
from .app.registry import default_registry
from .executors import remote
from .executors.celery import find_app
from .executors.celery_task import register

_path = os.environ.get("GOTASK_APP")
if not _path:
    raise SystemExit("GOTASK_APP is to name the app's file or module, as in GOTASK_APP=/srv/app/app.py")
load(_path)

app = find_app()

for _name, _value in (
    # A task that another worker could begin is not to wait behind a long one.
    ("worker_prefetch_multiplier", 1),
    # A worker whose broker is lost ends, and whatever has started it starts it anew: Celery's may take no tasks any more after
    # Redis has been back twice (github.com/celery/celery/issues/8030).
    ("broker_connection_retry", False),
):
    if not app.conf.value_set_for(_name):
        app.conf.update({_name: _value})
app.loader.override_backends = dict.fromkeys(
    ("redis", "rediss"), "gotask.executors.celery_task:PatientRedis"
) | dict(app.loader.override_backends)
register(app, default_registry)


@worker_process_shutdown.connect(weak=False)  # type: ignore[misc]
def _close(**_: object) -> None:
    remote.close()
