"""Calls that are meant to go wrong, or to be heavy, as one program makes them all the time."""

from __future__ import annotations

from collections.abc import Callable

from gotask import Args, Client, GoTaskError

from .calls import arguments
from .clients import Caller

MIB = 1024 * 1024


class Rough(Caller):
    """Errors, deadlines, crashes, large bodies, notifications, in turns. What ought to fail and does not is a wrong answer."""

    def run(self) -> None:
        kinds: tuple[Callable[[Client, str], None], ...] = (
            self._fails,
            self._is_late,
            self._is_large,
            self._is_told,
            self._is_unknown,
            self._is_slow,
        )
        rounds = 0
        with Client(self.address, self.timeout, self.timeout) as client:
            while not self.ended.is_set():
                rounds += 1
                for kind in kinds if rounds % 20 else (*kinds, self._crashes):
                    self.rest()
                    token, _, _ = self.call()
                    try:
                        kind(client, token)
                    except GoTaskError as error:
                        self.failed(token, error)

    def _fails(self, client: Client, token: str) -> None:
        client.call("Sync.fail", token)
        self._wrong(token)

    def _is_late(self, client: Client, token: str) -> None:
        client.call(self._random.choice(("Sync.work", "Async.work")), Args(token, 5.0, b"", 1), timeout=0.05)
        self._wrong(token)

    def _is_large(self, client: Client, token: str) -> None:
        body = self._random.randbytes(8) * (self._random.randint(1, 8) * MIB // 8)
        self.book.returned(token, body, 1, client.call("Sync.work", Args(token, 0.0, body, 1)))

    def _is_told(self, client: Client, token: str) -> None:
        client.notify("Sync.size", bytes(100))
        self.book.end(token, "accepted")

    def _is_unknown(self, client: Client, token: str) -> None:
        client.call("Sync.nothing", token)
        self._wrong(token)

    def _is_slow(self, client: Client, token: str) -> None:
        given = arguments(self._random, token, self.sleep)
        given[1] = 0.3
        self.book.returned(token, given[2], given[3], client.call("Own.work", Args(*given)))

    def _crashes(self, client: Client, token: str) -> None:
        client.call("Sync.crash", token)
        self._wrong(token)

    def _wrong(self, token: str) -> None:
        self.book.wrong.append(token)
        self.book.end(token, "answered")
