"""What a program draws on a terminal, as a page for a browser."""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import select
import struct
import termios
import time

_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #fff }}
main {{ margin: 14px; padding: 34px 18px 16px; border-radius: 10px; background: #1a1d29;
    position: relative; box-shadow: 0 3px 12px #0005 }}
main::before {{ content: ""; position: absolute; top: 12px; left: 16px; width: 11px; height: 11px; border-radius: 50%;
    background: #ff5f57;
    box-shadow: 19px 0 #febc2e, 38px 0 #28c840 }}
pre {{ margin: 0; color: #d5daf0; font: 14.5px/19px "DejaVu Sans Mono", monospace }}
</style><main><pre>{text}</pre></main>"""

_COLOURS = {
    30: "#1a1d29",
    31: "#ff7b8b",
    32: "#7fd88f",
    33: "#f5c76e",
    37: "#9aa3c0",
    90: "#7c86a8",
    46: "#7fd7ea",
    43: "#f5c76e",
}


def shown(command: list[str], keys: bytes, seconds: float, columns: int, lines: int) -> str:
    """The last frame that the command draws within so many seconds, with these keys pressed in the middle, as HTML."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    output, begun = b"", time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        if passed > seconds / 2 and keys:
            os.write(terminal, keys)
            keys = b""
        if select.select([terminal], [], [], 0.1)[0]:
            output += os.read(terminal, 1 << 16)
    os.write(terminal, b"q")
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:  # it has ended
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    frames = output.decode(errors="replace").split("\x1b[H")
    # The last one may be cut off.
    return _PAGE.format(text=_html(frames[-2]).rstrip())


def _html(frame: str) -> str:
    text, style = [], ""
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z])", frame.replace("\r", "")):
        if found := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            for code in map(int, filter(None, found[1].split(";"))):
                if code in (0, 22, 39, 49):
                    style = ""
                elif code == 1:
                    style += "font-weight: bold; color: #fff;"
                elif code in _COLOURS:
                    style += f"{'background' if 40 <= code < 50 else 'color'}: {_COLOURS[code]};"
        elif part and not part.startswith("\x1b"):
            text.append(f'<span style="{style}">{html.escape(part)}</span>')
    return "".join(text)
