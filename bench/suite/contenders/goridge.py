"""RoadRunner's Goridge client for PHP. A bare echo answers every call with itself: no server could do less."""

import os
from pathlib import Path

from ..context import ROOT
from .echo import Echo


class Goridge(Echo):
    name = "goridge"
    title = "spiral/goridge to a bare echo"
    concurrent = False

    def available(self) -> str | None:
        return (
            None
            if self._autoload()
            else "spiral/goridge is not installed, and GOTASK_BENCH_GORIDGE does not name a project that has it"
        )

    def serve(self) -> list[str]:
        return ["goridge", f"unix://{self.echo()}", str(self._autoload())]

    def _autoload(self) -> Path | None:
        for project in (os.environ.get("GOTASK_BENCH_GORIDGE"), str(ROOT)):
            if project and (Path(project) / "vendor/spiral/goridge").is_dir():
                return Path(project).resolve() / "vendor/autoload.php"
        return None
