"""A bare echo server on a Unix socket: what calls are measured against. It ends with standard input.

usage: echo.py PATH
"""

import select
import socket
import sys

path = sys.argv[1]
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
server.listen()
print("ready", flush=True)
while server in select.select([server, sys.stdin], [], [])[0]:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
