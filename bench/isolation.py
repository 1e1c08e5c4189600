"""What a flood on one service does to the waiting time of another, each with workers of its own, as the broker measures it.

Both sleep, so that it is the queues that are measured and not the processors. Rounds alternate: without the flood, with it.

usage: isolation.py [ROUNDS]
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

import gotask  # noqa: E402

APP = """
import time
import gotask

@gotask.service(workers=2, queue_calls=1000)
class Flooded:
    def sleep(self, seconds): time.sleep(seconds)

@gotask.service(workers=2)
class Other:
    def sleep(self, seconds): time.sleep(seconds)
"""

# The other service's callers keep its two workers busy, and a queue before them.
CALLS, CALLERS, SECONDS = 4096, 8, 0.002
FLOOD, FLOOD_SECONDS, REFUSED_PAUSE = 1200, 0.005, 0.25


async def caller(client, method, seconds, calls):
    for _ in range(calls):
        await client.call(method, seconds)


async def flood(address):
    """Always more calls than the queue takes; those that are refused are tried again for ever."""

    async def insist():
        while True:
            try:
                await client.call("Flooded.sleep", FLOOD_SECONDS)
            except gotask.Overloaded:
                await asyncio.sleep(REFUSED_PAUSE)

    async with gotask.AsyncClient(address, timeout=600.0) as client:
        await asyncio.gather(*(insist() for _ in range(FLOOD)))


async def services(client):
    return {service["name"]: service for service in (await client.call("GoTask.Status"))["services"]}


async def measure(address):
    async with gotask.AsyncClient(address) as client:
        await asyncio.gather(
            *(caller(client, "Other.sleep", SECONDS, CALLS // CALLERS) for _ in range(CALLERS))
        )
        return await services(client)


async def full(address):
    async with gotask.AsyncClient(address) as client:
        while (await services(client))["Flooded"]["queued"] < 900:
            await asyncio.sleep(0.05)


async def empty(address):
    async with gotask.AsyncClient(address) as client:
        while (await services(client))["Flooded"]["queued"]:
            await asyncio.sleep(0.05)


def rounds(address, count):
    alone, flooded = [], []
    refused = 0
    for number in range(count):
        alone.append(asyncio.run(measure(address))["Other"])
        process = subprocess.Popen([sys.executable, __file__, "--flood", address])
        try:
            asyncio.run(full(address))
            after = asyncio.run(measure(address))
        finally:
            process.kill()
            process.wait()
        flooded.append(after["Other"])
        print(
            f"{number + 1}: p99 of the wait {1000 * alone[-1]['wait_p99']:.2f} ms alone,"
            f" {1000 * flooded[-1]['wait_p99']:.2f} ms beside the flood: {after['Flooded']['queued']} queued,"
            f" {after['Flooded']['refused'] - refused} refused, p99 {after['Flooded']['wait_p99']:.1f} s",
            flush=True,
        )
        asyncio.run(empty(address))
        refused = after["Flooded"]["refused"]
    for name in ("wait_p50", "wait_p99"):
        ratios = [with_flood[name] / without[name] for without, with_flood in zip(alone, flooded)]
        print(
            f"{name}: with ÷ without, median {statistics.median(ratios):.3f}"
            f" ({min(ratios):.3f} to {max(ratios):.3f})"
        )


def main():
    if sys.argv[1:2] == ["--flood"]:
        asyncio.run(flood(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app.py"
        app.write_text(APP)
        address = f"unix://{folder}/gotask.sock"
        command = [sys.executable, str(ROOT / "python" / "gotask" / "__main__.py"), str(app)]
        broker = subprocess.Popen([*command, "--address", address], stderr=subprocess.DEVNULL)
        try:
            while not Path(folder, "gotask.sock").exists():
                broker.wait(0.05) if broker.poll() is not None else asyncio.run(asyncio.sleep(0.05))
            rounds(address, int(sys.argv[1]) if sys.argv[1:] else 5)
        finally:
            broker.terminate()
            broker.wait()


if __name__ == "__main__":
    main()
