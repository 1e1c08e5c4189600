"""A worker: the process that runs user code."""
