#!/usr/bin/env python3
"""looks_kept_test.py - looks are kept for the newest releases of a model; who replays one whose
looks are gone is told so by name.
SPDX-License-Identifier: MIT
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import Load, begin, reaches, say, two  # noqa: E402
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%, for: 60s}
warm_up: 0s
"""


def released(d):
    begin(d, PLAN)
    now = reaches(d, "running")
    wait_for(lambda: want(d.get("/api/v1/models/m/release"), 200, "r")["verdict"]
             and want(d.get("/api/v1/models/m/release"), 200, "r")["verdict"]["look"] > 2, 20,
             "some looks")
    want(say(d, "abort"), 200, "abort")
    reaches(d, "aborted")
    return now["release"]


@test
def a_release_whose_looks_were_pruned_says_so():
    with Daemon("--looks-releases", "2") as d:
        two(d)
        with Load(d):
            for n in (1, 2, 3):
                expect_eq(released(d), n)
            for n in (2, 3):
                done = d.cli("release", "replay", "m/%d" % n)
                expect_eq(done.returncode, 0, done.stdout, done.stderr)
            wait_for(lambda: d.get("/api/v1/releases/m/1/looks").status == 404, 30,
                     "the first release's looks to go")
            done = d.cli("release", "replay", "m/1")
            expect_eq(done.returncode, 4, done.stdout, done.stderr)
            for word in ("release m/1 were pruned at 20", "looks-releases", "release show"):
                expect_in(word, done.stderr)
            shown = d.cli("release", "show", "m/1")
            expect_eq(shown.returncode, 0, shown.stderr)
            expect_in("aborted", shown.stdout)
            begin(d, PLAN)  # one that runs is never pruned
            reaches(d, "running")
            expect_eq(d.get("/api/v1/releases/m/3/looks").status, 200)
        d.kill()
        d.start()
        wait_for(d.is_ready)
        expect_in("were pruned", d.cli("release", "replay", "m/1").stderr)
        expect(d.get("/api/v1/releases/m/3/looks").json()["looks"], "kept")


@test
def nonsense_is_refused_at_the_start():
    with Daemon() as d:
        for flag, value in (("--looks-releases", "0"), ("--looks-kept", "0s"),
                            ("--looks-kept", "soon")):
            done = d.cli("serve", "--check", flag, value)
            expect(done.returncode != 0, flag, value)
            expect_in(flag[2:].replace("-", "_"), done.stderr.replace("-", "_"))


main()
