#!/usr/bin/env python3
"""repository_test.py - Triton's model repository extension through tritonclient: index, load (with
files, too), unload. SPDX-License-Identifier: MIT
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import Shared, damage, deploy, echo, in_venv, push, serve, spec, upload

in_venv()
import numpy as np

from triton import client, refused, run_aio, same, tensor
from slipway import expect, expect_eq, expect_in, main, test

shared = Shared()


def daemon():
    fresh = shared.daemon is None
    d = shared()
    if fresh:
        serve(d, "mixed", echo([spec("f", "FP32", (-1, 2)), spec("i", "INT64", (-1, 1))]))
    return d


@test
def the_repository_is_listed():
    with client(daemon()) as c:
        index = c.get_model_repository_index()
    rows = {(r["name"], r["version"]): r["state"] for r in index}
    expect_eq(rows.get(("mixed", "1")), "READY")
    for r in index:
        expect("reason" in r and r["state"] in ("READY", "UNAVAILABLE", "LOADING", "UNLOADING"), r)
    ready = daemon().post("/v2/repository/index", {"ready": True}).json()
    expect(ready and all(r["state"] == "READY" for r in ready), ready)


@test
def models_are_unloaded_and_loaded():
    d = daemon()
    serve(d, "coming", echo([spec("x")]))
    x = [tensor("x", "FP32", np.ones((1, 4), np.float32))]
    with client(daemon()) as c:
        c.infer("coming", x)
        c.unload_model("coming", headers={"X-Test": "1"}, query_params={"q": "1"})
        expect(not c.is_model_ready("coming"))
        refused(lambda: c.infer("coming", x), 503, "coming")
        index = {(r["name"], r["version"]): r["state"] for r in c.get_model_repository_index()}
        expect_eq(index[("coming", "1")], "UNAVAILABLE")
        expect(c.is_server_ready(), "what a person unloaded is not missed")
        c.load_model("coming")
        expect(c.is_model_ready("coming"))
        c.infer("coming", x)
        c.unload_model("coming", unload_dependents=True)
        c.load_model("coming")
        c.infer("coming", x)


@test
def load_takes_the_newest_version():
    d = daemon()
    serve(d, "growing", echo([spec("x")]))
    push(d, "growing", echo([spec("y")]))
    with client(daemon()) as c:
        expect_eq(c.get_model_metadata("growing")["inputs"][0]["name"], "x")
        c.load_model("growing")
        expect_eq(c.get_model_metadata("growing")["inputs"][0]["name"], "y")
        r = c.infer("growing", [tensor("y", "FP32", np.ones((1, 4), np.float32))])
        expect_eq(r.get_response()["model_version"], "2")


@test
def load_brings_its_own_files():
    body = json.dumps({"engine": "echo", "inputs": [spec("sent", "INT32", (-1, 2))]}).encode()
    with client(daemon()) as c:
        c.load_model("brought", config='{"name": "brought", "backend": "echo"}',
                     files={"file:1/model.json": body})
        meta = c.get_model_metadata("brought")
        expect_eq([(i["name"], i["datatype"]) for i in meta["inputs"]], [("sent", "INT32")])
        x = np.array([[1, 2]], np.int32)
        same(c.infer("brought", [tensor("sent", "INT32", x)]).as_numpy("sent"), x, "sent")
        text = refused(lambda: c.load_model("brought", files={"file:1/model.json": body}), 400)
        expect_in("config", text)
        refused(lambda: c.load_model("brought", config='{"backend": "echo"}',
                                     files={"file:1/model.json": b"{"}), 422)
        same(c.infer("brought", [tensor("sent", "INT32", x)]).as_numpy("sent"), x,
             "the old one serves")


@test
def aio_loads_and_unloads():
    d = daemon()
    serve(d, "aio-model", echo([spec("x")]))

    async def go(c):
        await c.unload_model("aio-model")
        expect(not await c.is_model_ready("aio-model"))
        await c.load_model("aio-model")
        expect(await c.is_model_ready("aio-model"))
        stats = await c.get_inference_statistics("aio-model")
        expect_eq(stats["model_stats"][0]["name"], "aio-model")
    run_aio(daemon(), go)


@test
def a_broken_model_is_refused_and_the_old_one_serves():
    d = daemon()
    serve(d, "sturdy", echo([spec("x")]))
    reply = d.post("/api/v1/models/sturdy/versions", {"files": []})
    expect(400 <= reply.status < 500, reply)
    sha = upload(d, json.dumps({"engine": "echo", "inputs": []}).encode())
    reply = d.post("/api/v1/models/sturdy/versions",
                   {"files": [{"name": "model.json", "sha256": sha}]})
    expect_eq(reply.status, 422, reply.body)
    bad = push(d, "sturdy", dict(echo([spec("x")]), **{"note.txt": b"rots"}))
    damage(d, b"rots")
    expect_eq(deploy(d, "sturdy", bad).status, 503)
    with client(daemon()) as c:
        r = c.infer("sturdy", [tensor("x", "FP32", np.ones((1, 4), np.float32))])
        expect_eq(r.get_response()["model_version"], "1")


@test
def the_daemon_ends_in_good_order():
    shared.end()


main()
