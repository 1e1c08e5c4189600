"""The page and the metrics: a process of its own, which asks the broker as any client does."""
