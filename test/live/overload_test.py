#!/usr/bin/env python3
# run: alone
"""overload_test.py - the overload bars, shortened: ratios within one run, each measured once more,
whole, where it fails (which is said), since what else the machine does comes in bursts. The bars
are those of docs/load.md and no looser. `make bench T=OV-nn` measures them in full.
SPDX-License-Identifier: MIT
"""
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
sys.path.insert(0, os.path.join(ROOT, "bench", "overload"))
from slipway import BIN, Failed, main, skip, test  # noqa: E402
import rig  # noqa: E402
import fair, refuse, batching, caching, switching  # noqa: E401, E402, F401

# What each asserts here; bench/overload measures more of each. What compares times or rates of two
# loads needs cores of its own for seconds, so it is `make bench T=OV-nn` that judges it.
ASSERTED = {
    "OV-11": ("answered-200", "run-after-their-deadline"),
    "OV-13": ("cpu-of-a-refusal",),
    "OV-19": ("answers-of-another", "not-answered", "mixed-batches"),
    "OV-21": ("runs-of-equal-misses", "stampede-failed", "stale-after-a-switch", "hit-over-run"),
    "OV-22": ("failed-by-a-switch",),
    "OV-23": ("bad-exits", "slowest-end-s"),
    "OV-24": ("answers-of-another", "left-in-flight"),
}


def missed(key, made):
    rows = [b for b in made if b.name in ASSERTED[key]]
    return [b for b in rows if not b.holds(b.value)]


def bar_test(key, ids, fn):
    def one():
        for again in (False, True):
            made = rig.measure(ids, fn, True, 1)[key]
            if isinstance(made, str):
                skip(made)
            rig.show(key, made)
            bad = missed(key, made)
            if not bad:
                return
            print("" if again else "measured once more, whole:")
        raise Failed("; ".join("%s is %.4g, not %s" % (b.name, b.value, b.bar) for b in bad))
    one.__name__ = key.replace("-", "_").lower()
    return one


if "/release/" in BIN:
    for group, measure, _ in rig.GROUPS:
        for each in group:
            if each in ASSERTED:
                test(bar_test(each, group, measure))
main()
