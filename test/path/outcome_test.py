#!/usr/bin/env python3
# run: early
"""outcome_test.py - releases judged by what came of their answers: predictions remembered, outcomes
told by request id, sums per arm held against a computation of our own.
SPDX-License-Identifier: MIT
"""
import collections
import csv
import gzip
import itertools
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import begin, body, gate, release, two  # noqa: E402
from slipway import (ROOT, SLOW, Daemon, expect, expect_eq, expect_in, main, skip, test,  # noqa
                     wait_for)

OFF = "gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, " \
      "sample_ratio: off%s}\n"
MATURITY = 8 * SLOW
PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 300s}
metric: {name: clicks, cap: 1, maturity: %ds}
sticky_by: header:x-user
final_step_needs_labels: true
warm_up: 0s
""" % MATURITY + OFF % ""
BANDIT = os.path.join(ROOT, "..", "shared", "data", "rollout-openbandit")

Asked = collections.namedtuple("Asked", "id user arm label score")


def ask(conn, number, user, row):
    reply = conn.ask("POST", "/v2/models/m/infer", body(*row),
                     {"x-request-id": "r-%d" % number, "x-user": user})
    expect_eq(reply.status, 200, reply.body)
    return Asked("r-%d" % number, user, reply.headers["x-slipway-arm"], row.index(max(row)),
                 max(row))


def tell(d, items):
    """items: (request id, outcome); in batches of 1,000."""
    states = collections.Counter()
    for at in range(0, len(items), 1000):
        batch = [{"request_id": i, "outcome": o} for i, o in items[at:at + 1000]]
        reply = want(d.post("/api/v1/feedback", {"model": "m", "items": batch}), 202, "feedback")
        states.update(i["state"] for i in reply["items"])
    return states


def share(part, of):
    return part / of if of else None


def near(got, wanted, what):
    expect(got is not None and abs(got - wanted) < 1e-6, "%s: %r, not %r" % (what, got, wanted))


def told_of(d, arm):
    feedback = release(d)["feedback"]
    return next(a for a in feedback["arms"] if a["arm"] == arm)


def ours(asked, outcomes):
    """Per arm: requests, those with an outcome, units, mean of their means, accuracy, ECE."""
    sums = {}
    for n, arm in enumerate(("candidate", "stable")):
        mine = [a for a in asked if a.arm == arm]
        told = [a for a in mine if a.id in outcomes]
        users = collections.defaultdict(list)
        bins = collections.defaultdict(list)
        for a in told:
            users[a.user].append(outcomes[a.id])
            bins[int(a.score * 10)].append((a.score, outcomes[a.id] == a.label))
        means = [sum(v) / len(v) for v in users.values()]
        sums[n] = {"requests": len(mine), "with_outcome": len(told), "units": len(means),
                   "mean": share(sum(means), len(means)),
                   "accuracy": share(sum(outcomes[a.id] == a.label for a in told), len(told)),
                   "ece": share(sum(abs(sum(p for p, _ in b) - sum(y for _, y in b))
                                    for b in bins.values()), len(told))}
    return sums


def compare(got, wanted):
    for key in ("requests", "with_outcome"):
        expect_eq(got[key], wanted[key], key)
    near(got["accuracy"], wanted["accuracy"], "accuracy")
    near(got["ece"], wanted["ece"], "ece")


def release_runs(d):
    wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
    time.sleep(1.5 * SLOW)  # every loop draws by the new weights


@test
def seldon_core_2115_outcomes_join_by_request_id():
    """And arms are measured as we measure them. [seldon-core#910, iter8-analytics#27]"""
    chance = random.Random(4)
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        release_runs(d)
        with d.conn() as conn:
            asked = [ask(conn, n, "u-%d" % chance.randrange(300),
                         chance.choice([(.1, .9, 0, 0), (.7, .3, 0, 0), (.45, .55, 0, 0)]))
                     for n in range(900)]
        last = time.monotonic()
        first = tell(d, [(a.id, 1 - a.label) for a in asked[:100]])
        expect_eq(sum(first.values()), 100)
        metric = gate(release(d), "metric")
        expect_eq((metric["state"], metric["reason"]), ("no_data", "outcomes_immature"))
        outcomes = {a.id: int(chance.random() < (.8 if a.label else .3)) for a in asked[:800]}
        expect_eq(tell(d, list(outcomes.items()))["unknown"], 0)
        wait_for(lambda: want(d.get("/api/v1/models/m/feedback"), 200, "feedback")["arms"], 10,
                 "predictions in the store")
        time.sleep(max(0, last + MATURITY + 2 - time.monotonic()))
        late = tell(d, [(a.id, 1) for a in asked[800:]])  # past the maturity of each
        expect_eq(late["joined"], 100)
        wanted = ours(asked, outcomes)
        expect_eq(sum(w["requests"] for w in wanted.values()), 900)
        for arm in (0, 1):
            got = wait_for(lambda: told_of(d, arm)["units"] == wanted[arm]["units"] and
                           told_of(d, arm), 40, "all units to be judged")
            compare(got, wanted[arm])
            near(got["mean"], wanted[arm]["mean"], "mean")
        words = d.cli("status", "m").stdout
        expect_in("outcomes (clicks, %d s after the answer): candidate %.4g over %d"
                  % (MATURITY, wanted[0]["mean"], wanted[0]["units"]), words)
        shown = d.get("/api/v1/models/m/feedback?maturity=%d" % MATURITY).json()
        for arm in shown["arms"]:
            compare(arm, wanted[arm["arm"]])
            near(arm["metric"]["mean"], wanted[arm["arm"]]["mean"], "mean")
            near(arm["ages"][-1]["share"], arm["share"], "the end of the curve")
            expect_eq(sum(b["answers"] for b in arm["reliability"]), arm["with_outcome"])
        one = d.get("/api/v1/models/m/feedback/r-0").json()
        expect_eq((one["prediction"]["propensity"], one["prediction"]["label"]),
                  (0.5, asked[0].label))
        expect_eq(one["feedback"]["outcome"], outcomes["r-0"])
        sampled = [d.get("/api/v1/models/m/feedback/" + a.id).json()["prediction"]["inputs"]
                   for a in asked[:100]]
        expect(2 <= sum(s is not None for s in sampled) <= 100, "sampled inputs")
        expect(all(json.loads(s)["inputs"][0]["name"] == "x" for s in sampled if s), sampled)
        expect_eq(d.get("/api/v1/models/m/feedback/nobody").status, 404)
        everything = d.get("/api/v1/models/m/feedback").json()
        expect_eq(sum(a["with_outcome"] for a in everything["arms"]), 900)
        metrics = d.get("/metrics").body.decode()
        expect('slipway_predictions_total{state="kept"} 900' in metrics, "kept")
        expect('slipway_predictions_total{state="missed"} 0' in metrics, "missed")
        for arm in (0, 1):
            line = 'slipway_release_outcome_mean{model="m",release="1",arm="%d"} ' % arm
            value = next(li for li in metrics.split("\n") if li.startswith(line)).split(" ")[1]
            near(float(value), wanted[arm]["mean"], "the mean in /metrics")
        d.kill()
        d.start()
        wait_for(d.is_ready)
        again = d.get("/api/v1/models/m/feedback?maturity=%d&release=1" % MATURITY).json()
        expect_eq(again, shown, "after a kill")


@test
def what_was_answered_last_is_remembered_when_the_server_stops():
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        release_runs(d)
        with d.conn() as conn:
            for n in range(50):
                ask(conn, n, "u-%d" % n, (1, 0, 0, 0))
        d.stop()
        d.start()
        wait_for(d.is_ready)
        arms = d.get("/api/v1/models/m/feedback").json()["arms"]
        expect_eq(sum(a["requests"] for a in arms), 50)


@test
def outcomes_of_one_arm_alone_are_suspicious():
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        release_runs(d)
        with d.conn() as conn:
            asked = [ask(conn, n, "u-%d" % n, (1, 0, 0, 0)) for n in range(400)]
        expect_eq(release(d)["warnings"], [])
        tell(d, [(a.id, 1) for a in asked if a.arm == "stable"])
        wait_for(lambda: any("outcomes come for another share" in w
                             for w in release(d)["warnings"]), 30, "the warning")


def clicks(policy):
    """One row after the other, in the order of their time."""
    with gzip.open(os.path.join(BANDIT, policy + "_men.csv.gz"), "rt") as f:
        for row in csv.DictReader(f):
            yield int(row["click"])


@test
def an_open_bandit_test_is_replayed_through_feedback():
    """The candidate's clicks are those of Bernoulli Thompson sampling, stable's of the random
    policy: what the lot gives each arm, in order. No winner, no harm: there is neither."""
    if not os.path.exists(BANDIT):
        skip("there is no data of the Open Bandit test (%s)" % os.path.relpath(BANDIT, ROOT))
    with Daemon() as d:
        two(d)
        begin(d, """strategy: ab
metric: {name: clicks, cap: 1, maturity: %ds, users_expected: 2000}
ab: {users_min: 500}
unjudged_max: 100000
warm_up: 0s
""" % MATURITY + OFF % "")
        release_runs(d)
        rows = {"candidate": clicks("bts"), "stable": clicks("random")}
        sums = collections.defaultdict(list)
        with d.conn() as conn:
            for n in range(0, 3000, 100):
                asked = [ask(conn, i, "", (1, 0, 0, 0)) for i in range(n, n + 100)]
                told = [(a.id, next(rows[a.arm])) for a in asked]
                for a, (_, click) in zip(asked, told):
                    sums[a.arm].append(click)
                expect_eq(sum(tell(d, told).values()), 100)
        for n, arm in enumerate(("candidate", "stable")):
            got = wait_for(lambda: told_of(d, n)["units"] == len(sums[arm]) and told_of(d, n), 40,
                           "all of %s" % arm)
            expect_eq(sums[arm], list(itertools.islice(clicks("bts" if n == 0 else "random"),
                                                       len(sums[arm]))))
            near(got["mean"], sum(sums[arm]) / len(sums[arm]), arm)
        now = release(d)
        expect(gate(now, "metric")["state"] != "harm", gate(now, "metric"))
        expect_eq((now["state"], now["step"]), ("running", 0))


main()
