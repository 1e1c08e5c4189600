"""What a worker and the broker send each other: records on the worker's channel, requests on the socket of its log."""

from __future__ import annotations

from struct import Struct

# Number of the call, size of what follows, kind, lane, microseconds that the call ran.
RECORD = Struct("<QIBBxxI")
MAX_MICROSECONDS = 2**32 - 1

REPLY = 0  # a reply frame
REPLY_SHARED = 1  # the same in a shared segment of that size, whose descriptor comes with the record
REPLY_IN_PLACE = 2  # the same in the segment that the call came in
READY = 3  # JSON: what the worker can run
FAILED = 4  # JSON: why it can't start; it ends
TAINTED = 5  # JSON: why it should be replaced when it has answered what it has
RETURNED = 6  # so many calls (in place of the microseconds), from that number on, were not begun as the broker wants them back

SYNC, ASYNC = 0, 1  # lanes

# What the broker asks of a worker with async methods, on the socket of the log records.
REQUEST = Struct("<BxxxxxxxQ")
YIELD = 1  # take a sync call first
CANCEL = 2  # the async call of that number
LEAVE = 3  # end, once all that was taken is answered
