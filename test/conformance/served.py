"""served.py - the ONNX test models through a running daemon: push, deploy, infer over V2.

Needs numpy and onnx (build/deps/venv). SPDX-License-Identifier: MIT
"""
import os
import queue
import struct
import sys
import threading

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import models
from cases import difference

V2_NAMES = {"bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32",
            "uint64": "UINT64", "int8": "INT8", "int16": "INT16", "int32": "INT32",
            "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
            "bfloat16": "BF16"}


class Refused(Exception):
    """The daemon said no: the reason by stage, and its words."""

    def __init__(self, reason, reply):
        self.reason = reason
        super().__init__("%s: %d %r" % (reason, reply.status, reply.body[:300]))


def expected():
    """{name: reason} as ONNX Runtime itself answers; see reference.py."""
    with open(os.path.join(HERE, "expected.txt")) as f:
        rows = [line.split() for line in f if not line.startswith("#")]
    return {name: reason for reason, name in rows}


def to_wire(array):
    if array.dtype.kind in "OSU":
        texts = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel()]
        return "BYTES", models.bytes_tensor(texts)
    if array.dtype.name not in V2_NAMES:
        raise ValueError("V2 has no datatype for %s" % array.dtype)
    return V2_NAMES[array.dtype.name], np.ascontiguousarray(array).tobytes()


def from_wire(datatype, shape, data):
    if datatype == "BYTES":
        texts, at = [], 0
        while at < len(data):
            n, = struct.unpack_from("<I", data, at)
            texts.append(data[at + 4:at + 4 + n])
            at += 4 + n
        flat = np.empty(len(texts), dtype=object)
        flat[:] = texts
        return flat.reshape(shape)
    if datatype == "BF16":
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    names = {v: k for k, v in V2_NAMES.items()}
    return np.frombuffer(data, np.dtype(names[datatype]).newbyteorder("<")).reshape(shape)


class Client:
    """One keep-alive connection; makes a new one when the daemon has closed."""

    def __init__(self, daemon):
        self.daemon, self.conn = daemon, None

    def ask(self, method, path, body=None, headers=None):
        for _ in range(2):
            fresh = self.conn is None
            if fresh:
                self.conn = self.daemon.conn(120)
            try:
                reply = self.conn.ask(method, path, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                reply = None
            if reply is not None:
                if reply.headers.get("connection", "").lower() == "close":
                    self.close()
                return reply
            self.close()
            if fresh:
                break
        raise ConnectionError("%s %s: closed without an answer" % (method, path))

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, b"" if body is None else body, headers)

    def close(self):
        if self.conn:
            self.conn.close()
            self.conn = None

    def serve(self, model, data):
        reply = self.ask("PUT", "/api/v1/blobs", data)
        if reply.status != 201:
            raise Refused("refused at upload", reply)
        files = [{"name": "model.onnx", "sha256": reply.json()["sha256"]}]
        reply = self.post("/api/v1/models/%s/versions" % model, {"files": files})
        if reply.status != 201:
            raise Refused("refused at push", reply)
        reply = self.post("/api/v1/models/%s/deploy" % model,
                          {"version": reply.json()["version"], "strategy": "now",
                           "wait": True})
        if reply.status != 200:
            raise Refused("refused at load", reply)

    def names(self, model):
        return [i["name"] for i in self.ask("GET", "/v2/models/" + model).json()["inputs"]]

    def infer(self, model, feed):
        """feed: (name, array) list. Gives the outputs in the model's order."""
        inputs = [(name, *to_wire(array), array) for name, array in feed]
        body, headers = models.infer_body([(n, t, a.shape, b) for n, t, b, a in inputs])
        reply = self.post("/v2/models/%s/infer" % model, body, headers)
        if reply.status != 200:
            raise Refused("failed at run", reply)
        return [from_wire(t, s, b if isinstance(b, bytes) else b"")
                for t, s, b in models.outputs_of(reply).values()]


def judge(client, model, case):
    """(reason, words) of one case; reason "right" when all outputs are as published."""
    if case.needs_sequence():
        return "sequence-optional", "a sequence or optional type: V2 cannot carry it"
    try:
        client.serve(model, case.bytes())
    except Refused as e:
        return "does-not-load", str(e)
    try:
        names = client.names(model)
        for inputs, outputs in case.sets():
            answers = client.infer(model, list(zip(names, inputs)))
            if len(answers) != len(outputs):
                return "differs", "%d outputs, expected %d" % (len(answers), len(outputs))
            for got, want in zip(answers, outputs):
                why = difference(got, want)
                if why:
                    return "differs", why
    except (Refused, ValueError) as e:
        return "differs", str(e)
    finally:
        models.want(models.unload(client, model), 200, "unload")
    return "right", ""


def run(daemon, cases, threads=2, progress=None):
    """{name: (reason, words)} of all cases, over so many connections at once."""
    todo, found = queue.Queue(), {}
    for i, case in enumerate(cases):
        todo.put((i, case))

    def worker():
        client = Client(daemon)
        while True:
            try:
                i, case = todo.get_nowait()
            except queue.Empty:
                client.close()
                return
            try:
                found[case.name] = judge(client, "case-%04d" % i, case)
            except Exception as e:  # the daemon went away, a bug of ours: a verdict like any other
                found[case.name] = "broken", "%s: %s" % (type(e).__name__, e)
                client.close()
            if progress:
                progress(len(found))

    crew = [threading.Thread(target=worker) for _ in range(threads)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    return found
