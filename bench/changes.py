#!/usr/bin/env python3
"""changes.py - acknowledged changes a second, and what predictions feel of them.

    bench/changes.py [--tenants N] [--clients 32] [--rate 500] [--for 20] [--check]

Each client sets and lifts a freeze on a model of its own, over HTTP, one after the other; a change
is counted when its 2xx is there: durable, and seen by every loop. First as many as can be. Then the
promised number, with predictions to one model beside them at a fixed rate, in stretches of half a
second: in every second one the changes go to another daemon beside (the decoy), so that the machine
has the same to do in both. What is left of a difference is what the daemon's own changes do to its
predictions; two halves of the quiet stretches are compared, too: so far do equal ones differ. The
time of one fdatasync on the same disk is printed beside it, for no change can be faster. --check:
exit 1 where a promise is not kept.
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


def load(ports, seconds, clients, rate, pace=0):
    out = subprocess.run([os.path.join(BUILD, "changes_bench"), ports, str(seconds), str(clients),
                          str(rate), str(pace)], stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def compared(figures):
    """p99 loud over quiet, and quiet over quiet: medians over stretches, since what else the
    machine does comes in bursts."""
    each = figures["stretches"]
    loud, quiet, other = (statistics.median(x) for x in (each[1::2], each[0::4], each[2::4]))
    return loud / statistics.median(each[0::2]), other / quiet


def directory(args):
    data = tempfile.mkdtemp(prefix="slipway-changes-")
    subprocess.run([os.path.join(BUILD, "scale_bench"), data, str(args.tenants),
                    str(args.clients)], check=True, stdout=subprocess.DEVNULL)
    return data


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--tenants", type=int, default=1)
    args.add_argument("--clients", type=int, default=32)
    args.add_argument("--rate", type=float, default=500)
    args.add_argument("--for", dest="seconds", type=float, default=20)
    args.add_argument("--check", action="store_true")
    args = args.parse_args()
    subprocess.run(["make", "-s", "-C", ROOT, *("build/release/" + b for b in
                                               ("slipway", "scale_bench", "changes_bench"))],
                   check=True)
    data = [directory(args), directory(args)]
    try:
        sync = fdatasync_us(data[0])
        with Daemon(data=data[0], seconds=60) as d, Daemon(data=data[1], seconds=60) as decoy:
            load("%d:%d" % (d.port, decoy.port), 2, args.clients, args.rate, CHANGES_PER_S)
            most = load(str(d.port), 5, args.clients, 0)["changes"]
            beside = load("%d:%d" % (d.port, decoy.port), args.seconds, args.clients, args.rate,
                          CHANGES_PER_S)
    finally:
        for path in data:
            shutil.rmtree(path, ignore_errors=True)
    changes = beside["changes"]
    print("fdatasync of one byte        %8.0f us" % sync)
    print("changes acknowledged, most   %8.0f /s   by %d clients, %d tenants; promised %d" %
          (most["per_s"], args.clients, args.tenants, CHANGES_PER_S))
    print("  each took                  %8.1f ms   p50, %.1f ms p99" %
          (most["p50_us"] / 1e3, most["p99_us"] / 1e3))
    print("changes, one each %3.1f ms      %8.0f /s" % (1e3 / CHANGES_PER_S, changes["per_s"] * 2))
    print("  each took                  %8.1f ms   p50, %.1f ms p99, %d refused" %
          (changes["p50_us"] / 1e3, changes["p99_us"] / 1e3, beside["refused"]))
    if not args.rate:
        return
    for name, kind in (("changes to the decoy", "quiet"), ("changes to it", "loud")):
        p = beside[kind]
        print("predictions, %-20s %8.0f us p99, %6d us p90, %6d us p50, at %.0f /s" %
              (name, p["p99_us"], p["p90_us"], p["p50_us"], p["per_s"]))
    ratio, halves = compared(beside)
    print("  p99 loud / quiet           %8.2f      promised %.2f; quiet / quiet %.2f (medians of "
          "stretches)" % (ratio, P99_RATIO, halves))
    if args.check and (most["per_s"] < CHANGES_PER_S or ratio > P99_RATIO):
        sys.exit(1)


if __name__ == "__main__":
    main()
