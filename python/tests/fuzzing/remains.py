"""What a broker has left of hostile peers: descriptors, memory, files, and what it says of faults of its own."""

from __future__ import annotations

from pathlib import Path

from ..chaos.system import Holdings, eventually, holdings
from ..peer import BrokerProcess, Peer

#: Seconds in which what closed connections held is to be gone.
PATIENCE = 20.0


def held(broker: BrokerProcess, beside: Peer, folder: Path) -> Holdings:
    """What it holds once each worker has a queue of its own, which is made for the first call with a key that goes there, and
    has received what had been handed to it before."""
    for key in range(1, 50):
        beside.call("App.echo", 0, 0, 0, 0, key)
        beside.call("App.async_echo", 0, 0, 0, 0, key)
    return holdings(broker.process.pid, folder)


def left(broker: BrokerProcess, beside: Peer, folder: Path, before: Holdings) -> list[str]:
    """A finding, if it goes on holding anything else than before."""
    if eventually(lambda: held(broker, beside, folder) == before, PATIENCE):
        return []
    return [before.became(holdings(broker.process.pid, folder))]


def end(broker: BrokerProcess) -> list[str]:
    """Ends it; a finding, if it does not end well, or has said anything of exceptions that nobody had expected."""
    broker.process.terminate()
    code = broker.process.wait(60)
    said = broker.stderr()
    broker.end()
    return [f"it ended with {code} and said {said[-2000:]}"] if code or said else []
