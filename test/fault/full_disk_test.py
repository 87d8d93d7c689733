#!/usr/bin/env python3
"""full_disk_test.py - the disk is full when the daemon starts: it serves what it has, answers
changes with STORAGE_FULL, and takes them again once there is room.

Runs in a mount namespace of its own, on a file system in memory of a few MiB.
SPDX-License-Identifier: MIT
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from disks import main_with_disks, small_disk
from models import linear, want
from slipway import Daemon, cases, expect, expect_eq

BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}


def push(d, value):
    data = linear([[0]], [value])["model.json"]
    r = d.ask("PUT", "/api/v1/blobs", data)
    if r.status != 201:
        return r
    return d.post("/api/v1/models/m/versions",
                  {"files": [{"name": "model.json", "sha256": r.json()["sha256"]}]})


def value_served(d):
    r = want(d.post("/v2/models/m/infer", BODY), 200, "infer")
    return r["outputs"][0]["data"][0]


def fill(path):
    """Every byte that is left."""
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 4096, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass


@cases([("crash", signal.SIGKILL), ("clean_stop", signal.SIGTERM)])
def a_full_disk_serves(how):
    with small_disk("size=8m") as data, Daemon(data=data) as d:
        want(push(d, 7), 201, "push")
        want(d.post("/api/v1/models/m/deploy", {"version": 1, "wait": True}), 200, "deploy")
        d.kill(how)
        junk = os.path.join(data, "junk")
        fill(junk)
        d.start()
        expect_eq(value_served(d), 7)
        fill(os.path.join(data, "more"))
        r = push(d, 8)
        expect_eq(r.status, 507, r)
        expect(b"STORAGE_FULL" in r.body, r)
        expect_eq(value_served(d), 7)
        d.kill(signal.SIGKILL)
        os.unlink(junk)
        d.start()
        want(push(d, 8), 201, "push with room again")
        expect(os.path.exists(os.path.join(data, "reserve")), "the reserve is there again")
        expect_eq(value_served(d), 7)


main_with_disks()
