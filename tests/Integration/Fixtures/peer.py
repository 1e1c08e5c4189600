"""Peers that do as they are told, well or badly: each call's method says what is to become of it.

Each line of the standard input has an answer on the standard output:

    start unix:///tmp/x.sock [plain | silent | late | echo | fast]     ready PROCESS unix:///tmp/x.sock
    end PROCESS SIGNAL                                                 ended

`plain` knows no Hello, `silent` answers none, `late` takes its time, `echo` gives back what it is told, `fast` has a
fast path (fast_peer.py). Each peer is forked, as Python takes longer to start than most tests do. With the standard
input all end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import sys
import zlib
from typing import Any

CONTROL, JSON, MSGPACK, ERROR = 0x01, 0x08, 0x10, 0x40
STOP, PING, PONG = 0x02, 0x04, 0x08


def frame(flags: int, options: list[int], payload: bytes, stream: int = 0) -> bytes:
    start = struct.pack("<BBI", 0x10 | 3 + len(options), flags, len(payload))
    head = start + struct.pack("<IBB", zlib.crc32(start), stream, 0)
    return head + struct.pack(f"<{len(options)}I", *options) + payload


class Call:
    def __init__(self, flags: int, options: list[int], payload: bytes) -> None:
        self.flags = flags
        self.options = options
        self.sequence = options[0]
        self.name = payload[: options[1]].decode()
        self.body = payload[options[1] :]

    def reply(
        self, body: bytes | None = None, flags: int | None = None, sequence: int | None = None, *more: int
    ) -> bytes:
        name = self.name.encode()
        return frame(
            self.flags if flags is None else flags,
            [self.sequence if sequence is None else sequence, len(name), *more],
            name + (self.body if body is None else body),
        )

    def error(self, code: str, message: str = "as told", **data: Any) -> bytes:
        return self.reply(json.dumps({"code": code, "message": message, "data": data}).encode(), JSON | ERROR)


class Peer:
    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.connections = 0
        self.calls: list[list[Any]] = []
        self.cancelled: list[int] = []
        self.pongs: list[str] = []
        self.running: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.changed = asyncio.Event()
        self.held: list[tuple[Call, asyncio.StreamWriter]] = []

    def begin(self) -> None:
        pass

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                head = await reader.readexactly(12)
                words, flags, length = struct.unpack("<BBI", head[:6])
                assert struct.unpack("<I", head[6:10])[0] == zlib.crc32(head[:6]), "wrong checksum"
                count = (words & 0x0F) - 3
                options = list(struct.unpack(f"<{count}I", await reader.readexactly(4 * count)))
                payload = await reader.readexactly(length)
                if flags & CONTROL:
                    self.control(head[10], options, payload, writer)
                    continue
                call = Call(flags, options, payload)
                if call.name.startswith("Stall:"):
                    # Reads nothing more for a while.
                    await asyncio.sleep(float(call.name.split(":")[1]))
                    writer.write(call.reply())
                    continue
                task = asyncio.create_task(self.act(call, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                # The call's first answer is written before the next call is read, as in a broker.
                await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            self.change()
            for task in tasks:
                task.cancel()
            writer.close()

    def control(self, stream: int, options: list[int], payload: bytes, writer: asyncio.StreamWriter) -> None:
        if stream & STOP:
            self.cancelled.append(options[0])
        if stream & PONG:
            self.pongs.append(payload.decode())
        self.change()

    def change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def act(self, call: Call, writer: asyncio.StreamWriter) -> None:
        action, _, argument = call.name.partition(":")
        if action != "GoTask.Hello":
            self.calls.append([call.name, len(call.options)])
        handler = getattr(self, "do_" + action.replace(".", "_"), None)
        if handler is None:
            writer.write(call.error("method_not_found", f"no method {call.name}", nearest=["Echo"]))
        else:
            self.running[action] = self.running.get(action, 0) + 1
            self.most[action] = max(self.most.get(action, 0), self.running[action])
            try:
                await handler(call, writer, argument)
            finally:
                self.running[action] -= 1
        await writer.drain()

    async def do_GoTask_Hello(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        if self.mode == "plain":
            writer.write(call.reply(b"can't find service GoTask.Hello", JSON | ERROR))
        elif self.mode == "echo":
            writer.write(call.reply())
        elif self.mode != "silent":
            if self.mode == "late":
                await asyncio.sleep(0.15)
            said = {"protocol": 1, "peer": "python", "version": "0", "max_payload": 64 << 20, "pid": 1}
            if self.mode == "fast":
                said["fast"] = True
            writer.write(call.reply(json.dumps(said).encode()))

    async def do_GoTask_Authenticate(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply())

    async def do_GoTask_Ping(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply())

    async def do_Echo(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply())

    async def do_Late(self, call: Call, writer: asyncio.StreamWriter, seconds: str) -> None:
        await asyncio.sleep(float(seconds))
        writer.write(call.reply())

    async def do_Never(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        pass

    async def do_Hold(self, call: Call, writer: asyncio.StreamWriter, count: str) -> None:
        """Answers when so many calls are held, the last first."""
        self.held.append((call, writer))
        if len(self.held) == int(count):
            for held, to in reversed(self.held):
                to.write(held.reply())
            self.held.clear()

    async def do_Size(self, call: Call, writer: asyncio.StreamWriter, length: str) -> None:
        """A result of so many zero bytes, as MessagePack bin."""
        writer.write(call.reply(b"\xc6" + struct.pack(">I", int(length)) + bytes(int(length))))

    async def do_Length(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply(b"\xce" + struct.pack(">I", len(call.body))))

    async def do_Slowly(self, call: Call, writer: asyncio.StreamWriter, seconds: str) -> None:
        """One byte at a time."""
        for byte in call.reply():
            writer.write(bytes([byte]))
            await asyncio.sleep(float(seconds))

    async def do_Flood(self, call: Call, writer: asyncio.StreamWriter, count: str) -> None:
        """Many answers to calls that nobody made, then the right one."""
        for number in range(int(count)):
            writer.write(call.reply(b"\xa5wrong", sequence=0x70000000 + number))
        writer.write(call.reply())

    async def do_Twice(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply() + call.reply(b"\xa5wrong"))

    async def do_Garbage(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def do_WrongChecksum(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        reply = bytearray(call.reply())
        reply[6] ^= 1
        writer.write(bytes(reply))

    async def do_ShortReply(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(frame(call.flags, [call.sequence, 200], b"short"))

    async def do_Truncate(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply()[:-1])
        await writer.drain()
        writer.close()

    async def do_Close(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.close()

    async def do_AnswerAndClose(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply())
        await writer.drain()
        writer.close()

    async def do_GoAway(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply() + frame(CONTROL, [0], b"", STOP))

    async def do_GoAwayAndRefuse(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        """Refuses it the first time, as a broker that ends."""
        if sum(name == call.name for name, _ in self.calls) == 1:
            writer.write(frame(CONTROL, [0], b"", STOP) + call.error("unavailable"))
        else:
            writer.write(call.reply())

    async def do_Fail(self, call: Call, writer: asyncio.StreamWriter, code: str) -> None:
        writer.write(call.error(code) if code else call.reply(b"it did not work", call.flags | ERROR))

    async def do_Ping(self, call: Call, writer: asyncio.StreamWriter, text: str) -> None:
        """Answers when its ping was."""
        writer.write(frame(CONTROL, [7], text.encode(), PING))
        while text not in self.pongs:
            await self.changed.wait()
        writer.write(call.reply())

    async def do_Cancelled(self, call: Call, writer: asyncio.StreamWriter, count: str) -> None:
        """Answers when so many calls have been cancelled."""
        while len(self.cancelled) < int(count):
            await self.changed.wait()
        writer.write(call.reply(bytes([0x90 | len(self.cancelled), *self.cancelled])))

    async def do_Answered(self, call: Call, writer: asyncio.StreamWriter, action: str) -> None:
        """Answers when there was a call of an action, and none is without its answer."""
        while self.running.get(action) != 0:
            await asyncio.sleep(0)
        writer.write(call.reply())

    async def do_Connections(self, call: Call, writer: asyncio.StreamWriter, count: str) -> None:
        """The number of connections; with an argument, when it is that."""
        while count and self.connections != int(count):
            await self.changed.wait()
        writer.write(call.reply(bytes([self.connections])))

    async def do_Calls(self, call: Call, writer: asyncio.StreamWriter, action: str) -> None:
        """How many calls of an action there have been, at most 127."""
        writer.write(call.reply(bytes([sum(name.split(":")[0] == action for name, _ in self.calls)])))

    async def do_Most(self, call: Call, writer: asyncio.StreamWriter, action: str) -> None:
        """How many calls of an action there were at the same time, at most 127."""
        writer.write(call.reply(bytes([self.most.get(action, 0)])))

    async def do_Service_echo(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(call.reply())

    async def do_Options(self, call: Call, writer: asyncio.StreamWriter, _: str) -> None:
        """The third and fourth option, as far as there are any."""
        values = b"".join(b"\xce" + struct.pack(">I", option) for option in call.options[2:])
        writer.write(call.reply(bytes([0x90 | len(call.options) - 2]) + values))


async def serve(address: str, peer: Peer) -> None:
    peer.begin()
    if address.startswith("unix://"):
        await asyncio.start_unix_server(peer.serve, address[7:])
    else:
        host, _, port = address[6:].rpartition(":")
        server = await asyncio.start_server(peer.serve, host.strip("[]"), int(port))
        address = f"tcp://{host}:{server.sockets[0].getsockname()[1]}"
    print("ready", os.getpid(), address, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    from fast_peer import FastPeer

    running: set[int] = set()
    for line in sys.stdin:
        word, *arguments = line.split()
        if word == "start":
            address, mode = [*arguments, ""][:2]
            if (process := os.fork()) == 0:
                try:
                    asyncio.run(serve(address, FastPeer(address[7:]) if mode == "fast" else Peer(mode)))
                except OSError as failure:
                    print(failure, flush=True)
                    raise
            running.add(process)
        else:
            process = int(arguments[0])
            os.kill(process, int(arguments[1]))
            os.waitpid(process, 0)
            running.remove(process)
            print("ended", flush=True)
    for process in running:
        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
