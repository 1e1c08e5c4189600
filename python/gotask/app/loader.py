"""Imports the app: a file or a module."""

from __future__ import annotations

import os
import sys
from types import FrameType, ModuleType

from ..wire.names import is_file

# EX_NOINPUT of sysexits.h.
EX_NO_APP = 66

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NAME = __name__.partition(".")[0]


# Whether this process is a worker that has begun to load an app.
hosts_app = False


class AppNotFound(Exception):
    """There is no such file or module, or it can't be imported under its name."""

    exit_code = EX_NO_APP


def check(app: str) -> None:
    """Raises `AppNotFound` if that is certain without running anything of the app."""
    if is_file(app):
        _stem(app)
        return
    top = app.partition(".")[0]
    if top == _NAME:
        raise AppNotFound(
            f"{app} would be a part of the package {_NAME} itself: give the file, as in {_NAME}/app.py"
        )
    if not all(part.isidentifier() for part in app.split(".")):
        raise AppNotFound(f"{app!r} is neither a file nor the name of a module")


def load(app: str) -> None:
    """Imports the app, which registers its services. Raises `AppNotFound`, or whatever the app raises.

    A file is imported under its own name without the ending, never as `__main__`, with its folder first in
    sys.path, as Python does for a script.
    """
    global hosts_app
    hosts_app = True
    check(app)
    _check_package()
    if is_file(app):
        _load_file(os.path.abspath(app))
    else:
        _load_module(app)
    _check_package()


def missing_guard(frame: FrameType | None) -> str:
    """The message for gotask.run() in a process that loads the app. `frame` is the caller's."""
    line = frame
    while line is not None and line.f_code.co_name != "<module>":
        line = line.f_back
    line = line or frame
    at = f"{line.f_code.co_filename}:{line.f_lineno}" if line is not None else "it"
    return (
        f"{at} runs gotask.run() while a worker imports the app:"
        ' put it below `if __name__ == "__main__":`, which is not true there'
    )


def import_own(name: str, app: str) -> ModuleType:
    """Imports a module of this package, and what that needs of the standard library, after the app has been loaded.

    What the app's folder has of their names stays the app's: it is out of the way for this import alone.
    """
    from importlib import import_module

    folder = os.path.dirname(app) if is_file(app) else os.getcwd()
    path = sys.path[:]
    hidden = {
        name: module
        for name, module in tuple(sys.modules.items())
        if name.partition(".")[0] in sys.stdlib_module_names
        and _is_below(folder, getattr(module, "__file__", None))
    }
    for found in hidden:
        del sys.modules[found]
    sys.path[:] = [entry for entry in path if entry not in (folder, "")]
    try:
        return import_module(name)
    finally:
        sys.path[:] = path
        sys.modules.update(hidden)


def _is_below(folder: str, file: str | None) -> bool:
    if file is None or not os.path.abspath(file).startswith(folder + os.sep):
        return False
    return not {"site-packages", "dist-packages"} & set(file.split(os.sep))


def _stem(path: str) -> str:
    if not os.path.isfile(path):
        what = "is a folder, not a file" if os.path.isdir(path) else "does not exist"
        raise AppNotFound(f"the app {os.path.abspath(path)} {what}")
    stem = os.path.splitext(os.path.basename(path))[0]
    if stem == _NAME:
        raise AppNotFound(
            f"the app {path} has the name of the package {_NAME}: rename it, app.py for instance"
        )
    return stem


def _load_file(path: str) -> None:
    # Not importlib.util, which costs a starting worker 3 ms.
    from importlib.machinery import ModuleSpec, SourceFileLoader

    name = _stem(path)
    known = sys.modules.get(name)
    if known is not None:
        if os.path.abspath(getattr(known, "__file__", None) or "") == path:
            return
        raise AppNotFound(f"the app {path} has the name of the module {name}, which Python needs: rename it")
    folder = os.path.dirname(path)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    loader = SourceFileLoader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    module = type(sys)(name)
    module.__spec__, module.__loader__, module.__file__, module.__package__ = spec, loader, path, ""
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise


def _load_module(name: str) -> None:
    from importlib import import_module

    try:
        folder = os.getcwd()
    except OSError:
        folder = ""  # it is gone
    if folder and folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise AppNotFound(
                f"there is no module {error.name} for the app {name} (looked in {', '.join(sys.path)})"
            ) from None
        raise


def _check_package() -> None:
    """The application's folder is often called gotask, too; an `__init__.py` in it hides this package."""
    package = sys.modules.get(_NAME)
    file = getattr(package, "__file__", None) or ""
    if package is not None and os.path.dirname(os.path.abspath(file)) != _PACKAGE:
        raise AppNotFound(
            f"`import {_NAME}` gives {file or package} instead of the package in {_PACKAGE}:"
            " remove that file (an __init__.py in the application's folder, as a rule), or rename the folder"
        )
