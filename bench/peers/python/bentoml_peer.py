"""bentoml_peer.py - a BentoML service with one worker.

    python bentoml_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import os
import sys
import typing

import bentoml
import numpy

import model

Object = typing.Dict[str, typing.Any]
PORT, FILE, ROW_IN, ROW_OUT = model.arguments()


@bentoml.service(workers=1, traffic={"timeout": 60})
class Mlp:
    def __init__(self):
        self.session = model.session(FILE)

    @bentoml.api(route="/v2/models/mlp/infer")
    def infer(self, inputs: typing.List[Object]) -> Object:
        x = numpy.array([inputs[0]["data"]], numpy.float32)
        return model.answer(self.session.run(None, {"x": x})[0][0])


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", "bentoml_peer:Mlp",
                              "--working-dir", here, "--host", "127.0.0.1", "--port", str(PORT)])
