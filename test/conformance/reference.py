#!/usr/bin/env python3
"""reference.py - what ONNX Runtime itself, called directly, makes of the same models.

Writes expected.txt beside it: one line per model, `reason name`, with the reasons
  right              all outputs as published
  sequence-optional  a sequence or optional type among inputs or outputs
  does-not-load      ONNX Runtime refuses the model
  differs            fails at run time, another answer, or a random one
Runs on the ONNX Runtime that `make deps` installs. Takes about a minute:

    build/deps/venv/bin/python test/conformance/reference.py

SPDX-License-Identifier: MIT
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(ROOT, "build", "deps", "onnxruntime"))

import onnxruntime
from cases import all_cases, difference


def reason(case):
    if case.needs_sequence():
        return "sequence-optional", "a sequence or optional type"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(case.file, options, ["CPUExecutionProvider"])
    except Exception as e:
        return "does-not-load", str(e)
    for inputs, outputs in case.sets():
        feed = dict(zip([i.name for i in session.get_inputs()], inputs))
        try:
            answers = session.run(None, feed)
        except Exception as e:
            return "differs", str(e)
        if len(answers) != len(outputs):
            return "differs", "%d outputs, expected %d" % (len(answers), len(outputs))
        for got, want in zip(answers, outputs):
            why = difference(got, want)
            if why:
                return "differs", why
    return "right", ""


def main():
    onnxruntime.set_default_logger_severity(4)
    counts, lines = {}, []
    for case in all_cases():
        what, why = reason(case)
        counts[what] = counts.get(what, 0) + 1
        lines.append("%s %s" % (what, case.name))
        if "-v" in sys.argv and what != "right":
            print(what, case.name, why.split("\n")[0][:150])
    with open(os.path.join(HERE, "expected.txt"), "w") as f:
        f.write("# Made by reference.py with ONNX Runtime %s on libonnx-testdata.\n"
                % onnxruntime.__version__)
        f.write("\n".join(lines) + "\n")
    print(", ".join("%d %s" % (n, what) for what, n in sorted(counts.items())))


main()
