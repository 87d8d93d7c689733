#!/usr/bin/env python3
# run: early
"""release_words_test.py - what a person reads about a release: when the fault began, what is
missing before a deploy, what the words mean, what to do next.
SPDX-License-Identifier: MIT
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import serve  # noqa: E402
from releases import Load, begin, files, gate, reaches, two, with_past  # noqa: E402
from slipway import SLOW, Daemon, expect, expect_eq, expect_in, main, test  # noqa: E402

PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%, for: 60s}
warm_up: 0s
"""
LATENCY_OFF = PLAN + "gates: {latency: off}\n"


@test
def a_deploy_without_history_warns_and_one_with_history_does_not():
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            load.wait(30)
            for more in ({}, {"rehearse": "slow x2"}):
                said = begin(d, PLAN, **more)
                warning, = [w for w in said["warnings"] if "no history" in w]
                expect_in("%s again" % ("rehearse" if more else "deploy"), warning)
                d.post("/api/v1/models/m/release/abort", {})
                reaches(d, "aborted")
            said = begin(d, LATENCY_OFF)
            expect_eq([w for w in said["warnings"] if "no history" in w], [])
            d.post("/api/v1/models/m/release/abort", {})
            with_past(load)
            said = begin(d, PLAN)
            expect_eq([w for w in said["warnings"] if "no history" in w], [])


@test
def the_first_bad_second_is_the_one_in_which_the_fault_began():
    with Daemon() as d:
        serve(d, "m", files())
        with Load(d) as load:
            with_past(load)
            begin(d, None, rehearse="errors 100% @20s")
            reaches(d, "running")
            began = time.monotonic()
            now = reaches(d, "rolled_back", seconds=120)
            expect(time.monotonic() - began > 15, "before the fault began")
        errors = gate(now, "errors")
        fault = 20  # seconds after it was loaded, which is a little before its first look
        expect(fault - 3 * SLOW <= errors["first_bad_s"] <= fault + 25 * SLOW, errors)
        expect(errors["first_bad_s"] <= errors["fired_s"], errors)
        told = json.loads(d.cli("release", "show", "m/1", "--json").stdout)["moves"][-1]["verdict"]
        recorded, = [g for g in told["gates"] if g["gate"] == "errors"]
        expect_eq(recorded["first_bad_s"], errors["first_bad_s"])
        replay = json.loads(d.cli("release", "replay", "m/1", "--json").stdout)
        expect_eq((replay["equal"], replay["differ"], replay["older"]), (True, 0, 0))
        expect(replay["verdicts"] >= 1, replay)
        shown = d.cli("release", "show", "m/1").stdout
        expect_in("since second %.0f" % errors["first_bad_s"], shown.replace("\n", " "))


@test
def the_words_have_a_glossary():
    with Daemon() as d:
        words = d.cli("help", "states").stdout
        for word in ("pending", "rolled_back", "settled", "superseded", "inconclusive"):
            expect_in(word, words)
        states = json.loads(d.cli("help", "states", "--json").stdout)
        expect_eq(len(states["states"]), 9)
        expect_eq([v["verdict"] for v in states["verdicts"]],
                  ["undecided", "no_data", "passed", "overdue", "pause", "harm"])
        expect_eq(set(states), {"states", "whys", "verdicts", "gate_states", "reasons", "lanes"})
        expect(all(row["meaning"] for rows in states.values() for row in rows), states)
        expect_in("help states", d.cli("help").stdout)


@test
def feedback_for_an_unknown_model_says_what_to_do():
    with Daemon() as d:
        done = d.cli("feedback", "nosuch", "--request", "r-1", "--outcome", "1")
        expect_eq(done.returncode, 4, done.stderr)
        expect_in("model 'nosuch' is not known; 'slipway status' lists", done.stderr)


@test
def a_rehearsal_gets_one_percent_and_waits_for_approvals_like_any_release():
    plan = """strategy: canary
steps:
  - shadow: {for: 2s, requests_min: 1, approve: {count: 1, role: approver}}
  - canary: {traffic: 50%, for: 60s}
warm_up: 0s
gates: {latency: off, memory: off, errors: off, disagreement: off, cost: off, prediction: off}
"""
    with Daemon() as d:
        serve(d, "m", files())
        with Load(d):
            said = begin(d, plan, rehearse="slow 1ms")
            expect_eq(said["plan"]["steps"][1]["canary"]["traffic"], "1%", said["plan"])
            now = reaches(d, "waiting", seconds=30)
            expect_eq((now["weight"], now["step"], now["approvals"]["want"]), (0, 0, 1), now)


main()
