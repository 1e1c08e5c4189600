"""What has become of a durable call."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from ..errors import from_body
from ..wire.codec import MSGPACK, decode


class Outcome:
    """As it was when it was asked for.

    state: "waiting"; "running": it has begun, and if its machine died, it waits to begin again; "done"; "failed"; "unknown":
    nobody gave that id, or its outcome is no longer kept (Celery's `result_expires`, a day).
    progress: (fraction, text, data) as the method said last while it is running, or None.
    """

    def __init__(self, id: str, answer: dict[str, Any]) -> None:
        self.id = id
        self.state: str = answer["state"]
        told = answer.get("progress")
        self.progress: tuple[Any, ...] | None = tuple(decode(MSGPACK, b64decode(told))) if told else None
        self._answer = answer

    def result(self) -> Any:
        """What the call would have returned, or raised. RuntimeError: it is neither done nor failed."""
        answer = self._answer
        if self.state == "failed":
            raise from_body(answer["error"].encode())
        if self.state != "done":
            raise RuntimeError(
                f"there is no result of {self.id}, it is {self.state}: ask for its outcome() again later"
            )
        return decode(answer["codec"], b64decode(answer["result"]))

    def __repr__(self) -> str:
        return f"<Outcome {self.id} {self.state}>"
