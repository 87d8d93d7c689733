"""mosec_peer.py - mosec with one worker; BATCH=n: up to n requests are joined, WAIT_MS: for how
long the first one waits at most.

    python mosec_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
Its own JSON (msgspec's validation is mosec's recommended way) and its route /v2/models/mlp/infer.
SPDX-License-Identifier: MIT
"""
import os
import sys

import msgspec
import numpy
from mosec import Runtime, Server, Worker

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()
BATCH, WAIT_MS = int(os.environ.get("BATCH", "1")), int(os.environ.get("WAIT_MS", "10"))


class Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Request(msgspec.Struct):
    inputs: list[Input]


decoder, encoder = msgspec.json.Decoder(Request), msgspec.json.Encoder()


class Mlp(Worker):
    def __init__(self):
        self.session = model.session(FILE)

    def deserialize(self, data):
        return decoder.decode(data).inputs[0].data

    def serialize(self, data):
        return encoder.encode(model.answer(data))

    def forward(self, data):
        rows = numpy.array(data if BATCH > 1 else [data], numpy.float32)
        y = self.session.run(None, {"x": rows})[0]
        return list(y) if BATCH > 1 else y[0]


if __name__ == "__main__":
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(PORT), "--log-level", "error",
                    "--timeout", "30000"]
    server = Server()
    server.register_runtime({"/v2/models/mlp/infer": [
        Runtime(Mlp, num=1, max_batch_size=BATCH, max_wait_time=WAIT_MS)]})
    server.run()
