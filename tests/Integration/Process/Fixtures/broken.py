import gotask  # noqa: F401

raise RuntimeError("this app does not import")
