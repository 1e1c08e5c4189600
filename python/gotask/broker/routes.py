"""Where the calls of a method go: looked up by the name as the caller wrote it, so that each spelling is resolved once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from .group import WorkerGroup


class Route:
    """The group of workers that runs a method, and what holds for its calls."""

    __slots__ = ("group", "timeout", "idempotent")

    def __init__(self, description: Mapping[str, Any], group: WorkerGroup) -> None:
        self.group = group
        self.timeout: float = description["timeout"]  # seconds, 0.0: none
        self.idempotent: bool = description["idempotent"]
