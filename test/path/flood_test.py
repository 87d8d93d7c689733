#!/usr/bin/env python3
"""flood_test.py - one tenant does its worst, of one kind after the other and of all at once;
another one asks at its steady rate all the while, and gets every answer.

What the flood costs the machine its clients cost, too: they run at the lowest priority, and how
long the other one waits is compared with the same run's quiet time. Runs are not interrupted, so
what is promised is that of quiet times and one run of the slowest model beside it.
SPDX-License-Identifier: MIT
"""
import multiprocessing
import os
import re
import selectors
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from slipway import SLOW, Daemon, expect, expect_eq, main, request, test, wait_for
from tenants import As, auth, operator, tenant

RATE, CONNECTIONS, BODY_MAX = 20, 1000, 4 << 20
SLOW_MS = 100  # a run of the offender's slowest model
SECONDS = 2
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
X = [models.spec("x", "FP32", (-1, 4))]
QUOTAS = {"requests_per_second": RATE, "requests_burst": RATE, "connections": CONNECTIONS,
          "body_bytes_in_flight": 4 * BODY_MAX, "requests_in_flight": 8, "cache_bytes": 256 << 10,
          "control_requests_per_second": RATE, "compute_ms_per_second": 500}


def body(value):
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4],
                        "data": [value, 0, 0, 0]}]}


def infer(model, value, key, **more):
    return request("POST", "/v2/models/%s/infer" % model, body(value), auth(key, **more))


# --- floods: kind -> (connections, sent at once on one, a second in all, the n-th request) --------

def biggest(n, key):
    if n % 2:  # as large as may be, and no JSON
        return request("POST", "/v2/models/m/infer", b"[" * BODY_MAX,
                       auth(key, **{"content-type": "application/json"}))
    return request("POST", "/v2/models/m/infer", b" " * (BODY_MAX - 2) + b"{}",
                   auth(key, **{"content-type": "application/json"}))


def labels(n, key):
    return infer("model-%d" % n, n, key, **{
        "x-request-id": "id-%d" % n, "x-segment-%d" % n: "s%d" % n, "user-agent": "agent/%d" % n})


def lines(n, key):
    """What is logged or audited where it is done once: bad keys, bad requests, refused changes."""
    return (infer("m", n, "slw_none_%d" % n),
            request("POST", "/api/v1/models/m%d/deploy" % n, {"version": n}, auth(key)),
            request("POST", "/api/v1/keys", {"role": "operator", "person": "p%d\n" % n}, auth(key)),
            request("POST", "/v2/models/fails/infer", body(n), auth(key)))[n % 4]


def changes(n, key):
    return request("PUT", "/api/v1/blobs", b"blob %d" % n, auth(key))


KINDS = {
    "rate": (8, 100, 100 * RATE, lambda n, key: infer("m", 1, key)),
    "connections": (CONNECTIONS + 500, 1, 2000, lambda n, key: infer("m", 1, key)),
    "bodies": (8, 1, 40, biggest),
    "slow": (32, 1, 500, lambda n, key: infer("slow", n, key)),
    "cache": (8, 20, 100 * RATE, lambda n, key: infer("kept", n, key)),
    "labels": (8, 20, 1000, labels),
    "lines": (8, 10, 500, lines),
    "changes": (8, 10, 500, changes),
}


class Pump:
    """One kind of flood, in a process of its own."""

    def __init__(self, address, key, kind):
        self.address, self.key = address, key
        self.n_conns, self.burst, self.rate, self.make = KINDS[kind]
        self.poll, self.n, self.seen = selectors.DefaultSelector(), 0, {}

    def count(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1

    def connect(self):
        try:
            sock = socket.create_connection(self.address, 5)
        except OSError:
            return self.count("no connection")
        sock.setblocking(False)
        state = {"out": b"", "sock": sock}
        self.poll.register(sock, selectors.EVENT_READ, state)
        return state

    def drop(self, state):
        self.poll.unregister(state["sock"])
        state["sock"].close()
        state["sock"] = None

    def push(self, state):
        try:
            while state["out"]:
                state["out"] = state["out"][state["sock"].send(state["out"]):]
        except BlockingIOError:
            pass
        except OSError:
            return self.drop(state)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if state["out"] else 0)
        if self.poll.get_key(state["sock"]).events != mask:
            self.poll.modify(state["sock"], mask, state)

    def pull(self, state):
        try:
            got = state["sock"].recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        for status in STATUS.findall(got):
            self.count(int(status))
        if not got:
            self.count("closed")
            self.drop(state)

    def run(self, seconds, out):
        os.nice(15)
        states, turn = [None] * self.n_conns, 0
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            due = (time.monotonic() - began) * self.rate
            for _ in range(self.n_conns):
                if self.n >= due:
                    break
                at, turn = turn % self.n_conns, turn + 1
                state = states[at]
                if not state or not state["sock"]:
                    state = states[at] = self.connect()
                if not state or len(state["out"]) > 1 << 16:
                    continue
                state["out"] += b"".join(self.make(self.n + i, self.key)
                                         for i in range(self.burst))
                self.n += self.burst
                self.push(state)
            for event, mask in self.poll.select(0.002):
                if event.data["sock"] and mask & selectors.EVENT_WRITE:
                    self.push(event.data)
                if event.data["sock"] and mask & selectors.EVENT_READ:
                    self.pull(event.data)
        self.seen["sent"] = self.n
        self.seen["open"] = sum(1 for s in states if s and s["sock"])
        out.put(self.seen)


class Bystander:
    """Four connections, each a request every 20 ms; times by phase."""

    def __init__(self, d, key):
        self.text, self.over, self.phase = infer("m", 1, key), False, "first"
        self.times, self.bad, self.lock = {}, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(d.conn(30),)) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self, conn):
        due = time.monotonic()
        while not self.over:
            due = max(due + 0.02, time.monotonic() - 0.2)
            time.sleep(max(0, due - time.monotonic()))
            phase, began = self.phase, time.monotonic()
            try:
                conn.send(self.text)
                reply = conn.reply()
                status = reply.status if reply else "closed"
            except Exception as e:  # noqa: whatever it is, it is no answer
                status = repr(e)
            with self.lock:
                self.times.setdefault(phase, []).append(time.monotonic() - began)
                if status != 200:
                    self.bad.append((phase, status, reply and reply.body[:200]))
            if status != 200:
                return

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()


def quantile(times, q):
    return sorted(times)[min(len(times) - 1, int(len(times) * q))]


def flooded(d, key, kinds, seconds=SECONDS):
    """{kind: what came of it}"""
    outs = {kind: multiprocessing.Queue() for kind in kinds}
    crew = [multiprocessing.Process(target=Pump((d.host, d.port), key, kind).run,
                                    args=(seconds, out)) for kind, out in outs.items()]
    for one in crew:
        one.start()
    seen = {kind: out.get(timeout=60 * SLOW) for kind, out in outs.items()}
    for one in crew:
        one.join()
    return seen


def series(d):
    text = As(d, operator(d)).get("/metrics").body.decode()
    return sum(1 for line in text.splitlines() if line and line[0] != "#")


def set_up(d):
    by, mob = tenant(d, "bystander"), tenant(d, "mob")
    models.serve(As(d, by), "m", models.echo(X, busy_us=500))
    offender = As(d, mob)
    models.serve(offender, "m", models.echo(X, busy_us=500))
    models.serve(offender, "slow", models.echo(X, delay_us=SLOW_MS * 1000))
    models.serve(offender, "fails", models.echo(X, [models.spec("y", "FP32", (-1, 5))]))
    kept = models.echo(X, busy_us=500)
    kept["slipway.yaml"] = b"cache: {ttl: 60s}\n"
    models.serve(offender, "kept", kept)
    reply = As(d, operator(d)).ask("PATCH", "/api/v1/tenants/mob", {"quotas": QUOTAS})
    expect_eq(reply.status, 200, reply)
    return by, mob


def flood_was_one(kind, seen, seconds):
    """A flood that did not come proves nothing."""
    refused = sum(n for what, n in seen.items() if what in (429, 503))
    served = seen.get(200, 0)
    if kind in ("rate", "slow", "cache"):
        expect(seen["sent"] > 10 * RATE * seconds / SLOW or kind == "slow", kind, seen)
        expect(served <= RATE * (seconds + 2), kind, seen)
        expect(refused > served / 2, kind, seen)
    if kind == "connections":
        expect(refused + seen.get("closed", 0) > 0 and seen["sent"] > CONNECTIONS, kind, seen)
    if kind in ("lines", "labels", "changes", "bodies"):
        expect(seen["sent"] > 20 * seconds / SLOW and 500 not in seen, kind, seen)


@test
def one_tenant_does_its_worst_and_another_is_answered():
    """[TN-108]"""
    with Daemon("--loops", "2", "--workers", "2", "--keys-only", "--body-max", str(BODY_MAX),
                "--connections-max", "8000") as d:
        by, mob = set_up(d)
        bystander = Bystander(d, by)
        try:
            time.sleep(1)
            bystander.phase = "quiet"
            time.sleep(2 * SECONDS)
            n_series, logged = series(d), len(d.stderr())
            for kind in list(KINDS) + ["all"]:
                bystander.phase = kind
                kinds = list(KINDS) if kind == "all" else [kind]
                seen = flooded(d, mob, kinds)
                bystander.phase = "between"
                for each, what in seen.items():
                    print("%-12s %s" % (each, what))
                    if kind != "all":
                        flood_was_one(each, what, SECONDS)
                expect_eq(bystander.bad[:3], [], kind)
                time.sleep(0.3)
        finally:
            bystander.end()
        expect_eq(bystander.bad[:3], [])
        quiet = bystander.times["quiet"]
        bound = 3 * quantile(quiet, 0.99) + (SLOW_MS / 1000 + 0.05) * SLOW
        for phase, times in bystander.times.items():
            print("%-12s n %4d  p50 %6.1f ms  p99 %6.1f ms  %5.1f times quiet's"
                  % (phase, len(times), quantile(times, 0.5) * 1e3, quantile(times, 0.99) * 1e3,
                     quantile(times, 0.99) / quantile(quiet, 0.99)))
        print("log: %d bytes, series: %d, then %d" % (len(d.stderr()) - logged, n_series, series(d)))
        for kind in list(KINDS) + ["all"]:
            p99 = quantile(bystander.times[kind], 0.99)
            expect(p99 < bound, "%s: p99 %.1f ms, at most %.1f" % (kind, p99 * 1e3, bound * 1e3))
        expect(series(d) < n_series + 100, "labels of clients became series of metrics")
        expect(len(d.stderr()) - logged < 2 << 20, "%d bytes of log" % (len(d.stderr()) - logged))
        wait_for(lambda: d.get("/healthz").status == 200, what="health")


main()
