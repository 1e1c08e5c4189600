"""GoTask from plain PHP."""

from ..context import BENCH, ROOT, Context
from ..processes import Process, wait_for
from . import PhpContender


class GoTask(PhpContender):
    name = "gotask"
    title = "GoTask, broker and worker"
    method = "echo"

    def __init__(
        self, context: Context, workers: int = 1, app: str = "app.py", max_payload: int = 64 << 20
    ) -> None:
        super().__init__(context)
        self.workers = workers
        self.app = app
        self.max_payload = max_payload
        self.address = ""

    def serve(self) -> list[str]:
        path = self.context.fresh("gotask") / "s"
        self.address = f"unix://{path}"
        self.servers["broker"] = Process(broker(self.context, self), env={"PYTHONPATH": str(ROOT / "python")})
        wait_for(path, self.servers["broker"])
        return ["gotask", self.address, self.method, str(self.max_payload + 4096)]


class Inline(GoTask):
    name = "inline"
    title = "GoTask, inline method"
    method = "back"


def broker(context: Context, contender: GoTask) -> list[str]:
    options = ["--address", contender.address, "--workers", str(contender.workers), "--log-level", "error"]
    if contender.max_payload != 64 << 20:
        # What waits counts as well.
        options += [
            "--max-payload",
            str(contender.max_payload),
            "--queue-bytes",
            str(4 * contender.max_payload),
        ]
    return [context.python, "-m", "gotask", str(BENCH / contender.app), *options]
