#!/usr/bin/env python3
"""state.py - what it takes to plan and apply a declared state, and how long others wait meanwhile.

    bench/state.py [--models 500 1300]

Models with a card and a limit each, declared over the API; a second client sends commands that are
refused all the while, and its longest wait is printed.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
from slipway import Daemon


def declared(n):
    return json.dumps({"models": {"m%05d" % i: {
        "description": "%d %s" % (n, "x" * 200), "quotas": {"versions": n},
        "tags": {"team": "a", "tier": "1", "owner": "somebody"}} for i in range(n)}})


def post(d, path, body):
    began = time.perf_counter()
    reply = d.post("/api/v1/" + path, body)
    took = (time.perf_counter() - began) * 1e3
    return reply, took


def measure(d, n):
    body, waits, over = declared(n), [], threading.Event()

    def other():
        while not over.is_set():
            waits.append(post(d, "models/none/rollback", "{}")[1])
    plan, plan_ms = post(d, "state/plan", body)
    crew = threading.Thread(target=other)
    crew.start()
    apply, apply_ms = post(d, "state/apply", body)
    over.set()
    crew.join()
    assert apply.status == 200, apply
    again, again_ms = post(d, "state/plan", body)
    assert not again.json()["changes"], again
    print("%5d models, %3d KiB, %5d lines: plan %.0f ms, apply %.0f ms, planned again %.0f ms; "
          "another's command waited %.0f ms at most, %.1f in the median"
          % (n, len(body) >> 10, len(plan.json()["changes"]), plan_ms, apply_ms, again_ms,
             max(waits), sorted(waits)[len(waits) // 2]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, nargs="+", default=[500, 1300])
    args = parser.parse_args()
    with Daemon() as d:
        for n in args.models:
            measure(d, n)


main()
