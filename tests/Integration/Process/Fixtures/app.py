import logging
import os
import time

import gotask


class App:
    def rows(self, count):
        for row in range(count, 0, -1):
            yield {"row": row}

    def steps(self, count):
        for number in range(count):
            gotask.current_call().progress(number / count, f"step <{number}>\x1b[2J")
        return count

    def hi(self, name):
        """Says hello."""
        return {"hello": name}

    def bytes(self):
        return b"\xff\0\xfe"

    def sleep(self, seconds: float):
        time.sleep(seconds)
        return os.getpid()

    def log(self, level: str, message: str):
        logging.getLogger("app").log(getattr(logging, level.upper()), message)

    def fail(self, message: str):
        raise ValueError(message)

    def environment(self, name: str):
        return os.environ.get(name)


gotask.register(App())
