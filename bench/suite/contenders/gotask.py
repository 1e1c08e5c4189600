"""GoTask from plain PHP."""

from ..context import BENCH, ROOT, Context
from ..processes import Process, wait_for
from . import PhpContender


#: Bytes, the default.
MAX_PAYLOAD = 64 << 20


class GoTask(PhpContender):
    name = "gotask"
    title = "GoTask"

    def __init__(
        self,
        context: Context,
        workers: int | None = None,
        app: str = "app.py",
        max_payload: int = MAX_PAYLOAD,
    ) -> None:
        """Workers: null for the default number, that of the processors."""
        super().__init__(context)
        if workers is not None:
            self.name += f"-{workers}"
            self.title += f", {workers} worker" + "s" * (workers > 1)
        self.workers = workers
        self.app = app
        self.max_payload = max_payload
        self.address = ""

    def serve(self) -> list[str]:
        start_broker(self)
        return ["gotask", self.address, "echo", str(self.max_payload + 4096)]


def start_broker(contender: GoTask) -> None:
    context = contender.context
    path = context.fresh("gotask") / "s"
    contender.address = f"unix://{path}"
    options = ["--address", contender.address, "--log-level", "error"]
    if contender.workers is not None:
        options += ["--workers", str(contender.workers)]
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
