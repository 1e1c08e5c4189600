"""GoTask from plain PHP."""

from ..context import BENCH, ROOT, Context
from ..processes import Process, wait_for
from . import PhpContender


#: Bytes, the default.
MAX_PAYLOAD = 64 << 20


class GoTask(PhpContender):
    name = "gotask"
    title = "GoTask, broker and worker"
    method = "echo"

    def __init__(
        self, context: Context, workers: int = 1, app: str = "app.py", max_payload: int = MAX_PAYLOAD
    ) -> None:
        super().__init__(context)
        self.workers = workers
        self.app = app
        self.max_payload = max_payload
        self.address = ""

    def serve(self) -> list[str]:
        start_broker(self)
        return ["gotask", self.address, self.method, str(self.max_payload + 4096)]


class Inline(GoTask):
    name = "inline"
    title = "GoTask, inline method"
    method = "back"


def start_broker(contender: GoTask) -> None:
    context = contender.context
    path = context.fresh("gotask") / "s"
    contender.address = f"unix://{path}"
    options = ["--address", contender.address, "--workers", str(contender.workers), "--log-level", "error"]
    if contender.max_payload != MAX_PAYLOAD:
        # What waits counts as well.
        options += [
            "--max-payload",
            str(contender.max_payload),
            "--queue-bytes",
            str(4 * contender.max_payload),
        ]
    command = [context.python, "-m", "gotask", str(BENCH / contender.app), *options]
    contender.servers["broker"] = Process(command, env={"PYTHONPATH": str(ROOT / "python")})
    wait_for(path, contender.servers["broker"])
