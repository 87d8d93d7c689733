#!/usr/bin/env python3
# run: early
"""arms_test.py - A/B tests of several candidates: versions named by the plan, a winner by feedback,
an arm that is closed while the others go on, restarts, and plans that cannot be.
SPDX-License-Identifier: MIT
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import push, serve, want  # noqa: E402
from releases import (Load, begin, body, broken, files, gate, reaches, release,  # noqa: E402
                      say, with_past)
from slipway import (ROOT, SLOW, Daemon, expect, expect_eq, expect_in, main, test,  # noqa: E402
                     wait_for)

ARMS = ("candidate", "stable", "candidate-2")
MATURITY = 4 * SLOW
OFF = "gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, " \
      "sample_ratio: off}\n"
PLAN = """strategy: ab
steps:
  - ab: {for: 300s, users_min: 50%s}
metric: {name: clicks, cap: 1, maturity: %ds, users_expected: 500}
ab:
  arms: [{traffic: 30%%}, {traffic: 40%%}, {name: bold, version: 3, traffic: 30%%}]
  users_min: 100
  weeks_min: 0
sticky_by: header:x-user
unjudged_max: 100000
warm_up: 0s
"""


def three(d, third=None):
    serve(d, "m", files())
    for n in (2, 3):
        last = third if n == 3 and third else files()
        expect_eq(push(d, "m", dict(last, **{"notes.txt": b"number %d" % n})), n)


def ask(conn, user, number=0):
    return conn.ask("POST", "/v2/models/m/infer", body(number, 1, 2, 3), {
        "x-user": user, "x-request-id": "r-%s-%d" % (user, number)})


def arms_of(d, users, number=0):
    """Who answers each of them now."""
    with d.conn() as conn:
        replies = {u: ask(conn, u, number) for u in users}
    return {u: (r.status, r.headers["x-slipway-arm"], r.headers["x-slipway-version"])
            for u, r in replies.items()}


def weights(now):
    return [a["weight"] for a in now["arms"]]


def runs(d):
    wait_for(lambda: weights(release(d))[0] == 0.3, 20, "the test's weights")
    time.sleep(1.5 * SLOW)  # every loop draws by them


def clicked(d, chances, users):
    """Each user asks once, and clicks with the chance of the arm that answered."""
    chance = random.Random(7)
    seen = arms_of(d, users)
    items = [{"request_id": "r-%s-0" % u, "outcome": int(chance.random() < chances[arm])}
             for u, (_, arm, _) in seen.items()]
    for at in range(0, len(items), 1000):
        want(d.post("/api/v1/feedback", {"model": "m", "items": items[at:at + 1000]}), 202, "tell")
    return seen


def states(d):
    rows = d.get("/api/v1/models/m/versions").json()["versions"]
    return {row["version"]: row["state"] for row in rows}


def serving(d):
    return d.get("/api/v1/models/m").json()["serving"]


@test
def of_three_versions_feedback_names_the_winner_and_promote_takes_it():
    with Daemon() as d:
        three(d)
        begun = begin(d, PLAN % ("", MATURITY) + OFF, version=2)
        expect_eq((begun["version"], begun["stable"]), (2, 1))
        runs(d)
        lacks = release(d)["verdict"]["winner_lacks"]
        expect_eq((lacks["what"], lacks["have"], lacks["want"], lacks["in_s"]),
                  ("users_min", 0, 100, None))
        expect_in("has outcomes of 0 users, and needs 100; nobody can say when",
                  d.cli("status", "m").stdout)
        users = ["u-%d" % n for n in range(1200)]
        seen = clicked(d, {"candidate": .3, "stable": .3, "candidate-2": .75}, users)
        for arm, version, share in (("candidate", "2", .3), ("stable", "1", .4),
                                    ("candidate-2", "3", .3)):
            mine = [v for _, a, v in seen.values() if a == arm]
            expect_eq(set(mine), {version}, arm)
            expect(abs(len(mine) / 1200 - share) < .06, arm, len(mine))
        reply = say(d, "promote")
        expect_eq((reply.status, reply.json()["code"]), (409, "CONFLICT"))
        expect_in("no arm has won", reply.json()["error"])
        now = wait_for(lambda: release(d)["verdict"]["winner"] and release(d), 60, "a winner")
        expect_eq(now["verdict"]["winner"], "candidate-2")
        expect_in("candidate-2 has won: clicks +0.", now["verdict"]["sentence"])
        apart = {a["arm"]: a for a in now["verdict"]["metric_differences"]}
        expect(apart["candidate-2"]["lower"] > 0.2, apart)
        expect(apart["candidate"]["lower"] < 0 < apart["candidate"]["upper"], apart)
        expect_eq([a["arm"] for a in now["arms"]], list(ARMS))
        expect_eq([a["name"] for a in now["arms"]], ["candidate", "stable", "bold"])
        expect_eq([a["version"] for a in now["arms"]], [2, 1, 3])
        expect_eq(now["verdict"]["winner_lacks"], None)
        own = {a["arm"]: a for a in gate(now, "metric")["arms"]}
        expect_eq(set(own), {"candidate", "candidate-2"})
        expect(own["candidate-2"]["effect"]["value"] > .2 and not own["candidate"]["closed"], own)
        words = d.cli("status", "m").stdout
        expect_in("candidate-2 has won", words)
        rows = [line for line in words.splitlines() if line.startswith("metric ")]
        expect(len(rows) == 2 and "candidate-2: clicks +" in rows[1], rows)
        expect_in("bold", words)
        shown = d.get("/api/v1/models/m/feedback").json()["arms"]
        expect_eq([(a["arm"], a["name"], a["version"]) for a in shown],
                  [(0, "candidate", 2), (1, "stable", 1), (2, "candidate-2", 3)])
        words = [line.split()[:2] for line in d.cli("feedback", "m").stdout.splitlines()]
        for row in (["candidate", "2"], ["stable", "1"], ["candidate-2", "3"]):
            expect(row in words, row, words)
        expect_eq(d.cli("promote", "m").returncode, 0)
        now = reaches(d, "completed")
        expect_eq((serving(d), now["version"], now["chosen"]), (3, 3, "candidate-2"))
        row = d.get("/api/v1/releases?model=m").json()["releases"][0]
        expect_eq((row["chosen"], row["chosen_version"]), ("candidate-2", 3))
        expect_eq([a["name"] for a in row["arms"]], ["candidate", "stable", "bold"])
        expect_in("2, 3: 3 chosen", d.cli("release", "list", "m").stdout)
        words = d.cli("release", "show", "m/1").stdout
        expect_in("versions 2, 3: 3 chosen against 1, ab, completed", words)
        expect([w.split() for w in words.splitlines() if "bold" in w] ==
               [["candidate-2", "bold", "3", "chosen"]], words)
        time.sleep(2.5 * SLOW)  # looks with all traffic at one arm
        now = release(d)
        expect_eq(weights(now), [0, 0, 1])
        expect("out:" not in now["verdict"]["sentence"], now["verdict"]["sentence"])
        expect_eq(now["verdict"]["closed"], [])
        answers = wait_for(lambda: (lambda a: a if {v for _, _, v in a} == {"3"} else None)(
            list(arms_of(d, users[:50], 1).values())), 10, "version 3 for all")
        expect_eq({s for s, _, _ in answers}, {200})
        wait_for(lambda: states(d) == {1: "READY", 2: "STORED", 3: "READY"}, 10,
                 "the loser let go, the way back warm")
        d.kill()
        d.start()
        wait_for(d.is_ready)
        expect_eq((serving(d), release(d)["chosen"]), (3, "candidate-2"))
        wait_for(lambda: states(d)[1] == "READY", 10, "the way back in memory")
        want(d.post("/api/v1/models/m/rollback"), 200, "rollback")
        wait_for(lambda: serving(d) == 1, 10, "the way back")


@test
def the_example_of_three_versions_is_taken():
    with Daemon() as d:
        three(d)
        done = d.cli("deploy", "m@2", "--plan", os.path.join(ROOT, "examples", "digits", "ab.yaml"))
        expect_eq(done.returncode, 0, done.stderr)
        wait_for(lambda: weights(release(d)) == [0.2, 0.6, 0.2], 20, "the test's weights")
        expect_eq([a["version"] for a in release(d)["arms"]], [2, 1, 3])


@test
def amounts_have_the_plans_cap_and_are_no_labels():
    with Daemon() as d:
        three(d)
        begin(d, PLAN.replace("cap: 1,", "cap: 50,") % ("", MATURITY) + OFF, version=2)
        runs(d)
        seen = arms_of(d, ["u-%d" % n for n in range(60)])
        items = [{"request_id": "r-%s-0" % u,
                  "outcome": 15 if arm == "candidate-2" else 10}
                 for u, (_, arm, _) in seen.items()]
        want(d.post("/api/v1/feedback", {"model": "m", "items": items}), 202, "tell")
        shown = wait_for(lambda: (lambda s: s if sum(
            a["with_outcome"] for a in s["arms"]) == 60 else None)(
                d.get("/api/v1/models/m/feedback").json()), 10, "outcomes of all")
        expect_eq(shown["cap"], 50)
        for row in shown["arms"]:
            wanted = 15 if row["name"] == "candidate-2" else 10
            expect(abs(row["metric"]["mean"] - wanted) < .01, row)
            expect_eq((row["accuracy"], row["ece"]), (None, None))
        expect_eq(d.get("/api/v1/models/m/feedback?cap=1").json()["arms"][0]["metric"]["mean"], 1)
        asked = arms_of(d, ["late-%d" % n for n in range(30)])
        time.sleep(MATURITY + 1)
        want(d.post("/api/v1/feedback", {"model": "m", "items": [
            {"request_id": "r-%s-0" % u, "outcome": 1} for u in asked]}), 202, "tell")
        wait_for(lambda: sum(a["late"] for a in release(d)["feedback"]["arms"]) == 30, 40, "late")
        expect_in("came later than that", d.cli("status", "m").stdout)


@test
def a_person_may_choose_another_arm_than_the_winner():
    with Daemon() as d:
        three(d)
        begin(d, PLAN % ("", MATURITY) + OFF, version=2)
        runs(d)
        for arm, code in (("stable", 409), ("candidate-3", 409), ("nobody", 400)):
            expect_eq(say(d, "promote", arm=arm).status, code, arm)
        expect_in("'nobody' is no arm of release 1, which has candidate, stable, candidate-2 (bold)",
                  say(d, "promote", arm="nobody").json()["error"])
        expect_eq(say(d, "pause", arm="candidate").status, 400)
        expect_eq(d.cli("promote", "m", "--arm", "bold").returncode, 0)
        expect_eq((reaches(d, "completed")["chosen"], serving(d)), ("candidate-2", 3))
        want(d.post("/api/v1/models/m/rollback", {"to": 2}), 200, "to another")
        wait_for(lambda: serving(d) == 2, 10, "version 2")
        reply = say(d, "abort")
        expect_eq((reply.status, reply.json()["code"]), (409, "CONFLICT"))
        expect_in("no release of model 'm' is running", reply.json()["error"])
        row = d.get("/api/v1/releases?model=m").json()["releases"][0]
        expect(row["state"] != "rolled_back" and row["chosen_version"] == 3, row)
        expect_eq(serving(d), 2)


@test
def a_candidate_that_breaks_the_contract_is_named_before_any_traffic():
    with Daemon() as d:
        three(d, broken())
        begin(d, PLAN % ("", MATURITY), version=2)
        now = reaches(d, "failed")
        expect_eq((now["why"], weights(now)), ("load", [0, 1, 0]))
        expect_in("candidate-2 (version 3): output 'x' differs", now["warnings"][0])
        wait_for(lambda: states(d) == {1: "READY", 2: "STORED", 3: "FAILED"}, 10, "all let go")


@test
def a_segment_that_suffers_from_one_candidate_takes_that_one_out():
    """Slow answers are judged per segment and candidate: the other candidate goes on."""
    with Daemon() as d:
        three(d, files(delay_us=30000))
        with Load(d, rate=250, headers=lambda crew, n: {
                "x-user": "u-%d-%d" % (crew, n % 200), "x-country": ("de", "fr")[n % 2]}) as load:
            with_past(load)
            begin(d, PLAN % ("", MATURITY) + "segments: [header:x-country]\n"
                  "gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, "
                  "sample_ratio: off, segments: {on_harm: rollback}}\n", version=2)
            now = wait_for(lambda: release(d)["arms"][2]["closed"] and release(d), 60, "harm")
        expect_eq((now["state"], now["why"]), ("running", "arm_closed"))
        expect_eq([a["closed"] for a in now["arms"]], [False, False, True])
        closed, = now["verdict"]["closed"]
        expect_eq((closed["arm"], closed["gate"]), ("candidate-2", "segments"))
        expect(closed["segment"] in ("x-country=de", "x-country=fr"), closed)
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)


@test
def harm_of_one_arm_closes_it_and_moves_nobody_else():
    with Daemon() as d:
        three(d, broken())
        begin(d, PLAN % ("", MATURITY) + "contract: {changed: true}\n", version=2)
        runs(d)
        users = ["u-%d" % n for n in range(300)]
        before = arms_of(d, users)
        bad = [u for u, (s, _, _) in before.items() if s != 200]
        expect_eq({before[u][1] for u in bad}, {"candidate-2"})
        expect(len(bad) >= 20, "before the loop's own rule stops it: %d" % len(bad))
        load = Load(d, rate=200, headers=lambda crew, n: {"x-user": "u-%d" % (n % 300)})
        with load:
            now = wait_for(lambda: release(d)["arms"][2]["closed"] and release(d), 30, "harm")
        expect_eq((now["state"], now["why"]), ("running", "arm_closed"))
        expect_eq(weights(now), [.3, .7, 0])
        closed = now["verdict"]["closed"]
        expect_eq([(c["arm"], c["gate"]) for c in closed], [("candidate-2", "errors")])
        expect_in("out: candidate-2: errors", now["verdict"]["sentence"])
        told = [e for e in d.log() if e["event"] == "release_arm_closed"]
        expect_eq([e["arms"] for e in told], ["candidate-2"])
        after = arms_of(d, users, 1)
        expect_eq({s for s, _, _ in after.values()}, {200}, "no failure after it")
        for user in users:
            expect_eq(after[user][1], "stable" if user in bad else before[user][1], user)
        metrics = d.get("/metrics").body.decode()
        label = '{model="m",release="1",arm="candidate-2",version="3"} '
        for family, value in (("weight", 0), ("closed", 1)):
            expect_in("slipway_release_arm_%s%s%d\n" % (family, label, value), metrics)
        flag = d.post("/ofrep/v1/evaluate/flags/release.m", {"context": {"targetingKey": bad[0]}})
        expect_eq(flag.json()["variant"], "stable")
        d.kill()
        d.start()
        wait_for(d.is_ready)
        with Load(d, rate=100, headers=lambda crew, n: {"x-user": "u-%d" % (n % 300)}):
            now = wait_for(lambda: weights(release(d))[0] == .3 and release(d), 30, "its weights")
        expect_eq((now["state"], weights(now)), ("running", [.3, .7, 0]))
        expect_eq([a["closed"] for a in now["arms"]], [False, False, True])
        again = arms_of(d, users, 2)
        expect_eq(again, after, "a restart moves nobody")
        expect_eq(states(d), {1: "READY", 2: "READY", 3: "STORED"}, "what is out is not loaded")
        expect_eq(say(d, "promote", arm="candidate-2").status, 409)
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)
        history = d.get("/api/v1/releases?model=m").json()["releases"][0]
        expect_eq((history["state"], history["versions"]), ("running", [2, 1, 3]))


def refused(d, arms, status, code, field, text, **more):
    plan = {"strategy": "ab", "metric": {"name": "m"}, "ab": {"arms": arms}}
    reply = d.post("/api/v1/models/m/deploy", dict(more, plan=plan))
    expect_eq((reply.status, reply.json()["code"]), (status, code), reply)
    expect_eq(reply.json()["details"].get("field"), field, reply)
    expect_in(text, reply.json()["error"])


def arm(version=None, traffic="20%", **more):
    return dict(more, traffic=traffic, **({"version": version} if version else {}))


@test
def plans_of_arms_that_cannot_be_are_refused_by_name():
    with Daemon() as d:
        three(d)
        bad = "BAD_CONFIG"
        nine = [arm(traffic="20%"), arm()] + [arm(n, "5%") for n in range(3, 10)]
        refused(d, nine, 400, bad, "plan.ab.arms", "more than 8")
        twice = [arm(), arm(traffic="40%"), arm(3), arm(3)]
        refused(d, twice, 400, bad, "plan.ab.arms[3].version", "3")
        refused(d, [arm(), arm(traffic="90%"), arm(3)], 400, bad, "plan.ab.arms", "130%")
        refused(d, [arm(), arm(traffic="60%"), arm()], 400, bad, "plan.ab.arms[2].version",
                "missing")
        unknown = [arm(), arm(traffic="60%"), arm(9)]
        refused(d, unknown, 404, "VERSION_NOT_FOUND", "plan.ab.arms[2].version", "no version 9",
                version=2)
        own = [arm(), arm(traffic="60%"), arm(1)]
        refused(d, own, 400, "INVALID_ARGUMENT", "plan.ab.arms[2].version", "stable", version=2)
        same = [arm(), arm(traffic="60%"), arm(2)]
        refused(d, same, 400, "INVALID_ARGUMENT", "plan.ab.arms[2].version", "candidate",
                version=2)
        other = [arm(3), arm(traffic="80%")]
        refused(d, other, 400, "INVALID_ARGUMENT", "plan.ab.arms[0].version", "is version 2",
                version=2)
        named = [arm(name="stable"), arm(traffic="80%", name="candidate")]
        refused(d, named, 400, bad, "plan.ab.arms[0].name", "write stable second")
        expect_eq(d.get("/api/v1/models/m/release").status, 404, "nothing began")


main()
