"""litserve_peer.py - LitServe with one worker and one API server, on its route of choice.

    python litserve_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import litserve
import numpy

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()


class Mlp(litserve.LitAPI):
    def setup(self, device):
        self.session = model.session(FILE)

    def decode_request(self, request):
        return numpy.array([request["inputs"][0]["data"]], numpy.float32)

    def predict(self, x):
        return self.session.run(None, {"x": x})[0]

    def encode_response(self, y):
        return model.answer(y[0])


if __name__ == "__main__":
    server = litserve.LitServer(Mlp(api_path="/v2/models/mlp/infer"), accelerator="cpu",
                                workers_per_device=1, timeout=60)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, log_level="error",
               generate_client_file=False)
