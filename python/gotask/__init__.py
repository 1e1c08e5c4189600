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

from . import _compiled  # noqa: F401 first of all: it decides where the others come from
from ._context import CurrentCall, current_call
from ._decorators import method, service
from ._errors import (
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
    ProtocolError,
    RemoteError,
    Unavailable,
    WorkerCrashed,
)
from ._registry import register
from ._version import VERSION as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ._async_client import AsyncClient
    from ._client import Args, Client
    from ._interrupts import Interrupted
    from ._tls import Tls

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
    "ProtocolError",
    "RemoteError",
    "Tls",
    "Unavailable",
    "WorkerCrashed",
    "__version__",
    "current_call",
    "method",
    "register",
    "run",
    "service",
]


def __getattr__(name: str) -> Any:
    # The clients are for programs that call; a worker, which is called, need not import them.
    if name in ("Args", "Client"):
        from . import _client

        return getattr(_client, name)
    if name == "Interrupted":
        from ._interrupts import Interrupted

        return Interrupted
    if name == "AsyncClient":
        from ._async_client import AsyncClient

        return AsyncClient
    if name == "Tls":
        from ._tls import Tls

        return Tls
    raise AttributeError(f"module 'gotask' has no attribute {name!r}")


def run() -> NoReturn:
    """Serves the program that calls it, as `python -m gotask PROGRAM` with the program's own arguments does.

    Never returns: the broker takes the place of this process. It is for `if __name__ == "__main__":`; workers import the
    program under another name, so it is not run in them.
    """
    import os
    import sys

    from . import _loader
    from ._place import working_directory

    if _loader.hosts_app:
        raise RuntimeError(_loader.missing_guard(sys._getframe(1)))
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is None:
        raise RuntimeError("gotask.run() needs a program in a file: write one, or use python -m gotask APP")
    sys.stdout.flush()
    sys.stderr.flush()
    program, here = os.path.abspath(program), os.getcwd() + os.sep
    if program.startswith(here):
        program = os.path.join(working_directory(os.environ), program[len(here) :])
    os.execv(sys.executable, [sys.executable, _loader.MAIN, program, *sys.argv[1:]])
