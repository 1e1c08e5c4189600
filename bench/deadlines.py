"""How long after its deadline a call ends whose method does what it can to go on, and when all workers are there again.

usage: deadlines.py [ROUNDS]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from tests.peer import APPS, BrokerProcess, Peer  # noqa: E402

METHODS = {
    "Sync.spin": "while True: pass",
    "Sync.hold_the_gil": "a call in C that holds the GIL",
    "Sync.ignore_signals": "ignores signals, catches everything",
    "Sync.block": "blocks in a system call",
    "Async.swallow": "async, swallows its cancellation",
    "Async.spin": "async, while True: pass",
    "Async.hold_the_gil": "async, a call in C that holds the GIL",
}
DEADLINE = 0.3  # seconds


def ready(peer, count=0):
    """Waits until every worker serves, so many at least; gives their number."""
    while True:
        states = [worker["state"] for worker in peer.call("GoTask.Status")["workers"]]
        if len(states) >= count and set(states) <= {"idle", "busy"}:
            return len(states)
        time.sleep(0.001)


def once(method, address):
    """Seconds from the deadline to the answer, and to all workers; and those of the slowest other call meanwhile."""
    broker = BrokerProcess(APPS / "nasty.py", workers=2, address=address)
    try:
        broker.wait_for("ready")
        peer, other = Peer(address), Peer(address)
        count = ready(peer)
        began = time.monotonic()
        sequence = peer.send(method, None, int(DEADLINE * 1000), 0)
        slowest = 0.0
        while (now := time.monotonic()) < began + DEADLINE:
            assert other.call("Sync.echo", 1) == 1
            slowest = max(slowest, time.monotonic() - now)
        assert peer.result(sequence)["code"] == "deadline_exceeded"
        ended = time.monotonic()
        ready(other, count)
        return ended - began - DEADLINE, time.monotonic() - began - DEADLINE, slowest
    finally:
        broker.end()


def main():
    rounds = int(sys.argv[1]) if sys.argv[1:] else 5
    print("| method | answered after its deadline | all workers there | slowest other call |")
    print("| --- | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        for method, what in METHODS.items():
            columns = zip(*(once(method, f"unix://{folder}/b.sock") for _ in range(rounds)))
            cells = [
                f"{1000 * statistics.median(column):.0f} ms (at most {1000 * max(column):.0f})"
                for column in columns
            ]
            print(f"| {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
