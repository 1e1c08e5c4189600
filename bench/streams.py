"""What a stream costs at the level of frames, without PHP: rows a second; with a slow reader the memory of broker and worker,
and how long other calls take beside it; and how long after the caller's `break` a generator's `finally` has run.

usage: streams.py [ROWS]
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from gotask.wire.exchange import CREDIT  # noqa: E402
from tests.exchanges import Exchanger  # noqa: E402
from tests.peer import APPS, BrokerProcess, Peer  # noqa: E402

SLOW = 0.02  # seconds for each message of a slow reader
BREAKS = 50


def resident(pid):
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def read(peer, sequence, pause=0.0, until=None):
    """Gives credit for all that comes, which is counted by its header alone."""
    rows = 0
    while sequence not in peer.replies and not (until and until.is_set()):
        peer.read()
        for frame in peer.messages.pop(sequence, ()):
            rows += frame.options[2]
            peer.say(sequence, CREDIT, len(frame.payload))
            if pause:
                time.sleep(pause)
    return rows


def latency(address, seconds):
    """Milliseconds of other calls, one at a time: median and 99th percentile."""
    peer, took, until = Peer(address), [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        peer.call("App.async_pid")
        took.append(1000 * (time.perf_counter() - began))
        time.sleep(0.001)
    return statistics.median(took), statistics.quantiles(took, n=100)[-1]


def break_to_finally(address, kind, rows, folder):
    """Milliseconds, the greatest of many."""
    worst = 0.0
    for number in range(BREAKS):
        path = Path(folder) / f"{kind}{rows}-{number}"
        peer = Exchanger(address)
        sequence = peer.stream(f"App.{kind}cleaning", str(path), rows, 0.001)
        peer.items(sequence, 10, credit=False)
        while rows == 10 and not path.exists():
            time.sleep(0.001)
        began = time.perf_counter()
        peer.cancel(sequence)
        while not path.exists() or "closed" not in path.read_text():
            time.sleep(0.0005)
        worst = max(worst, 1000 * (time.perf_counter() - began))
        peer.close()
    return worst


def main(rows):
    with tempfile.TemporaryDirectory(prefix="gotask-bench-") as folder:
        address = f"unix://{folder}/b.sock"
        broker = BrokerProcess(APPS / "exchanges.py", address=address)
        broker.wait_for("ready")
        try:
            peer = Exchanger(address)
            idle = latency(address, 3)
            print(f"other calls, nothing beside them: {idle[0]:.2f} ms, 99 % within {idle[1]:.2f} ms")
            for kind in ("", "async_"):
                name = "async" if kind else "sync"
                pids = [broker.process.pid, peer.call(f"App.{kind}pid")]
                began = time.perf_counter()
                count = read(peer, peer.stream(f"App.{kind}rows", rows))
                print(f"{name}: {count / (time.perf_counter() - began):,.0f} rows/s of {count:,}")
                before, done = [resident(pid) for pid in pids], threading.Event()
                sequence = peer.stream(f"App.{kind}rows", rows, 100)
                slow = threading.Thread(target=read, args=(peer, sequence, SLOW, done))
                slow.start()
                beside = latency(address, 5)
                grown = [resident(pid) - was for pid, was in zip(pids, before)]
                done.set()
                slow.join()
                peer.cancel(sequence)
                print(
                    f"{name}, read slowly: broker +{grown[0]:.1f} MiB, worker +{grown[1]:.1f} MiB;"
                    f" other calls {beside[0]:.2f} ms, 99 % within {beside[1]:.2f} ms"
                )
                for waiting, given in (("at work", 10), ("waiting for credit", 10_000)):
                    worst = break_to_finally(address, kind, given, folder)
                    print(f"{name}, {waiting}: finally within {worst:.1f} ms of break, {BREAKS} times")
            peer.close()
        finally:
            broker.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
