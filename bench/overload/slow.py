#!/usr/bin/env python3
"""slow.py PORT N - holds N connections to a server, each sending its request head a byte at a time;
says "open" when all are. What the server closes is opened again.
SPDX-License-Identifier: MIT
"""
import resource
import selectors
import socket
import sys
import time

PORT, N = int(sys.argv[1]), int(sys.argv[2])
HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\nx-slow: " + b"a" * 100000
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
poll, lines = selectors.DefaultSelector(), {}


def opened():
    sock = socket.create_connection(("127.0.0.1", PORT))
    sock.setblocking(False)
    sock.send(HEAD[:60])
    lines[sock] = 60
    poll.register(sock, selectors.EVENT_READ)


def ended(sock):
    poll.unregister(sock)
    sock.close()
    del lines[sock]


for _ in range(N):
    opened()
print("open", flush=True)
while True:
    began = time.monotonic()
    for sock in list(lines)[::5]:  # a fifth of them a byte each turn
        try:
            lines[sock] += sock.send(HEAD[lines[sock]:lines[sock] + 1])
        except OSError:
            ended(sock)
    for event, _ in poll.select(0):
        if event.fileobj in lines:
            ended(event.fileobj)
    for _ in range(min(200, N - len(lines))):
        try:
            opened()
        except OSError:
            break
    time.sleep(max(0, 1 - (time.monotonic() - began)))
