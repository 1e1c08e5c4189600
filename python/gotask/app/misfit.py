"""Why a value is not what an annotation says, and how messages show values."""

from __future__ import annotations

# Characters of a value that a message quotes.
_MAX_SHOWN = 40


class Misfit(Exception):
    """Why a value is not what its annotation says. path: where it is, from the argument on, such as `.items[3].price`."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def below(self, key: object) -> Misfit:
        """The same of what holds the value under that key or at that index."""
        self.path = step(key) + self.path
        return self


def step(key: object) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{shown(key)}]"


def shown(value: object) -> str:
    """A value in a message, briefly, as JSON would have it."""
    kind = type(value)
    if kind is str:
        text = str(value)
        cut = text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
        return '"' + "".join(letter if letter.isprintable() else "�" for letter in cut) + '"'
    if value is None:
        return "null"
    if kind in (bool, int, float):
        return str(value).lower()[:_MAX_SHOWN]
    named: dict[type, str] = {list: "a list", dict: "a map", bytes: "a string of bytes"}
    return named.get(kind) or f"a value of type {kind.__name__}"


def misfit(value: object, name: str, hint: str) -> Misfit:
    return Misfit(f"{shown(value)} is no {name}; send {hint}")
