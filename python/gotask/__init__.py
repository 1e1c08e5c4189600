"""Run Python for PHP applications: register services, and PHP calls them.

    import gotask

    class App:
        def hi(self, name):
            return {"hello": name}

    gotask.register(App())

    if __name__ == "__main__":
        gotask.run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from .app.context import CurrentCall, Interrupted, current_call
from .app.decorators import method, service
from .app.middleware import middleware
from .app.registry import register
from .errors import (
    Cancelled,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    DecodeFailed,
    EncodeFailed,
    GoTaskError,
    InvalidArguments,
    InvalidRequest,
    InvalidResult,
    MethodNotFound,
    NotAuthorized,
    Overloaded,
    PayloadTooLarge,
    PhpError,
    ProtocolError,
    RemoteError,
    Unavailable,
    WorkerCrashed,
)
from .version import VERSION as __version__
from .wire.results import encoder, finite

if TYPE_CHECKING:
    from .client.aio import AsyncClient
    from .client.session import Args
    from .client.sync import Client
    from .wire.tls import Tls

__all__ = [
    "Args",
    "AsyncClient",
    "Cancelled",
    "Client",
    "ConnectFailed",
    "ConnectionLost",
    "CurrentCall",
    "DeadlineExceeded",
    "DecodeFailed",
    "EncodeFailed",
    "GoTaskError",
    "Interrupted",
    "InvalidArguments",
    "InvalidRequest",
    "InvalidResult",
    "MethodNotFound",
    "NotAuthorized",
    "Overloaded",
    "PayloadTooLarge",
    "PhpError",
    "ProtocolError",
    "RemoteError",
    "Tls",
    "Unavailable",
    "WorkerCrashed",
    "__version__",
    "current_call",
    "encoder",
    "finite",
    "method",
    "middleware",
    "register",
    "run",
    "service",
]


# For programs that call: a worker, which is called, need not import them.
_LAZY = {
    "Args": "client.session",
    "AsyncClient": "client.aio",
    "Client": "client.sync",
    "Tls": "wire.tls",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'gotask' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def run() -> NoReturn:
    """Serves the program that calls it, as `python -m gotask PROGRAM` with the program's own arguments does.

    Never returns: the broker takes the place of this process. It is for `if __name__ == "__main__":`; workers import the
    program under another name, so it is not run in them.
    """
    import os
    import sys

    from .app import loader
    from .broker.environment import MAIN, working_directory

    if loader.hosts_app:
        raise RuntimeError(loader.missing_guard(sys._getframe(1)))
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is None:
        raise RuntimeError("gotask.run() needs a program in a file: write one, or use python -m gotask APP")
    sys.stdout.flush()
    sys.stderr.flush()
    program, here = os.path.abspath(program), os.getcwd() + os.sep
    if program.startswith(here):
        program = os.path.join(working_directory(os.environ), program[len(here) :])
    os.execv(sys.executable, [sys.executable, MAIN, program, *sys.argv[1:]])
