"""`python -m gotask APP`, or this file by its path: then the package need not be installed.

This file alone can be read by every Python since 2.7: one that is too old has to say so.
"""

import os
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 10):
        import json

        version = ".".join(map(str, sys.version_info[:3]))
        if "--managed" in sys.argv:
            # PHP tries another interpreter then.
            print(json.dumps({"event": "unsupported", "python": sys.executable, "version": version}))
        else:
            sys.stderr.write("gotask needs Python 3.10 or later; %s is %s\n" % (sys.executable, version))
        sys.exit(69)
    if not __package__:
        # Python has put this file's folder in front, unless it was told not to (PYTHONSAFEPATH, -P, -I); what must be
        # importable is the package that it is.
        has_folder = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
        sys.path[: int(has_folder)] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    from gotask.ipc import signals

    if sys.argv[1:2] == ["--worker"]:
        signals.reset_in_worker()
        from gotask.worker.main import leave, main

        leave(main())
    elif sys.argv[1:2] == ["--web-process"]:
        signals.reset_in_worker()
        from gotask.web.main import main

        sys.exit(main())
    else:
        signals.reset_in_broker()
        from gotask.cli import main

        sys.exit(main())
