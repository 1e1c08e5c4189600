"""A large payload there and back."""

from ..contenders.gotask import GoTask
from ..context import Context
from ..figures import Figure, Row
from ..processes import memory, reset_peak
from ..report import Report

MIB = 1 << 20
SIZE = 256 * MIB
SECTION = "256 MiB of binary data each way"


def measure(context: Context, report: Report) -> None:
    context.say(SECTION)
    contender = GoTask(context, max_payload=SIZE + MIB)
    contender.start()
    try:
        contender.run(1, SIZE, 0)
        broker, *workers = contender.servers["broker"].tree()
        assert contender.client is not None
        processes = {"broker": [broker], "worker": workers, "PHP": [contender.client.pid]}
        for pid in sum(processes.values(), []):
            reset_peak(pid)
        rates = [
            2 * SIZE * result.rate / 1e9
            for result in (contender.run(1, SIZE, 0) for _ in range(context.rounds))
        ]
        peaks = {name: max(map(memory, pids)) for name, pids in processes.items()}
    finally:
        contender.stop()
    report.rows.append(Row(SECTION, "both ways together", Figure.of(rates, "GB/s"), at_least=1.3))
    for name, peak in peaks.items():
        report.rows.append(Row(SECTION, f"most memory, {name}", Figure(peak, peak, peak, 1, "MiB")))
