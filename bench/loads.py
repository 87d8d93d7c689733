#!/usr/bin/env python3
"""loads.py - what predictions feel of other models being loaded and unloaded.

    bench/loads.py [--mib 32] [--rate 1000] [--for 40] [--check]

Predictions to one small model at a fixed rate, in stretches of half a second of four kinds, by
turns: nothing else happens; an ONNX model of that many MiB is loaded and unloaded here, again and
again; nothing; the same at another daemon beside (the decoy), so that the machine has as much to do
but this process has not. The p99 of each stretch is taken, and the median over the stretches of a
kind, since what else the machine does comes in bursts. --check: exit 1 when loading here raises it
by more than is promised over nothing at all. Needs ONNX Runtime (make deps).
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[1:1] = [os.path.join(ROOT, "test", "lib"), os.path.join(ROOT, "bench", "models")]
import make_models as onnx  # noqa: E402
import models  # noqa: E402
from slipway import Daemon, expect_eq  # noqa: E402

BUILD = os.path.join(ROOT, "build", "release")
STRETCH, P99_RATIO = 0.5, 1.15
HERE, DECOY = 1, 3  # of four stretches


def wide(mib):
    """A network of layers of 1,024 by 1,024, of about that many MiB."""
    n, layers = 1024, max(1, mib // 4)
    row = struct.pack("<%df" % n, *((i % 13 - 6) / 1000 for i in range(n)))
    nodes, inits, last = [], [], "x"
    for k in range(layers):
        inits.append(onnx.tensor("w%d" % k, onnx.FLOAT, [n, n], row * n))
        nodes.append(onnx.node("MatMul", [last, "w%d" % k], ["h%d" % k], name="m%d" % k))
        last = "h%d" % k
    nodes.append(onnx.node("Relu", [last], ["y"], name="end"))
    io = [onnx.value(name, onnx.tensor_type(onnx.FLOAT, ["rows", n])) for name in ("x", "y")]
    return onnx.model(onnx.graph("wide", nodes, io[:1], io[1:], inits))


def loading(daemons, begin, seconds, took):
    """Loads and unloads, as long as there is time for another in the stretch."""
    now = time.monotonic()
    while now < begin + seconds:
        n = int((now - begin) / STRETCH) if now >= begin else -1
        d = {HERE: daemons[0], DECOY: daemons[1]}.get(n % 4) if n >= 0 else None
        left = begin + (n + 1) * STRETCH - now
        longest = max(took[-20:], default=0.05)
        if not d or left < longest:
            time.sleep(max(0.001, min(left, 0.05)))
        else:
            expect_eq(models.deploy(d, "wide", 1).status, 200)
            expect_eq(models.unload(d, "wide").status, 200)
            took.append(time.monotonic() - now)
        now = time.monotonic()


def measure(daemons, rate, seconds):
    begin = time.monotonic() + 0.5
    took = []
    loader = threading.Thread(target=loading, args=(daemons, begin, seconds, took))
    loader.start()
    out = subprocess.run([os.path.join(BUILD, "changes_bench"), str(daemons[0].port), str(seconds),
                          "0", str(rate), "0", str(int(begin * 1e6))],
                         stdout=subprocess.PIPE, check=True)
    loader.join()
    figures = json.loads(out.stdout)
    expect_eq(figures["failed"], 0)
    return figures["stretches"], took


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--mib", type=int, default=32)
    args.add_argument("--rate", type=float, default=1000)
    args.add_argument("--for", dest="seconds", type=float, default=40)
    args.add_argument("--check", action="store_true")
    args = args.parse_args()
    subprocess.run(["make", "-s", "-C", ROOT, "build/release/slipway",
                    "build/release/changes_bench"], check=True)
    with Daemon() as d, Daemon() as decoy:
        for each in (d, decoy):
            models.serve(each, "digits-0", models.linear([[0]], [1]))
            models.push(each, "wide", {"model.onnx": wide(args.mib)})
        measure([d, decoy], args.rate, 4)
        each, took = measure([d, decoy], args.rate, args.seconds)
        if not took:
            sys.exit("not one load in %g s" % args.seconds)
    kinds = [statistics.median(each[kind::4]) for kind in range(4)]
    idle = statistics.median(each[0::2])
    print("loads of %d MiB: %d, each with its unload %.0f ms" %
          (args.mib, len(took), statistics.median(took) * 1e3))
    print("predictions at %g /s, p99: nothing else %.0f us, loads elsewhere %.0f us, loads here "
          "%.0f us" % (args.rate, idle, kinds[DECOY], kinds[HERE]))
    ratio = kinds[HERE] / idle
    print("  here / nothing %.2f  promised %.2f; here / elsewhere %.2f; nothing / nothing %.2f" %
          (ratio, P99_RATIO, kinds[HERE] / kinds[DECOY], kinds[2] / kinds[0]))
    if args.check and ratio > P99_RATIO:
        sys.exit(1)


if __name__ == "__main__":
    main()
