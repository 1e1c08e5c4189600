"""Reports that survive everything, are made later, and every night. docs/beyond-one-machine.md says how to start it."""

import time
from typing import Any

from celery import current_app, shared_task
from celery.schedules import crontab

import gotask


# docs: durable
@gotask.service
class Report:
    @gotask.method(executor="celery")
    def build(self, year: int) -> dict[str, Any]:
        call = gotask.current_call()
        for month in range(1, 13):
            call.progress(month / 12, f"month {month}")
            time.sleep(0.1)
        return {"year": year, "made_by": call.id}

    # docs: end

    # docs: later
    def build_later(self, year: int, seconds: float) -> str:
        """An ordinary method, in a worker of GoTask's: it leaves a task of Celery's own."""
        task = report.apply_async((year,), countdown=seconds)
        return str(task.id)


@shared_task(name="report", acks_late=True, reject_on_worker_lost=True)
def report(year: int) -> None:
    print(f"the report of {year}")  # whatever it does, it stores where it is wanted


current_app.conf.timezone = "Europe/Berlin"
current_app.conf.beat_schedule = {
    "nightly": {"task": "report", "schedule": crontab(hour=3, minute=0), "args": (2026,)},
}
# docs: end


# docs: visibility
# Seconds, above the longest time that a task takes or waits for its countdown; Celery's default is an hour.
current_app.conf.broker_transport_options = {"visibility_timeout": 4 * 3600}
# docs: end
