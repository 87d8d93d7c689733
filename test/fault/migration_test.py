#!/usr/bin/env python3
"""migration_test.py - a ledger of the first schema is killed at every write, sync and truncate of
the start that brings it to the newest one: the next start goes on, and nothing is missing.
SPDX-License-Identifier: MIT
"""
import os
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import CUT, KILL, SYNC, WRITE, Faulty
from models import linear, serve, want
from slipway import Daemon, expect, expect_eq, main, test

ASKED = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
N_MAX = 200


def schema(path):
    db = sqlite3.connect(path)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema "
                                               "WHERE type = 'table' AND name NOT LIKE 'sqlite%'")}
        return version, tables
    finally:
        db.close()


def first_schema(path):
    """Takes away what came after it."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=DELETE")
    for table in schema(path)[1] - {"meta", "events"}:
        db.execute("DROP TABLE " + table)
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


@test
def ST_110_a_migration_that_is_killed_goes_on_with_the_next_start():
    top = tempfile.mkdtemp(prefix="slipway-migration-")
    old, data = os.path.join(top, "old"), os.path.join(top, "data")
    os.mkdir(old)
    d = Faulty(data=data, seconds=20)
    try:
        with Daemon(data=old) as before:
            serve(before, "m", linear([[0]], [7]))
            for i in range(10):
                expect_eq(before.ask("PUT", "/api/v1/flags/f%d" % i, FLAG).status, 200)
        newest = schema(os.path.join(old, "ledger.db"))
        first_schema(os.path.join(old, "ledger.db"))
        expect_eq(schema(os.path.join(old, "ledger.db")), (1, {"meta", "events"}))
        expect(newest[0] > 1, newest)
        kills, seen = 0, set()
        for n in range(1, N_MAX):
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(old, data)
            d.set(refuse=WRITE | SYNC | CUT, error=KILL, first=n)
            killed = not d.try_start()
            expect_eq(killed, d.count("done") > 0)
            if not killed:
                d.kill()
            kills += killed
            seen.add(schema_now(data))
            d.set()
            d.start()
            expect_eq(want(d.post("/v2/models/m/infer", ASKED), 200, "infer")["outputs"][0]["data"],
                      [7])
            expect_eq([d.get("/api/v1/flags/f%d" % i).status for i in range(10)], [200] * 10)
            d.stop()
            expect_eq(schema(os.path.join(data, "ledger.db")), newest, "after kill %d" % n)
            if not killed:
                break
        expect(kills >= 10, "%d kills" % kills)
        expect_eq(seen, {1, newest[0]}, "before it and after it")
    finally:
        d.clean()
        shutil.rmtree(top, ignore_errors=True)


def schema_now(data):
    """Of a copy: looking changes what lies there."""
    with tempfile.TemporaryDirectory(prefix="slipway-migration-") as copy:
        for name in os.listdir(data):
            if name.startswith("ledger.db") and not name.endswith("-shm"):
                shutil.copy(os.path.join(data, name), copy)
        return schema(os.path.join(copy, "ledger.db"))[0]


main()
