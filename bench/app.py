"""What the benchmarks call: the least that a method can do, and work of known kinds."""

import time

import gotask


@gotask.register
def echo(value):
    return value


@gotask.register
def work(iterations):
    """So much for a processor to do, in a loop of a known length."""
    total = 0
    for number in range(iterations):
        total += number & 7
    return total


@gotask.register
def rows(count):
    for number in range(count):
        yield {"id": number, "name": "Jo"}


@gotask.register
def mixed(number):
    """Quick calls of 20 µs, one in 10 000 of 200 ms."""
    if number % 10_000 == 9_999:
        time.sleep(0.2)
        return True
    end = time.perf_counter_ns() + 20_000
    while time.perf_counter_ns() < end:
        pass
    return False
