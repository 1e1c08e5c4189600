"""Workers of the fault suite run from the sources, whatever the broker does: no app can put its steps into what is compiled."""

import os
import sys

if "--worker" in sys.orig_argv:
    os.environ["GOTASK_COMPILED"] = "0"
