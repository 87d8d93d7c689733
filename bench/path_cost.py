#!/usr/bin/env python3
"""path_cost.py - user instructions of each part of the request path, counted by callgrind.

    make bench-check         compares with bench/baseline.txt: more than 3 % more is a failure
    bench/path_cost.py --write    makes what is counted now the baseline: a reason in the commit

release_bench.c runs N and 2 N requests, the difference is free of start-up. No two heads in a row
are alike; again is the part of the head where they are. A count does not care
how busy the machine is, but it is the compiler's and the C library's as well: the baseline is of
Debian 12. The engine's own work is counted apart and held to nothing, for ONNX Runtime picks its
kernels by processor; the kernel's work is not in it at all.
SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "build", "release", "release_bench")
BASELINE = os.path.join(ROOT, "bench", "baseline.txt")
N = 2000
ALLOWED = 3.0  # per cent
PARTS = {"head": "h1_feed", "route": "model_named", "decode": "decode_stage",
         "encode": "encode_stage", "record": "record_stage", "engine": "onnx_run"}


def counts(n, mode="plain"):
    """{part: instructions} of n requests, those of what it calls included."""
    with tempfile.TemporaryDirectory(prefix="slipway-cost-") as folder:
        out = os.path.join(folder, "out")
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, BENCH,
                              mode, str(n)], cwd=ROOT, capture_output=True, text=True)
        if run.returncode:
            sys.exit("release_bench: %s" % (run.stdout + run.stderr[-500:]))
        text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100",
                               "--auto=no", out], capture_output=True, text=True).stdout
    found = {"all": int(re.search(r"([\d,]+) \(100.0%\)  PROGRAM", text)[1].replace(",", ""))}
    for part, function in PARTS.items():
        rows = re.findall(r"([\d,]+) \([ \d.]+%\)  \S*:" + function + r" \[", text)
        if not rows:
            sys.exit("callgrind shows no %s" % function)
        found[part] = max(int(row.replace(",", "")) for row in rows)
    return found


def measure():
    once, twice = counts(N), counts(2 * N)
    each = {part: (twice[part] - once[part]) / N for part in once}
    each["path"] = each.pop("all") - each["engine"]
    each["again"] = (counts(2 * N, "same")["head"] - counts(N, "same")["head"]) / N
    return each


def baseline():
    with open(BASELINE) as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith("#")]
    return {part: float(count) for part, count in rows}


def main():
    if not shutil.which("valgrind"):
        print("SKIP: no valgrind here (make deps-bench)")
        return 0
    subprocess.run(["make", "-s", "build/release/release_bench"], cwd=ROOT, check=True)
    now = measure()
    if "--write" in sys.argv:
        with open(BASELINE, "w") as f:
            f.write("# user instructions a request, by bench/path_cost.py --write: MLP 16-64-64-4,"
                    " V2 JSON\n")
            f.writelines("%-8s %6.0f\n" % row for row in now.items())
    was, worse = baseline(), False
    print("%-8s %10s %10s %8s" % ("part", "baseline", "now", "more"))
    for part, count in now.items():
        more = 100 * (count / was.get(part, count) - 1)
        failed = more > ALLOWED and part != "engine"
        worse |= failed
        print("%-8s %10.0f %10.0f %7.2f%%%s" % (part, was.get(part, count), count, more,
                                                "  MORE THAN 3 %" if failed else ""))
    return 1 if worse else 0


sys.exit(main())
