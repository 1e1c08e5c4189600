"""What PHP should not do itself: statistics over a file, work that takes a processor, a picture."""

from __future__ import annotations

import math
import random
import struct
import zlib
from pathlib import Path

import gotask

try:
    import numpy
except ImportError:
    numpy = None

ROUTES = {"/": 12.0, "/search": 85.0, "/cart": 40.0, "/checkout": 160.0, "/api/items": 25.0}


@gotask.service
class AccessLog:
    """Milliseconds per request, by route."""

    def generate(self, path: str, lines: int) -> int:
        """Writes a log of `lines` requests, the same each time; returns its size in bytes."""
        chance = random.Random(20)
        routes = chance.choices(list(ROUTES), weights=(40, 20, 15, 5, 20), k=lines)
        with open(path, "w") as file:
            for number, route in enumerate(routes):
                status = 500 if chance.random() < 0.002 else 200
                milliseconds = chance.lognormvariate(math.log(ROUTES[route]), 0.6)
                file.write(f"{1_700_000_000 + number // 50} {route} {status} {milliseconds:.3f}\n")
        return Path(path).stat().st_size

    def report(self, path: str) -> dict:
        """Requests, errors and percentiles of each route."""
        times: dict[str, list[float]] = {}
        errors = dict.fromkeys(ROUTES, 0)
        with open(path) as file:
            for line in file:
                _, route, status, milliseconds = line.split(" ")
                times.setdefault(route, []).append(float(milliseconds))
                errors[route] += status == "500"
        routes = {
            route: {"requests": len(of), "errors": errors[route]} | _percentiles(of)
            for route, of in sorted(times.items())
        }
        return {"engine": "numpy" if numpy else "pure Python", "routes": routes}


def _percentiles(times: list[float]) -> dict[str, float]:
    if numpy is not None:
        found = numpy.percentile(numpy.array(times), (50, 95, 99))
    else:
        ordered = sorted(times)
        found = [ordered[int(len(ordered) * share / 100)] for share in (50, 95, 99)]
    return dict(zip(("p50", "p95", "p99"), (round(float(value), 1) for value in found)))


@gotask.register
def primes(low: int, high: int) -> int:
    """How many primes there are from `low` up to `high`, found the slow way to keep a processor busy."""
    return sum(1 for n in range(max(low, 2), high) if all(n % d for d in range(2, math.isqrt(n) + 1)))


@gotask.register
def picture(width: int, height: int) -> bytes:
    """A PNG of the Mandelbrot set: bytes on this side, a string on PHP's."""
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            c = complex(3.0 * x / width - 2.2, 2.4 * y / height - 1.2)
            z, steps = c, 0
            while steps < 40 and abs(z) < 2:
                z, steps = z * z + c, steps + 1
            row.append(255 - steps * 6)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
