"""A plain Swoole HTTP server of one process."""

from ..context import BENCH
from ..processes import Process
from .gotask import GoTask, start_broker
from .http import wait_for_port
from .web import Route, WebServer

ROUTES = {
    "bare": "bare route",
    "task": "TaskWorker, taskCo()",
    "gotask": "GoTask, broker and worker",
    "inline": "GoTask, inline method",
}


class SwooleServer(WebServer):
    def serve(self) -> None:
        broker = GoTask(self.context)
        start_broker(broker)
        self.processes += broker.servers.values()
        command = [self.context.hyperf_php, str(BENCH / "servers/swoole.php"), str(self.port), broker.address]
        self.processes.append(Process(command, cwd=self.context.folder))
        wait_for_port(self.port, self.processes[-1])


def routes(server: SwooleServer) -> list[Route]:
    return [Route(server, name, title, f"/{name}") for name, title in ROUTES.items()]
