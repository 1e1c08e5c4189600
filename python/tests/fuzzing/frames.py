"""Both frame decoders on the same bytes: in whole, in pieces and byte by byte, they see the same."""

from __future__ import annotations

import json
import random
import subprocess
import time
from typing import Any
from zlib import crc32

from gotask.wire.frames import Decoder, Frame

from ..chaos.clients import ROOT, php
from .mutations import Result, frame, mutated, pieces

PHP_DECODER = ROOT / "tests" / "Integration" / "Fixtures" / "decode.php"

#: Bytes of payload: some frames are above it.
LIMIT = 80_000

Verdict = dict[str, Any]


def verdict(parts: list[bytes], limit: int = LIMIT) -> Verdict:
    """The frames in these bytes, whether they are damaged, and whether nothing is left of them."""
    decoder = Decoder(limit)
    seen = []
    for part in parts:
        for event in decoder.feed(part):
            content = [event.flags, event.stream, list(event.options)]
            if isinstance(event, Frame):
                seen.append([*content, len(event.payload), crc32(event.payload)])
            else:
                seen.append([*content, event.length, -1])
    return {"frames": seen, "error": decoder.error is not None, "idle": decoder.idle}


class PhpDecoder:
    """PHP's, in a process that is asked again and again."""

    def __init__(self) -> None:
        command = [php() or "php", str(PHP_DECODER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def verdict(self, parts: list[bytes]) -> Verdict:
        """RuntimeError: it has died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(b"%d %s\n" % (LIMIT, b" ".join(part.hex().encode() for part in parts)))
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("PHP's decoder has died")
        found: Verdict = json.loads(line)
        return found

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def differ(python: Verdict, other: Verdict, size: int) -> bool:
    """PHP sees damage in the first byte of a header; Python waits for the whole of it."""
    if python == other:
        return False
    early = other["error"] and not python["error"] and not python["idle"]
    return not (early and python["frames"] == other["frames"])


def run(cases: int, seconds: float, seed: int) -> Result:
    chance = random.Random(seed)
    other = PhpDecoder() if php() is not None else None
    findings: list[str] = []
    until = time.monotonic() + seconds
    done = 0
    try:
        while done < cases and time.monotonic() < until:
            done += 1
            data = b"".join(frame(chance) for _ in range(chance.randint(1, 3)))
            if chance.random() < 0.9:
                data = mutated(chance, data)
            findings += _judge(data, pieces(chance, data), other)
    finally:
        if other is not None:
            other.close()
    return Result(done, findings)


def _judge(data: bytes, parts: list[bytes], other: PhpDecoder | None) -> list[str]:
    case = data.hex() if len(data) < 300 else f"{data[:300].hex()}… {len(data)} bytes"
    try:
        whole = verdict([data])
        ways = [parts]
        if len(data) < 3000:
            ways.append([bytes((byte,)) for byte in data])
        found = [f"Python, in pieces: {case}" for way in ways if verdict(way) != whole]
        if other is not None:
            found += [
                f"PHP: {case}" for way in ([data], *ways) if differ(whole, other.verdict(way), len(data))
            ]
        return found
    except Exception as error:
        return [f"{error!r}: {case}"]
