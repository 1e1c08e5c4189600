"""The broker: knows what can be called and where each call goes. It forwards payloads without looking into them."""

from __future__ import annotations

import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol

from ..config import Config
from ..errors import GoTaskError, InvalidRequest, MethodNotFound, Overloaded, PayloadTooLarge, Unavailable
from ..options import option
from ..version import VERSION
from ..wire import frames as wire
from ..wire.codec import decode, encode
from ..wire.names import DESCRIBE, OUTCOME, Catalogue
from . import heartbeat
from .arrivals import Arrivals
from .aside import Aside
from .call import Call, Caller, Route
from .counts import OTHERS, PAUSE
from .fastpath import FastPath
from .generation import Generation
from .generations import Generations
from .inspection import Inspection
from .listener import Listener
from .log import Log
from .pending_peers import PendingPeers
from .runtime import Runtime
from .status import Status

SYSTEM_METHODS: Final = (
    DESCRIBE,
    "GoTask.Dump",
    "GoTask.Failures",
    "GoTask.FastPath",
    "GoTask.Hello",
    "GoTask.Methods",
    OUTCOME,
    "GoTask.Ping",
    "GoTask.Recycle",
    "GoTask.Status",
)

# Spellings of method names that are remembered: App.Hi, App.hi … A peer that makes up names must not fill the memory.
MAX_ROUTES: Final = 4096

# Bytes of the names of idempotent methods that callers are told when they connect; above it they ask GoTask.Methods.
MAX_IDEMPOTENT: Final = 16_384

# Bytes of the body of a system method, which is decoded here. No other body is.
MAX_BODY: Final = 4096


class Peer(Caller, Protocol):
    """What the broker knows of a connection."""

    @property
    def is_unread(self) -> bool:
        """Whether the peer has still something to read that is not in the kernel yet."""

    def regulate(self) -> None:
        """Reads on, or not for now."""

    def look(self, now: float) -> None:
        """Closes the connection if the frame that is arriving does not go on."""

    def go_away(self) -> None:
        """Tells the peer that no more calls are taken here."""

    def close(self) -> None:
        """Closes after what is still to be written."""


class Broker:
    """Connections on one side, groups of workers on the other. `on_ready` is told once which workers there are, or
    `on_start_failed` why there are none."""

    def __init__(
        self,
        config: Config,
        log: Log,
        loop: AbstractEventLoop,
        on_ready: Callable[[str], None],
        on_start_failed: Callable[[str], None],
        fast: Listener | None = None,
    ) -> None:
        self.config = config
        self.log = log
        self.runtime = Runtime(config, log, loop, self.resubmit)
        self.segments = self.runtime.segments
        self.counts = self.runtime.counts
        self.flush = self.runtime.flush
        self.pending = PendingPeers()
        self.ready = False
        self.loop = loop
        self.routes: dict[bytes, Route] = {}  # by method, in the spellings that were used
        self.calls = 0
        self.arrivals = Arrivals()
        self.unread = 0  # bytes of answers that callers have still to read
        self._on_ready = on_ready
        self._connections: set[Peer] = set()
        self._catalogue = Catalogue([])
        self._answers: dict[tuple[str, int], bytes] = {}  # what all are told alike, by method and codec
        self.app: dict[str, Any] = {}  # what callers are told of it when they connect
        self._draining = False
        self.generations = Generations(self.runtime, self._serve, on_start_failed)
        self._aside = Aside(loop)
        self._status = Status(self.runtime, self.generations, self._of_itself)
        self.inspection = Inspection(self.runtime, self.generations)
        self.fast = FastPath(self.runtime, self.generations, fast) if fast is not None else None

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the workers."""
        self.generations.start()
        self.loop.call_later(heartbeat.SECONDS, self._look)
        self.loop.call_later(PAUSE, self._snapshot)

    def reload(self) -> None:
        """Loads the app again, as it is now; what is there goes on until the new workers are ready."""
        if not self._draining:
            self.generations.start()

    def drain(self) -> None:
        """Takes no more calls; those that are here are run and answered."""
        self._draining = True
        self.routes.clear()
        for group in self.generations.groups():
            group.retire()
        for connection in self._connections:
            connection.go_away()

    @property
    def idle(self) -> bool:
        """Whether every call taken has been answered."""
        return not self.generations.queued and not self.generations.running

    @property
    def is_read_from(self) -> bool:
        """Whether a caller has still answers to read."""
        return any(connection.is_unread for connection in self._connections)

    def close(self) -> None:
        """Closes connections after what they still have to write."""
        for connection in tuple(self._connections):
            connection.close()

    # -- connections ------------------------------------------------------------------------------------------------

    def connected(self, connection: Peer) -> None:
        self._connections.add(connection)
        self.counts.events["connections"] += 1
        connection.regulate()

    def disconnected(self, connection: Peer) -> None:
        self._connections.discard(connection)
        if self.fast is not None:
            self.fast.disconnected(connection)
        self.generations.discard(connection)

    def _look(self) -> None:
        now = time.monotonic()
        for connection in tuple(self._connections):
            connection.look(now)
        self.loop.call_later(heartbeat.SECONDS, self._look)

    def _snapshot(self) -> None:
        self._aside.do(self.counts.snapshot())
        self.loop.call_later(PAUSE, self._snapshot)

    # -- calls ------------------------------------------------------------------------------------------------------

    def submit(self, call: Call, route: Route | None) -> None:
        """Sends the call on its way: that of `routes`, where it is among them. GoTaskError: it can't be."""
        if route is None:
            try:
                route = self._route(call.method)
            except GoTaskError as error:
                self.counts.of(OTHERS).failed(error, 0.0)
                raise
        self.calls += 1
        call.route = route
        call.counts = route.counts
        if route.timeout and not 0 < call.deadline <= call.arrived + route.timeout:
            call.deadline = call.arrived + route.timeout
        if route.idempotent:
            self.runtime.retry_budget.earn()
        if not route.group.submit(call):
            self.counts.events["refused"] += 1
            raise Overloaded(
                f"as many calls or bytes wait for the workers of {call.name} as may; this one has not run:"
                f" try later, or raise {option('--queue-calls')}, {option('--queue-bytes')} or {option('--workers')},"
                " or those of its service"
            )

    def resubmit(self, call: Call) -> None:
        """Sends a call on its way once more that had been taken before and has not run, or may run again."""
        if not call.is_wanted:
            call.end()
            return
        try:
            route = call.route = self.routes.get(call.method) or self._route(call.method)
            route.group.requeue(call)
        except GoTaskError as error:
            self.runtime.lost(call, error.message)
            call.fail(error)
        self.loop.call_soon(self.flush)

    def cancelled(self, call: Call) -> None:
        """Nobody waits for this call any more: it is not started, and ended where it runs."""
        route = call.route
        if route is not None:
            route.group.cancel(call)

    def system_call(self, call: Call) -> None:
        """Answers a method of the broker's own."""
        if call.method == b"GoTask.Ping":
            self._pong(call)
            return
        if call.method == b"GoTask.Dump":
            self.inspection.hold(self.loop.create_task(self._dump(call)))
            return
        if call.method == b"GoTask.Status":
            self._aside.do(self._tell_status(call))
            return
        codec = call.frame.flags & wire.CODECS
        try:
            result = self._system(call, codec)
        except GoTaskError as error:
            call.fail(error)
            return
        self._answer(call, result)

    def _answer(self, call: Call, result: bytes) -> None:
        codec = call.frame.flags & wire.CODECS
        frame = wire.encode(codec, (call.sequence, len(call.method)), call.method + result)
        call.end()
        call.owner.answer(call, frame)

    async def _dump(self, call: Call) -> None:
        """Answers once the workers have written their stacks."""
        codec = call.frame.flags & wire.CODECS
        try:
            self._answer(call, encode(codec, await self.inspection.dump(self._payload(call, codec))))
        except GoTaskError as error:
            call.fail(error)
        self.flush()

    def _tell_status(self, call: Call) -> Generator[None, None, None]:
        try:
            self._answer(call, (yield from self._status.body(call.frame.flags & wire.CODECS)))
        except GoTaskError as error:
            call.fail(error)
        self.flush()

    def _of_itself(self) -> dict[str, Any]:
        """What it tells of itself in GoTask.Status."""
        return {
            "state": "draining" if self._draining else "ready",
            "connections": len(self._connections),
            "calls": self.calls + self.runtime.fast_calls + self.generations.fast_calls,
        }

    def _pong(self, call: Call) -> None:
        """Gives the body back as it is. A large one is not copied: the reply's header takes the place of the call's."""
        raw, body_at = call.frame.raw, call.body_at
        codec = call.frame.flags & wire.CODECS
        size = len(call.method) + len(raw) - body_at
        head = wire.encode_header(codec, (call.sequence, len(call.method)), size) + call.method
        segment = call.take_segment()
        call.end()
        if segment is None:
            call.owner.answer(call, head + bytes(raw[body_at:]))
            return
        view = memoryview(raw)[body_at - len(head) :]
        view[: len(head)] = head
        if not call.owner.answer(call, view, segment):
            segment.close()

    def _system(self, call: Call, codec: int) -> bytes:
        """The body of the reply."""
        name = call.method.decode("utf-8", "replace")
        if name == "GoTask.Hello":
            call.owner.hello(self._payload(call, codec))
            return self._answer_to_all(name, codec)
        if name == "GoTask.Methods":
            return self._answer_to_all(name, codec)
        if name == "GoTask.FastPath" and self.fast is not None:
            return encode(codec, self.fast.invite(call.owner))
        if name == "GoTask.Failures":
            return encode(codec, self.counts.failures.told())
        if name == "GoTask.Recycle":
            return encode(codec, self.inspection.recycle(self._payload(call, codec)))
        raise MethodNotFound(
            f"there is no method {name}; the broker's own are {', '.join(SYSTEM_METHODS)}",
            {"nearest": list(SYSTEM_METHODS)},
        )

    def _payload(self, call: Call, codec: int) -> Any:
        body = memoryview(call.frame.raw)[call.body_at :]
        if len(body) > MAX_BODY:
            raise PayloadTooLarge(
                f"a body of {len(body)} bytes for {call.name}: at most {MAX_BODY} are allowed"
            )
        return decode(codec, body)

    def _answer_to_all(self, name: str, codec: int) -> bytes:
        """The body of the reply to Hello or Methods: encoded once for each generation, as some callers ask with each call."""
        known = self._answers.get((name, codec))
        if known is None:
            content: Any = self._hello() if name == "GoTask.Hello" else self._catalogue.descriptions
            known = self._answers[name, codec] = encode(codec, content)
        return known

    def _hello(self) -> dict[str, Any]:
        hello: dict[str, Any] = {
            "protocol": 1,
            "peer": "python",
            "version": VERSION,
            "max_payload": self.config.max_payload,
            "pid": os.getpid(),
        }
        if self.fast is not None:
            hello["fast"] = True
        return {**hello, **self.app}

    def _route(self, method: bytes) -> Route:
        if self._draining:
            raise Unavailable("the broker is ending and takes no more calls; this one has not run")
        try:
            name = method.decode()
        except UnicodeDecodeError:
            raise MethodNotFound(f"the method name {method!r} is not UTF-8") from None
        if name == DESCRIBE:
            description = self._describing
        elif name == OUTCOME:
            description = self._keeping
        else:
            description = self._catalogue.resolve(name)
        if description is None:
            raise self._catalogue.not_found(name)
        generation = self.generations.current
        assert generation is not None
        group = generation.groups[description["group"], description["async"]]
        counts = self.counts.of(description["name"])
        route = Route(group, description["timeout"], description["idempotent"], counts)
        if len(self.routes) < MAX_ROUTES:
            self.routes[method] = route
        return route

    @property
    def _describing(self) -> dict[str, Any] | None:
        """Any worker can answer `GoTask.Describe`: it goes where the first method goes. None: there is no method at all."""
        methods = self._catalogue.descriptions
        return {**methods[0], "name": DESCRIBE, "timeout": 0.0, "idempotent": True} if methods else None

    @property
    def _keeping(self) -> dict[str, Any]:
        """GoTask.Outcome goes where the calls go that Celery keeps."""
        for method in self._catalogue.descriptions:
            if method.get("executor") == "celery":
                return {**method, "name": OUTCOME, "timeout": 0.0, "idempotent": True}
        raise InvalidRequest(
            'no method here has executor="celery", so no durable call has come from here: ask the worker that took it'
        )

    def _serve(self, generation: Generation) -> None:
        """From now on calls go to this generation."""
        self._catalogue = self.counts.catalogue = Catalogue(generation.methods or [])
        self._answers.clear()
        self.routes.clear()
        names = [method["name"] for method in self._catalogue.descriptions if method["idempotent"]]
        self.app = {"signatures": generation.signatures, "heartbeat": heartbeat.SECONDS}
        if sum([len(name) + 8 for name in names]) <= MAX_IDEMPOTENT:
            self.app["idempotent"] = names
        if self.ready:
            return
        self.ready = True
        self._on_ready(generation.workers)
        for connection in tuple(self._connections):
            connection.regulate()
