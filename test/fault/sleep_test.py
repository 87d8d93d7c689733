#!/usr/bin/env python3
# run: early
"""sleep_test.py - a process that is stopped, as by SIGSTOP or with its whole machine, and goes on:
what it slept through is no proof of anything.
SPDX-License-Identifier: MIT
"""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import FULL, check_error, infer_json
from models import echo, serve, spec
from releases import Load, begin, reaches, release, say, two
from slipway import Daemon, cases, expect, expect_eq, main, test, wait_for

PLAN = """
strategy: canary
on_inconclusive: advance
steps:
  - canary: {traffic: 20%, for: 12s, deadline: 12s}
  - canary: {traffic: 50%, for: 1h}
gates: {latency: off, memory: off, prediction: off, cost: off}
"""


@test
def cp_103_a_stopped_process_does_not_bake():
    """[CP-105, RO-111] Stopped for 14 s in a step of 12 s: it does not advance for that, and does
    once the step has been lived through."""
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        with Load(d, rate=100) as load:
            reaches(d, "running")
            load.wait(300)
            began = time.monotonic()
            before = release(d)["verdict"]["step_s"]
            os.kill(d.proc.pid, signal.SIGSTOP)
            time.sleep(14)
            os.kill(d.proc.pid, signal.SIGCONT)
            time.sleep(2.5)
            now = release(d)
            slept = now["verdict"]["step_s"] - before
            expect_eq((now["state"], now["step"]), ("running", 0))
            expect(slept < 8 and time.monotonic() - began > 16, slept)
            reaches(d, "running", step=1)
            expect(time.monotonic() - began > 14 + 12 - before - 4)
        say(d, "abort")
        wait_for(lambda: release(d)["state"] == "aborted")


def executed(d, model):
    stats = d.get("/v2/models/%s/stats" % model).json()["model_stats"][0]
    return stats["execution_count"]


@cases([("%d s" % s, s) for s in ((1, 5, 30, 120) if FULL else (3,))])
def CP_103_what_waited_past_its_deadline_is_not_run(seconds):
    """One instance, a third of a second a run, a deadline of 900 ms, and a crowd that waits: after
    the sleep only what was running is run. Changes that waited are made once."""
    with Daemon("--deadline", "900ms") as d:
        files = dict(echo([spec("x", "FP32", (-1, -1))], delay_us=330000))
        files["slipway.yaml"] = b"engine: echo\nlimits: {deadline: 900ms, instances: 1}\n"
        serve(d, "m", files)
        before, said = executed(d, "m"), []

        def ask():
            with d.conn(200) as c:
                said.append(c.ask("POST", "/v2/models/m/infer", infer_json()))

        def change():
            with d.conn(200) as c:
                said_change.append(c.ask("PUT", "/api/v1/flags/f", {
                    "state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}))
        said_change = []
        crew = [threading.Thread(target=ask) for _ in range(16)]
        crew.append(threading.Thread(target=change))
        for t in crew[:-1]:
            t.start()
        time.sleep(0.1)
        os.kill(d.proc.pid, signal.SIGSTOP)
        crew[-1].start()
        time.sleep(seconds)
        os.kill(d.proc.pid, signal.SIGCONT)
        for t in crew:
            t.join()
        late = [r for r in said if r.status != 200]
        for r in late:  # who was only read after the sleep may be told at once
            unread = r.status == 503
            check_error(r, 503 if unread else 504,
                        "DEADLINE_UNREACHABLE" if unread else "DEADLINE_EXCEEDED")
        expect(len(late) >= 14 or seconds < 2, "%d answers were late" % len(late))
        expect(executed(d, "m") - before <= (2 if seconds > 1 else 4), "%d of 16 were run"
               % (executed(d, "m") - before))
        expect_eq(said_change[0].status, 200)
        made = d.get("/api/v1/flag-history").json()["events"]
        expect_eq(len(made), 1, made)


class Throttled:
    """Runs a tenth of the time, as by a quota of its control group: 10 ms of each 100."""

    def __init__(self, d):
        self.pid, self.over = d.proc.pid, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            os.kill(self.pid, signal.SIGSTOP)
            time.sleep(0.09)
            os.kill(self.pid, signal.SIGCONT)
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@test
def CP_101_a_tenth_of_the_processor_is_slow_and_no_harm():
    """More load than that carries: health stays green, every answer is an answer or a refusal, the
    release that runs is neither advanced nor gone back from, and afterwards all is as before."""
    with Daemon() as d:
        two(d)
        begin(d, PLAN)
        with Load(d, rate=400, crew=4) as load:
            reaches(d, "running")
            load.wait(400)
            with Throttled(d):
                slowest, began = 0, time.monotonic()
                while time.monotonic() - began < 8:
                    asked = time.monotonic()
                    expect_eq((d.get("/healthz").status, d.get("/readyz").status), (200, 200))
                    slowest = max(slowest, time.monotonic() - asked)
                expect(slowest < 3, "health took %.1f s" % slowest)
                now = release(d)
                expect_eq(now["state"], "running")
            load.wait(load.count() + 200)
        statuses = {row[0] for row in load.seen}
        expect(statuses <= {200, 429, 503, 504}, load.seen)
        expect(load.count(status=200) > 400, load.seen)
        say(d, "abort")


main()
