"""As much of HTTP as a page needs: GET and HEAD, one request a connection, everything bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

# Bytes of a request line with its headers.
MAX_HEAD = 8192

# Connections at a time. A further one takes the place of that whose client has kept its request back, or taken its response,
# for the longest; with no such one it is closed at once.
MAX_CONNECTIONS = 64

# Seconds that a client gets to send its request, and to take the response.
REQUEST_TIME = 5.0
RESPONSE_TIME = 10.0


class Request(NamedTuple):
    """`headers` by their names in lower case, `query` without what is given twice."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Response(NamedTuple):
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Malformed(Exception):
    """What came is no request."""


# What every response has: nothing is kept, guessed at, framed, or read by another site's page.
_ALWAYS = (
    ("Connection", "close"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class Server:
    """Reads a request of each connection, and writes what `answer` makes of it."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer
        self._connections = 0
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # for their clients; the oldest first

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            let_go = next(iter(self._waiting), writer)
            let_go.transport.abort()
            self._waiting.pop(let_go, None)
            if let_go is writer:
                return
        self._connections += 1
        self._waiting[writer] = None
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # the client is gone, or too slow
        finally:
            self._connections -= 1
            self._waiting.pop(writer, None)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_head = False
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_TIME)
            self._waiting.pop(writer, None)
            request = parse(head)
            is_head = request.method == "HEAD"
            response = await self._answer(request)
        except asyncio.LimitOverrunError:
            response = Response(b"the request is too large\n", status=431)
        except Malformed as error:
            response = Response(f"this is no request: {error}\n".encode(), status=400)
        self._waiting[writer] = None
        writer.write(encode(response, is_head))
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), RESPONSE_TIME)


def parse(head: bytes) -> Request:
    """Malformed: it is no request. Of a header that is given twice the last one counts, but for Host, which is given once."""
    line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        raise Malformed("its first line is not METHOD /path HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name.strip() != name or name == "host" and name in headers:
            raise Malformed("a header is not NAME: VALUE, or Host is given twice")
        headers[name] = value.strip()
    try:
        target = urlsplit("http://host" + parts[1])
        return Request(parts[0], unquote(target.path), dict(parse_qsl(target.query)), headers)
    except ValueError as error:
        raise Malformed(str(error)) from None


def encode(response: Response, is_head: bool) -> bytes:
    """The response's bytes; without its body where only the head was asked for."""
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    content = (("Content-Type", response.kind), ("Content-Length", str(len(response.body))))
    lines += [f"{name}: {value}" for name, value in (*content, *_ALWAYS, *response.headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if is_head else response.body)
