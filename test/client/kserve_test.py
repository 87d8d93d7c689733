#!/usr/bin/env python3
"""kserve_test.py - KServe's own REST client, unmodified from PyPI, with the V1 and the V2 protocol.
SPDX-License-Identifier: MIT
"""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import Shared, echo, in_venv, linear, serve, spec, unload, want

in_venv()
import numpy as np
from slipway import cases, expect, expect_eq, expect_in, main, test

try:
    import httpx
    from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
    from kserve.protocol.infer_type import RequestedOutput
except ImportError as e:
    print("SKIP all: kserve cannot be imported: %s\n0 passed, 0 failed, 1 skipped" % e)
    sys.exit(0)

shared = Shared()


def daemon():
    fresh = shared.daemon is None
    d = shared()
    if fresh:
        serve(d, "echo", echo([spec("x", "FP32", (-1, 3))]))
        serve(d, "words", echo([spec("x", "BYTES", (-1,))]))
        serve(d, "pair", echo([spec("a", "INT64", (-1, 2)), spec("b", "BYTES", (-1,))]))
        serve(d, "sum", linear([[1, 2], [3, 4]], [0.5, -0.5]))
        serve(d, "resting", echo([spec("x")]))
        want(unload(d, "resting"), 200, "unload")
    return d


def call(protocol, fn):
    """Runs fn(client, url) with a client of its own."""
    url = daemon().url()

    async def go():
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as c:
            return await fn(c, url)
    return asyncio.run(go())


def refused(protocol, fn, status, *parts):
    try:
        call(protocol, fn)
    except httpx.HTTPStatusError as e:
        expect_eq(e.response.status_code, status, str(e))
        for part in parts:
            expect_in(part, str(e))
        return
    expect(False, "no exception")


@test
def v2_health_and_readiness():
    async def go(c, url):
        expect_eq(await c.is_server_live(url), True)
        expect_eq(await c.is_server_ready(url), True)
        expect_eq(await c.is_model_ready(url, "echo"), True)
        expect_eq(await c.is_model_ready(url, "resting"), False)
        expect_eq(await c.is_model_ready(url, "nobody"), False)
    call("v2", go)


@test
def v1_health_and_readiness():
    async def go(c, url):
        expect_eq(await c.is_server_live(url), True)
        expect_eq(await c.is_model_ready(url, "echo"), True)
        expect_eq(await c.is_model_ready(url, "resting"), False)
    call("v1", go)
    refused("v1", lambda c, url: c.is_model_ready(url, "nobody"), 404, "nobody")


ARRAYS = [("INT64", np.array([[2**53 + 1, -2**63]])), ("FP64", np.array([[0.1, 1e308]])),
          ("FP32", np.array([[0.1, 3e38]], np.float32)), ("BOOL", np.array([[True, False]])),
          ("INT8", np.array([[-128, 127]], np.int8)),
          ("UINT64", np.array([[2**64 - 1, 0]], np.uint64)),
          ("FP16", np.array([[0.1, 65504]], np.float16))]


@cases([("%s-%s-%s" % (t, i, o), t, a, i, o) for t, a in ARRAYS for i in (True, False)
        for o in (True, False) if t != "FP16" or (i and o)])
def v2_every_datatype(datatype, array, binary_in, binary_out):
    model = "kserve-" + datatype.lower()
    d = daemon()
    if d.get("/v2/models/" + model).status != 200:
        serve(d, model, echo([spec("x", datatype, (-1, -1))]))

    async def go(c, url):
        x = InferInput("x", list(array.shape), datatype)
        x.set_data_from_numpy(array, binary_data=binary_in)
        request = InferRequest(model, [x], request_id="abc",
                               request_outputs=[RequestedOutput("x", {"binary_data": binary_out})])
        return await c.infer(url, request, model_name=model)
    r = call("v2", go)
    expect_eq(r.id, "abc")
    expect_eq(r.model_name, model)
    got = r.outputs[0].as_numpy()
    expect_eq((got.dtype, got.tolist()), (array.dtype, array.tolist()))


@test
def v2_strings_both_ways():
    words = np.array([b"a", b"", "\u00e4\u20ac".encode()], dtype=object)
    for binary in (True, False):
        async def go(c, url):
            x = InferInput("x", [3], "BYTES")
            x.set_data_from_numpy(words, binary_data=binary)
            return await c.infer(url, InferRequest("words", [x], request_outputs=[
                RequestedOutput("x", {"binary_data": binary})]), model_name="words")
        got = call("v2", go).outputs[0].as_numpy()
        texts = [v.encode() if isinstance(v, str) else v for v in got.tolist()]
        expect_eq(texts, words.tolist())


@test
def v2_an_empty_tensor():
    for binary in (True, False):
        async def go(c, url):
            x = InferInput("x", [0, 3], "FP32")
            x.set_data_from_numpy(np.empty((0, 3), np.float32), binary_data=binary)
            return await c.infer(url, InferRequest("echo", [x]), model_name="echo")
        expect_eq(call("v2", go).outputs[0].shape, [0, 3])


@test
def v2_not_finite_answers_are_read():
    x = np.array([[np.nan, np.inf, -np.inf]], np.float32)

    async def go(c, url):
        t = InferInput("x", [1, 3], "FP32")
        t.set_data_from_numpy(x, binary_data=True)
        return await c.infer(url, InferRequest("echo", [t]), model_name="echo")
    r = call("v2", go)  # kserve asks for JSON answers unless told otherwise
    expect(np.array_equal(np.array(r.outputs[0].data, np.float32).reshape(1, 3), x, equal_nan=True),
           r.outputs[0].data)


@test
def v2_errors_show_our_text():
    def infer(model, shape):
        async def go(c, url):
            x = InferInput("x", shape, "FP32", [0.0] * int(np.prod(shape)))
            return await c.infer(url, InferRequest(model, [x]), model_name=model)
        return go
    refused("v2", infer("nobody", [1, 3]), 404, "nobody")
    refused("v2", infer("echo", [1, 4]), 400, "x", "4")
    refused("v2", infer("resting", [1, 4]), 503, "resting")


@test
def v1_rows_of_a_model_with_one_input():
    async def go(c, url):
        return await c.infer(url, {"instances": [[1, 2, 3], [4, 5.5, -6]]}, model_name="echo")
    expect_eq(call("v1", go), {"predictions": [[1.0, 2.0, 3.0], [4.0, 5.5, -6.0]]})

    async def words(c, url):
        return await c.infer(url, {"instances": ["a", "\u00e4"]}, model_name="words")
    expect_eq(call("v1", words), {"predictions": ["a", "\u00e4"]})

    async def computed(c, url):
        return await c.infer(url, {"instances": [[1, 1], [0, 2]]}, model_name="sum")
    expect_eq(call("v1", computed), {"predictions": [[3.5, 6.5], [4.5, 7.5]]})


@test
def v1_rows_and_columns_of_a_model_with_several_inputs():
    async def rows(c, url):
        return await c.infer(url, {"instances": [{"a": [1, 2**53 + 1], "b": "p"},
                                                 {"a": [3, 4], "b": "q"}]},
                             model_name="pair")
    expect_eq(call("v1", rows), {"predictions": [{"a": [1, 2**53 + 1], "b": "p"},
                                                 {"a": [3, 4], "b": "q"}]})

    async def columns(c, url):
        return await c.infer(url, {"signature_name": "any",
                                   "inputs": {"a": [[1, 2], [3, 4]], "b": ["p", "q"]}},
                             model_name="pair")
    expect_eq(call("v1", columns), {"outputs": {"a": [[1, 2], [3, 4]], "b": ["p", "q"]}})


@test
def v1_bytes_as_base64():
    async def go(c, url):
        return await c.infer(url, {"instances": [{"b64": "YWJj"}]}, model_name="words")
    expect_eq(call("v1", go), {"predictions": ["abc"]})


@test
def v1_errors_show_our_text():
    def infer(model, body):
        async def go(c, url):
            return await c.infer(url, body, model_name=model)
        return go
    refused("v1", infer("nobody", {"instances": [1]}), 404, "nobody")
    refused("v1", infer("echo", {"instances": [[1, 2]]}), 400)
    refused("v1", infer("echo", {"neither": []}), 400, "instances")
    refused("v1", infer("resting", {"instances": [[1, 2, 3, 4]]}), 503, "resting")


@test
def v1_what_is_not_offered_says_so():
    d = daemon()
    for verb in ("explain", "classify", "regress"):
        expect_eq(d.post("/v1/models/echo:" + verb, {"instances": []}).status, 501, verb)
    listed = d.get("/v1/models").json()["models"]
    expect("echo" in listed and "resting" not in listed, listed)
    one = d.get("/v1/models/echo").json()
    expect_eq((one["name"], one["ready"]), ("echo", True))
    expect_eq(one["model_version_status"][0]["state"], "AVAILABLE")


@test
def the_daemon_ends_in_good_order():
    shared.end()


main()
