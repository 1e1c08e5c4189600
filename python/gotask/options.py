"""How messages name the broker's options: as whoever starts the broker can set them."""

from __future__ import annotations

import json
import os
import sys
from functools import cache

# A JSON map of flags to names, for instance {"--max-payload": "gotask.default.limits.max_payload"}.
VARIABLE = "GOTASK_OPTION_NAMES"

_FLAGS_OF_PHP = {"--workers", "--start-timeout", "--shutdown-timeout"}

# Read at once: a worker's arguments are the app's later.
_is_php_s = bool({"--managed", "--worker"} & set(sys.argv))


def option(flag: str) -> str:
    """The name under which the one who reads a message can set this option."""
    name = _names().get(flag)
    if isinstance(name, str):
        return name
    # PHP starts a managed broker and takes few of its flags: the variable holds for the others.
    if flag in _FLAGS_OF_PHP or not _is_php_s:
        return flag
    return "GOTASK_" + flag[2:].replace("-", "_").upper()


@cache
def _names() -> dict[str, object]:
    try:
        names = json.loads(os.environ.get(VARIABLE, "") or "{}")
    except ValueError:
        return {}
    return names if isinstance(names, dict) else {}
