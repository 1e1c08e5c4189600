"""`python -m gotask APP …`, or this file by its path: then the package need not be installed."""

import os
import sys

if __name__ == "__main__":
    if not __package__:
        # Python has put this file's folder in front, unless it was told not to (PYTHONSAFEPATH, -P, -I); what must be
        # importable is the package that it is.
        has_folder = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
        sys.path[: int(has_folder)] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    from gotask import _signals

    if sys.argv[1:2] == ["--worker"]:
        _signals.reset_in_worker()
        from gotask._worker import leave, main

        leave(main())
    else:
        _signals.reset_in_broker()
        from gotask._cli import main

        sys.exit(main())
