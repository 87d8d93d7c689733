#!/usr/bin/env python3
"""simulate_test.py - `slipway simulate` as people and scripts call it.
SPDX-License-Identifier: MIT
"""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import BIN, expect, expect_eq, main, test


def simulate(*words):
    done = subprocess.run([BIN, "simulate", *words], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def cases(*words):
    rc, out, err = simulate("--json", *words)
    expect_eq(rc, 0, err)
    return json.loads(out)["cases"]


def refused(*words, rc=2, says):
    got, out, err = simulate(*words)
    expect_eq(got, rc, err)
    expect(says in err, "%r does not say %r" % (err, says))
    expect_eq(out, "")


@test
def a_bad_candidate_is_caught_long_before_the_rivals_say_so():
    case, = cases("--scenario", "uniform:2", "--runs", "20", "--seconds", "900")
    expect_eq(case["caught"], 20)
    expect(case["delay_s"]["p99"] <= 10)
    rivals = {r["rule"]: r for r in case["rivals"]}
    expect(rivals["threshold"]["delay_s"]["p50"] >= 10 * case["delay_s"]["p99"])
    expect_eq(case["rollbacks_by"][0]["gate"], "latency")


@test
def the_same_seed_gives_the_same_whatever_the_threads():
    words = ("--scenario", "tail:2+b1,null", "--runs", "12", "--seconds", "300", "--rps", "300")
    one, many = cases("--threads", "1", *words), cases("--threads", "5", *words)
    expect_eq(one, many)
    other = cases("--seed", "77", *words)
    expect(other[0]["delay_s"] != one[0]["delay_s"] or other[0]["harmed"] != one[0]["harmed"])


@test
def people_get_a_table():
    rc, out, err = simulate("--runs", "4", "--seconds", "400", "--scenario", "null,tail:3")
    expect_eq(rc, 0, err)
    for word in ("SCENARIO", "slipway", "threshold", "kayenta once", "naive z", "tail:3", "took"):
        expect(word in out, "%r is not in\n%s" % (word, out))


@test
def what_is_wrong_is_named():
    refused("--scenario", "uniform:x", says="'uniform:x' is no part of a scenario")
    refused("--scenario", "shared", says="needs bursts")
    refused("--share", "150%", says="is no share")
    refused("--lanes", "fast", says="'all' or 'blocks'")
    refused("--quick", says="goes with --bars")
    refused("--rps", "9999999", says="the rate must lie")
    refused("--plan", "/nonexistent", rc=4, says="No such file")
    refused("--recorded", "/nonexistent", rc=4, says="No such file")


@test
def a_plan_is_walked_and_a_bad_one_refused():
    with tempfile.TemporaryDirectory() as at:
        good, bad = os.path.join(at, "good.yaml"), os.path.join(at, "bad.yaml")
        with open(good, "w") as f:
            f.write("strategy: canary\nsteps:\n  - canary: {traffic: 5%, for: 5m}\n"
                    "  - canary: {traffic: 50%, for: 5m}\n")
        with open(bad, "w") as f:
            f.write("strategy: canary\ngates:\n  latencies: {margin: 1.5}\n")
        case, = cases("--plan", good, "--scenario", "null", "--runs", "4", "--errors", "0.01%")
        expect_eq((case["false_rollbacks"], case["completed"]), (0, 4))
        refused("--plan", bad, says="latencies")


def record(path, seconds, arms, slow=1):
    chance = random.Random(5)
    with open(path, "w") as f:
        f.write("t,arm,latency_us,error\n")
        for s in range(seconds):
            for i in range(60):
                arm = "candidate" if arms == 2 and s >= seconds // 2 and i % 10 == 0 else "stable"
                us = chance.lognormvariate(9.9, 0.69) * (slow if arm == "candidate" else 1)
                f.write("%d.%02d,%s,%d,%d\n" % (s, i, arm, us, chance.random() < 0.002))


@test
def recorded_traffic_is_tried_against_itself():
    with tempfile.TemporaryDirectory() as at:
        path = os.path.join(at, "traffic.csv")
        record(path, 900, 1)
        case, = cases("--recorded", path, "--runs", "10")
        expect_eq((case["false_rollbacks"], case["runs"]), (0, 10))
        case, = cases("--recorded", path, "--runs", "10", "--scenario", "uniform:3")
        expect_eq(case["caught"], 10)
        refused("--recorded", path, "--scenario", "b1", says="of its own")


@test
def a_recorded_release_is_judged_as_it_was():
    with tempfile.TemporaryDirectory() as at:
        path = os.path.join(at, "release.csv")
        record(path, 900, 2, slow=4)
        case, = cases("--recorded", path)
        expect_eq((case["runs"], case["false_rollbacks"]), (1, 1))
        record(path, 900, 2)
        case, = cases("--recorded", path)
        expect_eq((case["runs"], case["false_rollbacks"]), (1, 0))


@test
def a_recording_with_a_bad_line_is_refused_with_its_number():
    with tempfile.TemporaryDirectory() as at:
        path = os.path.join(at, "traffic.csv")
        with open(path, "w") as f:
            f.write("t,arm,latency_us,error\n1,stable,5,0\n2,green,5,0\n")
        refused("--recorded", path, says="line 3: arm")
        with open(path, "w") as f:
            f.write('{"looks": [{"look": 0, "hex": "zz"}]}')
        refused("--recorded", path, says="look 0 of it: 'hex'")
        with open(path, "w") as f:
            f.write('{"looks": []}')
        refused("--recorded", path, says="there are no looks")
        with open(path, "w") as f:
            f.write('{"look": 0')
        refused("--recorded", path, says="it is not JSON")


main()
