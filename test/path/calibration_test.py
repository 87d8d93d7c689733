#!/usr/bin/env python3
# run: early
"""calibration_test.py - scores held against what came of them: a candidate whose scores say more
than they should is paused, in words with numbers, and a replay finds the same.
SPDX-License-Identifier: MIT
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import begin, body, gate, reaches, release, say, two  # noqa: E402
from slipway import SLOW, Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

MATURITY = 4 * SLOW
PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 300s}
gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, sample_ratio: off,
        metric: off, calibration: %s}
%s
warm_up: 0s
"""
METRIC = "metric: {name: right, cap: 1, maturity: %ds}" % MATURITY


def answered(d, n, score):
    """(id, arm) of n requests whose answers claim label 1 with that score."""
    wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
    time.sleep(1.5 * SLOW)  # every loop draws by the new weights
    asked = []
    with d.conn() as conn:
        for i in range(n):
            reply = conn.ask("POST", "/v2/models/m/infer", body(1 - score, score, 0, 0),
                             {"x-request-id": "r-%d" % i})
            expect_eq(reply.status, 200, reply.body)
            asked.append(("r-%d" % i, reply.headers["x-slipway-arm"]))
    return asked


def tell(d, items):
    batch = [{"request_id": i, "outcome": o} for i, o in items]
    want(d.post("/api/v1/feedback", {"model": "m", "items": batch}), 202, "feedback")


def judged(d, n):
    """The gate, once it has seen n outcomes of the candidate."""
    def there():
        now = gate(release(d), "calibration")
        return now if now["counts"]["candidate"][1] >= n else None
    return wait_for(there, 40, "%d outcomes of the candidate" % n)


@test
def scores_that_do_not_come_true_pause_the_release():
    chance = random.Random(11)
    with Daemon() as d:
        two(d)
        begin(d, PLAN % ("{max: 5%}", METRIC))
        asked = answered(d, 600, 0.9375)
        expect_eq(gate(release(d), "calibration")["reason"], "outcomes_immature")
        right = {"candidate": 0.5, "stable": 0.9375}
        outcomes = [(i, int(chance.random() < right[arm])) for i, arm in asked]
        tell(d, outcomes)
        n = sum(arm == "candidate" for _, arm in asked)
        mean = sum(o for (_, o), (_, arm) in zip(outcomes, asked) if arm == "candidate") / n
        now = reaches(d, "paused", seconds=60)
        expect_eq((now["why"], now["weight"]), ("gate", 0.5))
        says = judged(d, n)
        expect_eq((says["state"], says["act"], says["arm"]), ("harm", "pause", "candidate"))
        expect_eq(says["counts"]["candidate"], [round(mean * n), n])
        expect(says["log_e"] >= says["bar"], says)
        effect = says["effect"]
        expect_eq(effect["kind"], "gap")
        expect(abs(effect["value"] - (mean - 0.9375)) < 1e-6, effect, mean)
        expect(effect["lower"] < effect["value"] < effect["upper"] < -0.05, effect)
        expect_in("scores from 0.9 to 1.0: ", says["text"])
        expect_in("limit 0.05", now["verdict"]["sentence"])
        arm = release(d)["feedback"]["arms"][0]
        expect_eq([(b["from"], b["answers"]) for b in arm["reliability"]], [(0.9, n)])
        expect(abs(arm["ece"] - (0.9375 - mean)) < 1e-6, arm)
        expect_in("scores from 0.9 to 1.0", d.cli("status", "m").stdout)
        # a kill takes no outcome and counts none twice
        time.sleep(4 * SLOW)  # looks go to the ledger every three seconds
        d.kill()
        d.start()
        wait_for(d.is_ready)
        expect_eq(judged(d, n)["counts"], says["counts"])
        expect_eq(release(d)["state"], "paused")
        want(say(d, "abort"), 200, "abort")
        wait_for(lambda: release(d)["state"] == "aborted", 20, "the end")
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)
        expect_in("all the same, bit for bit", replay.stdout)


@test
def scores_that_come_true_pass():
    chance = random.Random(12)
    with Daemon() as d:
        two(d)
        begin(d, PLAN % ("{max: 20%}", METRIC))
        asked = answered(d, 600, 0.75)
        tell(d, [(i, int(chance.random() < 0.75)) for i, _ in asked])
        n = sum(arm == "candidate" for _, arm in asked)
        says = judged(d, n)
        expect_eq(says["state"], "non_inferior", says)
        expect_eq(release(d)["state"], "running")


@test
def a_calibration_gate_needs_a_metric():
    with Daemon() as d:
        two(d)
        for gate_, metric, field in (("on", "", "gates.calibration"),
                                     ("{max: 50%}", METRIC, "gates.calibration.max"),
                                     ("{max: 0%}", METRIC, "gates.calibration.max"),
                                     ("{margin: 1.5}", METRIC, "margin")):
            said = begin(d, PLAN % (gate_, metric), status=400)
            expect_eq(said["code"], "BAD_CONFIG")
            expect_in(field, said["error"])


main()
