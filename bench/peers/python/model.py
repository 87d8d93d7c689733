"""model.py - what the peers written in Python share: their arguments, the session, the answer.
SPDX-License-Identifier: MIT
"""
import os
import socket
import sys

import onnxruntime


def arguments():
    """(port, model file, numbers in a row in, numbers in a row out); those of the first process,
    for what it starts may have others."""
    said = os.environ.setdefault("PEER", "\n".join(sys.argv[1:5]))
    port, path, row_in, row_out = said.split("\n")
    return int(port), path, int(row_in), int(row_out)


def port():
    """Another one that is free."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def answer(y):
    """The body that a row of float32 is answered with, as dicts and lists."""
    return {"model_name": "mlp", "outputs": [{"name": "y", "shape": [1, len(y)], "datatype": "FP32",
                                              "data": y.tolist()}]}
