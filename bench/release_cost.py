#!/usr/bin/env python3
"""release_cost.py - instructions a request takes with and without a release, or limits, counted by
valgrind.

    bench/release_cost.py [--check] [MODE...]   --check: 3 % more is a broken promise

Each mode of release_bench.c runs with N and with 2 N requests; the difference is free of start-up.
The socket and the kernel are not in it, so what is printed is more than the daemon's share.
SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "build", "release", "release_bench")
N = 2000
PROMISE = 3.0  # per cent
MODES = [("plain", "no release"), ("canary", "canary, 5 % by request"),
         ("sticky", "canary, 5 % by header"), ("remember", "that, each answer remembered"),
         ("segments", "canary by header and two segment fields"),
         ("limited", "no release, each limit a tenant can have"),
         ("inner", "that, and the same of the model"),
         ("refused", "no release, refused for a limit")]
DEAREST = {"canary": PROMISE, "sticky": PROMISE, "remember": PROMISE, "segments": PROMISE,
           "limited": PROMISE}


def instructions(mode, n):
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", BENCH,
                          mode, str(n)], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        sys.exit("release_bench %s: %s" % (mode, run.stdout + run.stderr[-500:]))
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def main():
    subprocess.run(["make", "-s", "build/release/release_bench"], cwd=ROOT, check=True)
    base, broken = None, False
    print("%-40s %12s %8s" % ("user instructions per request", "count", "more"))
    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    for mode, what in MODES:
        if asked and mode not in asked + ["plain"]:
            continue
        each = (instructions(mode, 2 * N) - instructions(mode, N)) / N
        base = base or each
        more = 100 * (each / base - 1)
        print("%-40s %12.0f %7.2f%%" % (what, each, more))
        broken |= more >= DEAREST.get(mode, more + 1)
    sys.exit(broken and "--check" in sys.argv)


main()
