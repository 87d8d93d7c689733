"""kserve_peer.py - KServe's Python model server, REST only.

    python kserve_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import sys

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()
sys.argv[1:] = []  # kserve reads them at import

from kserve import InferOutput, InferResponse, Model, ModelServer  # noqa


class Mlp(Model):
    def __init__(self):
        super().__init__("mlp")
        self.session = model.session(FILE)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        x = payload.inputs[0].as_numpy()
        y = self.session.run(None, {"x": x})[0]
        output = InferOutput("y", list(y.shape), "FP32", data=y.ravel().tolist())
        return InferResponse(response_id=payload.id or "1", model_name="mlp",
                             infer_outputs=[output])


if __name__ == "__main__":
    ModelServer(http_port=PORT, enable_grpc=False, workers=1, access_log_format=None,
                enable_docs_url=False).start([Mlp()])
