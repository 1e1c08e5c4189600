"""What is at which path, and who may see it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from ..errors import GoTaskError
from ..wire.address import TcpAddress, is_loopback
from ..wire.handshake import Key
from .feed import Feed
from .http import Request, Response
from .metrics import Places, exposition

_JSON: Final = "application/json"


class Site:
    """`address` is where it is; `key` what everybody has to have who looks."""

    def __init__(self, feed: Feed, address: TcpAddress, key: Key | None) -> None:
        self._feed = feed
        self._is_local = is_loopback(address.host)
        self._key = key
        self._places = Places()
        self._page = _page((Path(__file__).parent / "page.html").read_bytes())

    async def answer(self, request: Request) -> Response:
        if self._is_local and not _is_local_name(request.headers.get("host", "")):
            # A page of somewhere else whose name was made to mean this machine would read along.
            return _text("ask by the name localhost or 127.0.0.1", 403)
        if request.method not in ("GET", "HEAD"):
            return _text("there is only something to look at: GET", 405, ("Allow", "GET, HEAD"))
        if self._key is not None and not self._has_key(request.headers.get("authorization", "")):
            return _text(
                "the password is the shared key of the worker; any user",
                401,
                ("WWW-Authenticate", 'Basic realm="gotask", charset="UTF-8"'),
            )
        if request.path == "/":
            return self._page
        if request.path == "/metrics":
            return await self._metrics(request.headers.get("accept", ""))
        if request.path == "/status":
            return await self._asked(self._feed.status())
        if request.path == "/failures":
            return await self._asked(self._feed.failures())
        if request.path == "/history":
            return self._history(request.query.get("after", "0"))
        return _text("there are /, /metrics, /status, /failures and /history", 404)

    async def _metrics(self, accept: str) -> Response:
        try:
            status = await self._feed.status()
        except GoTaskError:
            status = None
        return Response(*exposition(status, self._places, accept))

    async def _asked(self, answer: Any) -> Response:
        try:
            return _json(await answer)
        except GoTaskError as error:
            return _json({"error": error.code, "message": str(error)}, 503)

    def _history(self, after: str) -> Response:
        try:
            time = float(after)
        except ValueError:
            return _text("after is a time, in seconds since 1970", 400)
        return _json([point for point in self._feed.history if point["time"] > time])

    def _has_key(self, authorization: str) -> bool:
        assert self._key is not None
        scheme, _, given = authorization.partition(" ")
        try:
            password = base64.b64decode(given.strip(), validate=True).partition(b":")[2]
        except ValueError:
            return False
        return scheme.lower() == "basic" and self._key.matches(password.decode("utf-8", "surrogateescape"))


def _is_local_name(host: str) -> bool:
    name = re.sub(r":\d*$", "", host)
    return is_loopback(name[1:-1] if name.startswith("[") and name.endswith("]") else name)


def _text(text: str, status: int = 200, *headers: tuple[str, str]) -> Response:
    return Response(f"{text}\n".encode(), status=status, headers=headers)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value).encode(), _JSON, status)


def _page(content: bytes) -> Response:
    """The page runs the script and the style that it has, and nothing else; no text becomes markup."""
    found = re.search(rb"<style>(.*?)</style>.*<script>(.*?)</script>", content, re.DOTALL)
    assert found is not None
    style, script = (base64.b64encode(hashlib.sha256(part).digest()).decode() for part in found.groups())
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    return Response(content, "text/html; charset=utf-8", 200, (("Content-Security-Policy", policy),))
