#!/usr/bin/env python3
"""slow_disk_test.py - a sync takes five seconds, or a hundred write at once: who asks for a
prediction does not notice, and who asks for a change hears in time whether it was made.
SPDX-License-Identifier: MIT
"""
import collections
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import Faulty
from hostile import Bystander, check_error
from models import echo, serve, spec
from slipway import Daemon, expect, expect_eq, main, test

FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
SYNC_S = 5


def together(n, one):
    """[(seconds, reply)] of one(i) for all i at once."""
    out = []

    def run(i):
        began = time.monotonic()
        reply = one(i)
        out.append((time.monotonic() - began, reply))
    crew = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    return out


def put(d, name):
    with d.conn(60) as c:
        return c.ask("PUT", "/api/v1/flags/" + name, FLAG)


def median(times):
    return sorted(times)[len(times) // 2]


@test
def ST_113_a_slow_disk_sheds_changes_and_no_predictions():
    """What waits behind a slow change is refused in three seconds and not made; a rollback is not
    refused; the write that was under way is acknowledged when it is durable."""
    with Faulty(seconds=20) as d:
        x = [spec("x", "FP32", (-1, -1))]
        serve(d, "echo", echo(x))
        serve(d, "echo", echo(x, delay_us=1))
        with Bystander(d) as before:
            time.sleep(1.5)
        before.check()
        with Bystander(d) as meanwhile, d.faults(delay_ms=1000 * SYNC_S):
            first = threading.Thread(target=put, args=(d, "first"))
            first.start()
            time.sleep(0.2)
            said = together(60, lambda i: put(d, "f%d" % i))
            back = together(1, lambda _: d.post("/api/v1/models/echo/rollback", {"wait": True}))[0]
            first.join()
            expect_eq((d.get("/healthz").status, d.get("/readyz").status), (200, 200))
        meanwhile.check()
        expect_eq(d.get("/api/v1/flags/first").status, 200, "the one that was with the disk")
        for seconds, reply in said:
            check_error(reply, 503, "OVERLOADED", "the disk is slow")
            expect(seconds < SYNC_S - 0.5, "it heard of it after %.1f s" % seconds)
        for i in range(60):
            expect_eq(d.get("/api/v1/flags/f%d" % i).status, 404, "it was refused")
        expect_eq(back[1].status, 200, back)
        shed = [e for e in d.log() if e["event"] == "changes_shed"]
        expect(shed and sum(e["changes"] for e in shed) <= 60, shed)
        slow, usual = median(meanwhile.times), median(before.times)
        expect(slow < 3 * usual + 0.005, "half in %.2f ms, before %.2f" % (1e3 * slow, 1e3 * usual))
        late = [t for t in meanwhile.times if t > 0.8 * SYNC_S]
        expect(not late, "predictions waited for the disk: %s" % late)
        expect_eq(put(d, "f1").status, 200, "all is well again")


@test
def ST_108_a_hundred_writers_are_never_told_of_a_busy_ledger():
    """While a stranger reads the file in one long transaction."""
    with Daemon() as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        stranger = sqlite3.connect("file:%s/ledger.db?mode=ro" % d.data, uri=True)
        stranger.execute("BEGIN")
        stranger.execute("SELECT count(*) FROM events").fetchone()
        with Bystander(d) as other:
            said = together(100, lambda i: [put(d, "f%d-%d" % (i, k)) for k in range(5)])
        other.check()
        stranger.close()
        replies = [reply for _, some in said for reply in some]
        counts = collections.Counter(reply.status for reply in replies)
        expect(set(counts) <= {200, 429} and counts[200] >= 250, counts)
        for reply in replies:
            if reply.status != 200:
                check_error(reply, 429, ("CONCURRENCY_LIMITED", "RATE_LIMITED"))
        for word in ("busy", "locked"):
            expect(word not in d.stderr().lower(), word)


main()
