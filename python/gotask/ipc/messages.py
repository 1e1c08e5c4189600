"""What a worker and the broker send each other: calls, records of the worker's channel, requests on its log's socket."""

from __future__ import annotations

import os
import socket
import sys
from struct import Struct
from typing import Final

from ..wire.frames import LARGE

# Before each frame on its way to a worker: number, deadline (time.monotonic(), 0.0: none), size, flags.
ENTRY: Final = Struct("<QdII")
# The flags are SHARED and those of wire.frames: EXACT, STRUCTURED.
SHARED: Final = 0x04  # instead of the frame comes the descriptor of a shared segment that holds it

# Bytes. Room for one message: payloads below LARGE travel in it.
MESSAGE_SIZE: Final = LARGE + 4096

# Sockets that keep message boundaries, in order and reliably. macOS has only the second kind.
MESSAGES: Final = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM

_ROOM: Final = socket.CMSG_SPACE(4)  # for one descriptor
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def receive(queue: socket.socket, flags: int = 0) -> tuple[bytes, int]:
    """The next message (empty: the queue has ended), and the descriptor that came with it.

    -1: there is none, or this process can't have another one. The message has arrived in either case.
    """
    message, ancillary, _, _ = queue.recvmsg(MESSAGE_SIZE, _ROOM, flags | _CLOEXEC)
    if not ancillary:
        return message, -1
    fd = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
    if not _CLOEXEC:
        os.set_inheritable(fd, False)
    return message, fd


# Number of the call, size of what follows, kind, microseconds that the call ran.
RECORD: Final = Struct("<QIBxxxI")
MAX_MICROSECONDS: Final = 2**32 - 1

REPLY: Final = 0  # a reply frame
REPLY_SHARED: Final = 1  # the same in a shared segment of that size, whose descriptor comes with the record
REPLY_IN_PLACE: Final = 2  # the same in the segment that the call came in
LOADED: Final = 3  # JSON: what the app offers, which has been imported
READY: Final = 4  # the services are open, and the worker takes calls
FAILED: Final = 5  # JSON: why it can't start; it ends
TAINTED: Final = 6  # JSON: why it should be replaced when it has answered what it has, such as NO_QUEUE
RETURNED: Final = 7  # a call was revoked, and has not begun; of a fast one: its method's name
REFUSED: Final = 8  # text: why a call can't be run here, which has not begun
FRAMES: Final = 9  # frames for the client whose call has this number, since its fast socket did not take them
MALFORMED: Final = 10  # JSON: whose fast socket is to be closed, and why
SPENT: Final = 11  # it has run as many calls as it was to
EXCHANGE: Final = 12  # a message to the caller within its call: a whole frame
# The same in a shared segment of that size, whose descriptor comes with the record.
EXCHANGE_SHARED: Final = 13
FAILURE: Final = 14  # JSON: which fast call has failed, and how
TOLD_TASKS: Final = 15  # text: what was asked by TASKS

# The exit code of a process that has said that its address can't be used. Of sysexits.h.
EX_ADDRESS: Final = 73

NO_QUEUE: Final = "it has no descriptor left for a queue of its own (ulimit -n)"

# What the broker asks of a worker, on the socket of the log records.
REQUEST: Final = Struct("<BxxxxxxxQ")
ENDED: Final = 0  # never sent: the broker has closed the socket
CANCEL: Final = 1  # the call of that number
LEAVE: Final = 2  # end, once all that was taken is answered
CLIENT: Final = 3  # take calls from the fast socket of this client; its descriptor comes with the request
# Look at all sockets, and note the number: the kernel may have woken a worker for a message that died before it took it.
LOOK: Final = 4
# A message from the caller within its call: a whole frame, behind the request or in the segment that comes with it.
TELL: Final = 5
GONE: Final = 6  # the caller of the call of that number is gone: it answers nothing any more
# Take calls from this queue, too, which no other worker has; its descriptor comes with the request.
QUEUE: Final = 7
TASKS: Final = 8  # tell where the tasks of an async worker are: of the call of that number; 0: all of them

# A message of a fast socket: when it was sent (nanoseconds of CLOCK_MONOTONIC), and then frames of calls with four options.
SENT: Final = Struct("<Q")
FAST_HEAD: Final = Struct("<QIIIII")  # such a frame's first 12 bytes and its options
FAST_BIT: Final = 0x40000000  # in the sequences of fast calls
FIRST_CLIENT: Final = 1 << 30  # clients of fast sockets are numbered from here
# number >> FAST_SHIFT: whether that is the number of a fast call, client << 32 | sequence.
FAST_SHIFT: Final = 62
GIVEN_BACK: Final = 3  # the second option of STOP: the call has not run and will not


def fast_calls(message: bytes) -> list[tuple[int, bytes]]:
    """Sequence and method of each call in the message of a fast socket, up to what is none."""
    calls = []
    offset = SENT.size
    while offset + FAST_HEAD.size <= len(message):
        start, _, sequence, length, _, _ = FAST_HEAD.unpack_from(message, offset)
        body = offset + FAST_HEAD.size
        offset = body + (start >> 16 & 0xFFFFFFFF)
        if offset > len(message):
            break
        calls.append((sequence, message[body : body + length]))
    return calls
