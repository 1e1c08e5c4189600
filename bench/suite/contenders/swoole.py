"""A plain Swoole HTTP server of one process."""

from ..context import BENCH, PROCESSORS
from ..processes import Process
from .gotask import GoTask, start_broker
from .http import wait_for_port
from .web import WORKERS, WebServer


class SwooleServer(WebServer):
    name = "Raw Swoole, one HTTP process"

    def serve(self) -> None:
        brokers = [GoTask(self.context, workers) for workers in (None, *WORKERS)]
        for broker in brokers:
            start_broker(broker)
            self.processes += broker.servers.values()
        command = [self.context.hyperf_php, str(BENCH / "servers/swoole.php")]
        command += [
            str(self.port),
            str(PROCESSORS),
            *(f"{broker.name}={broker.address}" for broker in brokers),
        ]
        self.processes.append(Process(command, cwd=self.context.folder))
        wait_for_port(self.port, self.processes[-1])
