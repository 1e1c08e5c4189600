"""Messages within a call, as its worker sees them: what both kinds of workers have in common."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Final

from ..app.context import Input, Job
from ..errors import ConnectionLost, EncodeFailed, PayloadTooLarge, PhpError, UnsendableElement, from_body
from ..ipc.segment import Segment
from ..options import option
from ..wire.codec import decode, encode, packer
from ..wire.exchange import ANSWER, CALL, CREDIT, END, CREDIT_STEP, ITEMS, MAX_ITEMS, PROGRESS, WINDOW
from ..wire.exchange import array_head, codec_of, head
from ..wire.explain import kind as kind_of
from ..wire.frames import ERROR, JSON, MSGPACK, STRUCTURED, Buffer, Frame, parse
from .channel import Channel, NoRoom

# Seconds that an element waits for the next ones.
HOLD: Final = 0.003

# Elements that wait at most, whatever their size.
MAX_HELD: Final = 4096

# Progress: so many messages at once, and then so many a second. Of what comes more often the newest is sent.
BURST: Final = 16
RATE: Final = 50.0


class Message:
    """What the caller has sent. A large one lies in a segment, to be closed once it is decoded."""

    __slots__ = ("kind", "number", "is_error", "_codec", "_frame", "_segment", "size")

    def __init__(self, content: bytes, fd: int) -> None:
        raw: Buffer = content
        self._segment: Segment | None = None
        if fd >= 0:
            self._segment = Segment(int.from_bytes(content, "little"), fd)
            try:
                raw = self._segment.view
            except OSError as error:
                self._segment.destroy()
                raise NoRoom(str(error)) from None
        self._frame: Frame = parse(raw)
        _, self.kind, self.number = self._frame.options
        self.is_error = bool(self._frame.flags & ERROR)
        self._codec = self._frame.flags & ~ERROR
        self.size = len(raw) - self._frame.start

    def value(self) -> Any:
        """What it says. PhpError: it is an error. InvalidRequest: it can't be decoded."""
        try:
            body = self._frame.payload
        finally:
            self.close()
        if self.is_error:
            raise php_error(body)
        return decode(self._codec, body)

    def close(self) -> None:
        if self._segment is not None:
            self._segment.destroy()


class Exchange:
    """Of one call. What is sent goes to the broker at once; how to wait is each kind of worker's own."""

    def __init__(self, channel: Channel, job: Job, max_payload: int) -> None:
        self._channel = channel
        self._job = job
        self.number = job.number
        self._sequence = job.sequence
        self._codec = codec_of(job.codec)
        self._max_payload = max_payload
        self._held: deque[bytes] = deque()  # encoded elements that were not sent yet
        self._returned: Any = None  # by a generator
        self._credit = WINDOW
        self._calls = 0
        self._awaited: set[int] = set()  # calls back whose answers are waited for
        self._answers: dict[int, Message] = {}
        self.input = Input(lambda: self.next_items())
        self._messages: deque[Message] = deque()  # of it, that are not read yet
        self._input_begun = False
        self._consumed = 0  # bytes of it, since credit was given
        self._allowed = float(BURST)  # messages of progress
        self._allowed_at = 0.0
        self._kept: bytes | None = None  # the newest progress that was not sent yet
        self.is_gone = False  # the caller is
        self._closed = False

    # -- what comes ---------------------------------------------------------------------------------------------------

    def receive(self, content: bytes, fd: int) -> None:
        """A message from the caller."""
        if fd < 0 and len(content) == 4:
            # This process had no descriptor for it, so a part of what the caller says is lost.
            self.is_gone = True
            return
        try:
            message = Message(content, fd)
        except NoRoom:
            self.is_gone = True  # the same for want of memory
            return
        if message.kind == CREDIT:
            self._credit += message.number
        elif message.kind == ANSWER:
            if message.number in self._awaited:
                self._answers[message.number] = message
            else:
                message.close()
        elif message.kind in (ITEMS, END):
            self._messages.append(message)

    def _answer(self, number: int) -> Any:
        return self._answers.pop(number).value()

    def _forget(self, number: int) -> None:
        """Nobody waits for that answer any more."""
        self._awaited.discard(number)
        answer = self._answers.pop(number, None)
        if answer is not None:
            answer.close()

    def _take_items(self) -> list[Any] | None:
        """The elements of the next message of the input. None: it has ended."""
        message = self._messages[0]
        if message.kind == END:
            if message.is_error:
                # It says so once.
                self._messages[0] = Message(head(self._codec, self._sequence, END, 0, 0), -1)
                message.value()
            return None
        self._messages.popleft()
        items = message.value()
        if type(items) is not list:
            raise PhpError("the caller's input can't be read: its elements are no array")
        self._consumed += message.size
        if self._consumed >= CREDIT_STEP:
            consumed, self._consumed = self._consumed, 0
            self._send(CREDIT, consumed)
        return items

    def _begin_input(self) -> None:
        if not self._input_begun:
            self._input_begun = True
            self._send(CREDIT, WINDOW)

    def next_items(self) -> Any:
        """The next elements of the input; None at its end. To be awaited in an async call."""
        raise NotImplementedError

    # -- what is sent -------------------------------------------------------------------------------------------------

    def _send(self, kind: int, number: int, *body: bytes) -> None:
        size = sum(map(len, body))
        self._check_size(size)
        self._channel.message(self.number, (head(self._codec, self._sequence, kind, number, size), *body))

    def _check_size(self, size: int) -> None:
        if size > self._max_payload:
            raise PayloadTooLarge(
                f"a message of {size} bytes within {self._job.method.decode('utf-8', 'replace')}, above the limit of"
                f" {self._max_payload}: send less at a time, or raise the limit ({option('--max-payload')})"
            )

    def _send_call(self, name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> int:
        body = encode(self._codec, [name, args, named], "arguments", EncodeFailed)
        self._calls += 1
        self._send(CALL, self._calls, body)
        self._awaited.add(self._calls)
        return self._calls

    def _each(self, result: object) -> Generator[Any, None, None]:
        self._returned = yield from elements(self._job, result)

    def _packer(self) -> Callable[[Any], bytes]:
        """Encodes elements quickly; where it raises, _encode() says why."""
        return packer() if self._codec == MSGPACK else self._encode

    def _encode(self, item: Any) -> bytes:
        name = self._job.method.decode("utf-8", "replace")
        return encode(self._codec, item, f"{name} yielded what can't be sent: element", UnsendableElement)

    def _send_items(self) -> int:
        """Sends elements that wait, as many as one message has. Returns how many more there may be in the next one."""
        held = self._held
        parts = [held.popleft() for _ in range(min(len(held), MAX_HELD))]
        size = sum(map(len, parts))
        while size > MAX_ITEMS and len(parts) > 1:
            last = parts.pop()
            size -= len(last)
            held.appendleft(last)
        count = len(parts)
        if self._codec == JSON:
            body: tuple[bytes, ...] = (b"[", b",".join(parts), b"]")
        else:
            body = (array_head(count), b"".join(parts))
        self._credit -= sum(map(len, body))
        try:
            self._send(ITEMS, count, *body)
        except PayloadTooLarge as error:
            raise UnsendableElement(error.message) from None
        return max(1, min(MAX_HELD, MAX_ITEMS * count // max(size, 1)))

    def _check(self) -> None:
        """ConnectionLost: nobody is there to answer."""
        if not self._job.flags & STRUCTURED:
            raise ConnectionLost("the caller is no GoTask client: it can't be called back", False)
        if self.is_gone:
            raise ConnectionLost(
                "the caller is gone, or it did not wait: nothing can be said to it, nor heard of it"
            )

    # -- progress -----------------------------------------------------------------------------------------------------

    def _progress(self, fraction: float | None, text: str, data: Any) -> float:
        """Sends it, or keeps it; returns the seconds after which what is kept may be sent, 0.0 where nothing is."""
        body = encode(self._codec, [fraction, text, data], "progress", EncodeFailed)
        self._check_size(len(body))
        now = time.monotonic()
        self._allowed = min(BURST, self._allowed + (now - self._allowed_at) * RATE)
        self._allowed_at = now
        self._kept = body
        if self._allowed < 1.0:
            return (1.0 - self._allowed) / RATE
        self._send_progress()
        return 0.0

    def _send_progress(self) -> None:
        """Sends the newest progress, unless it has been sent."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._allowed -= 1.0
            try:
                self._send(PROGRESS, 0, kept)
            except NoRoom:
                pass  # there is newer one soon


def elements(job: Job, result: object) -> Iterator[Any]:
    """What a method has returned, as elements. UnsendableElement: it has none."""
    if isinstance(result, Iterable) and not isinstance(result, (str, bytes, bytearray, memoryview, Mapping)):
        return iter(result)
    name = job.method.decode("utf-8", "replace")
    raise UnsendableElement(
        f"{name} returned {kind_of(result)}, which has no elements to stream: `yield` them, or call it without stream()"
    )


def php_error(body: bytes) -> PhpError:
    """The error that an answer's body says."""
    error = from_body(body)
    return PhpError(
        error.message,
        error.data,
        getattr(error, "type", ""),
        getattr(error, "traceback", ""),
        getattr(error, "where", ""),
        error.code,
    )
