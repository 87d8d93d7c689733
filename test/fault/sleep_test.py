#!/usr/bin/env python3
"""sleep_test.py - a process that is stopped, as by SIGSTOP or with its whole machine, and goes on:
what it slept through is no proof of anything.
SPDX-License-Identifier: MIT
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from releases import Load, begin, reaches, release, say, two
from slipway import Daemon, expect, expect_eq, main, test, wait_for

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


main()
