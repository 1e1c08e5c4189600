"""How messages name the broker's options: as those who start the broker set them."""

from __future__ import annotations

import json
import os
import sys
from functools import cache

# A JSON map of flags to names, for instance {"--max-payload": "gotask.default.limits.max_payload"}.
VARIABLE = "GOTASK_OPTION_NAMES"

_FLAGS_OF_PHP = {"--workers", "--start-timeout", "--shutdown-timeout"}

# Read when this is imported: later sys.argv is the app's.
_is_php_s = bool({"--managed", "--worker"} & set(sys.argv))


def option(flag: str) -> str:
    """The name by which the reader of a message can set this option."""
    name = _names().get(flag)
    if isinstance(name, str):
        return name
    # PHP starts a managed broker, and gives it few flags: people set the others by variables.
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
