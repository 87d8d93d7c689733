#!/usr/bin/env python3
"""scale.py - ten thousand tenants with a small model each: start, memory, publishing one change.

    bench/scale.py [--tenants 10000] [--events 0] [--check]

The data directory is written by build/release/scale_bench as a daemon would have left it; --events
adds history that changes nothing any more. Start: from exec to /readyz, with every model loaded,
after SIGKILL, without and with a snapshot. A change: freezes set and lifted by one client, so its
time is one commit, one world and one round of the loops. --check: exit 1 where a promise is broken.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
sys.path.insert(0, os.path.join(ROOT, "bench"))
from changes import BUILD, fdatasync_us, load
from hostile import rss
from slipway import Daemon, wait_for

START_S, PUBLISH_MS, TENANT_KIB = 10, 50, 64


def all_loaded(d):
    reply = d.get("/api/v1/status")
    return d.is_ready() and reply.status == 200 and reply.json()["server"]["loading"] == 0


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--tenants", type=int, default=10000)
    args.add_argument("--events", type=int, default=0)
    args.add_argument("--check", action="store_true")
    args = args.parse_args()
    data, broken = tempfile.mkdtemp(prefix="slipway-scale-"), []

    def say(what, value, unit, most):
        kept = value <= most
        broken.extend([] if kept else [what])
        print("%-40s %8.1f %-4s at most %g%s" %
              (what, value, unit, most, "" if kept else "  BROKEN"))

    try:
        events = subprocess.run([os.path.join(BUILD, "scale_bench"), data, str(args.tenants), "1",
                                 str(args.events)], check=True, stdout=subprocess.PIPE, text=True)
        print("%d tenants with a model each, %s events; fdatasync of one byte %.0f us" %
              (args.tenants, events.stdout.strip(), fdatasync_us(data)))
        with Daemon(data=data, seconds=120) as d:
            pass  # SIGTERM: what a clean stop leaves for the next start
        for how, stop in (("a clean stop", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)):
            d = Daemon(data=data, seconds=120)
            began = time.monotonic()
            d.start()
            wait_for(lambda: all_loaded(d), 120)
            took = time.monotonic() - began
            resident = rss(d.proc.pid)
            say("ready with every model, after " + how, took, "s", START_S)
            if stop == signal.SIGTERM:
                one = load(str(d.port), 3, 1, 0)["changes"]
                say("one change, p50", one["p50_us"] / 1e3, "ms", PUBLISH_MS)
                say("one change, p99", one["p99_us"] / 1e3, "ms", PUBLISH_MS)
                say("resident a tenant", resident / args.tenants / 1024, "KiB", TENANT_KIB)
            d.kill(signal.SIGKILL)
            d.clean()
        if args.check and broken:
            sys.exit("broken: " + ", ".join(broken))
    finally:
        shutil.rmtree(data, ignore_errors=True)


main()
