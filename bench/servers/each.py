"""A process for each call: answers with what it reads."""

import sys

sys.stdout.buffer.write(sys.stdin.buffer.read())
