"""The workers that have loaded the app at one time: of all services that have no workers of their own, and of each that has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..wire.names import SHARED_GROUP, is_file
from .environment import Place, look_up, reason
from .group import WorkerGroup
from .runtime import Runtime


class Generation:
    """Sync methods have one group of workers, async ones another, each only where there are such methods: the worker that has
    loaded the app first tells. `on_ready` and `on_failed` are told once, either of them.

    warm: it is ready when all workers are; else when each group has one.
    """

    def __init__(
        self,
        runtime: Runtime,
        number: int,
        warm: bool,
        on_ready: Callable[[Generation], None],
        on_failed: Callable[[Generation, str], None],
        on_ended: Callable[[Generation], None],
    ) -> None:
        self.number = number
        self.methods: list[dict[str, Any]] | None = None
        self.signatures = ""  # a hash of what the methods take and give
        self.groups: dict[tuple[str, bool], WorkerGroup] = {}  # by service, and whether async
        self._runtime = runtime
        self._warm = warm
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._on_ended = on_ended
        self._decided = False
        self._is_file = is_file(runtime.config.app)
        self._place = self._look_up()

    @property
    def place(self) -> Place:
        """Where its workers find the app: all in the same release, unless that has been deleted."""
        if not self._place.is_there:
            self._place = self._look_up()
        return self._place

    def _look_up(self) -> Place:
        return look_up(self._runtime.config.app, self._runtime.config.folder, self._is_file)

    def start(self) -> None:
        self._add(SHARED_GROUP, False, {})

    def loaded(self, offer: dict[str, Any]) -> None:
        if self.methods is not None:
            return
        self.methods, self.signatures = offer["methods"], offer["signatures"]
        own = {group["name"]: group for group in offer["groups"]}
        wanted = {(method["group"], method["async"]) for method in self.methods}
        for name, is_async in sorted(wanted - self.groups.keys()):
            if not self._decided:  # else a group could not be started, and this generation ends
                self._add(name, is_async, own.get(name, {}))
        if (SHARED_GROUP, False) not in wanted:
            self.groups[SHARED_GROUP, False].end()  # nothing would ever run there
        self.started()

    def started(self) -> None:
        """Workers are ready, or there are groups that none is needed in."""
        serving = [group for group in self.groups.values() if not group.is_ending]
        ready = (group.pool.is_warm if self._warm else group.pool.in_service for group in serving)
        if not self._decided and all(ready):
            self._decided = True
            self._on_ready(self)

    @property
    def workers(self) -> str:
        """In words, how many there may be: 2 workers and 1 async worker."""
        texts = []
        for kind in (False, True):
            serving = (g for g in self.groups.values() if g.is_async == kind and not g.is_ending)
            count = sum(group.pool.most for group in serving)
            if count:
                texts.append(f"{count} {'async ' * kind}worker{'s' * (count > 1)}")
        return " and ".join(texts) or "no workers"

    def failed(self, message: str) -> None:
        if not self._decided:
            self._decided = True
            self._on_failed(self, message)

    def kill(self) -> None:
        """Ends all its workers at once."""
        self._decided = True
        for group in tuple(self.groups.values()):
            group.kill()
        if not self.groups:
            self._on_ended(self)

    def ended(self, group: WorkerGroup) -> None:
        del self.groups[group.name, group.is_async]
        if not self.groups:
            self._on_ended(self)

    def _add(self, name: str, is_async: bool, own: dict[str, Any]) -> None:
        """own: what the service says of its workers, if it has its own."""
        config = self._runtime.config
        if own:
            most = least = 1 if is_async else own["workers"]
        else:
            most = config.async_workers if is_async else config.workers
            least = min(config.min_workers or most, most)
        limits = (own.get("queue_calls") or config.queue_calls, own.get("queue_bytes") or config.queue_bytes)
        try:
            group = WorkerGroup(self._runtime, self, name, is_async, (least, most), limits)
        except OSError as error:
            self.failed(f"its workers can't be given calls: {reason(error)}")
            return
        self.groups[name, is_async] = group
        group.pool.start()
