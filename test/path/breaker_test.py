#!/usr/bin/env python3
"""breaker_test.py - a version that fails on some inputs: its breaker opens, refuses, is tried and
closes, and no client of another model, or with a deadline of its own, moves it.
SPDX-License-Identifier: MIT
"""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from slipway import SLOW, Daemon, expect, expect_eq, main, test, wait_for

GOOD, BAD = 2, 3  # columns: the model promises two


def fragile(d, name="m", **more):
    """Answers what it got: an answer of three columns is not what it declares."""
    return models.serve(d, name, models.echo([models.spec("x", "FP32", (-1, -1))],
                                             [models.spec("y", "FP32", (-1, 2))], **more))


def ask(d, columns, name="m", headers=None, version=None):
    path = "/v2/models/%s%s/infer" % (name, "/versions/%d" % version if version else "")
    return d.post(path, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, columns],
                                     "data": [1] * columns}]}, headers)


def state(d, name="m", version=1):
    text = d.get("/metrics").body.decode()
    found = re.search(r'^slipway_breaker_state\{[^}]*model="%s",version="%d"[^}]*\} (\d)$' %
                      (name, version), text, re.M)
    expect(found, "no breaker of " + name)
    return int(found.group(1))


def opened(d, name="m", version=1):
    wait_for(lambda: state(d, name, version) == 2, what="an open breaker")


@test
def it_opens_refuses_is_tried_and_closes():
    with Daemon("--loops", "1") as d:
        fragile(d)
        fragile(d, "other")
        expect_eq(ask(d, GOOD).status, 200)
        for _ in range(24):
            expect_eq(ask(d, BAD).json()["code"], "BAD_MODEL_OUTPUT")
        opened(d)
        began = time.monotonic()
        reply = ask(d, GOOD)
        expect_eq(reply.status, 503)
        expect_eq(reply.json()["code"], "BREAKER_OPEN")
        expect(1 <= int(reply.headers["retry-after"]) <= 8, reply.headers)
        expect(int(reply.headers["x-slipway-retry-after-ms"]) >= 800, reply.headers)
        expect_eq(ask(d, GOOD, "other").status, 200)
        status = d.get("/api/v1/status?model=m").json()["models"][0]
        expect_eq(status["breakers"][0]["version"], 1)
        expect_eq(status["breakers"][0]["state"], "open")
        expect(status["breakers"][0]["tried_in_ms"] <= 6000, status)
        told = d.cli("status", "m")
        expect("circuit breaker is open" in told.stdout, told.stdout)
        wait_for(lambda: state(d) == 1, seconds=20, what="a half open breaker")
        waited = time.monotonic() - began
        expect(waited < 8 * SLOW, "half open after %.1f s" % waited)
        # One that fails opens it for twice as long.
        expect_eq(ask(d, BAD).status, 502)
        expect_eq(ask(d, GOOD).json()["code"], "BREAKER_OPEN", "no more from this loop")
        opened(d)
        left = d.get("/api/v1/status?model=m").json()["models"][0]["breakers"][0]["tried_in_ms"]
        expect(6000 <= left <= 12000, left)
        wait_for(lambda: state(d) == 1, seconds=30, what="a half open breaker")
        for _ in range(5):
            expect_eq(ask(d, GOOD).status, 200)
        wait_for(lambda: state(d) == 0, what="a closed breaker")
        for _ in range(10):
            expect_eq(ask(d, GOOD).status, 200)
        events = [e["event"] for e in d.log() if e["event"].startswith("breaker_")]
        expect_eq(events, ["breaker_open", "breaker_half_open"] * 2 + ["breaker_closed"])


@test
def probes_go_one_at_a_time():
    with Daemon("--loops", "1", "--workers", "1") as d:
        fragile(d, delay_us=300000)
        threads = [threading.Thread(target=ask, args=(d, BAD)) for _ in range(22)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        opened(d)
        wait_for(lambda: state(d) == 1, seconds=20, what="a half open breaker")
        got = []
        threads = [threading.Thread(target=lambda: got.append(ask(d, GOOD))) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        codes = sorted(r.status for r in got)
        expect(codes in ([200] + [503] * 11, [200] * 2 + [503] * 10), codes)  # a slow start: two


@test
def clients_do_not_move_it():
    """Bad requests, deadlines of their own, hanging up: none is the version's doing."""
    with Daemon("--loops", "1") as d:
        fragile(d, delay_us=300000)
        for _ in range(30):
            reply = d.post("/v2/models/m/infer", {"inputs": [{"name": "no", "datatype": "FP32",
                                                              "shape": [1, 2], "data": [1, 2]}]})
            expect_eq(reply.status, 400)
        late = []
        threads = [threading.Thread(target=lambda: late.append(
            ask(d, GOOD, headers={"x-slipway-deadline-ms": "20"}))) for _ in range(30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        expect(all(r.status in (503, 504) for r in late), [r.status for r in late])
        expect(sum(r.status == 504 for r in late) > 0, [r.status for r in late])
        time.sleep(2.5)
        expect_eq(state(d), 0)
        expect_eq(ask(d, GOOD).status, 200)


main()
