#!/usr/bin/env python3
"""Trains the wine-cultivar model of the demo (tabular, engine `linear`: no inference library).

Needs scikit-learn. The outputs are committed. Example:  python3 examples/wine/train.py
"""
import json
import pathlib

import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

here = pathlib.Path(__file__).parent
out = here / "model"
out.mkdir(exist_ok=True)

wine = load_wine()
x_train, x_held, y_train, y_held = train_test_split(
    wine.data, wine.target, test_size=0.4, random_state=7, stratify=wine.target)
scaler = StandardScaler().fit(x_train)
logistic = LogisticRegression(max_iter=1000).fit(scaler.transform(x_train), y_train)

# Fold the scaling into the weights, so that the model takes the measurements as they are.
weights = logistic.coef_ / scaler.scale_
bias = logistic.intercept_ - weights @ scaler.mean_
weights, bias = weights.astype(np.float32), bias.astype(np.float32)
(out / "model.json").write_text(json.dumps({
    "engine": "linear", "input": "measurements", "output": "probabilities", "activation": "softmax",
    "weights": [[float(v) for v in row] for row in weights],
    "bias": [float(v) for v in bias]}, indent=1) + "\n")
(out / "slipway.yaml").write_text("engine: linear\nlabels: [barolo, grignolino, barbera]\n")


def forward(x):
    scores = x.astype(np.float32) @ weights.T + bias
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


with open(out / "golden.jsonl", "w") as f:
    for i in range(3):
        f.write(json.dumps({
            "request": {"inputs": [{"name": "measurements", "datatype": "FP32", "shape": [1, 13],
                                    "data": [float(v) for v in x_held[i]]}]},
            "response": {"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [1, 3],
                                      "data": [round(float(v), 6)
                                               for v in forward(x_held[i:i + 1])[0]]}]},
            "tolerance": 1e-3}) + "\n")

names = [n.replace("/", "_").replace(" ", "_") for n in wine.feature_names]
with open(here / "held-out.csv", "w") as f:
    f.write(",".join(names) + ",cultivar\n")
    for row, label in zip(x_held, y_held):
        f.write(",".join(repr(float(v)) for v in row) + f",{label}\n")
accuracy = np.mean(forward(x_held).argmax(axis=1) == y_held)
print(f"held out: {len(y_held)} rows, accuracy {accuracy:.4f}")
