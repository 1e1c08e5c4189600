"""Which part of the package may import which: downwards only, and never in a circle; annotations' imports count, too.

`python3 tests/test_architecture.py` prints the drawing that docs/architecture.md has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "gotask"
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"

#: What each room may import, beside itself and what is under all rooms. The face, which users import, and the command line
#: may import everything.
BELOW = {
    "wire": "",
    "app": "wire",
    "ipc": "wire",
    "client": "wire",
    "executors": "app ipc wire",
    "broker": "ipc wire",
    "web": "client ipc wire",
    "worker": "app executors ipc wire",
}
UNDER_ALL = {"errors", "options", "version"}
FACE = {"__init__", "__main__", "celery", "cli", "pytest_plugin", "testing", "tracing"}

#: The broker's options belong to its room, whatever folder their table is in.
ROOMS = {"config": "broker"}

MAX_LINES = 400


def modules() -> dict[str, Path]:
    """By dotted name below the package; a folder's own is that of the folder."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a module names in import statements, wherever they stand."""
    parts = ("gotask", *name.split("."))
    folder = parts if known[name].name == "__init__.py" and name != "__init__" else parts[:-1]
    for node in ast.walk(ast.parse(known[name].read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = ".".join(
            [*folder[: len(folder) - node.level + 1], *([node.module] if node.module else [])]
            if node.level
            else [node.module or ""]
        )
        for alias in node.names:
            for full in (f"{base}.{alias.name}", base):
                if full.startswith("gotask.") and full.removeprefix("gotask.") in known:
                    yield full.removeprefix("gotask.")
                    break


def arrows() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(name, known)) - {name} for name in known}


def room(name: str) -> str:
    return ROOMS.get(name, name.partition(".")[0])


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules that import themselves by way of others."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for middle in graph:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    return {name for name, targets in reached.items() if name in targets}


def drawing() -> str:
    """The rooms and the arrows between them, as they are."""
    found = {
        (room(name), room(target))
        for name, targets in arrows().items()
        for target in targets
        if not {room(name), room(target)} & (FACE | UNDER_ALL) and room(name) != room(target)
    }
    lines = [f"    {source} --> {target}" for source, target in sorted(found)]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


def test_imports_lead_downwards_only() -> None:
    upwards = {
        f"{name} imports {target}"
        for name, targets in arrows().items()
        for target in targets
        if room(name) not in FACE
        and room(target) != room(name)
        and room(target) not in {*BELOW.get(room(name), "").split(), *UNDER_ALL}
    }
    assert upwards == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert in_circles(arrows()) == set()


def test_a_long_file_says_why_it_is_one() -> None:
    for name, path in modules().items():
        text = path.read_text()
        if text.count("\n") > MAX_LINES:
            assert "in one file" in (
                ast.get_docstring(ast.parse(text)) or ""
            ), f"{name}: split it, or say why"


def test_the_drawing_in_the_documentation_is_current() -> None:
    assert drawing() in PAGE.read_text(), "put in what python3 tests/test_architecture.py prints"


if __name__ == "__main__":
    print(drawing(), end="")
