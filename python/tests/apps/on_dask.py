"""Methods that run on Dask."""

from __future__ import annotations

import gotask
from work import service  # type: ignore[import]  # beside this file, when it is loaded as an app

gotask.register(service("dask"), "Once")
gotask.register(service("dask", idempotent=True), "Again")
