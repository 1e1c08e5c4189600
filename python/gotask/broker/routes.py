"""Where the calls of a method go: looked up by the name as the caller wrote it, so that each spelling is resolved once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..ipc.messages import MAX_MICROSECONDS

if TYPE_CHECKING:
    from .group import WorkerGroup
    from .inline import InlineRunner


class Route:
    """A group of workers runs the method, or else the broker itself."""

    __slots__ = ("group", "inline", "is_async", "at_once", "timeout", "idempotent", "took")

    def __init__(
        self, description: Mapping[str, Any], group: WorkerGroup | None, inline: InlineRunner | None
    ) -> None:
        self.group = group
        self.inline = inline
        self.is_async: bool = description["async"]
        # Run and answered before anything else is looked at.
        self.at_once = inline if group is None and not self.is_async else None
        self.timeout: float = description["timeout"]  # seconds, 0.0: none
        self.idempotent: bool = description["idempotent"]
        self.took = MAX_MICROSECONDS  # by the last call; as long as possible before the first
