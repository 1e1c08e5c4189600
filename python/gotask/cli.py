"""The command line. It checks what is missing before it imports anything else, so that a message says so."""

from __future__ import annotations

import json
import os
import sys

from .version import VERSION

_UNAVAILABLE = 69


def main(arguments: list[str] | None = None) -> int:
    """Serves an app; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not _usable("--managed" in given):
        return _UNAVAILABLE
    from .config import parse_arguments

    config = parse_arguments(given, dict(os.environ), VERSION)
    from .app.loader import AppNotFound, check

    try:
        check(config.app)
    except AppNotFound as error:
        from .broker.log import Log

        Log(config.log_level, config.managed).event("failed", code=error.exit_code, message=str(error))
        return error.exit_code
    from .broker.server import serve

    return serve(config)


def _usable(managed: bool) -> bool:
    """Whether this interpreter has msgpack; if not, stdout (managed) or stderr says so."""
    try:
        import msgpack  # noqa: F401

        return True
    except ImportError:
        pass
    if managed:
        version = ".".join(map(str, sys.version_info[:3]))
        event = {"event": "missing", "packages": ["msgpack"], "python": sys.executable, "version": version}
        print(json.dumps(event), flush=True)
    else:
        text = f"{sys.executable} lacks the package msgpack: {sys.executable} -m pip install msgpack"
        print(text, file=sys.stderr, flush=True)
    return False
