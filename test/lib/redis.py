"""redis.py - a real redis-server for tests, and one that plays a Redis as bad as it is told to be.
SPDX-License-Identifier: MIT
"""
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from slipway import SLOW, Failed, free_port, skip, wait_for

USER, PASSWORD = "slipway", "a-password-of-the-tests"
# What the manual tells people to allow.
ACL = ["user", USER, "on", "#" + hashlib.sha256(PASSWORD.encode()).hexdigest(), "resetkeys",
       "~slipway:cache:*", "resetchannels", "-@all", "+get", "+set"]


class Refused(Exception):
    """An error reply."""


def secret_file(text):
    """A path of a file that only we may read; kept until the test program ends."""
    fd, path = tempfile.mkstemp(prefix="slipway-secret-")
    with os.fdopen(fd, "w") as f:
        f.write(text + "\n")
    return path


class Client:
    """Speaks RESP to a server: Client(port)("GET", "key")."""
    def __init__(self, port, seconds=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=seconds * SLOW)
        self.file = self.sock.makefile("rb")

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise Failed("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest.decode()

    def close(self):
        self.file.close()
        self.sock.close()


class Redis:
    """A redis-server of our own: nothing on disk, the user slipway with no more than it needs."""
    def __init__(self, *args, port=None):
        if not shutil.which("redis-server"):
            skip("there is no redis-server")
        self.args, self.port, self.proc, self.dir = list(args), port or free_port(), None, None

    def start(self):
        self.dir = tempfile.mkdtemp(prefix="slipway-redis-")
        self.proc = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
             "no", "--dir", self.dir, "--loglevel", "warning", "--user", *ACL[1:], *self.args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.is_up, 20, "redis-server")
        return self

    def is_up(self):
        if self.proc.poll() is not None:
            raise Failed("redis-server ended with %d" % self.proc.returncode)
        try:
            return self.ask("PING") == "PONG"
        except (OSError, Refused):
            return False

    def ask(self, *words):
        client = Client(self.port)
        try:
            return client(*words)
        finally:
            client.close()

    def keys(self):
        return self.ask("KEYS", "*")

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.proc = self.dir = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


class Fake:
    """Plays a Redis. It answers as one that is empty and stores nothing, until `says` is set: a
    function of (socket, words) that is called for each command but the greeting's, and may do
    what it likes. Counts connections and commands."""
    def __init__(self, says=None):
        self.says = says
        self.asked, self.connections = [], 0
        self.door = socket.socket()
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.door.bind(("127.0.0.1", 0))
        self.door.listen(64)
        self.port = self.door.getsockname()[1]
        self.over = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.over:
            try:
                sock, _ = self.door.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            file = sock.makefile("rb")
            while not self.over:
                line = file.readline()
                if not line:
                    return
                words = [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                if words[0] == b"AUTH":
                    sock.sendall(b"+OK\r\n")
                elif words[1].endswith(b":try"):
                    sock.sendall(b"$-1\r\n")
                else:
                    self.asked.append(words[0].decode())
                    if self.says:
                        self.says(sock, words)
                    else:
                        sock.sendall(b"$-1\r\n" if words[0] == b"GET" else b"+OK\r\n")
        except (OSError, ValueError):
            pass
        finally:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        self.door.close()
