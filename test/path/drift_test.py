#!/usr/bin/env python3
# run: early
"""drift_test.py - requests that change while a release runs: in all arms alike, which is nobody's
fault, and between the arms, which says that the draw is broken. Both pause.
SPDX-License-Identifier: MIT
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from releases import begin, body, gate, reaches, release, two  # noqa: E402
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 300s}
gates: {errors: off, latency: off, memory: off, cost: off, sample_ratio: off%s}
warm_up: 0s
%s
"""


class Asking:
    """Some 200 requests a second; row(user) says what is asked, and may be changed."""

    def __init__(self, d, row, users=None):
        self.d, self.row, self.users = d, row, users
        self.over, self.n, self.bad = threading.Event(), 0, 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        chance = random.Random(5)
        with self.d.conn() as conn:
            while not self.over.is_set():
                user = self.users(chance) if self.users else "u"
                reply = conn.ask("POST", "/v2/models/m/infer", body(*self.row(chance, user)),
                                 {"x-user": user})
                self.bad += reply.status != 200
                self.n += 1
                time.sleep(0.004)

    def past(self):
        """Until requests of before the step can be told from others: 16 of a second are kept."""
        time.sleep(18)
        expect(self.n > 1000, self.n)

    def wait(self, more):
        until = self.n + more
        wait_for(lambda: self.n >= until, 40, "%d requests more" % more)


def usual(chance, _):
    return (chance.gauss(0, 1), chance.randrange(3), 7, chance.random())


def moved(chance, _):
    return (chance.gauss(0, 1), chance.randrange(3), 7, 0.6 + 0.4 * chance.random())


@test
def requests_that_drift_in_all_arms_pause_and_blame_nobody():
    with Daemon() as d:
        two(d)
        with Asking(d, usual) as asking:
            asking.past()
            begin(d, PLAN % (", prediction: off", ""))
            reaches(d, "running", step=0)
            asking.wait(1500)
            wait_for(lambda: gate(release(d), "input_drift")["counts"]["candidate"][1] > 200, 40,
                     "requests to be judged")
            now = release(d)
            expect_eq(gate(now, "input_drift")["state"], "inconclusive")
            expect_eq(now["state"], "running")
            asking.row = moved
            now = reaches(d, "paused", seconds=90)
        expect_eq(asking.bad, 0)
        says = gate(now, "input_drift")
        expect_eq((now["why"], says["state"], says["act"]), ("gate", "harm", "pause"))
        expect_eq(says["lane"], "before")
        expect_in("input drift, in all arms alike: x[3] is psi ", now["verdict"]["sentence"])
        expect(says["effect"]["value"] >= 0.25 and says["log_e"] >= says["bar"], says)
        expect_in("input drift, in all arms alike", d.cli("status", "m").stdout)
        time.sleep(4)  # looks go to the ledger every three seconds
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)
        expect_in("all the same, bit for bit", replay.stdout)


@test
def requests_that_differ_between_the_arms_say_that_the_draw_is_broken():
    arms = {}

    def by_arm(chance, user):
        row = usual(chance, user)
        return (row[0] + (3 if arms.get(user) == "candidate" else 0),) + row[1:]

    with Daemon() as d:
        two(d)
        with Asking(d, usual, lambda chance: "u-%d" % chance.randrange(100)) as asking:
            asking.past()
            begin(d, PLAN % (", input_drift: off", "sticky_by: header:x-user"))
            reaches(d, "running", step=0)
            wait_for(lambda: release(d)["weight"] == 0.5, 20, "half of the traffic")
            time.sleep(2)
            with d.conn() as conn:
                for n in range(100):
                    reply = conn.ask("POST", "/v2/models/m/infer", body(0, 1, 7, 0.5),
                                     {"x-user": "u-%d" % n})
                    arms["u-%d" % n] = reply.headers["x-slipway-arm"]
            asking.row = by_arm
            now = reaches(d, "paused", seconds=90)
        says = gate(now, "prediction")
        expect_eq((says["state"], says["lane"], says["arm"]), ("harm", "inputs", "candidate"))
        expect_in("inputs differ between the arms, x[0] by psi ", now["verdict"]["sentence"])
        expect_in("the draw is broken", now["verdict"]["sentence"])


@test
def a_clock_among_the_inputs_is_no_drift():
    count = [0.0]

    def counted(chance, user):
        count[0] += 1
        return usual(chance, user)[:3] + (count[0],)

    with Daemon() as d:
        two(d)
        with Asking(d, counted) as asking:
            asking.past()
            begin(d, PLAN % (", prediction: off", ""))
            asking.wait(2500)
            wait_for(lambda: gate(release(d), "input_drift")["counts"]["candidate"][1] > 200, 40,
                     "requests to be judged")
            expect_eq(release(d)["state"], "running")
            expect(gate(release(d), "input_drift")["effect"]["value"] < 0.25)


@test
def without_a_past_nothing_is_said_of_inputs():
    with Daemon() as d:
        two(d)
        begin(d, PLAN % ("", ""))
        with Asking(d, moved) as asking:
            asking.wait(600)
            wait_for(lambda: release(d)["verdict"], 20, "a verdict")
            expect_eq(gate(release(d), "input_drift")["state"], "idle")
            expect_eq(release(d)["state"], "running")


main()
