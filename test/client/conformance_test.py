#!/usr/bin/env python3
"""conformance_test.py - a sample of the ONNX test models through the daemon: every 20th of those
that ONNX Runtime itself answers right. `make conformance` does them all.
SPDX-License-Identifier: MIT
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "conformance")]
from models import in_venv

in_venv()
import served
from cases import DATA, all_cases
from slipway import Daemon, expect, main, skip, test


@test
def every_20th_model_is_answered_as_onnx_runtime_does():
    expected = served.expected()
    cases = [c for c in all_cases() if expected.get(c.name) == "right"][::20]
    if not cases:
        skip("no models in %s (package libonnx-testdata)" % DATA)
    with Daemon(seconds=30) as d:
        found = served.run(d, cases)
    wrong = ["%s: %s: %s" % (n, *r) for n, r in found.items() if r[0] != "right"]
    expect(not wrong, "%d of %d models:\n  %s" % (len(wrong), len(cases), "\n  ".join(wrong)))
    expect(len(found) == len(cases) >= 40, "only %d models" % len(found))


main()
