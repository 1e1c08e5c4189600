"""What a lane's message consists of: entries, each a call with what a worker must know before it looks at the frame."""

from __future__ import annotations

import os
import socket
import sys
from struct import Struct

from ._protocol import LARGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Before each frame on its way to a worker: number, deadline (time.monotonic(), 0.0: none), size, flags.
ENTRY: Final = Struct("<QdII")
STRUCTURED: Final = 0x01  # the caller understands structured errors
EXACT: Final = 0x02  # the body is [positional, named]
SHARED: Final = 0x04  # instead of the frame comes the descriptor of a shared segment that holds it

# Room for one message: what is below LARGE travels in it, and gathering stops there.
MESSAGE_SIZE: Final = LARGE + 4096

# Seconds. Only calls of methods that took less when they were called last share a message.
QUICK: Final = 0.0002

# The kind of socket pair that keeps message boundaries: in order and reliable both, and macOS has but the second.
MESSAGES: Final = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM

_ROOM: Final = socket.CMSG_SPACE(4)  # for one descriptor
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def receive(lane: socket.socket, flags: int = 0) -> tuple[bytes, int]:
    """The next message, empty at the lane's end, and the descriptor that came with it.

    -1: none did, or this process could have no further one; the message is there all the same.
    """
    message, ancillary, _, _ = lane.recvmsg(MESSAGE_SIZE, _ROOM, flags | _CLOEXEC)
    if not ancillary:
        return message, -1
    fd = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
    if not _CLOEXEC:
        os.set_inheritable(fd, False)
    return message, fd
