"""Does the same work again and again, as a worker of the app would, and says how long each took.

usage: busy.py ITERATIONS SECONDS

It begins when standard input says so, and prints the seconds of each as a list.
"""

import json
import sys
import time


def work(iterations):
    total = 0
    for number in range(iterations):
        total += number & 7
    return total


if __name__ == "__main__":
    iterations, seconds = int(sys.argv[1]), float(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    start = now = time.perf_counter()
    while now - start < seconds:
        work(iterations)
        times.append(-now + (now := time.perf_counter()))
    print(json.dumps(times))
