"""What PHP can call."""

import logging

import gotask
from primes import primes
from sales import Sales
from table import Table

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

if __name__ == "__main__":
    gotask.run()
