"""Methods whose time is known. Each says when it began and ended, by the clock that all processes share, in ns."""

import time

import gotask


def sleep(seconds):
    began = time.monotonic_ns()
    time.sleep(seconds)
    return [began, time.monotonic_ns()]


def spin(seconds):
    """A processor is busy for so long. Counts no time in which the processor was another's."""
    began, until = time.monotonic_ns(), time.thread_time_ns() + seconds * 1e9
    while time.thread_time_ns() < until:
        pass
    return [began, time.monotonic_ns()]


def echo(value):
    return value


for method in (sleep, spin, echo):
    gotask.register(method)


@gotask.register
@gotask.method(timeout=60)
def brokered_echo(value):
    """A method with a time limit of its own never takes the fast path."""
    return value
