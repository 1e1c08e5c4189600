"""How messages name the broker's options: as whoever starts the broker can set them."""

from __future__ import annotations

import json
import os
import sys
from functools import cache

# A JSON map of flags to names, for instance {"--max-payload": "gotask.default.limits.max_payload"}.
VARIABLE = "GOTASK_OPTION_NAMES"

_FLAGS_OF_PHP = {"--workers", "--start-timeout", "--shutdown-timeout"}
_STARTED_BY_OTHERS = {"--managed", "--worker"}


def option(flag: str) -> str:
    """The name under which the one who reads a message can set this option."""
    name = _names().get(flag)
    if isinstance(name, str):
        return name
    # PHP starts a managed broker and takes few of its flags: the variable holds for the others.
    if flag in _FLAGS_OF_PHP or not _STARTED_BY_OTHERS & set(sys.argv):
        return flag
    return "GOTASK_" + flag[2:].replace("-", "_").upper()


@cache
def _names() -> dict[str, object]:
    try:
        names = json.loads(os.environ.get(VARIABLE, "") or "{}")
    except ValueError:
        return {}
    return names if isinstance(names, dict) else {}
