"""fastapi_peer.py - FastAPI under uvicorn (uvloop, httptools), one process, as its guides have it.

    python fastapi_peer.py PORT MODEL.onnx ROW_IN ROW_OUT
SPDX-License-Identifier: MIT
"""
import numpy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

import model

PORT, FILE, ROW_IN, ROW_OUT = model.arguments()
session = model.session(FILE)


class Input(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Request(BaseModel):
    inputs: list[Input]


class Output(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Response(BaseModel):
    model_name: str
    outputs: list[Output]


app = FastAPI()


@app.post("/v2/models/mlp/infer")
async def infer(request: Request) -> Response:
    x = request.inputs[0]
    y = session.run(None, {"x": numpy.array(x.data, numpy.float32).reshape(x.shape)})[0]
    output = Output(name="y", shape=list(y.shape), datatype="FP32", data=y.ravel().tolist())
    return Response(model_name="mlp", outputs=[output])


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error", access_log=False, backlog=1024)
