"""The broker: the main process, which runs no user code."""
