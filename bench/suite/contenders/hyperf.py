"""A Hyperf application: a copy of the one that GOTASK_HYPERF_APP names, with the routes of servers/hyperf in it."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..context import BENCH, PROCESSORS, ROOT
from ..processes import Process, wait_for
from .http import wait_for_port
from .web import WORKERS, Route, WebServer


class HyperfServer(WebServer):
    name = "Hyperf"

    def routes(self) -> Sequence[Route]:
        return [*super().routes(), Go(self)]

    def available(self) -> str | None:
        return super().available() or (
            None
            if self.context.hyperf_app
            else "GOTASK_HYPERF_APP does not name a Hyperf application that has reasno/gotask"
        )

    @property
    def go_client(self) -> str | None:
        """The vendor folder of a project that has hyperf/gotask; null where it is not to be measured."""
        client = os.environ.get("GOTASK_BENCH_GO_CLIENT") or self.context.hyperf_app
        vendor = Path(client or "") / "vendor"
        return str(vendor) if self.context.go and (vendor / "hyperf/gotask").is_dir() else None

    def serve(self) -> None:
        assert self.context.hyperf_app is not None
        app = self.context.fresh("hyperf")
        shutil.copytree(self.context.hyperf_app, app, symlinks=True, ignore=shutil.ignore_patterns("runtime"))
        # What is measured is this checkout.
        package = app / "vendor/reasno/gotask"
        package.unlink() if package.is_symlink() else shutil.rmtree(package)
        package.symlink_to(ROOT)
        (app / "config/autoload/server.php").rename(app / "config/server-of-the-application.php")
        shutil.copytree(BENCH / "servers/hyperf", app, dirs_exist_ok=True)
        socket = self.context.fresh("gotask") / "s"
        environment = {
            "BENCH_PORT": str(self.port),
            "GOTASK_APP": str(BENCH / "app.py"),
            "GOTASK_ADDRESS": f"unix://{socket}",
            "GOTASK_PYTHON": self.context.python,
            "BENCH_TASK_WORKERS": str(PROCESSORS),
            "BENCH_WORKERS": ",".join(map(str, WORKERS)),
        }
        if self.go_client and self.context.go:
            sidecar = self.context.fresh("go")
            self.processes.append(Process([self.context.go, "-standalone", "-address", str(sidecar)]))
            wait_for(sidecar, self.processes[-1])
            environment |= {"BENCH_GO_CLIENT": self.go_client, "BENCH_GO_ADDRESS": str(sidecar)}
        self.processes.append(
            Process([self.context.hyperf_php, "bin/hyperf.php", "start"], cwd=app, env=environment)
        )
        wait_for_port(self.port, self.processes[-1], 60.0)
        for path in (str(socket), *(f"{socket}-{workers}" for workers in WORKERS)):
            wait_for(Path(path), self.processes[-1])


class Go(Route):
    def __init__(self, server: HyperfServer) -> None:
        super().__init__(server, "go", "hyperf/gotask, Go sidecar")

    def available(self) -> str | None:
        reason = self.server.available()
        if reason is None and not (isinstance(self.server, HyperfServer) and self.server.go_client):
            reason = (
                "GOTASK_BENCH_GO does not name a built sidecar of hyperf/gotask's example, "
                "or neither the application nor GOTASK_BENCH_GO_CLIENT has hyperf/gotask"
            )
        return reason
