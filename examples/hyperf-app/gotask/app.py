"""What PHP can call."""

import logging
import sys
from pathlib import Path

# The package comes with Composer. PHP knows where it is; this is for tests, editors and `python gotask/app.py`.
sys.path.append(str(Path(__file__).resolve().parent.parent / "vendor" / "reasno" / "gotask" / "python"))

import gotask  # noqa: E402
from primes import primes, survey  # noqa: E402
from sales import Sales  # noqa: E402
from table import Table  # noqa: E402

logger = logging.getLogger(__name__)


class App:
    def hi(self, name):
        """Greets whoever is named."""
        return {"hello": name}

    def fail(self, why):
        """Raises what no one catches: PHP gets it as a RemoteError with this traceback."""
        logger.warning("about to fail", extra={"why": why})
        raise RuntimeError(f"failed {why}")


gotask.register(App())
gotask.register(Sales())
gotask.register(Table())
gotask.register(primes)
gotask.register(survey)

if __name__ == "__main__":
    gotask.run()
