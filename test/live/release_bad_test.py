#!/usr/bin/env python3
"""release_bad_test.py - releases under load: what is bad is found and gone within the time that
simulation promises, and no request pays for it.
SPDX-License-Identifier: MIT
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from scene import CANARY, Scene  # noqa: E402
from slipway import SLOW, expect, expect_eq, main, test  # noqa: E402

PULSE_S = 1


def found(scene, seconds, what):
    """The release is rolled back; tells when, and that nobody met the candidate after."""
    began = time.time()
    release = scene.until(["rolled_back", "aborted"], seconds)
    at = scene.moved_at("rolled_back")
    got, versions = scene.leave()
    mine = [v for v in versions if v["candidate"]]
    expect(len(mine) == 1, versions)
    mine = mine[0]
    last = mine["last_ms"] / 1000
    print("%s: zero traffic %.1f s after the deploy (bar %g s); last candidate request %+.0f ms "
          "after the verdict; %d candidate answers; %s" %
          (what, at - began, seconds, (last - at) * 1000,
           mine["answers"], release["verdict"]["sentence"]))
    expect(at - began <= seconds * SLOW, "found after %.1f s" % (at - began))
    expect(last - at < PULSE_S * SLOW, "candidate requests %.0f ms after the verdict" %
           ((last - at) * 1000))
    return got, versions


@test
def a_slow_tail_is_found_and_gone():
    with Scene(60) as s:
        s.push("slow")
        s.say("deploy", "digits", "--plan", s.plan(CANARY))
        # B3: tail-only within 30 s in 99 % of runs; half as long again, and the pulse
        got, _ = found(s, 30 * 1.5 + PULSE_S, "slow tail")
        expect_eq(got["failed"], 0, "the switch failed requests")


@test
def errors_are_found_and_gone():
    with Scene(110) as s:
        s.say("deploy", "digits", "--rehearse", "errors 1%", "--plan", s.plan(CANARY))
        found(s, 60 * 1.5 + PULSE_S, "errors 0 -> 1 %")


@test
def half_of_the_answers_failing_is_found_at_once():
    with Scene(30) as s:
        s.say("deploy", "digits", "--rehearse", "errors 50%", "--plan", s.plan(CANARY))
        found(s, 3 * 1.5 + PULSE_S, "errors 50 %")


@test
def wrong_answers_are_found_in_the_shadow():
    with Scene(40) as s:
        s.push("wrong")
        s.say("deploy", "digits", "--strategy", "shadow")
        release = s.until(["rolled_back"], 20)
        got, versions = s.leave()
        print("wrong answers: %s" % release["verdict"]["sentence"])
        expect_eq([v["version"] for v in versions], [1], "the shadow answered somebody")
        expect_eq(got["failed"], 0)
        expect(release["shadow"]["worst"], "no pair to look at")


main()
