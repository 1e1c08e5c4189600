"""What a worker sees of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

# Numerical libraries start a thread for each processor, in each worker; several workers want one each.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

# Always kept from workers.
_SECRET = ("GOTASK_KEY",)


def worker_environment(
    parent: Mapping[str, str], secret: tuple[str, ...], log_level: str, is_multiple: bool, folder: str = ""
) -> dict[str, str]:
    """`parent`, less the shared key and the variables named in `secret`. is_multiple: several workers share the processors.
    folder: their working directory."""
    environment = {**parent, "GOTASK_LOG_LEVEL": log_level}
    if folder:
        environment["PWD"] = folder
    for name in (*_SECRET, *secret):
        environment.pop(name, None)
    if is_multiple:
        for name in _THREAD_VARIABLES:
            environment.setdefault(name, "1")
    return environment


def hide_secrets(secret: tuple[str, ...]) -> None:
    """Takes them out of this process's own: inline methods run in it, and it has read what it needs."""
    for name in (*_SECRET, *secret):
        os.environ.pop(name, None)
