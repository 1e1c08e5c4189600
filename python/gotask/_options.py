"""How messages name the broker's options: by its flags, unless whoever starts the broker has other names for them."""

from __future__ import annotations

import json
import os
from functools import cache

# A JSON map of flags to names, for instance {"--max-payload": "gotask.default.limits.max_payload"}.
VARIABLE = "GOTASK_OPTION_NAMES"


def option(flag: str) -> str:
    """The name under which the one who reads a message can set this option."""
    name = _names().get(flag, flag)
    return name if isinstance(name, str) else flag


@cache
def _names() -> dict[str, object]:
    try:
        names = json.loads(os.environ.get(VARIABLE, "") or "{}")
    except ValueError:
        return {}
    return names if isinstance(names, dict) else {}
