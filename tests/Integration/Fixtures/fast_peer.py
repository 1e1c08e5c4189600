"""The peer with a fast path: a method's name says what becomes of a call that takes it.

What takes the ordinary way is echoed, and said to be quick.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct

from peer import CONTROL, JSON, STOP, Call, Peer, frame

QUICK = 50
LATE, TAKEN_BACK, GIVEN_BACK = 1, 2, 3

# A call of the fast path: its sequence on the ordinary connection.
Key = tuple[asyncio.StreamWriter, int]


def stop(sequence: int, why: int) -> bytes:
    return frame(CONTROL, [sequence, why], b"", STOP)


class FastPeer(Peer):
    def __init__(self, path: str) -> None:
        super().__init__("fast")
        self.tokens: dict[bytes, asyncio.StreamWriter] = {}
        self.sockets: list[socket.socket] = []
        self.messages: list[int] = []
        self.ordinary: dict[str, int] = {}
        self.fast: dict[str, int] = {}
        self.names: dict[Key, str] = {}
        self.stops: list[tuple[Key, int]] = []
        self.kept: dict[Key, tuple[Call, socket.socket]] = {}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path + ".fast")
        self.listener.listen()
        self.listener.setblocking(False)
        os.chmod(path + ".fast", 0o600)

    def begin(self) -> None:
        asyncio.get_running_loop().add_reader(self.listener, self.accept)

    def accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self.sockets.append(connection)
        writer: list[asyncio.StreamWriter] = []

        def read() -> None:
            message = connection.recv(1 << 17)
            if not writer:
                writer.append(self.tokens.pop(message))
                connection.send(b"\x01")
            elif message:
                self.take(message, connection, writer[0])
            else:
                asyncio.get_running_loop().remove_reader(connection)
                connection.close()

        asyncio.get_running_loop().add_reader(connection, read)

    def take(self, message: bytes, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        offset = 8
        calls = []
        while offset < len(message):
            words, flags, length = struct.unpack_from("<BBI", message, offset)
            assert words == 0x17, "a call of the fast path has four options"
            options = list(struct.unpack_from("<4I", message, offset + 12))
            calls.append(Call(flags, options, message[offset + 28 : offset + 28 + length]))
            offset += 28 + length
        assert 1 <= len(calls) <= 16 and len(message) <= 65536
        assert [call.sequence for call in calls] == list(
            range(calls[0].sequence, calls[0].sequence + len(calls))
        )
        assert calls[0].sequence >= 1 << 30
        self.messages.append(len(calls))
        for call in calls:
            self.fast[call.name] = self.fast.get(call.name, 0) + 1
            self.names[writer, call.sequence] = call.name
            answer = getattr(self, "fast_" + call.name, None)
            if answer is None:
                connection.send(self.answer(call))
            else:
                answer(call, connection, writer)

    @staticmethod
    def answer(call: Call, body: bytes | None = None) -> bytes:
        return call.reply(body, None, None, QUICK)

    def control(self, stream: int, options: list[int], payload: bytes, writer: asyncio.StreamWriter) -> None:
        super().control(stream, options, payload, writer)
        if stream & STOP and options[0] >= 1 << 30:
            key = (writer, options[0])
            self.stops.append((key, options[1]))
            self.settle(key)

    def keep(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        self.kept[writer, call.sequence] = (call, connection)
        self.settle((writer, call.sequence))

    def settle(self, key: Key) -> None:
        """Does what becomes of a kept call that is taken back: on a busy machine that may be read before the call."""
        if key not in self.kept or (key, TAKEN_BACK) not in self.stops:
            return
        call, connection = self.kept.pop(key)
        if call.name == "BegunAndAnswered":
            connection.send(self.answer(call))
        elif call.name != "BegunForLong":
            key[0].write(stop(call.sequence, GIVEN_BACK))

    async def act(self, call: Call, writer: asyncio.StreamWriter) -> None:
        if call.name.startswith("GoTask."):
            await super().act(call, writer)
            return
        self.ordinary[call.name] = self.ordinary.get(call.name, 0) + 1
        if call.name == "Seen":
            # What there has been of the method that the body names, both ways, what else, and why its calls were stopped.
            name = call.body[1:].decode()  # a string of fewer than 32 bytes
            asked = sum(name == "GoTask.FastPath" for name, _ in self.calls)
            seen = [
                self.ordinary.get(name, 0),
                self.fast.get(name, 0),
                max(self.messages, default=0),
                asked,
                *[why for key, why in self.stops if self.names.get(key) == name][-11:],
            ]
            numbers = b"".join(b"\xce" + struct.pack(">I", number) for number in seen)
            writer.write(call.reply(bytes([0x90 | len(seen)]) + numbers))
        elif call.name == "Slow":
            writer.write(call.reply(None, None, None, 1 << 31 | QUICK))
        elif call.name == "Paused":
            await asyncio.sleep(0.02)
            writer.write(self.answer(call))
        else:
            writer.write(self.answer(call))
        await writer.drain()

    async def do_GoTask_FastPath(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        token = os.urandom(16)
        self.tokens[token] = writer
        writer.write(call.reply(json.dumps({"path": "", "token": token.hex()}).encode(), JSON))

    def fast_GivenBack(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        connection.send(stop(call.sequence, GIVEN_BACK))

    def fast_Kept(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        """Not read by any worker, until it is taken back."""
        self.keep(call, connection, writer)

    fast_BegunAndAnswered = fast_BegunForLong = fast_Kept

    def fast_Twice(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        connection.send(self.answer(call))
        connection.send(self.answer(call, b"\xa5wrong"))
        writer.write(self.answer(call, b"\xa5wrong"))

    def fast_AnsweredByTheBroker(
        self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(self.answer(call))

    def fast_AnsweredBeforeItCrashed(
        self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter
    ) -> None:
        """The broker's word is there first, though the answer was sent before."""
        connection.send(self.answer(call))
        writer.write(call.error("worker_crashed"))

    def fast_Crashed(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        writer.write(call.error("worker_crashed"))

    def fast_Closed(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        self.keep(call, connection, writer)
        asyncio.get_running_loop().remove_reader(connection)
        connection.shutdown(socket.SHUT_RDWR)

    def fast_Garbage(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        self.keep(call, connection, writer)
        connection.send(b"HTTP/1.1 400 Bad Request")

    def fast_Lost(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        connection.send(self.answer(call))
        writer.close()

    def fast_Stuck(self, call: Call, connection: socket.socket, writer: asyncio.StreamWriter) -> None:
        """Nothing reads the fast path any more."""
        self.keep(call, connection, writer)
        with contextlib.suppress(ValueError):
            asyncio.get_running_loop().remove_reader(connection)
