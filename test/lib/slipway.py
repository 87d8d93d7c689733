"""slipway.py - what the tests of the running daemon share. Standard library only.

A test program looks like this and is run by tools/run-each, or by hand (with words to pick tests):

    #!/usr/bin/env python3
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
    from slipway import Daemon, test, expect, expect_eq, main

    @test
    def health_answers():
        with Daemon() as d:
            expect_eq(d.get("/healthz").status, 200)

    main()

The binary under test is $SLIPWAY_BIN (build/release/slipway otherwise). Leaving the `with` block
sends SIGTERM and fails the test unless the daemon exits with 0 and stderr is without a sanitizer's
report.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("SLIPWAY_BIN",
                                     os.path.join(ROOT, "build", "release", "slipway")))
SANITIZED = any(m in BIN for m in ("/asan/", "/ubsan/", "/tsan/"))
SLOW = 5 if SANITIZED else 1  # factor for timeouts
# Whoever starts a test or a bench by itself, and not through tools/run-each, needs them, too.
os.environ.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1:suppressions=" +
                      os.path.join(ROOT, "tools", "tsan.supp"))
REPORT = re.compile(r"(ERROR|WARNING): \w*Sanitizer|runtime error:|slipway: bug:")


# --- tests find themselves --------------------------------------------------------------------

class Failed(Exception):
    pass


class Skipped(Exception):
    pass


TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def cases(rows):
    """One test per row: @cases([(name, arg...), ...]) on a function of the args."""
    def add(fn):
        for name, *args in rows:
            def one(args=args):
                fn(*args)
            one.__name__ = "%s[%s]" % (fn.__name__, name)
            TESTS.append(one)
        return fn
    return add


def expect(cond, *why):
    if not cond:
        raise Failed(" ".join(str(w) for w in why) or "expectation does not hold")


def expect_eq(got, want, *why):
    if got != want:
        raise Failed("%sgot %r, expected %r" % ("".join("%s: " % w for w in why), got, want))


def expect_in(part, whole):
    if part not in whole:
        raise Failed("%r is not in %r" % (part, whole))


def skip(reason):
    raise Skipped(reason)


def main():
    words = sys.argv[1:]
    passed = failed = skipped = 0
    for fn in TESTS:
        if words and not any(w in fn.__name__ for w in words):
            continue
        try:
            fn()
            passed += 1
        except Skipped as e:
            skipped += 1
            print("SKIP %s: %s" % (fn.__name__, e))
        except Exception as e:  # noqa: any exception is a failure
            failed += 1
            places = [f for f in traceback.extract_tb(e.__traceback__) if f.filename != __file__]
            line = "".join("%s:%d: " % (os.path.relpath(f.filename), f.lineno) for f in places[-1:])
            kind = "" if isinstance(e, Failed) else type(e).__name__ + ": "
            print("%s%s%s\nFAIL %s" % (line, kind, e, fn.__name__), flush=True)
    print("%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else ""))
    sys.exit(1 if failed else 0)


def wait_for(ready, seconds=10, what="the condition"):
    """Polls ready() until it is true; what happens outside us has no other clock."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("%s did not come true within %g s" % (what, seconds * SLOW))
        time.sleep(0.01)


# --- raw HTTP/1.1 -----------------------------------------------------------------------------

class Reply:
    """One parsed response. headers has lower-case names; body is bytes."""
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:200])


class Conn:
    """A raw socket: send any bytes, read whole replies in order."""
    def __init__(self, host, port, seconds=10):
        self.sock = socket.create_connection((host, port), timeout=seconds * SLOW)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def _more(self):
        got = self.sock.recv(65536)
        self.rest += got
        return len(got) > 0

    def _until(self, mark):
        while mark not in self.rest:
            if not self._more():
                raise Failed("connection closed in the middle of a reply: %r" % self.rest[:200])
        head, self.rest = self.rest.split(mark, 1)
        return head

    def _exactly(self, n):
        while len(self.rest) < n:
            if not self._more():
                raise Failed("connection closed in the middle of a body")
        body, self.rest = self.rest[:n], self.rest[n:]
        return body

    def reply(self, head_only=False):
        """The next response, or None when the peer closed before its first byte."""
        try:
            if not self.rest and not self._more():
                return None
        except ConnectionResetError:
            return None
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        _, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        status, body = int(status), b""
        if head_only or status < 200 or status in (204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                body += self._exactly(size)
                if size == 0:
                    while self._until(b"\r\n"):
                        pass
                    break
                self._exactly(2)
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            while self._more():
                pass
            body, self.rest = self.rest, b""
        return Reply(status, reason, headers, body)

    def closed(self):
        """True when the peer has closed (waits for it)."""
        try:
            return not self.rest and not self._more()
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def ask(self, method, path, body=None, headers=None, host="localhost"):
        self.send(request(method, path, body, headers, host))
        return self.reply(head_only=method == "HEAD")


def request(method, path, body=None, headers=None, host="localhost"):
    """The bytes of a request. A dict or list body travels as JSON."""
    fields = {"host": host}
    if isinstance(body, (dict, list)):
        body, fields["content-type"] = json.dumps(body).encode(), "application/json"
    if isinstance(body, str):
        body = body.encode()
    if body is not None:
        fields["content-length"] = str(len(body))
    for name, value in (headers or {}).items():
        fields[name.lower()] = value
    head = "%s %s HTTP/1.1\r\n" % (method, path)
    head += "".join("%s: %s\r\n" % (n, v) for n, v in fields.items() if v is not None)
    return head.encode("latin-1") + b"\r\n" + (body or b"")


# --- the daemon -------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """A daemon of our own on a free loopback port, with a data directory of its own.

    args: more arguments of `slipway serve`; env: more environment; data: a directory to keep (else
    a temporary one, removed afterwards); wrap: a command to run it under, such as strace.
    """
    def __init__(self, *args, env=None, data=None, wrap=(), ready=True, seconds=10):
        self.args, self.env, self.wrap = list(args), env or {}, list(wrap)
        self.keeps = data is not None
        self.data = data or tempfile.mkdtemp(prefix="slipway-test-")
        self.seconds, self.ready, self.host = seconds, ready, "127.0.0.1"
        self.proc = self.err = None

    def start(self):
        self.port = free_port()
        if not self.err:  # kept over restarts
            self.err = open(os.path.join(tempfile.mkdtemp(prefix="slipway-err-"), "stderr"), "ab")
        command = self.wrap + [BIN, "serve", "--data", self.data,
                               "--listen", "%s:%d" % (self.host, self.port)]
        env = dict(os.environ, SLIPWAY_URL=self.url(), HOME=self.data, **self.env)
        self.proc = subprocess.Popen(command + self.args, stdin=subprocess.DEVNULL, env=env,
                                     stdout=subprocess.DEVNULL, stderr=self.err, cwd=self.data)
        if self.ready:
            wait_for(self.is_ready, self.seconds, "readiness")
        return self

    def url(self, path=""):
        return "http://%s:%d%s" % (self.host, self.port, path)

    def is_ready(self):
        if self.proc.poll() is not None:
            raise Failed("the daemon ended with %d: %s"
                         % (self.proc.returncode, self.stderr()[-2000:]))
        try:
            return self.get("/readyz").status == 200
        except (OSError, Failed, AttributeError):
            return False

    def stderr(self):
        with open(self.err.name, errors="replace") as f:
            return f.read()

    def log(self):
        """The log's events as dicts."""
        return [json.loads(line) for line in self.stderr().splitlines() if line.startswith("{")]

    def kill(self, sig=signal.SIGKILL):
        self.proc.send_signal(sig)
        return self.proc.wait(60)

    def stop(self, seconds=30):
        """SIGTERM; the daemon must end with status 0 and without a sanitizer's report."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        try:
            rc = self.proc.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise Failed("the daemon did not stop within %d s of SIGTERM: %s"
                         % (seconds * SLOW, self.stderr()[-2000:]))
        self.check()
        expect_eq(rc, 0, "exit status of the daemon, which said %s" % self.stderr()[-2000:])

    def check(self):
        text = self.stderr()
        found = REPORT.search(text)
        if found:
            raise Failed("the daemon reported: %s" % text[found.start():found.start() + 4000])

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.clean()
            raise

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                self.check()
        finally:
            self.clean()

    def clean(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if self.err:
            self.err.close()
            shutil.rmtree(os.path.dirname(self.err.name))
            self.err = None
        if not self.keeps:
            shutil.rmtree(self.data, ignore_errors=True)

    # talking to it

    def conn(self, seconds=10):
        return Conn(self.host, self.port, seconds)

    def ask(self, method, path, body=None, headers=None):
        with self.conn() as c:
            reply = c.ask(method, path, body, dict({"connection": "close"}, **(headers or {})))
        expect(reply is not None, "%s %s: closed without an answer" % (method, path))
        return reply

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, b"" if body is None else body, headers)

    def cli(self, *args, input=None):
        """Runs `slipway ARGS` against this daemon; gives the finished process, output as text."""
        env = dict(os.environ, SLIPWAY_URL=self.url(), HOME=self.data)
        return subprocess.run([BIN, *args], input=input, env=env, text=True, timeout=60 * SLOW,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
