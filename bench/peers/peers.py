#!/usr/bin/env python3
"""peers.py - slipway beside what people would use instead: same ONNX file, same requests (V2
JSON), one core for the server, one for the generator, in turns, medians.

    make bench-peers               (bench/peers/peers.py [--check] [WORD...]: peers whose name has a
                                   word, and slipway; ROUNDS=3 SECONDS_EACH=2)

Answers are compared before anything is timed. A server that is not asked stands still (SIGSTOP).
The bars are those of the project's issue on speed; --check makes a missed one the exit status.
SPDX-License-Identifier: MIT
"""
import math
import os
import shutil
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kinds import CLIENT, CORES, KINDS, SERVER, Failed, compiled
from load import body_of, flat_out, paced

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
PACED_S, FLOOD_S = 3, 5
CELLS = [("small", 16), ("small", 64), ("big", 64), ("small", 1)]
MODELS = ("small", "big")


def say(text):
    print(text, flush=True)


def prepare(kind, expected):
    """Installs and starts a kind and compares its answers; None, or why it is left out."""
    try:
        kind.install()
        for model in MODELS:
            kind.start(model)
        for model in MODELS:
            differs(kind.ready(model, body_of(model)), expected.setdefault(model, {}))
            kind.sleep(model)
        return None
    except Exception as error:  # noqa: whatever it is, the others are measured
        kind.stop()
        return str(error) or type(error).__name__


def differs(answer, expected):
    """Fails when an answer is not what the first one asked gave."""
    output = answer["outputs"][0]
    if not expected:
        expected.update(output)
    for key in ("name", "shape", "datatype"):
        if output[key] != expected[key]:
            raise Failed("%s is %r, expected %r" % (key, output[key], expected[key]))
    for a, b in zip(output["data"], expected["data"], strict=True):
        if not math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6):
            raise Failed("the answer has %r where %r was expected" % (a, b))


def closed_rounds(kinds):
    """{(kind, model, connections): medians of wrk's numbers}"""
    runs = {}
    for turn in range(ROUNDS):
        for model, connections in CELLS:
            for kind in kinds:
                kind.wake(model)
                if turn == 0:
                    flat_out(kind, model, connections, 1)
                got = flat_out(kind, model, connections, SECONDS)
                kind.sleep(model)
                runs.setdefault((kind.name, model, connections), []).append(got)
    return {cell: {key: statistics.median(g[key] for g in got) for key in got[0]}
            for cell, got in runs.items()}


def paced_rounds(kinds, closed):
    """{name: (rate, its p99, ours)} on the big model at 80 % of each one's own capacity."""
    ours, found = kinds[0], {}
    for kind in kinds:
        rate = 0.8 * closed[(kind.name, "big", 64)]["rate"]
        p99 = {kind.name: [], ours.name: []}
        for _ in range(min(ROUNDS, 2)):
            for each in {kind.name: kind, ours.name: ours}.values():
                each.wake("big")
                p99[each.name] += [g["p99"] for g in paced(each, "big", PACED_S, "r%g" % rate)]
                each.sleep("big")
        found[kind.name] = (rate, *(statistics.median(p99[n]) for n in (kind.name, ours.name)))
    return found


def floods(kinds):
    """{name: (p99 alone, p99 beside 64 connections of somebody else)} of 20 requests/s."""
    found = {}
    for kind in kinds:
        model, loud, quiet = kind.flood()
        kind.wake(model)
        paced(kind, model, 0.5, "c4" + loud, "r20" + quiet)
        alone = paced(kind, model, FLOOD_S, "r20" + quiet)[0]
        beside = paced(kind, model, FLOOD_S, "c64" + loud, "r20" + quiet)[1]
        found[kind.name] = (alone["p99"], beside["p99"], beside["bad"])
        kind.sleep(model)
    return found


class Bars:
    """What was promised of a number, and whether it held."""
    def __init__(self):
        self.missed, self.kept = [], 0

    def check(self, what, value, least=None, most=None):
        held = value >= least if least is not None else value <= most
        bar = "at least %.2f" % least if least is not None else "at most %.2f" % most
        say("  %s  %-58s %6.2f, %s" % ("PASS" if held else "FAIL", what, value, bar))
        self.kept += held
        self.missed += [] if held else [what]


def table(kinds, closed, pace, flood):
    say("\n%-27s %15s %15s %15s %14s %21s %14s" % (
        "thousand requests/s", "small MLP, 16", "small MLP, 64", "big MLP, 64", "1 connection",
        "p99 ms at 80 % of own", "flood"))
    say("%-27s" % "(ratio: slipway to it)" + 3 * " %7s %7s" % (3 * ("k/s", "ratio")) +
        " %7s %6s %8s %6s %5s %8s %5s" % ("p50 us", "ratio", "rate/s", "its", "ours", "p99 ms",
                                          "x"))
    for kind in kinds:
        line = "%-27s" % kind.label
        for cell in CELLS[:3]:
            got, ours = closed[(kind.name, *cell)], closed[("slipway", *cell)]
            line += " %7.2f %7.2f" % (got["rate"] / 1000, ours["rate"] / got["rate"])
        got, ours = closed[(kind.name, *CELLS[3])], closed[("slipway", *CELLS[3])]
        rate, its, mine = pace[kind.name]
        alone, beside, _ = flood[kind.name]
        say(line + " %7.0f %6.2f %8.0f %6.1f %5.1f %8.1f %5.1f" % (
            got["p50"], ours["p50"] / got["p50"], rate, its / 1e3, mine / 1e3, beside / 1e3,
            beside / max(1, alone)))


def bars(kinds, closed, pace, flood):
    all_bars = Bars()
    for kind in kinds[1:]:
        def ratio(cell):
            return closed[("slipway", *cell)]["rate"] / closed[(kind.name, *cell)]["rate"]
        big, one = (closed[("slipway", *cell)] for cell in CELLS[2:])
        if kind.bar:
            for cell in CELLS[:2]:
                all_bars.check("%s, small MLP, %d connections: rate" % (kind.label, cell[1]),
                               ratio(cell), least=kind.bar)
        if kind.big:
            all_bars.check("%s, big MLP, 64 connections: rate" % kind.label, ratio(CELLS[2]),
                           least=kind.big)
            all_bars.check("%s, big MLP, 64 connections: p99" % kind.label,
                           big["p99"] / closed[(kind.name, *CELLS[2])]["p99"], most=1)
        if kind.latency:
            all_bars.check("%s, 1 connection: p50" % kind.label,
                           one["p50"] / closed[(kind.name, *CELLS[3])]["p50"], most=kind.latency)
        all_bars.check("%s, p99 at 80 %% of its capacity" % kind.label,
                       pace[kind.name][2] / max(1, pace[kind.name][1]), most=1)
    alone, beside, _ = flood["slipway"]
    all_bars.check("one tenant's flood: another's p99", beside / max(1, alone), most=1.1)
    say("%d bars hold, %d do not" % (all_bars.kept, len(all_bars.missed)))
    return not all_bars.missed


def measure(kinds):
    compiled("pace")
    closed = closed_rounds(kinds)
    pace, flood = paced_rounds(kinds, closed), floods(kinds)
    table(kinds, closed, pace, flood)
    return bars(kinds, closed, pace, flood)


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            say("SKIP: no %s here (make deps-bench)" % tool)
            return 0
    say("server on core %d, generator on core %d, %d rounds of %d s in turns%s"
        % (SERVER, CLIENT, ROUNDS, SECONDS, "" if len(CORES) > 1 else "; ONE CORE ONLY"))
    kinds, expected, held = [], {}, True
    try:
        for kind in KINDS:
            if words and kind.name != "slipway" and not any(w in kind.name for w in words):
                continue
            why = prepare(kind, expected)
            if why and kind.name == "slipway":
                raise Failed(why)
            if why:
                say("left out: %s: %s" % (kind.label, " ".join(why.split())))
            else:
                kinds.append(kind)
        held = measure(kinds)
    finally:
        for kind in kinds:
            kind.stop()
    return 1 if "--check" in sys.argv and not held else 0


if __name__ == "__main__":
    sys.exit(main())
