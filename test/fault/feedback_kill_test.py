#!/usr/bin/env python3
"""feedback_kill_test.py - SIGKILL while many tell outcomes and predictions are written: what was
acknowledged is there, nothing is there in half, and the same can be told again.
SPDX-License-Identifier: MIT
"""
import os
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import Load, begin, release, two  # noqa: E402
from slipway import Daemon, Failed, expect, expect_eq, main, test, wait_for  # noqa: E402

PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%, for: 300s}
metric: {name: clicks, cap: 1, maturity: 1s}
gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, sample_ratio: off}
warm_up: 0s
"""
ROUNDS, CREW, BATCH = 4, 4, 7


def tell(d, number, said, sent, over):
    """Batches of ids of its own until the server is gone; `said`: those it said yes to."""
    n = BATCH * len(sent)
    try:
        with d.conn() as conn:
            while not over.is_set():
                ids = ["t%d-%d" % (number, n + i) for i in range(BATCH)]
                n += BATCH
                sent.append(ids)
                reply = conn.ask("POST", "/api/v1/feedback", {"model": "m", "items": [
                    {"request_id": i, "outcome": 1} for i in ids]})
                expect_eq(reply.status, 202, reply.body)
                said.update(ids)
    except (OSError, AttributeError, Failed):
        if not over.is_set():
            raise


def kept(d):
    db = sqlite3.connect("file:%s/outcomes.db?mode=ro" % d.data, uri=True)
    try:
        expect_eq(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        return ({r[0] for r in db.execute("SELECT request FROM outcomes")},
                db.execute("SELECT count(*) FROM predictions").fetchone()[0])
    finally:
        db.close()


@test
def an_acknowledged_outcome_survives_a_kill_at_any_time():
    chance = random.Random(7)
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
        said, sent, before = set(), [[] for _ in range(CREW)], 0
        for _ in range(ROUNDS):
            over = threading.Event()
            crew = [threading.Thread(target=tell, args=(d, i, said, sent[i], over))
                    for i in range(CREW)]
            with Load(d, rate=200):
                for t in crew:
                    t.start()
                time.sleep(0.8 + chance.random())
                over.set()
                d.kill()
                for t in crew:
                    t.join()
            there, predictions = kept(d)
            expect(said <= there, "lost: %s" % sorted(said - there)[:5])
            for ids in (ids for mine in sent for ids in mine):
                expect(len(there.intersection(ids)) in (0, BATCH), "half of a batch: %s" % ids)
            expect(predictions >= before, "predictions were lost that had been there")
            before = predictions
            d.start()
            wait_for(d.is_ready)
        expect(before > 0, "no prediction was ever kept")
        expect(len(said) > ROUNDS * CREW * BATCH, "hardly anything was told")
        ids = sorted(said)[:1000]
        again = want(d.post("/api/v1/feedback", {"model": "m", "items": [
            {"request_id": i, "outcome": 1} for i in ids]}), 202, "again")
        expect_eq(again["same"], len(ids))


main()
