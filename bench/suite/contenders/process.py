"""A new process for each call."""

from ..context import BENCH
from . import PhpContender


class EachProcess(PhpContender):
    name = "process"
    title = "a python process for each call"

    def serve(self) -> list[str]:
        return ["process", self.context.python, str(BENCH / "servers/each.py")]
