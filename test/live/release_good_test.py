#!/usr/bin/env python3
"""release_good_test.py - releases under load: what is good goes through, and no request
pays for it.
SPDX-License-Identifier: MIT
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from scene import CANARY, Scene  # noqa: E402
from slipway import SLOW, expect, expect_eq, main, test  # noqa: E402


@test
def a_good_version_goes_through_and_nothing_fails():
    with Scene(60, stable="model") as s:
        s.push("better")
        s.say("deploy", "digits", "--plan", s.plan(
            "strategy: canary\n"
            "steps: [{canary: {traffic: 10%, for: 5s}}, {canary: {traffic: 50%, for: 5s}}]\n"
            "on_inconclusive: advance\nwarm_up: 1s\n"))
        s.until(["completed"], 40)
        s.say("rollback", "digits")  # the way back, too
        s.until(["rolled_back"], 5)
        got, versions = s.leave()
        expect_eq(got["failed"], 0, "a switch failed requests")
        for number in (1, 2):
            expect(sum(v["answers"] for v in versions if v["version"] == number) > 1000, versions)


@test
def blue_green_switches_at_once_and_back():
    with Scene(40, stable="model") as s:
        s.push("better")
        s.say("deploy", "digits", "--strategy", "bluegreen")
        end = time.time() + 15 * SLOW
        while s.release()["weight"] < 0.9 and time.time() < end:
            time.sleep(0.05)
        expect(s.release()["weight"] >= 0.9, s.release())
        time.sleep(3)
        s.say("abort", "digits")
        expect_eq(s.release()["weight"], 0)
        got, _ = s.leave()
        expect_eq(got["failed"], 0, "a switch failed requests")


@test
def equal_versions_are_not_rolled_back():
    with Scene(60) as s:
        s.push("better")
        s.say("deploy", "digits", "--plan", s.plan(CANARY))
        while time.time() < s.began + 55:
            release = s.release()
            expect(release["state"] in ("pending", "running"), release)
            time.sleep(1)
        got, _ = s.leave()
        expect_eq(got["failed"], 0)


main()
