"""hostile.py - what every bad input gets, asserted the same way everywhere: the shared fixture of
the robustness catalogue. The test of row H1-101 is called H1_101_...; what is not built is skipped.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import socket
import threading
import time

import models
import onnxpb as pb
from slipway import SANITIZED, SLOW, Conn, Failed, expect, expect_eq, request, skip, wait_for

FULL = bool(os.environ.get("SLIPWAY_FULL"))
MIB = 1 << 20
# A sanitizer keeps freed memory back on purpose: there only a leak report tells.
# In full size thousands of versions stay pushed, and are listed.
RSS_SLACK = 1024 * MIB if SANITIZED else 40 * MIB if FULL else 12 * MIB
LEAKED = re.compile(r"/(tmp|home|work|root|usr|var|proc)/|\bSELECT\b|\bsqlite|0x[0-9a-f]{6,}|"
                    r"\.(c|cc|h):\d", re.I)


class Vitals:
    """What must be as before: the process, its memory, descriptors and threads."""

    def __init__(self, d, warm=True):
        for _ in range(16 if warm else 0):  # each loop's first connection makes what it keeps
            d.get("/healthz")
        self.pid = d.proc.pid
        self.rss, self.fds, self.threads = rss(self.pid), fds(self.pid), threads(self.pid)


def rss(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def threads(pid):
    return len(os.listdir("/proc/%d/task" % pid))


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def check_vitals(d, before, seconds=10, fresh_threads=0):
    """Within ten seconds everything is as before; and the daemon answers."""
    expect(d.proc.poll() is None,
           "the daemon ended with %s: %s" % (d.proc.returncode, d.stderr()[-2000:]))
    expect_eq(d.proc.pid, before.pid, "the process")
    d.check()

    def settled():
        return (rss(before.pid) <= before.rss * 1.05 + RSS_SLACK and fds(before.pid) <= before.fds
                and
                threads(before.pid) <= before.threads + fresh_threads)
    try:
        wait_for(settled, seconds)
    except Failed:
        now = Vitals(d, warm=False)
        raise Failed("not as before: RSS %.1f -> %.1f MiB, descriptors %d -> %d, threads %d -> %d" %
                     (before.rss / MIB, now.rss / MIB, before.fds, now.fds, before.threads,
                      now.threads))
    expect_eq(d.get("/healthz").status, 200, "health afterwards")


class Room:
    """One daemon for a file of rows, with an echo model `echo` (FP32 x, [-1,-1]) serving."""

    def __init__(self, prepare=None, **kw):
        self.shared, self.prepare, self.vitals = models.Shared(**kw), prepare, None

    def __call__(self):
        fresh = self.shared.daemon is None
        d = self.shared()
        if fresh:
            models.serve(d, "echo", models.echo([models.spec("x", "FP32", (-1, -1))]))
            if self.prepare:
                self.prepare(d)
            for _ in range(50):  # what is made once: pools, blocks, read handles
                expect_eq(good(d), 200)
                expect_eq(d.get("/api/v1/models/echo/history").status, 200)
        return d

    def row(self, fn):
        """A test that holds the fixture's promises around fn(d)."""
        import slipway

        def one():
            d = self()
            before = Vitals(d)
            fn(d)
            check_vitals(d, before)
        one.__name__ = fn.__name__
        slipway.TESTS.append(one)
        return fn

    def rows(self, table):
        """@room.rows([(name, arg...)]) on fn(d, arg...): a test per row."""
        def add(fn):
            for name, *args in table:
                def one(d, args=args):
                    fn(d, *args)
                one.__name__ = "%s[%s]" % (fn.__name__, name)
                self.row(one)
            return fn
        return add

    def end(self):
        self.shared.end()


def not_built(row, reason):
    """A row of the catalogue about what does not exist yet."""
    import slipway

    def one():
        skip("not built yet: " + reason)
    one.__name__ = row
    slipway.TESTS.append(one)


# --- good requests ------------------------------------------------------------------------------

def infer_json(data=(1, 2), shape=None, datatype="FP32", name="x", **more):
    data = list(data)
    return dict({"inputs": [{"name": name, "shape": shape if shape is not None else [1, len(data)],
                             "datatype": datatype, "data": data}]}, **more)


def good(d, model="echo"):
    return d.post("/v2/models/%s/infer" % model, infer_json()).status


def own_answer(conn, model="echo"):
    """The next valid request on this connection gets its own answer, or it is closed."""
    mark = "mark-%d" % time.monotonic_ns()
    try:
        conn.send(request("POST", "/v2/models/%s/infer" % model, infer_json(id=mark)))
        reply = conn.reply()
    except (BrokenPipeError, ConnectionResetError):
        return
    if reply is None:
        return
    expect_eq(reply.status, 200, "the next request on the connection: %r" % reply.body[:300])
    expect_eq(reply.json().get("id"), mark,
              "the next request on the connection got another's answer")


# --- bad requests -------------------------------------------------------------------------------

def check_error(reply, status, codes, says=(), field=None):
    """One JSON error as the protocol wants it: status and code exactly, a text, no secrets."""
    codes = (codes,) if isinstance(codes, str) else codes
    expect(reply is not None, "closed without an answer, expected %d %s" % (status, codes))
    expect_eq(reply.status, status, "%r" % reply.body[:400])
    expect_eq(reply.headers.get("content-type"), "application/json")
    expect("content-encoding" not in reply.headers, "a compressed error")
    body = json.loads(reply.body)
    expect(body.get("code") in codes, "code %r, expected %s: %r" % (body.get("code"), codes, body))
    expect(isinstance(body.get("error"), str) and body["error"], "error is no text: %r" % body)
    expect(isinstance(body.get("request_id"), str) and body["request_id"], body)
    expect_eq(reply.headers.get("x-request-id"), body["request_id"], "x-request-id")
    expect(isinstance(body.get("details", {}), dict), body)
    leak = LEAKED.search(body["error"])
    expect(not leak, "the error tells too much: %r" % body["error"])
    expect(len(body["error"]) < 2000, "the error is %d bytes long" % len(body["error"]))
    for part in (says,) if isinstance(says, str) else says:
        expect(part in body["error"], "%r does not say %r" % (body["error"], part))
    if field:
        expect_eq(body.get("details", {}).get("field"), field, body)
    if status in (429, 503):
        expect("retry-after" in reply.headers or body["code"] in ("ARTIFACT_CORRUPT", "QUARANTINED"),
               "no Retry-After")
    return body


def send_all(conn, data):
    """Sends what the peer takes; a peer that refuses early may stop reading."""
    try:
        conn.send(data)
        return True
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        return False


def bad(d, data, status, codes, says=(), field=None, closes=None):
    """Sends raw bytes on a new connection; the answer must be this error. closes: True: the
    connection must be closed after it, with nothing more said; else closed, or the next request is
    answered."""
    with d.conn() as c:
        send_all(c, data)
        body = check_error(c.reply(), status, codes, says, field)
        if closes:
            expect(c.closed(), "the connection is still open, or there is more: %r" % c.rest[:200])
        else:
            own_answer(c)
    return body


def bad_infer(d, body, codes, says=(), field=None, status=400, model="echo", headers=None,
              path=None):
    """POSTs a body to the model; the answer must be this error."""
    data = request("POST", path or "/v2/models/%s/infer" % model, body, headers)
    return bad(d, data, status, codes, says, field)


class Bystander:
    """Somebody else's requests, all the while: none may fail, and the slow ones are counted."""

    def __init__(self, d, model="echo", pause=0.005):
        self.d, self.model, self.pause = d, model, pause
        self.times, self.errors, self.done = [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        conn = None
        while not self.done.is_set():
            began = time.monotonic()
            try:
                conn = conn or Conn(self.d.host, self.d.port)
                r = conn.ask("POST", "/v2/models/%s/infer" % self.model, infer_json())
                if r is None or r.status != 200:
                    self.errors.append(r)
                    conn = None
            except (OSError, Failed) as e:
                self.errors.append(e)
                conn = None
            self.times.append(time.monotonic() - began)
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def check(self, p99=0.25):
        expect(not self.errors,
               "%d of a bystander's requests failed: %r" % (len(self.errors), self.errors[:3]))
        expect(len(self.times) > 10, "a bystander got only %d answers" % len(self.times))
        # The slowest three count for nothing: the machine itself may stand still.
        slow = sorted(self.times)[-max(4, len(self.times) // 100 + 1)]
        expect(slow < p99 * SLOW, "a bystander's p99 is %.0f ms" % (slow * 1000))


# --- HTTP by hand --------------------------------------------------------------------------------

INFER = "/v2/models/echo/infer"
BODY = json.dumps(infer_json()).encode()
SMUGGLED = b"GET /v2/models/smuggled HTTP/1.1\r\nhost: h\r\n\r\n"


def post(*headers, body=b"", path=INFER, host="host: localhost"):
    """The bytes of a POST with exactly these header lines."""
    lines = ["POST %s HTTP/1.1" % path, *([host] if host else []), *headers]
    return b"\r\n".join(h if isinstance(h, bytes) else h.encode()
                        for h in lines) + b"\r\n\r\n" + body


def chunked(*pieces, trailer=b"\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer


LENGTH = "content-length: %d" % len(BODY)
CHUNKED = "transfer-encoding: chunked"


# --- V2 by hand ----------------------------------------------------------------------------------

ONE = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}


def raw(data_text, datatype="FP32", shape="[1,1]"):
    """A request whose data is this very text."""
    return '{"inputs":[{"name":"x","shape":%s,"datatype":"%s","data":%s}]}' % (shape, datatype,
                                                                               data_text)


# --- models --------------------------------------------------------------------------------------

REJECTED = ("MODEL_REJECTED", "EXTERNAL_DATA_FORBIDDEN", "MODEL_LOAD_FAILED")
COUNT = [0]


def fresh():
    COUNT[0] += 1
    return "evil-%d" % COUNT[0]


def try_model(d, files, model=None):
    """Pushes and deploys; the first reply that says no, or the deploy's 200."""
    model = model or fresh()
    if isinstance(files, bytes):
        files = {"model.onnx": files}
    listed = []
    for name, data in files.items():
        r = d.ask("PUT", "/api/v1/blobs", data)
        if r.status != 201:
            return r
        listed.append({"name": name, "sha256": r.json()["sha256"]})
    with d.conn(150) as c:  # it is looked at, and run, before it is a version
        r = c.ask("POST", "/api/v1/models/%s/versions" % model, {"files": listed})
    if r.status != 201:
        return r
    with d.conn(150) as c:
        return c.ask("POST", "/api/v1/models/%s/deploy" % model,
                     {"version": r.json()["version"], "strategy": "now", "wait": True})


def refused(d, files, codes=REJECTED, says=(), model=None):
    """It must be refused with 422, and nothing of it may answer."""
    model = model or fresh()
    reply = try_model(d, files, model)
    body = check_error(reply, 422, codes, says)
    r = d.post("/v2/models/%s/infer" % model, infer_json())
    expect(r.status in (404, 503), "a refused model answers: %r" % r)
    return body


def has_onnx_once(d):
    """Loads ONNX Runtime, where it is, so that later tests measure their own memory only."""
    try_model(d, pb.add_model(), "first")
    d.post("/v2/models/first/infer", infer_json())


def has_onnx(d):
    """Skips, with the reason, where this daemon has no ONNX Runtime."""
    if not hasattr(has_onnx, "said"):
        reply = try_model(d, pb.add_model())
        has_onnx.said = None if reply.status == 200 else reply.json().get("error", "")
        has_onnx.status = reply.status
    if has_onnx.said is not None:
        expect(has_onnx.status == 503, "a good model is refused: %s" % has_onnx.said)
        skip("no ONNX Runtime here: %s" % has_onnx.said)
