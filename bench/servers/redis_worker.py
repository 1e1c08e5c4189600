"""Takes calls from a list in Redis, each with the name of the list for its answer in front, and answers with the rest.

usage: redis_worker.py SOCKET
"""

import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
replies = connection.makefile("rb")


def bulk():
    length = int(replies.readline()[1:])
    return replies.read(length + 2)[:-2]


while True:
    connection.sendall(b"*3\r\n$5\r\nBLPOP\r\n$5\r\ncalls\r\n$1\r\n0\r\n")
    if replies.readline() != b"*2\r\n":
        break
    bulk()
    name, _, value = bulk().partition(b"\n")
    connection.sendall(
        b"*3\r\n$5\r\nRPUSH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(value), value)
    )
    replies.readline()
