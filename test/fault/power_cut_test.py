#!/usr/bin/env python3
"""power_cut_test.py - [ST-102] the power goes, and the disk has only what was synced: every object,
mark, upload and secret that an acknowledged answer stood on is there. (The ledger's own file is cut
in test/unit/power_loss_test.c.)

SEED=n repeats a run.
SPDX-License-Identifier: MIT
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from forgets import Forgetful
from models import linear, want
from slipway import Daemon, Failed, cases, expect, expect_eq, main, test

BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
CUT = (OSError, ValueError, AttributeError, Failed)  # under its hands
SEED = int(os.environ.get("SEED", "0")) or int(time.time())
ROUNDS = 6


def data(n):
    return linear([[0]], [n])["model.json"]


class Said:
    """What was acknowledged."""

    def __init__(self):
        self.versions, self.blobs, self.uploads, self.n = {}, {}, {}, 0


def live(d, said, stop):
    """Until the power goes."""
    try:
        while not stop.is_set():
            said.n += 1
            step(d, said, said.n)
    except CUT:
        pass


def step(d, said, n):
    sha = want(d.ask("PUT", "/api/v1/blobs", data(n), {"idempotency-key": "k%d" % n}), 201,
               "upload")["sha256"]
    said.blobs[n] = sha
    if n % 2:
        made = want(d.post("/api/v1/models/m/versions",
                           {"files": [{"name": "model.json", "sha256": sha}]}), 201, "push")
        said.versions[made["version"]] = n
    if n % 3 == 0:
        reply = d.ask("POST", "/api/v1/uploads", b"x" * n, {"upload-complete": "?0"})
        said.uploads[want(reply, 201, "upload that resumes")["upload"]] = n


def check(folder, said):
    with Daemon(data=folder) as d:
        for version, n in said.versions.items():
            want(d.post("/api/v1/models/m/deploy", {"version": version, "strategy": "now",
                                                    "wait": True}), 200, "deploy %d" % version)
            expect_eq(want(d.post("/v2/models/m/infer", BODY), 200, "predict")
                      ["outputs"][0]["data"], [float(n)])
        for n, sha in said.blobs.items():
            want(d.post("/api/v1/models/again/versions",
                        {"files": [{"name": "model.json", "sha256": sha}]}), 201, "blob %d" % n)
            reply = d.ask("PUT", "/api/v1/blobs", b"other", {"idempotency-key": "k%d" % n})
            expect_eq(reply.status, 409, "key %d is forgotten" % n)
        for upload, n in said.uploads.items():
            expect_eq(want(d.get("/api/v1/uploads/" + upload), 200, "upload")["offset"], n)


def cut_once(wait_s, deaf=None):
    d = Forgetful(deaf=deaf)
    d.keeps = True
    try:
        d.start()
        said, stop = Said(), threading.Event()
        thread = threading.Thread(target=live, args=(d, said, stop))
        thread.start()
        end = time.monotonic() + 10
        while len(said.uploads) < 1 and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(wait_s)
        d.proc.kill()
        stop.set()
        thread.join()
        lost = d.cut()
        expect(said.versions and said.blobs and said.uploads, "nothing was done")
        check(d.data, said)
        return lost
    finally:
        d.keeps = False
        d.clean()


@test
def what_was_acknowledged_outlives_the_power():
    rnd = random.Random(SEED)
    try:
        for _ in range(ROUNDS):
            cut_once(rnd.uniform(0, 0.1))
    except Failed as e:
        raise Failed("SEED=%d: %s" % (SEED, e))


@cases([("objects_bytes", "staging"), ("objects", "objects"), ("marks", "held"),
        ("uploads", "uploads")])
def a_sync_that_is_missing_is_seen(what):
    """The same test bites: without these syncs something acknowledged is gone."""
    try:
        cut_once(0.05, deaf=what)
    except Failed as e:
        print("  %s: %s" % (what, str(e)[:100]))
        return
    raise Failed("nothing was lost although no sync of %s counted" % what)


main()
