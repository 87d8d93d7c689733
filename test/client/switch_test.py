#!/usr/bin/env python3
"""switch_test.py - versions change under constant load: no request fails, each answer's version
header matches what is in it, a failed load leaves the old version serving and no memory behind.
SPDX-License-Identifier: MIT
"""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import MIB, rss
from models import Shared, damage, deploy, echo, linear, push, serve, spec, upload, want
from slipway import SANITIZED, SLOW, expect, expect_eq, main, test

shared = Shared()
SWITCHES = 50
BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}


def constant(value, waste=0):
    """A model that answers its own number: y = 0 x + value. waste: MiB of weights more."""
    rows = max(1, waste * MIB // 4)
    return linear([[0]], [value]) if not waste else linear([[0]] * rows, [value] * rows)


class Load:
    """So many keep-alive connections that ask all the time, each checking each answer."""

    def __init__(self, d, model, n=4, check=None):
        self.d, self.model, self.check = d, model, check
        self.done, self.wrong, self.count, self.seen = threading.Event(), [], [0] * n, set()
        self.crew = [threading.Thread(target=self.run, args=(i,)) for i in range(n)]

    def run(self, i):
        try:
            with self.d.conn(30) as c:
                while not self.done.is_set():
                    r = c.ask("POST", "/v2/models/%s/infer" % self.model, BODY)
                    if r is None:
                        self.wrong.append("closed without an answer")
                        return
                    if r.status != 200:
                        self.wrong.append("%d %r" % (r.status, r.body))
                        return
                    answer, header = r.json(), r.headers.get("x-slipway-version")
                    value = answer["outputs"][0]["data"][0]
                    if answer["model_version"] != header or value != float(header) or \
                            r.headers.get("x-slipway-model") != self.model:
                        self.wrong.append("version header %s, body %r" % (header, r.body))
                        return
                    self.seen.add(header)
                    self.count[i] += 1
        except Exception as e:
            self.wrong.append(repr(e))

    def __enter__(self):
        for t in self.crew:
            t.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for t in self.crew:
            t.join()


@test
def fifty_switches_under_load():
    d = shared()
    for v in (1, 2):
        expect_eq(push(d, "swings", constant(v)), v)
    want(deploy(d, "swings", 1), 200, "deploy")
    with Load(d, "swings") as load:
        for i in range(SWITCHES):
            want(deploy(d, "swings", 2 - i % 2), 200, "deploy %d" % i)
            expect(not load.wrong, "at switch %d: %s" % (i, load.wrong[:3]))
    expect(not load.wrong, load.wrong[:3])
    expect_eq(load.seen, {"1", "2"})
    expect(min(load.count) > SWITCHES, "too few requests to mean anything: %s" % load.count)


@test
def a_deploy_that_was_answered_is_in_force():
    """From the answer on, every new request is the new version's, on every connection."""
    d = shared()
    if d.get("/v2/models/swings").status != 200:
        for v in (1, 2):
            push(d, "swings", constant(v))
    conns = [d.conn() for _ in range(6)]
    for i in range(10):
        v = 1 + i % 2
        want(deploy(d, "swings", v), 200, "deploy")
        for c in conns:
            r = c.ask("POST", "/v2/models/swings/infer", BODY)
            expect_eq((r.status, r.headers["x-slipway-version"]), (200, str(v)),
                      "right after deploy %d" % i)
    for c in conns:
        c.close()


@test
def rollback_under_load_and_named_versions():
    d = shared()
    for v in (1, 2):
        push(d, "back", constant(v))
        want(deploy(d, "back", v), 200, "deploy")
    with Load(d, "back", 2) as load:
        for _ in range(10):
            reply = want(d.post("/api/v1/models/back/rollback", {}), 200, "rollback")
            expect_eq(reply["version"], 1)
            reply = want(d.post("/api/v1/models/back/rollback", {"to": 2}), 200, "rollback to 2")
            expect_eq(reply["version"], 2)
            want(deploy(d, "back", 1), 200, "deploy")
            want(deploy(d, "back", 2), 200, "deploy")
    expect(not load.wrong, load.wrong[:3])
    r = d.post("/v2/models/back/versions/2/infer", BODY)
    expect_eq((r.status, r.headers["x-slipway-version"]), (200, "2"))


@test
def a_failed_load_leaves_the_old_one_and_no_memory():
    d = shared()
    serve(d, "steady", constant(1))
    answer = {"outputs": [{"name": "output", "shape": [1, 1], "datatype": "FP32", "data": [7]}]}
    golden = json.dumps({"request": BODY, "response": answer}).encode()
    # 16 MiB of weights and a golden example of another shape and value: never a version
    wrong = [{"name": n, "sha256": upload(d, b)}
             for n, b in dict(constant(2, 1), **{"golden.jsonl": golden}).items()]
    # the same weights, and a file behind them that rots once it is one
    bad = push(d, "steady", dict(constant(2, 1), **{"rots.txt": b"rots"}))
    damage(d, b"rots")
    expect_eq(deploy(d, "steady", bad).status, 503)
    before = rss(d.proc.pid)
    with Load(d, "steady", 2) as load:
        for _ in range(15):
            expect_eq(d.post("/api/v1/models/steady/versions", {"files": wrong}).status, 422)
            expect_eq(deploy(d, "steady", bad).status, 503)
    expect(not load.wrong, load.wrong[:3])
    expect_eq(load.seen, {"1"})
    grown = rss(d.proc.pid) - before
    expect(SANITIZED or grown < 16 * MIB, "%.1f MiB more after 15 failed loads" % (grown / MIB))
    index = {(r["name"], r["version"]): r for r in d.post("/v2/repository/index").json()}
    expect(index[("steady", "2")]["reason"], "why it failed is told")
    history = d.get("/api/v1/models/steady/history").json()["events"]
    expect(any("refused" in str(e.get("kind", e)) for e in history), history[:2])


@test
def many_switches_leave_no_memory():
    d = shared()
    files = [push(d, "weighty", constant(v, 1)) for v in (1, 2)]
    for i in range(6):
        want(deploy(d, "weighty", files[i % 2]), 200, "deploy")
    before = rss(d.proc.pid)
    for i in range(30):
        want(deploy(d, "weighty", files[i % 2]), 200, "deploy")
    time.sleep(0.5)
    grown = rss(d.proc.pid) - before
    expect(SANITIZED or grown < 24 * MIB, "%.1f MiB more after 30 switches" % (grown / MIB))


@test
def a_restart_serves_what_served():
    from slipway import Daemon
    import shutil
    import tempfile
    data = tempfile.mkdtemp(prefix="slipway-test-")
    try:
        with Daemon(data=data) as d:
            for v in (1, 2, 3):
                push(d, "kept", constant(v))
            want(deploy(d, "kept", 1), 200, "deploy")
            want(deploy(d, "kept", 2), 200, "deploy")
            serve(d, "gone", echo([spec("x")]))
            want(d.post("/v2/repository/models/gone/unload"), 200, "unload")
        began = time.monotonic()
        with Daemon(data=data) as d:
            expect(time.monotonic() - began < 2 * SLOW,
                   "ready after %.1f s" % (time.monotonic() - began))
            r = d.post("/v2/models/kept/infer", BODY)
            expect_eq((r.status, r.headers["x-slipway-version"]), (200, "2"))
            expect_eq(d.get("/v2/models/gone/ready").status, 503)
            reply = want(d.post("/api/v1/models/kept/rollback", {}), 200, "rollback")
            expect_eq(reply["version"], 1)
            expect_eq(push(d, "kept", constant(4)), 4, "versions go on counting")
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def the_daemon_ends_in_good_order():
    shared.end()


main()
