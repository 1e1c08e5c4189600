"""Where the app is, and the working directory: named as they were given, and looked up anew by each generation.

Releases are often switched by a symbolic link. A path that was resolved once would lead to the first one for ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """What the links lead to at one time. `folder` is empty where there is no working directory any more."""

    app: str  # a module's name, or a file's path
    folder: str

    @property
    def is_there(self) -> bool:
        """Whether it still is: a release may have been deleted."""
        return os.path.isdir(self.folder) and (not os.path.isabs(self.app) or os.path.isfile(self.app))


def look_up(app: str, folder: str, is_file: bool) -> Place:
    """Follows the links of the folders as they are now. A link that is the app's file itself stays, as Python keeps it."""
    if is_file:
        path = os.path.join(folder, app)
        app = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return Place(app, os.path.realpath(folder) if folder and os.path.isdir(folder) else "")


def working_directory(environment: Mapping[str, str]) -> str:
    """By the name that the starter knows it by, which the variable PWD holds; empty where it is gone."""
    named = environment.get("PWD", "")
    try:
        here = os.getcwd()
    except OSError:
        return named if os.path.isdir(named) else ""
    try:
        return named if os.path.isabs(named) and os.path.samefile(named, here) else here
    except OSError:
        return here
