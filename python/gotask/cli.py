"""The command line. It checks what is missing before it imports anything else, so that a message says so.

`python -m gotask APP` serves an app; `python -m gotask ping` asks whether a broker answers, for health checks where there is
no PHP.
"""

from __future__ import annotations

import json
import os
import sys

from .version import VERSION

_UNAVAILABLE = 69

# The exit codes of ping, as of PHP's `gotask ping`.
_NO_CONNECTION = 3
_DEADLINE = 4
_REFUSED = 5


def main(arguments: list[str] | None = None) -> int:
    """Serves an app, or asks a broker; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not _usable("--managed" in given):
        return _UNAVAILABLE
    if given[:1] == ["ping"]:
        return _ping(given[1:])
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


def _ping(arguments: list[str]) -> int:
    """Whether a broker answers: 0; 2 wrong usage, 3 no connection, 4 no answer in time, 5 refused (it asks for a key)."""
    import argparse
    import time

    from .client.sync import Client
    from .errors import DeadlineExceeded, GoTaskError, NotAuthorized, Overloaded, Unavailable
    from .wire.address import DEFAULT
    from .wire.handshake import find_key
    from .wire.tls import Tls

    parser = argparse.ArgumentParser(
        prog="python -m gotask ping",
        description="Ask whether a broker answers. It does once its workers are ready and until it ends, however busy.",
        epilog="Exit codes: 0 it answers; 2 wrong usage; 3 no connection; 4 no answer in time; 5 refused (another key)."
        " Key and certificates are those of GOTASK_KEY, GOTASK_KEY_FILE, GOTASK_TLS_CA, _CERTIFICATE and _KEY.",
    )
    given = os.environ.get("GOTASK_ADDRESS", "").strip(" ,") or DEFAULT
    parser.add_argument(
        "--address",
        default=given,
        help="of several with commas between, the first Unix socket, else the first (default: GOTASK_ADDRESS)",
    )
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds for all of it (default: 3)")
    options = parser.parse_args(arguments)
    if not 0 < options.timeout <= 86_400:
        parser.error(f"--timeout is within 0 … 86400 seconds, not {options.timeout:g}")
    several = [text.strip() for text in options.address.split(",")]
    address = next((text for text in several if text.startswith("unix://")), several[0])
    ca, certificate, key = (os.environ.get(f"GOTASK_TLS_{name}") for name in ("CA", "CERTIFICATE", "KEY"))
    try:
        is_unix = address.startswith("unix://")
        secret = None if is_unix else find_key(os.environ.get("GOTASK_KEY_FILE"), dict(os.environ))
        client = Client(address, options.timeout, options.timeout, key=secret, tls=Tls(ca, certificate, key))
    except ValueError as error:
        parser.error(str(error))
    began = time.monotonic()
    try:
        client.call("GoTask.Ping")
    except (GoTaskError, OSError) as error:
        print(f"{address}: {error}", file=sys.stderr)
        refusals = (NotAuthorized, Unavailable, Overloaded)
        is_late = isinstance(error, DeadlineExceeded)
        return _REFUSED if isinstance(error, refusals) else _DEADLINE if is_late else _NO_CONNECTION
    print(f"{address}: {(time.monotonic() - began) * 1000:.1f} ms")
    return 0


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
