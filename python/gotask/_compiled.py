"""The modules that every call passes through, compiled to C where that has been asked for (see `_compile`).

They are compiled from the sources beside this file, and used only as long as those and the interpreter are what they were made
from. So an update can't leave anything stale behind: without another compilation the sources run as they are.
"""

from __future__ import annotations

import os
import sys

# In the order of a call. None of them has coroutines, and none is to be replaced by a test's own.
MODULES = (
    "_protocol",
    "_connection",
    "_outbox",
    "_routes",
    "_queue",
    "_broker",
    "_group",
    "_latency",
    "_entry",
    "_lane",
    "_records",
    "_gathered",
    "_slots",
    "_worker_sync",
    "_runner",
    "_channel",
    "_worker_handle",
)

KEY = "key"

# Set to 0 it leaves what has been compiled alone: to compare, or to find out whether it is to blame for something.
VARIABLE = "GOTASK_COMPILED"

_PACKAGE = os.path.dirname(os.path.abspath(__file__))

# "no": nothing has been compiled for this interpreter; "yes"; "off": by the variable; "outdated": from other sources;
# "unusable": it can't be loaded.
state = "no"


def directory() -> str:
    """Where the compiled modules of this interpreter are, or would be."""
    return os.path.join(_PACKAGE, "compiled", str(sys.implementation.cache_tag))


def fingerprint() -> str:
    """Of what is compiled, by what."""
    from hashlib import blake2b

    found = blake2b(f"{sys.version} {sys.platform}".encode(), digest_size=16)
    for name in MODULES:
        with open(os.path.join(_PACKAGE, f"{name}.py"), "rb") as source:
            found.update(source.read())
    return found.hexdigest()


def _use() -> None:
    """Puts them before the sources in the package's path, if there are any that fit."""
    global state
    folder = directory()
    try:
        with open(os.path.join(folder, KEY)) as file:
            key = file.read()
    except OSError:
        return
    if os.environ.get(VARIABLE) == "0":
        state = "off"
    elif key != fingerprint():
        state = "outdated"
    else:
        state = "yes" if _load_common(folder) else "unusable"
    if state == "yes":
        sys.modules[__name__.rpartition(".")[0]].__path__.insert(0, os.path.join(folder, "gotask"))


def _load_common(folder: str) -> bool:
    """The library with the code of all of them, which each imports by its name alone."""
    from importlib.machinery import ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    for file in os.listdir(folder):
        name = file.partition(".")[0]
        if name.endswith("__mypyc"):
            loader = ExtensionFileLoader(name, os.path.join(folder, file))
            spec = spec_from_loader(name, loader)
            assert spec is not None
            try:
                module = module_from_spec(spec)
                loader.exec_module(module)
            except ImportError:
                return False
            sys.modules[name] = module
    return True


_use()
