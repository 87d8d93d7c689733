#!/usr/bin/env python3
"""lists.py - how long a page of a list takes, with few and with many in the list. [RG-112]

    bench/lists.py [--models 100000] [--versions 100000] [--pages 2000] [--check]

Two data directories, written by build/release/registry_bench: one with 1,000 models and 1,000
versions of one model, one with as many as asked for. A page is 100 items; pages are walked by their
tokens, first to last and over again, one client. The p99 with many must be at most twice that
with few. Printed as well: what one change (a tag) takes there, since it lays out a world.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
from hostile import rss
from slipway import Daemon

BUILD = os.path.join(ROOT, "build", "release")


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] * 1e3


def pages(daemons, path, n):
    """For each daemon median and p99 of n pages, in milliseconds; they take turns, so that whatever
    else the machine does meets all of them alike."""
    took, tokens = [[] for _ in daemons], [None] * len(daemons)
    conns = [d.conn(30) for d in daemons]
    for _ in range(n + 20):
        for i, c in enumerate(conns):
            began = time.perf_counter()
            reply = c.ask("GET", path + "?limit=100" + ("&page=" + tokens[i] if tokens[i] else ""))
            took[i].append(time.perf_counter() - began)
            assert reply.status == 200, reply
            tokens[i] = reply.json()["next"]
    for c in conns:
        c.close()
    return [(quantile(t[20:], 0.5), quantile(t[20:], 0.99)) for t in took]


def change_ms(d, n):
    took = []
    with d.conn(60) as c:
        for i in range(n):
            began = time.perf_counter()
            reply = c.ask("PATCH", "/api/v1/models/many", {"tags": {"i": str(i)}})
            took.append(time.perf_counter() - began)
            assert reply.status == 200, reply
    return quantile(took, 0.5)


def directory(models, versions):
    data = tempfile.mkdtemp(prefix="slipway-lists-")
    subprocess.run([os.path.join(BUILD, "registry_bench"), data, str(models), str(versions)],
                   check=True)
    return data


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--models", type=int, default=100000)
    args.add_argument("--versions", type=int, default=100000)
    args.add_argument("--pages", type=int, default=2000)
    args.add_argument("--check", action="store_true")
    args = args.parse_args()
    sizes = [(1000, 1000), (args.models, args.versions)]
    data = [directory(*size) for size in sizes]
    broken = []
    try:
        with Daemon(data=data[0], seconds=120) as few, Daemon(data=data[1], seconds=120) as many:
            for what, path in (("models", "/api/v1/models"),
                               ("versions", "/api/v1/models/many/versions")):
                (a, a99), (b, b99) = pages([few, many], path, args.pages)
                print("a page of %s: %.2f ms (p99 %.2f) with few, %.2f ms (p99 %.2f) with many: "
                      "p99 x %.2f" % (what, a, a99, b, b99, b99 / a99))
                if b99 > 2 * a99:  # RG-112
                    broken.append(what)
            for d, size in zip((few, many), sizes):
                print("%d models, %d versions of one: a change %.1f ms, %.0f MiB resident"
                      % (size + (change_ms(d, 20), rss(d.proc.pid) / 1048576)))
    finally:
        for path in data:
            shutil.rmtree(path, ignore_errors=True)
    if args.check and broken:
        sys.exit("broken: " + ", ".join(broken))


main()
