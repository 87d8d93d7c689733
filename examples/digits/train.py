#!/usr/bin/env python3
"""Trains the handwritten-digits model of the demo: model.onnx, golden.jsonl and held-out.csv.

Needs scikit-learn and onnx (any recent version). The outputs are committed; nobody has to run this
to use them. Example:  python3 examples/digits/train.py
"""
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

here = pathlib.Path(__file__).parent
out = here / "model"
out.mkdir(exist_ok=True)

digits = load_digits()
x_train, x_held, y_train, y_held = train_test_split(
    digits.data.astype(np.float32), digits.target, test_size=0.2, random_state=20,
    stratify=digits.target)
mlp = MLPClassifier(hidden_layer_sizes=(64,), alpha=1e-3, max_iter=400, random_state=20)
mlp.fit(x_train / 16, y_train)

# The network as plain ONNX: scale, two layers, softmax; pixels 0..16 in, probabilities, label out.
w = [c.astype(np.float32) for c in mlp.coefs_]
b = [c.astype(np.float32) for c in mlp.intercepts_]
constants = {"scale": np.float32(1 / 16), "w0": w[0], "b0": b[0], "w1": w[1], "b1": b[1]}
graph = helper.make_graph(
    [helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
     helper.make_node("Gemm", ["scaled", "w0", "b0"], ["hidden"]),
     helper.make_node("Relu", ["hidden"], ["active"]),
     helper.make_node("Gemm", ["active", "w1", "b1"], ["scores"]),
     helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
     helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0)],
    "digits",
    [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["rows", 64])],
    [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 10]),
     helper.make_tensor_value_info("digit", TensorProto.INT64, ["rows"])],
    [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                          producer_name="slipway-examples")
onnx.checker.check_model(model)
(out / "model.onnx").write_bytes(model.SerializeToString())

labels = [str(d) for d in range(10)]
(out / "slipway.yaml").write_text(
    "engine: onnx\nlabels: [%s]\n" % ", ".join(f'"{d}"' for d in labels))


def forward(x):
    hidden = np.maximum(x / np.float32(16) @ w[0] + b[0], 0)
    scores = hidden @ w[1] + b[1]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True), scores.argmax(axis=1)


with open(out / "golden.jsonl", "w") as f:
    for i in range(5):
        p, d = forward(x_held[i:i + 1])
        f.write(json.dumps({
            "request": {"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64],
                                    "data": [float(v) for v in x_held[i]]}]},
            "response": {"outputs": [{"name": "digit", "datatype": "INT64", "shape": [1],
                                      "data": [int(d[0])]},
                                     {"name": "probabilities", "datatype": "FP32", "shape": [1, 10],
                                      "data": [round(float(v), 6) for v in p[0]]}]},
            "tolerance": 1e-4}) + "\n")

with open(here / "held-out.csv", "w") as f:
    f.write(",".join(f"p{i}" for i in range(64)) + ",digit\n")
    for row, label in zip(x_held, y_held):
        f.write(",".join(str(int(v)) for v in row) + f",{label}\n")

_, predicted = forward(x_held)
print(f"held out: {len(y_held)} rows, accuracy {np.mean(predicted == y_held):.4f}")
