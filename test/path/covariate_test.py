#!/usr/bin/env python3
# run: early
"""covariate_test.py - a metric relieved of what a covariate foretells (CUPED), held against a
computation of our own from the requests that were sent.
SPDX-License-Identifier: MIT
"""
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import begin, body, gate, release, two  # noqa: E402
from slipway import SLOW, Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

MATURITY = 4 * SLOW
PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 300s}
gates: {errors: off, latency: off, memory: off, cost: off, prediction: off, sample_ratio: off,
        metric: {on_harm: pause}}
metric: {name: revenue, cap: 100, maturity: %ds, covariate: "%s", covariate_cap: 50}
sticky_by: header:x-user
warm_up: 0s
"""


def mean(values):
    return sum(values) / len(values)


def variance(values):
    m = mean(values)
    return sum((v - m) ** 2 for v in values) / (len(values) - 1)


def cuped(arms):
    """arms: {name: [(x, y)]}; difference, theta and the part of the variance that goes."""
    both = arms["candidate"] + arms["stable"]
    mx, my = mean([x for x, _ in both]), mean([y for _, y in both])
    theta = sum((x - mx) * (y - my) for x, y in both) / sum((x - mx) ** 2 for x, _ in both)

    def square(t):
        return sum(variance([y - t * (x - mx) for x, y in arm]) / len(arm) for arm in arms.values())

    means = {name: mean([y - theta * (x - mx) for x, y in arm]) for name, arm in arms.items()}
    return means["candidate"] - means["stable"], theta, 1 - square(theta) / square(0)


def near(got, wanted, what):
    expect(got is not None and abs(got - wanted) < 1e-6 * max(1, abs(wanted)),
           "%s: %r, not %r" % (what, got, wanted))


def asked(d, n, users, field):
    """{user: (arm, covariate)}: what the first request of each user said, of n."""
    first, chance = {}, random.Random(3)
    wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
    time.sleep(1.5 * SLOW)  # every loop draws by the new weights
    ids = []
    with d.conn() as conn:
        for i in range(n):
            user = "u-%d" % (i if i < users else chance.randrange(users))
            before = round(chance.uniform(0, 40), 2)
            headers = {"x-request-id": "r-%d" % i, "x-user": user}
            request = json.loads(body(1, 2, 3, 4))
            if user not in first and i % 10 == 9:
                before = 0  # and it is not said
            elif field.startswith("header:"):
                headers[field.split(":")[1]] = str(before)
            else:
                request["parameters"] = {field.split(":")[1]: before}
            reply = conn.ask("POST", "/v2/models/m/infer", json.dumps(request).encode(), headers)
            expect_eq(reply.status, 200, reply.body)
            arm = reply.headers["x-slipway-arm"]
            first.setdefault(user, (arm, before))
            ids.append(("r-%d" % i, user))
    return first, ids


def is_judged_with(field):
    chance = random.Random(8)
    with Daemon() as d:
        two(d)
        begin(d, PLAN % (MATURITY, field))
        first, ids = asked(d, 500, 400, field)
        spent = {u: round(2 * before + chance.uniform(0, 15) - (8 if arm == "candidate" else 0) + 8,
                          3) for u, (arm, before) in first.items()}
        items = [{"request_id": i, "outcome": spent[u]} for i, u in ids]
        want(d.post("/api/v1/feedback", {"model": "m", "items": items}), 202, "feedback")
        arms = {"candidate": [], "stable": []}
        for user, (arm, before) in first.items():
            arms[arm].append((before, spent[user]))
        diff, theta, share = cuped(arms)
        expect(share > 0.8, share)

        def told():
            now = release(d)
            return now if now["feedback"]["arms"][0]["units"] == len(arms["candidate"]) and \
                now["feedback"]["arms"][1]["units"] == len(arms["stable"]) else None
        now = wait_for(told, 40, "all users")
        covariate = now["feedback"]["covariate"]
        expect_eq(covariate["name"], field.split(":")[1])
        near(covariate["variance_reduction"][0]["share"], share, "variance that goes")
        near(covariate["variance_reduction"][0]["theta"], theta, "theta")
        metric = gate(now, "metric")
        if metric["counts"]["candidate"][1] == len(arms["candidate"]):  # it fired with all of them
            near(metric["effect"]["value"], diff, "the difference")
        expect(metric["effect"]["lower"] < diff < metric["effect"]["upper"] < 0, metric)
        expect_eq(metric["state"], "harm")
        expect_in("%.0f%% less variance by %s" % (share * 100, covariate["name"]), metric["text"])
        expect_in("less variance by", d.cli("status", "m").stdout)
        wait_for(lambda: want(d.get("/api/v1/releases/m/1"), 200, "release")["state"] == "paused",
                 20, "the record")
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)
        expect_in("all the same, bit for bit", replay.stdout)


@test
def a_parameter_known_before_relieves_the_metric():
    is_judged_with("parameter:before")


@test
def a_header_known_before_relieves_the_metric():
    is_judged_with("header:x-before")


@test
def a_covariate_is_a_field_of_the_request():
    with Daemon() as d:
        two(d)
        for field in ("tenant", "cookie:spent", "parameter:"):
            said = begin(d, PLAN % (MATURITY, field), status=400)
            expect_eq(said["code"], "BAD_CONFIG")
            expect_in("metric.covariate", said["details"]["field"])


main()
