#!/usr/bin/env python3
"""slot_test.py - versions that were in memory long ago give their counters back, and the counters
of what lives go on.

SPDX-License-Identifier: MIT
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models  # noqa: E402
from slipway import Daemon, expect, expect_eq, main, test, wait_for  # noqa: E402

IDLE = 64  # versions out of memory that keep their counters
BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}


def counters(d):
    """{(model, version): requests answered}, of every version that has counters."""
    return {(m["name"], int(m["version"])): m["inference_stats"]["success"]["count"]
            for m in d.get("/v2/models/stats").json()["model_stats"]}


@test
def slots_of_old_versions_are_used_again():
    with Daemon() as d:
        models.serve(d, "stays", models.linear([[0]], [1]))
        for n in range(IDLE + 16):
            models.serve(d, "moves", models.linear([[0]], [n]))
            expect_eq(d.post("/v2/models/moves/infer", BODY).status, 200)
            expect_eq(d.post("/v2/models/stays/infer", BODY).status, 200)
        newest = IDLE + 16
        wait_for(lambda: len(counters(d)) <= IDLE + 2, 15, "old versions to give their slots back")
        had = counters(d)
        expect_eq(had["stays", 1], newest)
        expect_eq(had["moves", newest], 1)
        expect(("moves", 1) not in had and ("moves", newest - 1) in had, had.keys())
        time.sleep(3)  # slots are free when the tallies of a round more are home
        for n in range(8):  # these get them, and begin at nil
            version = models.serve(d, "again", models.linear([[0]], [n]))
            expect_eq(d.post("/v2/models/again/infer", BODY).status, 200)
            expect_eq(counters(d)["again", version], 1)
        expect_eq(models.deploy(d, "moves", 1).status, 200)  # an old one: new to the tallies
        expect_eq(d.post("/v2/models/moves/infer", BODY).status, 200)
        had = counters(d)
        expect_eq(had["moves", 1], 1)
        expect_eq(had["stays", 1], newest)


main()
