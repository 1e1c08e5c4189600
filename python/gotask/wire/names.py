"""Names: which registered method `App.SayHello` means, and what an app is called. Worker and broker use it alike."""

from __future__ import annotations

import os
from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice
from typing import Any

from ..errors import MethodNotFound

# The longest that a call's frame can carry, in bytes.
MAX_NAME = 255

# What the broker answers itself.
RESERVED = "GoTask"

# What a worker answers of them: what each method takes and gives.
DESCRIBE = "GoTask.Describe"

# What a worker whose methods Celery runs answers: what has become of a durable call.
OUTCOME = "GoTask.Outcome"

# The group of all services that have no worker processes of their own.
SHARED_GROUP = ""

# How many names are suggested, and how alike they must be: twice the letter pairs that both names have, by the pairs of both.
_NEAREST = 3
_ALIKE = 0.55

# Where none is alike, all methods are named if there are at most so many.
_MOST_LISTED = 5

# Unknown names come over the wire, and the broker's loop searches for similar ones. These bound the work: characters and
# methods that are compared, and results that are remembered.
_MAX_COMPARED = 64
_MAX_METHODS = 1024
_MAX_REMEMBERED = 256


def is_file(app: str) -> bool:
    """Whether APP names a file and not a module."""
    return app.endswith(".py") or os.sep in app or os.path.isfile(app)


def fold(name: str) -> str:
    """What the spellings of a name have in common: `SayHello` and `say_hello`, `GetURL` and `get_url`."""
    return name.replace("_", "").lower()


def check_name(name: str) -> str:
    """Returns `name`. ValueError: no service or function may have it."""
    parts = name.split(".")
    if not all(part.isidentifier() and not part.startswith("_") for part in parts):
        raise ValueError(
            f"{name!r} can't be called: use letters, digits and underscores, no underscore at the beginning,"
            " with dots between for a namespace (give a name: register(…, name=…))"
        )
    if fold(parts[0]) == fold(RESERVED):
        raise ValueError(f"{name!r} is reserved: names beginning with {RESERVED} are the broker's own")
    if len(name.encode()) > MAX_NAME:
        raise ValueError(f"{name[:40] + '…'!r} is longer than {MAX_NAME} bytes")
    return name


class Catalogue:
    """The methods that there are, by the descriptions of `Registry.describe()`."""

    __slots__ = ("descriptions", "_exact", "_folded", "_pairs", "_nearest")

    def __init__(self, descriptions: Iterable[dict[str, Any]]) -> None:
        self.descriptions: list[dict[str, Any]] = []
        self._exact: dict[str, dict[str, Any]] = {}
        self._folded: dict[str, dict[str, Any]] = {}
        self._pairs: list[tuple[str, frozenset[str]]] = []  # of folded names; empty until needed
        self._nearest: dict[str, list[str]] = {}
        for description in descriptions:
            self.add(description)

    def add(self, description: dict[str, Any]) -> None:
        """ValueError: there is a method of that name already, or of one that is spelled alike."""
        name: str = description["name"]
        other = self._folded.setdefault(fold(name), description)
        if other is not description:
            raise ValueError(
                f"{name} and {other['name']} can't be told apart by callers, who may write either as"
                " the other: rename one, or begin its name with an underscore"
            )
        self._exact[name] = description
        self.descriptions.append(description)
        self._pairs.clear()
        self._nearest.clear()

    def resolve(self, name: str) -> dict[str, Any] | None:
        """The description of the method of that name, or of another spelling of it; None: there is none."""
        description = self._exact.get(name)
        if description is not None:
            return description
        if _is_private(name):
            return None  # `App._hi` is not `App.hi`
        return self._folded.get(fold(name))

    def nearest(self, name: str) -> list[str]:
        """Up to three similar names, the most similar first."""
        folded = fold(name[:MAX_NAME])[:_MAX_COMPARED]
        names = self._nearest.get(folded)
        if names is None:
            if len(self._nearest) >= _MAX_REMEMBERED:
                self._nearest.clear()
            names = self._nearest[folded] = self._find_nearest(folded)
        return list(names)

    def _find_nearest(self, folded: str) -> list[str]:
        if not self._pairs:
            self._pairs = [(known, _pairs(known)) for known in islice(self._folded, _MAX_METHODS)]
        sought = _pairs(folded)
        alike = []
        for known, pairs in self._pairs:
            likeness = 2 * len(sought & pairs) / (len(sought) + len(pairs))
            if likeness >= _ALIKE:
                alike.append((-likeness, known))
        names = [self._folded[known]["name"] for _, known in nsmallest(_NEAREST, alike)]
        # A method of that name in another service.
        last = folded.rpartition(".")[2]
        for known, _ in self._pairs:
            if len(names) >= _NEAREST:
                break
            if known.rpartition(".")[2] == last and self._folded[known]["name"] not in names:
                names.append(self._folded[known]["name"])
        return names

    def not_found(self, name: str) -> MethodNotFound:
        """The error for a name that `resolve` does not know."""
        shown = name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…"
        nearest = self.nearest(name)
        known = [str(description["name"]) for description in self.descriptions]
        if not known:
            hint = "the app has registered nothing: it has to call gotask.register(App()), for instance"
        elif _is_private(name):
            hint = "what begins with _ can't be called"
        elif nearest:
            hint = f"did you mean {' or '.join(nearest)}?"
        elif len(known) <= _MOST_LISTED:
            hint = f"there is {', '.join(known)}"
        else:
            hint = f"`gotask methods` lists the {len(known)} that there are"
        return MethodNotFound(f"there is no method {shown}: {hint}", {"nearest": nearest})


def _is_private(name: str) -> bool:
    return name.startswith("_") or "._" in name


def _pairs(folded: str) -> frozenset[str]:
    """All pairs of adjacent letters, with a space before the first letter and behind the last."""
    padded = f" {folded} "
    return frozenset(padded[place : place + 2] for place in range(len(padded) - 1))
