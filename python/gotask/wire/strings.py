"""Strings in MessagePack that are not UTF-8: they become bytes.

PHP's strings may hold anything, and MessagePack's str is supposed to be UTF-8. Decoding with raw=True would lose which were
bin, and surrogateescape is slow on large strings. So at the first bad byte of a string an error handler keeps the whole string
and puts a mark in its place: its index between two lone surrogates, which no UTF-8 decodes to.
"""

from __future__ import annotations

import codecs
from _thread import get_ident
from collections.abc import Callable
from typing import Any

# The name of the error handler.
NOTE = "gotask.note"

_MARK = "\udc80"
_bad: dict[int, list[bytes]] = {}  # by thread


def _note(failure: UnicodeError) -> tuple[str, int]:
    assert isinstance(failure, UnicodeDecodeError)
    noted = _bad[get_ident()]
    noted.append(failure.object)
    return f"{_MARK}{len(noted) - 1}{_MARK}", len(failure.object)


codecs.register_error(NOTE, _note)


def unpack_mixed(unpack: Callable[[], Any]) -> Any:
    """The value that `unpack` decodes with the error handler NOTE. Strings that are not UTF-8 are bytes in it."""
    noted = _bad[get_ident()] = []
    try:
        value = unpack()
    finally:
        del _bad[get_ident()]
    root = [value]
    containers: list[Any] = [root]
    while containers:  # not recursive: msgpack nests deeper than Python's stack may
        container = containers.pop()
        if type(container) is dict:
            for key in container:
                if type(key) is str and key[-1:] == _MARK:
                    break
            else:
                key = None
            if key is not None:
                items = [(_restore(key, noted), item) for key, item in container.items()]
                container.clear()
                container.update(items)
            pairs: Any = container.items()
        else:
            pairs = enumerate(container)
        for key, item in pairs:
            kind = type(item)
            if kind is str:
                if item[-1:] == _MARK:
                    container[key] = _restore(item, noted)
            elif kind is list or kind is dict:
                containers.append(item)
    return root[0]


def _restore(text: Any, noted: list[bytes]) -> Any:
    if type(text) is str and text[-1:] == _MARK:
        return noted[int(text[text.index(_MARK) + 1 : -1])]
    return text
