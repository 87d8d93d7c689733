#!/usr/bin/env python3
"""Trains the handwritten-digits models of the demo, four versions of one model, and held-out.csv.

    model/    version 1: one hidden layer of 64
    better/   version 2: 192 wide, trained on shifted copies as well; fewer mistakes
    wrong/    version 3: version 2 behind a broken step that drops the last two columns of pixels
    slow/     version 4: version 2, but rows with much ink pass through a loop that changes nothing

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
LABELS = [str(d) for d in range(10)]
LOOP_TURNS, LOOP_WIDTH = 400, 64

digits = load_digits()
x_train, x_held, y_train, y_held = train_test_split(
    digits.data.astype(np.float32), digits.target, test_size=0.2, random_state=20,
    stratify=digits.target)
INK = float(np.quantile(x_train.sum(axis=1), 0.97))


def shifted(x, by_x, by_y):
    images = x.reshape(-1, 8, 8)
    moved = np.zeros_like(images)
    to_x, to_y = slice(max(by_x, 0), 8 + min(by_x, 0)), slice(max(by_y, 0), 8 + min(by_y, 0))
    from_x, from_y = slice(max(-by_x, 0), 8 - max(by_x, 0)), slice(max(-by_y, 0), 8 - max(by_y, 0))
    moved[:, to_y, to_x] = images[:, from_y, from_x]
    return moved.reshape(-1, 64)


def trained(width, copies):
    x, y = [x_train], [y_train]
    for by in copies:
        x.append(shifted(x_train, *by))
        y.append(y_train)
    mlp = MLPClassifier(hidden_layer_sizes=(width,), alpha=1e-3, max_iter=400, random_state=20)
    mlp.fit(np.concatenate(x) / 16, np.concatenate(y))
    return [c.astype(np.float32) for c in mlp.coefs_], [c.astype(np.float32)
                                                        for c in mlp.intercepts_]


def forward(weights, x, mask=None):
    w, b = weights
    x = x * mask if mask is not None else x
    hidden = np.maximum(x / np.float32(16) @ w[0] + b[0], 0)
    scores = hidden @ w[1] + b[1]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True), scores.argmax(axis=1)


def network(weights, mask=None, loop=False):
    """Pixels 0..16 in; probabilities and the digit out. As plain ONNX."""
    w, b = weights
    constants = {"scale": np.float32(1 / 16), "w0": w[0], "b0": b[0], "w1": w[1], "b1": b[1]}
    nodes, pixels = [], "pixels"
    if mask is not None:
        constants["mask"] = mask
        nodes.append(helper.make_node("Mul", ["pixels", "mask"], ["masked"]))
        pixels = "masked"
    nodes.append(helper.make_node("Mul", [pixels, "scale"], ["scaled"]))
    first = "scaled"
    if loop:
        more, values = detour()
        nodes += more
        constants.update(values)
        first = "looped"
    nodes += [helper.make_node("Gemm", [first, "w0", "b0"], ["hidden"]),
              helper.make_node("Relu", ["hidden"], ["active"]),
              helper.make_node("Gemm", ["active", "w1", "b1"], ["scores"]),
              helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
              helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0)]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["rows", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 10]),
         helper.make_tensor_value_info("digit", TensorProto.INT64, ["rows"])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="slipway-examples")
    onnx.checker.check_model(model)
    return model.SerializeToString()


def detour():
    """`scaled` as it is, but after LOOP_TURNS products of matrices where the ink is over INK."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]),
         helper.make_node("MatMul", ["state_in", "turn"], ["state_out"])], "turns",
        [helper.make_tensor_value_info("n", TensorProto.INT64, []),
         helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
         helper.make_tensor_value_info("state_in", TensorProto.FLOAT, [LOOP_WIDTH, LOOP_WIDTH])],
        [helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
         helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [LOOP_WIDTH, LOOP_WIDTH])])
    turn = np.eye(LOOP_WIDTH, dtype=np.float32)[::-1].copy()
    values = {"ink_max": np.float32(INK / 16), "turns": np.int64(LOOP_TURNS),
              "go": np.bool_(True), "turn": turn, "nothing": np.float32(0)}
    return [helper.make_node("ReduceSum", ["scaled"], ["ink"], keepdims=0),
            helper.make_node("Greater", ["ink", "ink_max"], ["much"]),
            helper.make_node("Cast", ["much"], ["much_n"], to=TensorProto.INT64),
            helper.make_node("Mul", ["much_n", "turns"], ["count"]),
            helper.make_node("Loop", ["count", "go", "turn"], ["state"], body=body),
            helper.make_node("ReduceMax", ["state"], ["top"], keepdims=0),
            helper.make_node("Mul", ["top", "nothing"], ["zero"]),
            helper.make_node("Add", ["scaled", "zero"], ["looped"])], values


def golden_line(weights, mask, row):
    p, d = forward(weights, row[None, :], mask)
    return json.dumps({
        "request": {"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64],
                                "data": [float(v) for v in row]}]},
        "response": {"outputs": [{"name": "digit", "datatype": "INT64", "shape": [1],
                                  "data": [int(d[0])]},
                                 {"name": "probabilities", "datatype": "FP32", "shape": [1, 10],
                                  "data": [round(float(v), 6) for v in p[0]]}]},
        "tolerance": 1e-4}) + "\n"


def write(name, weights, mask=None, loop=False):
    """The model folder. Its golden examples are rows that it gets right: what its makers saw."""
    out = here / name
    out.mkdir(exist_ok=True)
    (out / "model.onnx").write_bytes(network(weights, mask, loop))
    (out / "slipway.yaml").write_text(
        "engine: onnx\nlabels: [%s]\n" % ", ".join(f'"{d}"' for d in LABELS))
    _, answers = forward(weights, x_held, mask)
    right = [row for row, a, y in zip(x_held, answers, y_held) if a == y]
    (out / "golden.jsonl").write_text("".join(golden_line(weights, mask, r) for r in right[:5]))
    print(f"{name}: held out {len(y_held)} rows, accuracy {np.mean(answers == y_held):.4f}")
    return answers


first = trained(64, [])
second = trained(192, [(1, 0), (-1, 0), (0, 1), (0, -1)])
last_columns = np.tile(np.array([1, 1, 1, 1, 1, 1, 0, 0], dtype=np.float32), 8)
one, two = write("model", first), write("better", second)
three = write("wrong", second, mask=last_columns)
write("slow", second, loop=True)
print(f"two differs from one on {np.mean(one != two):.4f} of the rows, "
      f"three from two on {np.mean(three != two):.4f}; "
      f"much ink: {np.mean(x_held.sum(axis=1) > INK):.4f}")

with open(here / "held-out.csv", "w") as f:
    f.write(",".join(f"p{i}" for i in range(64)) + ",digit\n")
    for row, label in zip(x_held, y_held):
        f.write(",".join(str(int(v)) for v in row) + f",{label}\n")
