"""What the pages of web.php call: one app of several modules, as gotask/app.py of an application is."""

import archive  # noqa: F401
import chat  # noqa: F401
