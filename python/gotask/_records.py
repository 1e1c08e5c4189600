"""What a worker sends to the broker on its channel: records, each with a header that says what follows."""

from __future__ import annotations

from struct import Struct

# Number of the call, size of what follows, kind, lane.
RECORD = Struct("<QIBBxx")

REPLY = 0  # a reply frame
REPLY_SHARED = 1  # the same in a shared segment of that size, whose descriptor comes with the record
REPLY_IN_PLACE = 2  # the same in the segment that the call came in
READY = 3  # JSON: what the worker can run
FAILED = 4  # JSON: why it can't start; it ends

SYNC, ASYNC = 0, 1  # lanes

# What the broker sends, on the socket of the log records, to a worker with async methods: take a sync call first.
YIELD = b"y"
