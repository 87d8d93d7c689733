"""cases.py - the ONNX test models of Debian's libonnx-testdata, what goes in, what should come out.

Needs the packages `onnx` and `numpy` (build/deps/venv). SPDX-License-Identifier: MIT
"""
import glob
import os

import numpy as np
import onnx
from onnx import numpy_helper

DATA = os.environ.get("SLIPWAY_ONNX_DATA", "/usr/share/libonnx-testdata/data")
RTOL, ATOL = 1e-3, 1e-7  # of ONNX's own backend runner


class Case:
    """One model folder: model.onnx with test_data_set_*/input_*.pb and output_*.pb."""

    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.relpath(folder, DATA)
        self.file = os.path.join(folder, "model.onnx")

    def sets(self):
        """Yields (inputs, outputs) per data set, each a list of arrays in the graph's order."""
        graph = onnx.load(self.file, load_external_data=False).graph
        for folder in sorted(glob.glob(os.path.join(self.folder, "test_data_set_*"))):
            yield (read_all(folder, "input", graph.input), read_all(folder, "output", graph.output))

    def bytes(self):
        with open(self.file, "rb") as f:
            return f.read()

    def needs_sequence(self):
        """Whether a graph input or output is no plain tensor: the protocol cannot carry those."""
        graph = onnx.load(self.file, load_external_data=False).graph
        return any(v.type.WhichOneof("value") not in ("tensor_type", None)
                   for v in [*graph.input, *graph.output])


def read_all(folder, kind, infos):
    n = len(glob.glob(os.path.join(folder, kind + "_*.pb")))
    return [read(os.path.join(folder, "%s_%d.pb" % (kind, i))) for i in range(n)]


def read(path):
    tensor = onnx.TensorProto()
    with open(path, "rb") as f:
        tensor.ParseFromString(f.read())
    return numpy_helper.to_array(tensor)


def all_cases():
    files = glob.glob(os.path.join(DATA, "*", "*", "model.onnx"))
    return [Case(os.path.dirname(f)) for f in sorted(files)]


def as_text(array):
    """Strings as bytes, whatever container they came in."""
    return [v.encode() if isinstance(v, str) else bytes(v) for v in np.asarray(array).ravel()]


def difference(got, want):
    """None when equal as ONNX's backend runner sees it, else what differs."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return "shape %s, expected %s" % (list(got.shape), list(want.shape))
    if want.dtype.kind in "OSU":
        return None if as_text(got) == as_text(want) else "strings differ"
    if got.dtype != want.dtype:
        return "datatype %s, expected %s" % (got.dtype, want.dtype)
    if want.dtype.kind == "V" or want.dtype.name == "bfloat16":
        got, want = got.astype(np.float32), want.astype(np.float32)
    with np.errstate(all="ignore"):
        if np.allclose(got, want, rtol=RTOL, atol=ATOL, equal_nan=True):
            return None
        off = np.abs(got.astype(np.float64) - want.astype(np.float64))
    return "values differ by up to %g" % np.nanmax(off)
