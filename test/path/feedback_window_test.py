#!/usr/bin/env python3
"""feedback_window_test.py - a model with a window for feedback: what it answers is remembered with
a release and without, for that long, and shown.
SPDX-License-Identifier: MIT
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import push, serve, upload, want  # noqa: E402
from releases import begin, body, files, reaches, release  # noqa: E402
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

RELEASE = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 300s}
sticky_by: header:x-user
warm_up: 0s
gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, sample_ratio: off}
%s"""


def windowed(window="1h", **more):
    return dict(files(), **{"slipway.yaml": b"feedback: {window: %s}\n" % window.encode()}, **more)


def ask(conn, number, label, path="/v2/models/m/infer", user="u"):
    row = [0.1, 0.1, 0.1, 0.1]
    row[label] = 0.7
    reply = conn.ask("POST", path, body(*row), {"x-request-id": "r-%d" % number, "x-user": user})
    expect_eq(reply.status, 200, reply.body)
    return reply.headers.get("x-slipway-arm")


def shown(d, query=""):
    return want(d.get("/api/v1/models/m/feedback" + query), 200, "feedback")


def kept(d, n, query=""):
    """Waits until n answers are kept; gives what is known of them."""
    wait_for(lambda: sum(a["requests"] for a in shown(d, query)["arms"]) >= n, 10,
             "%d predictions" % n)
    return shown(d, query)


def tell(d, outcomes):
    items = [{"request_id": "r-%d" % n, "outcome": o} for n, o in outcomes]
    return want(d.post("/api/v1/feedback", {"model": "m", "items": items}), 202, "feedback")


@test
def answers_are_remembered_without_a_release():
    with Daemon() as d:
        serve(d, "m", windowed())
        with d.conn() as conn:
            for n in range(40):
                ask(conn, n, n % 4)
        expect_eq(kept(d, 40)["window_s"], 3600)
        told = tell(d, [(n, n % 4 if n < 30 else 0) for n in range(40)])
        expect_eq(told["joined"], 40)
        json_ = shown(d)
        expect_eq(json_["release"], None)
        arm, = json_["arms"]
        right = 30 + sum(n % 4 == 0 for n in range(30, 40))
        expect_eq((arm["arm"], arm["version"], arm["requests"], arm["with_outcome"]),
                  (None, 1, 40, 40))
        expect(abs(arm["accuracy"] - right / 40) < 1e-9, arm)
        expect(abs(arm["ece"] - abs(0.7 - right / 40)) < 1e-6, arm)
        one = want(d.get("/api/v1/models/m/feedback/r-3"), 200, "one")
        expect_eq((one["prediction"]["release"], one["prediction"]["arm"],
                   one["prediction"]["propensity"], one["prediction"]["label"]),
                  (None, None, 1.0, 3))
        sampled = [want(d.get("/api/v1/models/m/feedback/r-%d" % n), 200, "one")
                   ["prediction"]["inputs"] for n in range(40)]
        expect(any(s and json.loads(s)["inputs"][0]["name"] == "x" for s in sampled), sampled)
        words = d.cli("feedback", "m").stdout
        expect_in("predictions are kept for 1 h", words)
        expect_in("%.2f %%" % (100 * right / 40), words)
        version, = want(d.get("/api/v1/models/m/versions"), 200, "versions")["versions"]
        expect_eq(version["feedback_window_s"], 3600)
        d.kill()
        d.start()
        wait_for(d.is_ready)
        expect_eq(shown(d), json_, "after a kill")
        with d.conn() as conn:  # and goes on by itself
            for n in range(100, 110):
                ask(conn, n, 1)
        kept(d, 50)


@test
def the_first_answer_is_remembered():
    """A loop has room before it sees the version that asks for it."""
    with Daemon("--loops", "1") as d:
        for n in range(5):
            serve(d, "m", windowed(**{"n.txt": b"%d" % n}))
            with d.conn() as conn:
                ask(conn, n, 1)
            if n == 0:
                kept(d, 1)
        expect_eq([(a["version"], a["requests"]) for a in kept(d, 5)["arms"]],
                  [(n, 1) for n in range(1, 6)])


@test
def nothing_is_remembered_without_a_window():
    with Daemon() as d:
        serve(d, "m", files())
        with d.conn() as conn:
            for n in range(10):
                ask(conn, n, 1)
        time.sleep(2.5)
        expect_eq((shown(d)["arms"], shown(d)["window_s"]), ([], None))
        expect_eq(tell(d, [(1, 1)])["pending"], 1)
        expect_in("feedback: {window: 7d}", d.cli("feedback", "m").stdout)
        pending = d.cli("feedback", "m", "--request", "r-2", "--outcome", "1")
        expect_in("feedback: {window: 7d}", pending.stderr)


@test
def versions_are_apart():
    with Daemon() as d:
        serve(d, "m", windowed())
        with d.conn() as conn:
            for n in range(10):
                ask(conn, n, 1)
            kept(d, 10)
            serve(d, "m", windowed(**{"n.txt": b"2"}))
            for n in range(10, 30):
                ask(conn, n, 1)
        kept(d, 30)
        tell(d, [(n, 1 if n < 10 else 0) for n in range(30)])
        expect_eq([(a["version"], a["requests"], a["accuracy"]) for a in shown(d)["arms"]],
                  [(1, 10, 1.0), (2, 20, 0.0)])


@test
def a_release_without_a_metric_is_remembered_by_arm():
    with Daemon() as d:
        serve(d, "m", windowed())
        push(d, "m", windowed(**{"n.txt": b"2"}))
        begin(d, RELEASE % "")
        reaches(d, "running")
        wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
        time.sleep(1.5)
        arms = {}
        with d.conn() as conn:
            for n in range(60):
                arms[n] = ask(conn, n, 1, user="u-%d" % n)
            ask(conn, 60, 1, user="")  # no key: no evidence, but an answer
        kept(d, 60)
        tell(d, [(n, 1 if arms[n] == "candidate" else 0) for n in range(60)])
        json_ = shown(d)
        expect_eq(json_["release"], 1)
        expect_eq({a["arm"]: (a["version"], a["requests"], a["accuracy"]) for a in json_["arms"]},
                  {0: (2, list(arms.values()).count("candidate"), 1.0),
                   1: (1, list(arms.values()).count("stable"), 0.0)})
        expect_eq([a["requests"] for a in kept(d, 1, "?release=0")["arms"]], [1])
        expect_eq(release(d)["feedback"], None, "no metric, nothing judged")


@test
def the_window_is_how_long():
    with Daemon() as d:
        serve(d, "m", windowed("2s"))
        with d.conn() as conn:
            for n in range(5):
                ask(conn, n, 1)
        kept(d, 5)
        wait_for(lambda: not shown(d)["arms"], 30, "the end of the window")
        late = d.post("/api/v1/feedback", {"model": "m", "request_id": "r-9", "outcome": 1,
                                           "at": time.time() - 60})
        expect_eq(late.status, 400, late.body)
        expect_in("2 seconds that predictions of 'm' are kept", late.json()["error"])


@test
def a_window_that_is_none_is_refused_by_name():
    with Daemon() as d:
        for text, part in (("feedback: {window: never}", "window"),
                           ("feedback: {window: -1s}", "window"),
                           ("feedback: {window: 0s}", "window"),
                           ("feedback: {window: 400d}", "window"),
                           ("feedback: {windov: 1d}", "windov"),
                           ("feedback: 7d", "feedback")):
            listed = [{"name": name, "sha256": upload(d, data)} for name, data in
                      dict(files(), **{"slipway.yaml": text.encode()}).items()]
            reply = d.post("/api/v1/models/m/versions", {"files": listed})
            expect_eq(reply.status, 400, text, reply.body)
            expect_in("slipway.yaml: line 1", reply.body.decode())
            expect_in(part, reply.body.decode())
        serve(d, "m", dict(files(), **{"slipway.yaml": b"feedback: {}\n"}))
        with d.conn() as conn:
            ask(conn, 1, 1)
        expect_eq(kept(d, 1)["window_s"], 30 * 86400)


main()
