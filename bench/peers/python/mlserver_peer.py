"""mlserver_peer.py - MLServer with a runtime of our own, inference in the server's process, which
is its best setting on one core.

    python mlserver_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import asyncio

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()


class Mlp(MLModel):
    async def load(self):
        self.session = model.session(FILE)
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0])
        y = self.session.run(None, {"x": x})[0]
        return InferenceResponse(model_name=self.name,
                                 outputs=[NumpyCodec.encode_output("y", y)])


settings = Settings(parallel_workers=0, host="127.0.0.1", http_port=PORT, grpc_port=model.port(),
                    metrics_port=model.port(), metrics_endpoint=None, debug=False)
asyncio.run(MLServer(settings).start([ModelSettings(name="mlp", implementation=Mlp)]))
