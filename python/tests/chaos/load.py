"""All kinds of clients at once."""

from __future__ import annotations

from .calls import Book
from .clients import Asynchronous, Blocking, Caller, Php, Strict, php
from .fast import Fast

KINDS: tuple[type[Caller], ...] = (Blocking, Asynchronous, Strict, Fast)


class Load:
    """One client of each kind at each of the addresses; PHP where it is there, at the first one."""

    def __init__(
        self,
        addresses: dict[str, tuple[str, float]],
        sleep: float = 0.005,
        with_php: bool = True,
        pause: float = 0.0,
    ) -> None:
        """addresses: by a name, each with the timeout of its calls in seconds. pause: of each client between two rounds."""
        self.books = {name: Book() for name in addresses}
        self._callers: list[Caller] = []
        for name, (address, timeout) in addresses.items():
            kinds = list(KINDS)
            if with_php and php() is not None:
                kinds.append(Php)
            for kind in kinds:
                caller = kind(f"{name}-{kind.__name__}", address, self.books[name], timeout, sleep, pause)
                self._callers.append(caller)

    @property
    def is_under_way(self) -> bool:
        """Whether each caller has had an outcome, so that all of them are connected."""
        return all(caller.book.has_answered(caller.name) for caller in self._callers)

    def stop(self) -> None:
        """Ends all callers once their calls have ended."""
        for caller in self._callers:
            caller.stop()
        for caller in self._callers:
            caller.join()
