"""What workers answer, and the messages that they send within calls: counted, and handed on to who called."""

from __future__ import annotations

from ..errors import Overloaded, RemoteError
from ..ipc.messages import FAST_SHIFT, GONE, TELL
from ..ipc.segment import Segment
from ..options import option
from ..wire.exchange import CALL, MESSAGE_HEAD, message_options
from ..wire.frames import ERROR, Buffer
from .answers import answer_frame
from .call import LEFT, SENT, WAITING, Call
from .deadlines import CANCELLED, DEADLINE, Deadlines
from .exchange import Exchange
from .keyed import GroupQueues
from .pool import WorkerPool
from .process import WorkerProcess
from .runtime import Runtime


class Replies:
    """Of the workers of one group. calls: that went through the broker and were answered."""

    def __init__(
        self,
        runtime: Runtime,
        queues: GroupQueues,
        pool: WorkerPool,
        deadlines: Deadlines,
        is_async: bool,
    ) -> None:
        self.calls = 0
        self._runtime = runtime
        self._queues = queues
        self._queue = queues.shared
        self._pool = pool
        self._deadlines = deadlines
        self._is_async = is_async

    def reply(self, worker: WorkerProcess, number: int, frame: bytes, now: float, took: int) -> None:
        queue = self._queue
        call = self._answered(number)
        if queue.waiting.calls:
            self._runtime.touched.add(queue)
        if call is None:
            return
        self._done(worker, call)
        self._count(worker, call, frame, now, took)
        if frame[1] & ERROR:
            self._answered_with_error(call, frame)
        call.end()
        call.owner.answer(call, frame)

    def large_reply(
        self, worker: WorkerProcess, number: int, content: Segment | int | None, now: float, took: int
    ) -> None:
        """A reply in a segment of its own, or in so many bytes of the segment that the call came in.

        None: it could not be received.
        """
        self._runtime.touched.add(self._queue)
        call = self._answered(number)
        segment = self._runtime.segments.adopt(content) if isinstance(content, Segment) else None
        if call is not None:
            self._done(worker, call)
            if content is None:
                call.fail(RemoteError("the result is lost: the broker has no descriptor left (ulimit -n)"))
                return
            if segment is None:
                segment = call.take_segment()
            if segment is not None:
                frame = segment.view if isinstance(content, Segment) else segment.view[:content]
                self._count(worker, call, frame, now, took)
                call.end()
                if frame[1] & ERROR:
                    self._answered_with_error(call, bytes(frame))
                if call.owner.answer(call, frame, segment):
                    return
            else:
                call.end()
        if segment is not None:
            segment.close()

    def message(
        self, worker: WorkerProcess, number: int, frame: Buffer | None, segment: Segment | None
    ) -> None:
        """A worker sends a message to the caller of a call that runs; a large one lies in a segment, or None: it was lost."""
        fast = self._runtime.fast if number >> FAST_SHIFT else None
        call = fast.speaking(number) if fast is not None else self._queues.queue_of(number).sent.get(number)
        if segment is not None:
            self._runtime.segments.adopt(segment)
        if call is None or call.outcome is not WAITING:
            worker.ask(GONE, number)
            if segment is not None:
                segment.close()
            return
        if call.exchange is None:
            call.exchange = Exchange(worker, number)
        if frame is None:
            lost = RemoteError("a part of it is lost: the broker has no descriptor left (ulimit -n)")
            call.tell(lost)
        else:
            _, kind, place = message_options(frame)
            if kind == CALL and not self._is_async and not self._pool.lend(worker, call):
                message = "all its workers wait for answers of PHP, and as many as may have been started beside them"
                error = Overloaded(
                    f"{message}: call back less, in an async method, or raise {option('--workers')}"
                )
                worker.ask(TELL, number, answer_frame(call.sequence, place, error))
                if segment is not None:
                    segment.close()
                return
            call.exchange.said(kind, place, len(frame) - MESSAGE_HEAD)
            if call.counts is not None:
                call.counts.sent += len(frame) - MESSAGE_HEAD
            call.owner.message(call, frame, segment)
            if worker.asking is call:
                self._pool.look_at_waiting()
        if call.outcome is not WAITING:  # it could not be told
            if fast is not None:
                fast.stop(call.owner, call.sequence, CANCELLED)
            elif call.state is SENT:
                self._deadlines.stop(call, CANCELLED)

    def frames(self, number: int, frames: bytes) -> None:
        """What a client's fast socket did not take."""
        if self._runtime.fast is not None:
            self._runtime.fast.frames(number >> 32, frames)

    def refuse(self, number: int, why: str) -> None:
        """A worker can't run a call, and has not begun it."""
        self._runtime.touched.add(self._queue)
        call = self._answered(number)
        if call is None:
            return
        message = f"{why}; {call.not_run}"
        self._runtime.lost(call, message)
        call.fail(Overloaded(f"{call.name}: {message}"))

    def _answered(self, number: int) -> Call | None:
        fast = self._runtime.fast if number >> FAST_SHIFT else None
        if fast is not None:
            return fast.answered(number)
        if not number & 1:
            return self._queue.answered(number)
        queue = self._queues.queue_of(number)
        self._runtime.touched.add(queue)
        return queue.answered(number)

    def _done(self, worker: WorkerProcess, call: Call) -> None:
        if call.number >> FAST_SHIFT:
            return  # its worker has counted it
        self.calls += 1
        worker.calls += 1
        if worker.calls >= worker.max_calls:
            self._pool.replace_spent(worker)

    def _count(self, worker: WorkerProcess, call: Call, frame: Buffer, now: float, took: int) -> None:
        """Counts a call that its worker has answered, unless it has been counted: its caller was told an error before."""
        counts, call.counts = call.counts, None
        if counts is None:
            return
        between = now - call.arrived
        body_at = 4 * (frame[0] & 0x0F) + len(call.method)
        counts.answered(between, took, call.size - call.body_at, len(frame) - body_at)
        if frame[1] & ERROR:
            counts.answered_with_error(
                memoryview(frame)[body_at:], call.outcome is not LEFT, worker.pid, between
            )

    def _answered_with_error(self, call: Call, frame: bytes) -> None:
        fast = self._runtime.fast if call.number >> FAST_SHIFT else None
        reason = self._deadlines.reason(call) if fast is None else fast.reason(call)
        if call.is_notification:
            self._runtime.log_reply(call, frame, f"the notification {call.name} failed", "error")
        elif reason == DEADLINE:
            self._runtime.log_reply(
                call, frame, f"{call.name} ran out of time and was interrupted", "warning"
            )
