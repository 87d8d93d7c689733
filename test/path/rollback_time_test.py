#!/usr/bin/env python3
# run: release
"""rollback_time_test.py - bar B6: how soon after the verdict the candidate is asked no more.
The time of the verdict is that of its event, the clock that of this machine for both.
SPDX-License-Identifier: MIT
"""
import datetime
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import want  # noqa: E402
from releases import BODY, begin, files, reaches, two, with_past  # noqa: E402
from slipway import Daemon, Failed, SLOW, expect, expect_eq, main, test, wait_for  # noqa: E402

CANARY = "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 60s}\nwarm_up: 0s\n"
CREW = 3


class Stamped:
    """Clients that ask one request after the other and keep when each began, and its arm."""

    def __init__(self, d):
        self.d, self.over, self.rows = d, threading.Event(), []
        self.crew = [threading.Thread(target=self.run) for _ in range(CREW)]
        for t in self.crew:
            t.start()

    def run(self):
        conn = None
        while not self.over.is_set():
            began = time.time()
            try:
                conn = conn or self.d.conn()
                reply = conn.ask("POST", "/v2/models/m/infer", BODY)
                row = (began, reply.headers.get("x-slipway-arm"), reply.status)
            except (OSError, AttributeError, Failed):
                conn, row = None, (began, None, 0)
            self.rows.append(row)
            time.sleep(0.002)

    def count(self):
        return len(self.rows)

    def wait(self, n):
        wait_for(lambda: self.count() >= n, 30, "%d answers" % n)

    def stop(self):
        self.over.set()
        for t in self.crew:
            t.join()


def wall(iso):
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def looks_are_judged_again(d, name):
    """What `release looks` prints is what `simulate --recorded` takes."""
    path = os.path.join(d.data, "looks.json")
    with open(path, "w") as f:
        f.write(want_cli(d, "release", "looks", name))
    said = json.loads(want_cli(d, "simulate", "--recorded", path, "--lanes", "blocks", "--json"))
    expect(said["was"]["harm"] and said["was"]["gate"] == "latency", said)
    expect_eq(said["was"]["looks"], said["would"]["looks"])
    expect(said["would"]["harm"] is False or said["would"]["lane"] in ("blocks", "spent"), said)


def want_cli(d, *words):
    done = d.cli(*words)
    expect_eq(done.returncode, 0, done.stdout, done.stderr)
    return done.stdout


def late_candidates():
    """Requests that the candidate answered later than a tenth of a second after the verdict."""
    with Daemon() as d:
        two(d, files(delay_us=30000))
        load = Stamped(d)
        try:
            with_past(load)
            begin(d, CANARY)
            told = reaches(d, "rolled_back", seconds=60 * SLOW)
            time.sleep(1)
        finally:
            load.stop()
        looks_are_judged_again(d, "m/%d" % told["release"])
        told = want(d.get("/api/v1/releases/m/%d" % told["release"]), 200, "release")
    move, = [m for m in told["moves"] if m["state"] == "rolled_back"]
    verdict = wall(move["at"])
    asked = [began for began, arm, _ in load.rows if arm == "candidate"]
    late = [row for row in load.rows if row[0] > verdict + 0.1 * SLOW]
    expect(len(asked) > 5 and len(late) > 50, len(asked), len(late))
    print("the last candidate request began %.1f ms after its release's event" %
          (1000 * (max(asked) - verdict)))
    expect_eq([row for row in load.rows if row[2] != 200], [])
    return [row for row in late if row[1] != "stable"]


@test
def b6_verdict_to_last_candidate_request_in_under_100_ms():
    """Once in three: a machine may stand still for longer."""
    for _ in range(3):
        found = late_candidates()
        if not found:
            return
    raise Failed("asked later than that: %s" % found)


main()
