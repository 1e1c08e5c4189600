"""Peers that have not shown yet that they may call: they are bounded, and keep nobody out."""

from __future__ import annotations

from typing import Protocol

# How many such there may be. With one more the oldest has to go: a peer that connects and says nothing keeps nobody out.
MAX_WAITING = 256

# Peers that were told to go and whose descriptors are not closed yet, beside those.
MAX_LEAVING = 64


class Guest(Protocol):
    """A peer that has not shown who it is."""

    def turn_away(self, reason: str) -> None:
        ...


class PendingPeers:
    """Who is at the gates of a broker, the oldest first. Whoever has been turned away counts until its descriptor is closed."""

    def __init__(self) -> None:
        self._waiting: dict[Guest, None] = {}
        self._leaving: set[Guest] = set()

    @property
    def is_full(self) -> bool:
        """Whether so many that were told to go are still there that nobody else is let in."""
        return len(self._leaving) >= MAX_LEAVING

    def enter(self, guest: Guest) -> None:
        if len(self._waiting) >= MAX_WAITING:
            next(iter(self._waiting)).turn_away("too many peers that have not shown who they are")
        self._waiting[guest] = None

    def turned_away(self, guest: Guest) -> None:
        """It has been told to go."""
        if guest in self._waiting:
            del self._waiting[guest]
            self._leaving.add(guest)

    def leave(self, guest: Guest) -> None:
        """It has shown who it is, or its descriptor is closed."""
        self._waiting.pop(guest, None)
        self._leaving.discard(guest)
