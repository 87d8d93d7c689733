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
from kinds import CLIENT, CORES, KINDS, SERVER, Failed
from load import body_of, flat_out

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
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


def table(kinds, closed):
    say("%-30s %21s %21s %21s %14s" % ("", "small MLP, 16", "small MLP, 64", "big MLP, 64",
                                       "1 connection"))
    say("%-30s" % "thousand requests/s" + 3 * (" %7s %6s %6s" % ("k/s", "ratio", "us")) +
        " %8s %6s" % ("p50 us", "ratio"))
    for kind in kinds:
        line = "%-30s" % kind.label
        for cell in CELLS[:3]:
            got, ours = closed[(kind.name, *cell)], closed[("slipway", *cell)]
            line += " %7.2f %6.2f %6.1f" % (got["rate"] / 1000, ours["rate"] / got["rate"],
                                            got["cpu"])
        got, ours = closed[(kind.name, *CELLS[3])], closed[("slipway", *CELLS[3])]
        say(line + " %8.0f %6.2f" % (got["p50"], ours["p50"] / got["p50"]))


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            say("SKIP: no %s here (make deps-bench)" % tool)
            return 0
    say("server on core %d, generator on core %d, %d rounds of %d s in turns%s"
        % (SERVER, CLIENT, ROUNDS, SECONDS, "" if len(CORES) > 1 else "; ONE CORE ONLY"))
    kinds, expected = [], {}
    try:
        for kind in KINDS:
            if words and kind.name != "slipway" and not any(w in kind.name for w in words):
                continue
            why = prepare(kind, expected)
            if why:
                say("left out: %s: %s" % (kind.label, why))
            else:
                kinds.append(kind)
        table(kinds, closed_rounds(kinds))
    finally:
        for kind in kinds:
            kind.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
