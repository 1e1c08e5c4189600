"""What PHP can call: $task->call('App.Hi', 'Reasno'). Every public method of a registered object, and registered functions."""

import sys
from pathlib import Path

# The package comes with Composer. PHP knows where it is; this is for tests, editors and `python gotask/app.py`.
sys.path.append(str(Path(__file__).resolve().parent.parent / "vendor" / "reasno" / "gotask" / "python"))

import gotask  # noqa: E402


class App:
    def hi(self, name):
        """Greets whoever is named."""
        return {"hello": name}


gotask.register(App())

if __name__ == "__main__":
    gotask.run()
