"""A list in Redis as the queue."""

import shutil

from ..context import BENCH
from ..processes import Process, wait_for
from . import PhpContender


class Redis(PhpContender):
    name = "redis"
    title = "a list in Redis as the queue"

    def available(self) -> str | None:
        return None if shutil.which("redis-server") else "redis-server is not installed"

    def serve(self) -> list[str]:
        path = self.context.fresh("redis")
        options = [
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ]
        self.servers["redis"] = Process(["redis-server", *options], cwd=self.context.folder)
        wait_for(path, self.servers["redis"])
        self.servers["worker"] = Process(
            [self.context.python, str(BENCH / "servers/redis_worker.py"), str(path)]
        )
        return ["redis", f"unix://{path}"]
