"""pytriton_peer.py - Triton with its Python backend, on the CPU, joining up to BATCH requests.

    python pytriton_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import os

import numpy
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()
session = model.session(FILE)


@batch
def infer(x):
    return {"y": session.run(None, {"x": x})[0]}


config = TritonConfig(http_address="127.0.0.1", http_port=PORT, allow_grpc=False,
                      allow_metrics=False, log_verbose=0)
with Triton(config=config) as triton:
    triton.bind(model_name="mlp", infer_func=infer,
                inputs=[Tensor(name="x", dtype=numpy.float32, shape=(ROW_IN,))],
                outputs=[Tensor(name="y", dtype=numpy.float32, shape=(ROW_OUT,))],
                config=ModelConfig(max_batch_size=int(os.environ.get("BATCH", "1")),
                                   batcher=DynamicBatcher()))
    triton.serve()
