#!/usr/bin/env python3
"""changes.py - acknowledged changes a second, and what predictions feel of them.

    bench/changes.py [--tenants N] [--clients 32] [--rate 500] [--for 5] [--check]

Each client sets and lifts a freeze on a model of its own, over HTTP, one after the other; a change
is counted when its 2xx is there: durable, and seen by every loop. First as many as can be, then the
promised number with predictions to one model beside them, at a fixed rate, which had run alone
before. The time of one fdatasync on the same disk is
printed beside it, for no change can be faster. --check: exit 1 where a promise is not kept.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
from slipway import Daemon

BUILD = os.path.join(ROOT, "build", "release")
CHANGES_PER_S, P99_RATIO = 2000, 1.10


def fdatasync_us(folder, rounds=51):
    """The median time of making one byte durable there."""
    took = []
    with open(os.path.join(folder, "probe"), "wb", buffering=0) as f:
        for _ in range(rounds):
            began = time.monotonic()
            f.write(b"x")
            os.fdatasync(f.fileno())
            took.append((time.monotonic() - began) * 1e6)
    os.unlink(os.path.join(folder, "probe"))
    return statistics.median(took)


def load(d, seconds, clients, rate, pace=0):
    out = subprocess.run([os.path.join(BUILD, "changes_bench"), str(d.port), str(seconds),
                          str(clients), str(rate), str(pace)], stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--tenants", type=int, default=1)
    args.add_argument("--clients", type=int, default=32)
    args.add_argument("--rate", type=float, default=500)
    args.add_argument("--for", dest="seconds", type=float, default=5)
    args.add_argument("--check", action="store_true")
    args = args.parse_args()
    subprocess.run(["make", "-s", "-C", ROOT, *("build/release/" + b for b in
                                               ("slipway", "scale_bench", "changes_bench"))],
                   check=True)
    data = tempfile.mkdtemp(prefix="slipway-changes-")
    try:
        subprocess.run([os.path.join(BUILD, "scale_bench"), data, str(args.tenants),
                        str(args.clients)], check=True, stdout=subprocess.DEVNULL)
        sync = fdatasync_us(data)
        with Daemon(data=data, seconds=60) as d:
            load(d, 1, 0, args.rate)
            alone = load(d, args.seconds, 0, args.rate)
            most = load(d, args.seconds, args.clients, 0)["changes"]
            beside = load(d, args.seconds, args.clients, args.rate, CHANGES_PER_S)
        changes, ratio = beside["changes"], 0.0
        if args.rate:
            ratio = beside["predictions"]["p99_us"] / alone["predictions"]["p99_us"]
        print("fdatasync of one byte        %8.0f us" % sync)
        print("changes acknowledged, most   %8.0f /s   by %d clients, %d tenants; promised %d" %
              (most["per_s"], args.clients, args.tenants, CHANGES_PER_S))
        print("  each took                  %8.1f ms   p50, %.1f ms p99" %
              (most["p50_us"] / 1e3, most["p99_us"] / 1e3))
        print("changes, one each %3.1f ms      %8.0f /s" % (1e3 / CHANGES_PER_S, changes["per_s"]))
        print("  each took                  %8.1f ms   p50, %.1f ms p99, %d refused" %
              (changes["p50_us"] / 1e3, changes["p99_us"] / 1e3, beside["refused"]))
        for name, was in (("alone", alone), ("beside changes", beside)):
            p = was["predictions"]
            print("predictions %-16s %8.0f us   p99, %d us p50, at %.0f /s" %
                  (name, p["p99_us"], p["p50_us"], p["per_s"]))
        print("  p99 beside / alone         %8.2f      promised %.2f" % (ratio, P99_RATIO))
        if args.check and (most["per_s"] < CHANGES_PER_S or ratio > P99_RATIO):
            sys.exit(1)
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
