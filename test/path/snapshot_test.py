#!/usr/bin/env python3
"""snapshot_test.py - a start from a snapshot, from a damaged one and from none is the same start.

SPDX-License-Identifier: MIT
"""
import os
import shutil
import signal
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import linear, serve, want
from slipway import Daemon, cases, expect, expect_eq, main, test

BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def fill(d):
    serve(d, "m", linear([[0]], [1]))
    serve(d, "m", linear([[0]], [2]))
    want(d.ask("PUT", "/api/v1/flags/f", FLAG), 200, "flag")
    want(d.ask("PUT", "/api/v1/models/m/aliases/best", {"version": 1}), 200, "alias")
    want(d.post("/api/v1/freezes", {"model": "m", "now": True}), 200, "freeze")
    want(d.post("/api/v1/tenants", {"name": "acme"}), 201, "tenant")


def picture(d):
    """What callers see of all that."""
    got = [d.get("/api/v1/" + what).json() for what in
           ("models/m", "flags", "freezes", "keys", "tenants", "models/m/history", "audit/key")]
    for version in got[0]["newest_versions"]:  # measured anew at each start
        for measured in ("load_us", "run_ns"):
            version.pop(measured, None)
    got.append(d.post("/v2/models/m/infer", BODY).json()["outputs"])
    return got


def said(d, event):
    return [line for line in d.log() if line.get("event") == event]


def flip(path):
    with open(path, "r+b") as f:
        f.seek(200)
        byte = f.read(1)
        f.seek(200)
        f.write(bytes([byte[0] ^ 1]))


@cases([("as_it_is", lambda path: None, 0), ("damaged", flip, 1),
        ("cut", lambda path: os.truncate(path, 100), 1),
        ("empty", lambda path: os.truncate(path, 0), 1),
        ("gone", os.unlink, 0),
        ("a_link", lambda path: (os.unlink(path), os.symlink("/etc/passwd", path)), 1)])
def the_same_start(change, warned):
    data = tempfile.mkdtemp(prefix="slipway-snapshot-")
    try:
        with Daemon(data=data) as d:
            fill(d)
            before = picture(d)
        path = os.path.join(data, "snapshot")
        expect(os.path.exists(path), "a clean stop leaves none")
        change(path)
        with Daemon(data=data) as d:
            expect_eq(len(said(d, "snapshot_not_used")), warned, d.stderr())
            after = picture(d)
            for was, now in zip(before, after):
                expect_eq(now, was)
            want(d.ask("PUT", "/api/v1/flags/g", FLAG), 200, "a change after it")
            d.kill(signal.SIGKILL)
            d.start()
            expect_eq(d.get("/api/v1/flags/g").status, 200, "the tail was not folded")
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def one_of_another_ledger_is_not_taken():
    data, other = (tempfile.mkdtemp(prefix="slipway-snapshot-") for _ in range(2))
    try:
        for folder, n in ((data, 3), (other, 1)):
            with Daemon(data=folder) as d:
                for i in range(n):
                    serve(d, "m%d" % i, linear([[0]], [i]))
        shutil.copy(os.path.join(other, "snapshot"), os.path.join(data, "snapshot"))
        with Daemon(data=data) as d:
            expect_eq(len(said(d, "snapshot_not_used")), 1)
            expect_eq(len(d.get("/api/v1/models").json()["models"]), 3)
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(other, ignore_errors=True)


@cases([("first", 1), ("middle", 5), ("newest", -1)])
def a_changed_row_before_it_is_still_found(which):
    data = tempfile.mkdtemp(prefix="slipway-snapshot-")
    try:
        with Daemon(data=data) as d:
            fill(d)
        db = sqlite3.connect(os.path.join(data, "ledger.db"))
        n = which if which > 0 else db.execute("SELECT max(seq) FROM events").fetchone()[0]
        db.execute("UPDATE events SET actor = 'mallory' WHERE seq = ?", (n,))
        db.commit()
        db.close()
        d = Daemon(data=data, ready=False)
        d.start()
        expect_eq(d.proc.wait(10), 7, d.stderr())
        expect("event %d of the ledger was changed" % n in d.stderr(), d.stderr())
        d.clean()
    finally:
        shutil.rmtree(data, ignore_errors=True)


main()
