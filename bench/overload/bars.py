#!/usr/bin/env python3
"""bars.py - the overload bars OV-01 to OV-24 (docs/load.md says what each is about).

    make bench T=OV-01        bench/overload/bars.py [OV-nn...] [--quick] [--runs N] [--retry]

Each prints `ID name value bar PASS|FAIL`, under it the two sides of the ratio, and what was run.
The server has the first core, the generator the last. --runs: the median of so many [5];
--quick: one run of a few seconds; --retry: what fails is measured once more, whole, and that is
said. Without ids: all but those that have targets of their own (make terms, make cancels). Exit 1:
a bar failed.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig  # noqa: E402
import flood, fair, refuse, batching, caching, switching  # noqa: E401, E402, F401


def main():
    args = argparse.ArgumentParser(description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("ids", nargs="*")
    args.add_argument("--quick", action="store_true")
    args.add_argument("--runs", type=int)
    args.add_argument("--retry", action="store_true")
    args = args.parse_args()
    known = [key for ids, _, _ in rig.GROUPS for key in ids]
    for word in args.ids:
        if word not in known:
            sys.exit("bars.py: there is no '%s'; there are %s" % (word, " ".join(sorted(known))))
    if len(rig.CORES) < 2:
        print("one core only: server and generator share it, the ratios mean little")
    runs, failed = args.runs or (1 if args.quick else 5), []
    for ids, fn, own_target in sorted(rig.GROUPS, key=lambda group: group[0]):
        wanted = [i for i in ids if i in args.ids or (not args.ids and not own_target)]
        if not wanted:
            continue
        began = time.monotonic()
        got = rig.measure(ids, fn, args.quick, runs)
        if args.retry and not all(holds(got[key]) for key in wanted):
            for key in wanted:
                rig.show(key, got[key])
            print("measured once more, whole:")
            got = rig.measure(ids, fn, args.quick, runs)
        for key in wanted:
            if not rig.show(key, got[key]):
                failed.append(key)
        for command in list(dict.fromkeys(rig.COMMANDS[-4:])):
            print("      $ %s" % command)
        print("      %d run(s), %.0f s; the generator itself was late by p99 %.1f ms at worst" % (
            runs, time.monotonic() - began, max(rig.LATE, default=0)), flush=True)
        rig.COMMANDS.clear()
        rig.LATE.clear()
    print("failed: %s" % " ".join(failed) if failed else "all hold")
    sys.exit(1 if failed else 0)


def holds(made):
    return not isinstance(made, str) and all(b.holds(b.value) for b in made)


if __name__ == "__main__":
    main()
