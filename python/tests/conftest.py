"""What holds for all tests, whatever machine they run on."""

import os
import signal
import tempfile

from hypothesis import HealthCheck, settings

# A machine that is busy with other things makes no example wrong.
settings.register_profile("gotask", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gotask")

# Whoever started the tests may ignore it, and the kernel would then keep no exit code of what they start.
signal.signal(signal.SIGCHLD, signal.SIG_DFL)

# A socket's path has at most 106 bytes, and other users have to reach some: not so in many a folder that $TMPDIR names.
if os.access("/tmp", os.W_OK):
    os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"
