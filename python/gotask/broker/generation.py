"""The workers that have loaded the app at one time: the shared group, and one for each service with workers of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire.names import SHARED_GROUP, is_file
from .environment import Place, look_up
from .group import WorkerGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from .broker import Broker
    from .inline import InlineRunner


class Generation:
    """Which groups there are, its first worker says. `on_ready` and `on_failed` are told once, either of them.

    warm: it is ready when all workers are; else when each group has one.
    """

    def __init__(
        self,
        broker: Broker,
        number: int,
        warm: bool,
        on_ready: Callable[[Generation], None],
        on_failed: Callable[[Generation, str], None],
        on_ended: Callable[[Generation], None],
    ) -> None:
        self.number = number
        self.methods: list[dict[str, Any]] | None = None
        self.inline: InlineRunner | None = None  # the app in the broker itself, where that is needed
        self.groups: dict[str, WorkerGroup] = {}
        self._broker = broker
        self._warm = warm
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._on_ended = on_ended
        self._decided = False
        self._is_file = is_file(broker.config.app)
        self._place = self._look_up()

    @property
    def place(self) -> Place:
        """Where its workers find the app: all in the same release, unless that has been deleted."""
        if not self._place.is_there:
            self._place = self._look_up()
        return self._place

    def _look_up(self) -> Place:
        return look_up(self._broker.config.app, self._broker.config.folder, self._is_file)

    def start(self) -> None:
        config = self._broker.config
        if not config.workers:
            self._decided = True
            self._broker.loop.call_soon(self._on_ready, self)
            return
        limits = (config.queue_calls, config.queue_bytes)
        self._add(SHARED_GROUP, (config.min_workers, config.workers), limits)

    def started(self, group: WorkerGroup, news: dict[str, Any]) -> None:
        """A worker of a group is ready, and says what can be called."""
        if self.methods is None:
            self.methods = news["methods"]
            for own in news["groups"]:
                self._add_own(own)
            if all(method["group"] for method in self.methods):
                self.groups[SHARED_GROUP].end()  # nothing would ever run there
        serving = [group for group in self.groups.values() if not group.is_ending]
        ready = (group.pool.is_warm if self._warm else group.pool.in_service for group in serving)
        if not self._decided and all(ready):
            self._decided = True
            self._on_ready(self)

    def describe(self) -> list[dict[str, Any]]:
        """What can be called."""
        if self.methods is not None:
            return self.methods
        return self.inline.describe() if self.inline is not None else []

    def failed(self, message: str) -> None:
        """A worker can't be started, and none of its group ever could."""
        if not self._decided:
            self._decided = True
            self._on_failed(self, message)

    def kill(self) -> None:
        """Ends all its workers at once."""
        self._decided = True
        for group in tuple(self.groups.values()):
            group.kill()

    def ended(self, group: WorkerGroup) -> None:
        """The last worker of a group has ended, and none will follow."""
        if self.groups.get(group.name) is group:
            del self.groups[group.name]
        if not self.groups:
            self._on_ended(self)

    def _add_own(self, own: dict[str, Any]) -> None:
        config = self._broker.config
        limits = (own["queue_calls"] or config.queue_calls, own["queue_bytes"] or config.queue_bytes)
        self._add(own["name"], (own["workers"], own["workers"]), limits)

    def _add(self, name: str, size: tuple[int, int], limits: tuple[int, int]) -> None:
        group = self.groups[name] = WorkerGroup(self._broker, self, name, size, limits)
        group.pool.start()
