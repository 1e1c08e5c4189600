"""Errors that come from a limit of the host, and which limit to raise."""

from __future__ import annotations

import errno

_REMEDIES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the host's limit of open files (fs.file-max)",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), which counts for shared memory, too",
    errno.ENOMEM: "raise the limit of memory",
    errno.EAGAIN: "raise the limit of processes (ulimit -u, or pids.max of the control group)",
}


def is_limit(error: OSError) -> bool:
    return error.errno in _REMEDIES


def reason(error: OSError) -> str:
    """What the system says, and what to do where that is known."""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{error}: {remedy}" if remedy else str(error)
