"""models.py - models for tests: making, pushing and calling them. Standard library only, but for
in_venv() (which needs build/deps/venv) and what is marked (numpy).
SPDX-License-Identifier: MIT
"""
import atexit
import hashlib
import json
import os
import struct
import sys

from slipway import ROOT, Daemon, Failed, expect_eq, skip

VENV = os.path.join(ROOT, "build", "deps", "venv")


def in_venv():
    """Starts the running program anew with the Python of build/deps/venv."""
    python = os.path.join(VENV, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        return
    if not os.path.exists(python):
        print("SKIP all: there is no build/deps/venv (make deps-test)")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(0)
    sys.stdout.flush()
    os.execv(python, [python, *sys.argv])


# --- the control plane ------------------------------------------------------------------------

def want(reply, status, what):
    expect_eq(reply.status, status, "%s said %r" % (what, reply.body[:500]))
    return reply.json()


def upload(d, data):
    """Uploads one file; its SHA-256."""
    return want(d.ask("PUT", "/api/v1/blobs", data), 201, "upload")["sha256"]


def push(d, model, files, **more):
    """files: {name: bytes}. Gives the new version's number."""
    listed = [{"name": n, "sha256": upload(d, b)} for n, b in files.items()]
    body = dict({"files": listed}, **more)
    return want(d.post("/api/v1/models/%s/versions" % model, body), 201, "push")["version"]


def deploy(d, model, version, wait=True):
    """The reply; wait: only when it serves or was refused."""
    return d.post("/api/v1/models/%s/deploy" % model,
                  {"version": version, "strategy": "now", "wait": wait})


def serve(d, model, files, **more):
    """Pushes and deploys; gives the version, which then answers."""
    version = push(d, model, files, **more)
    want(deploy(d, model, version), 200, "deploy")
    return version


def object_path(d, sha):
    """Where a file lies in the store."""
    for folder, _, names in os.walk(os.path.join(d.data, "objects")):
        if sha in names:
            return os.path.join(folder, sha)
    raise AssertionError("no object of that digest in the data folder")


def damage(d, data):
    """Changes a pushed file on the disk, so that its version loads no more."""
    path = object_path(d, hashlib.sha256(data).hexdigest())
    os.chmod(path, 0o600)
    with open(path, "r+b") as f:
        f.write(bytes([data[0] ^ 1]))


def unload(d, model):
    return d.post("/v2/repository/models/%s/unload" % model)


# --- models -----------------------------------------------------------------------------------

def spec(name, datatype="FP32", shape=(-1, 4)):
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def echo(inputs, outputs=None, **more):
    """The files of a model that answers what it got."""
    body = dict({"engine": "echo", "inputs": inputs}, **more)
    if outputs:
        body["outputs"] = outputs
    return {"model.json": json.dumps(body).encode()}


def linear(weights, bias, **more):
    """A model y = x W^T + b: one row of weights per output"""
    return {"model.json": json.dumps(dict({"engine": "linear", "weights": weights, "bias": bias},
                                          **more)).encode()}


# --- V2 binary --------------------------------------------------------------------------------

WIDTHS = {"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
          "INT32": 4, "INT64": 8, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8}


def bytes_tensor(elements):
    return b"".join(struct.pack("<I", len(e)) + e for e in elements)


def infer_body(inputs, **more):
    """inputs: (name, datatype, shape, bytes). Gives (body, headers). more: of the request."""
    listed = [{"name": n, "datatype": t, "shape": list(s),
               "parameters": {"binary_data_size": len(b)}}
              for n, t, s, b in inputs]
    head = json.dumps(dict({"inputs": listed, "parameters": {"binary_data_output": True}},
                           **more)).encode()
    return head + b"".join(i[3]
                           for i in inputs), {"inference-header-content-length": str(len(head))}


def outputs_of(reply):
    """{name: (datatype, shape, bytes; a list when it came as JSON)} of an answer, in order."""
    cut = int(reply.headers.get("inference-header-content-length", len(reply.body)))
    answer, at, found = json.loads(reply.body[:cut]), cut, {}
    for o in answer["outputs"]:
        size = o.get("parameters", {}).get("binary_data_size")
        data = o["data"] if size is None else reply.body[at:at + size]
        at += size or 0
        found[o["name"]] = (o["datatype"], o["shape"], data)
    if at != len(reply.body):
        raise Failed("%d bytes left over in the answer" % (len(reply.body) - at))
    return found


# --- one daemon for a whole file of tests -------------------------------------------------------

class Shared:
    """Started by its first use: d = shared(). The file's last test calls end()."""

    def __init__(self, *args, **kw):
        self.args, self.kw, self.daemon = args, kw, None

    def __call__(self):
        if not self.daemon:
            d = Daemon(*self.args, **self.kw)
            atexit.register(d.clean)
            d.start()
            self.daemon = d
        self.daemon.is_ready()  # says so when it has ended
        return self.daemon

    def end(self):
        """Stops it in good order; a test of its own."""
        if not self.daemon:
            skip("not started")
        try:
            self.daemon.stop()
        finally:
            self.daemon.clean()
            self.daemon = None
