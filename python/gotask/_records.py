"""What a worker and the broker send each other: records on the worker's channel, requests on the socket of its log."""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Number of the call, size of what follows, kind, lane, microseconds that the call ran.
RECORD: Final = Struct("<QIBBxxI")
MAX_MICROSECONDS: Final = 2**32 - 1

REPLY: Final = 0  # a reply frame
REPLY_SHARED: Final = 1  # the same in a shared segment of that size, whose descriptor comes with the record
REPLY_IN_PLACE: Final = 2  # the same in the segment that the call came in
READY: Final = 3  # JSON: what the worker can run
FAILED: Final = 4  # JSON: why it can't start; it ends
TAINTED: Final = 5  # JSON: why it should be replaced when it has answered what it has
# So many calls (in place of the microseconds), from that number on, were not begun: the broker wants them back.
RETURNED: Final = 6
REFUSED: Final = 7  # text: why a call can't be run here, which has not begun

SYNC: Final = 0  # lanes
ASYNC: Final = 1

# What the broker asks of a worker with async methods, on the socket of the log records.
REQUEST: Final = Struct("<BxxxxxxxQ")
YIELD: Final = 1  # take a sync call first
CANCEL: Final = 2  # the async call of that number
LEAVE: Final = 3  # end, once all that was taken is answered
