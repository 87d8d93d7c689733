#!/usr/bin/env python3
"""onnx_models.py - every ONNX test model of Debian's libonnx-testdata through the running daemon.

What ONNX Runtime itself answers right (expected.txt, made by reference.py) slipway must answer
right; the other models are counted by reason, with -v named. Then the whole networks of
networks.py, where they are. `make conformance`; words on the command line pick models.
SPDX-License-Identifier: MIT
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from models import in_venv

in_venv()
import networks
import served
from cases import DATA, all_cases
from slipway import Daemon


def progress(total):
    def show(n):
        if sys.stderr.isatty():
            print("\r  %d of %d" % (n, total), end="" if n < total else "\n", file=sys.stderr)
        elif n % 100 == 0:
            print("  %d of %d" % (n, total), flush=True)
    return show


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    loud = "-v" in sys.argv
    expected = served.expected()
    cases = [c for c in all_cases() if not words or any(w in c.name for w in words)]
    if not cases:
        print("SKIP all: no models in %s (package libonnx-testdata)" % DATA)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    began = time.monotonic()
    with Daemon(seconds=30) as d:
        found = served.run(d, cases, progress=progress(len(cases)))
        rows = networks.run(d) if not words else []
    passed = failed = 0
    others = {}
    for case in cases:
        reason, why = found[case.name]
        want = expected.get(case.name, "right")
        if want == "right" or reason == "broken":
            passed, failed = passed + (reason == "right"), failed + (reason != "right")
            if reason != "right":
                print("FAIL %s: %s: %s" % (case.name, reason, why))
        else:
            others.setdefault((want, reason), []).append((case.name, why))
    print("ONNX Runtime answers %d of these %d models right; slipway %d of those" %
          (sum(expected.get(c.name) == "right" for c in cases), len(cases), passed))
    for (want, reason), names in sorted(others.items()):
        print("  %3d  ONNX Runtime: %-18s slipway: %s" % (len(names), want, reason))
        for name, why in names if loud else []:
            print("         %s: %s" % (name, why))
    for name, wrong in rows:
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print("%s %s%s" % ("FAIL" if wrong else "  ok", name, ": " + wrong if wrong else ""))
    skipped = not words and not rows
    if skipped:
        print("SKIP networks: nothing in %s" % os.path.normpath(networks.FOLDER))
    print("in %.0f s" % (time.monotonic() - began))
    print("%d passed, %d failed" % (passed, failed) + (", 1 skipped" if skipped else ""))
    return 1 if failed else 0


sys.exit(main())
