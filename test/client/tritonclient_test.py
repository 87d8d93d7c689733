#!/usr/bin/env python3
"""tritonclient_test.py - NVIDIA's tritonclient, unmodified from PyPI, against the daemon: both its
HTTP clients (blocking, and http.aio), every public method.
SPDX-License-Identifier: MIT
"""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import Shared, echo, in_venv, serve, spec

in_venv()
import ml_dtypes
import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

from triton import client, refused, run_aio, same, tensor
from slipway import cases, expect, expect_eq, expect_in, main, test

shared = Shared()
FLOATS = [0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, -2.5]
SAMPLES = {
    "BOOL": np.array([[True, False, True], [False, False, True]]),
    "UINT8": np.array([[0, 1, 255], [7, 128, 200]], np.uint8),
    "UINT16": np.array([[0, 1, 65535], [7, 32768, 200]], np.uint16),
    "UINT32": np.array([[0, 1, 2**32 - 1], [7, 2**31, 200]], np.uint32),
    "UINT64": np.array([[0, 1, 2**64 - 1], [7, 2**63, 2**53 + 1]], np.uint64),
    "INT8": np.array([[0, -1, 127], [-128, 3, 4]], np.int8),
    "INT16": np.array([[0, -1, 32767], [-32768, 3, 4]], np.int16),
    "INT32": np.array([[0, -1, 2**31 - 1], [-2**31, 3, 4]], np.int32),
    "INT64": np.array([[0, -1, 2**63 - 1], [-2**63, 2**53 + 1, -2**53 - 1]], np.int64),
    "FP16": np.array([[0.1, -0.0, 65504], [6e-8, 1 / 3, -2.5]], np.float16),
    "FP32": np.array([[0.1, -0.0, 3.4028235e38], [1e-45, 1 / 3, -2.5]], np.float32),
    "FP64": np.array(FLOATS, np.float64).reshape(2, 3),
    "BYTES": np.array([[b"", b"a", "\u00e4\u20ac\U0001f600".encode()],
                       [b'"\\\n\t', b"\x01 ", b"0"]],
                      object),
    "BF16": np.array([[0.1, -0.0, 3e38], [1e-38, 1 / 3, -2.5]], ml_dtypes.bfloat16),
}
BINARY_ONLY = ("FP16", "BF16")


def daemon():
    """The daemon with one echo model for each datatype, and a few more."""
    fresh = shared.daemon is None
    d = shared()
    if fresh:
        for t in SAMPLES:
            serve(d, "echo-" + t.lower(), echo([spec("x", t, (-1, -1))]))
        serve(d, "mixed", echo([spec("f", "FP32", (-1, 2)), spec("i", "INT64", (-1, 1)),
                                spec("s", "BYTES", (-1, -1)), spec("b", "BOOL", (-1, 1))]))
        serve(d, "one", echo([spec("x", "FP64", (1,))]))
        serve(d, "scalar", echo([spec("x", "FP64", ())]))
        serve(d, "ranked", dict(echo([spec("x", "FP32", (-1, 4))]),
                                **{"slipway.yaml": b"labels: [ham, spam, eggs, toast]\n"}))
    return d


FORMS = [("%s-%s-%s" % (t, "bin" if i else "json", "bin" if o else "json"), t, i, o)
         for t in SAMPLES for i in (True, False) for o in (True, False)
         if t not in BINARY_ONLY or (i and o)]


@cases(FORMS)
def every_datatype_comes_back_bit_for_bit(datatype, binary_in, binary_out):
    x = SAMPLES[datatype]
    with client(daemon()) as c:
        r = c.infer("echo-" + datatype.lower(), [tensor("x", datatype, x, binary_in)],
                    outputs=[http.InferRequestedOutput("x", binary_data=binary_out)])
    same(r.as_numpy("x"), x, datatype)
    expect_eq(r.get_output("x")["datatype"], datatype)
    expect_eq("data" in r.get_output("x"), not binary_out)


@cases(FORMS)
def the_aio_client_too(datatype, binary_in, binary_out):
    x = SAMPLES[datatype]

    async def go(c):
        return await c.infer("echo-" + datatype.lower(), [tensor("x", datatype, x, binary_in, aio)],
                             outputs=[aio.InferRequestedOutput("x", binary_data=binary_out)])
    same(run_aio(daemon(), go).as_numpy("x"), x, datatype)


@test
def bytes_travel_binary_whatever_they_are():
    x = np.array([[bytes(range(256)), b"\xff\xfe", b"\x00"]], object)
    with client(daemon()) as c:
        same(c.infer("echo-bytes", [tensor("x", "BYTES", x)]).as_numpy("x"), x, "bytes")


@test
def not_finite_floats_survive_in_both_forms():
    for t, kind in (("FP32", np.float32), ("FP64", np.float64)):
        x = np.array([[np.nan, np.inf, -np.inf, 1]], kind)
        with client(daemon()) as c:
            for binary in (True, False):
                r = c.infer("echo-" + t.lower(), [tensor("x", t, x)],
                            outputs=[http.InferRequestedOutput("x", binary_data=binary)])
                got = r.as_numpy("x")
                expect_eq(got.dtype, x.dtype)
                expect(np.array_equal(got, x, equal_nan=True), t, binary, got)


@cases([(t, t) for t in BINARY_ONLY])
def half_floats_as_json_are_refused_by_name(datatype):
    x = SAMPLES[datatype]
    with client(daemon()) as c:
        refused(lambda: c.infer("echo-" + datatype.lower(), [tensor("x", datatype, x)],
                                outputs=[http.InferRequestedOutput("x", binary_data=False)]),
                400, "x", datatype)
        if datatype == "FP16":  # the client itself refuses BF16
            refused(lambda: c.infer("echo-fp16", [tensor("x", "FP16", x, False)]), 400, "x", "FP16")


@cases([(t, t) for t in SAMPLES])
def empty_tensors_are_legal(datatype):
    for shape in ((0, 3), (2, 0), (0, 0)):
        x = np.empty(shape, SAMPLES[datatype].dtype)
        for binary_in in (True, False):
            for binary_out in (True, False):
                if datatype in BINARY_ONLY and not (binary_in and binary_out):
                    continue
                with client(daemon()) as c:
                    r = c.infer("echo-" + datatype.lower(), [tensor("x", datatype, x, binary_in)],
                                outputs=[http.InferRequestedOutput("x", binary_data=binary_out)])
                same(r.as_numpy("x"), x, "%s %s" % (datatype, shape))


@test
def scalars_travel_as_one_element_and_as_rank_0():
    with client(daemon()) as c:
        x = np.array([0.1])
        same(c.infer("one", [tensor("x", "FP64", x)]).as_numpy("x"), x, "[1]")
        same(c.infer("one", [tensor("x", "FP64", x, False)]).as_numpy("x"), x, "[1] as JSON")
        x = np.array(0.1)
        same(c.infer("scalar", [tensor("x", "FP64", x)]).as_numpy("x"), x, "[]")
        same(c.infer("scalar", [tensor("x", "FP64", x, False)]).as_numpy("x"), x, "[] as JSON")


def mixed_inputs(kind=http, pattern=(True, False, True, False)):
    values = {"f": np.array([[1.5, -2]] * 3, np.float32), "i": np.array([[2**60 + 1], [-1], [0]]),
              "s": np.array([[b"a", b""], [b"\xc3\xa4", b"b"], [b"c", b"d"]], object),
              "b": np.array([[True], [False], [True]])}
    types = {"f": "FP32", "i": "INT64", "s": "BYTES", "b": "BOOL"}
    return values, [tensor(n, types[n], v, binary, kind)
                    for (n, v), binary in zip(values.items(), pattern)]


@cases([(format(i, "04b"), i) for i in range(16)])
def json_and_binary_mix_in_one_request(bits):
    pattern = [bool(bits >> k & 1) for k in range(4)]
    values, inputs = mixed_inputs(http, pattern)
    asked = [http.InferRequestedOutput(n, binary_data=not p) for n, p in zip(values, pattern)]
    with client(daemon()) as c:
        r = c.infer("mixed", inputs, outputs=asked)
        for n, v in values.items():
            same(r.as_numpy(n), v, n)
        r = c.infer("mixed", list(reversed(inputs)), outputs=list(reversed(asked)))
        expect_eq([o["name"] for o in r.get_response()["outputs"]], ["b", "s", "i", "f"])
        for n, v in values.items():
            same(r.as_numpy(n), v, n + " reversed")


@test
def outputs_not_asked_for_are_not_sent():
    values, inputs = mixed_inputs()
    with client(daemon()) as c:
        r = c.infer("mixed", inputs, outputs=[http.InferRequestedOutput("s")])
        expect_eq([o["name"] for o in r.get_response()["outputs"]], ["s"])
        same(r.as_numpy("s"), values["s"], "s")
        expect_eq(r.as_numpy("f"), None)
        expect_eq(len(c.infer("mixed", inputs).get_response()["outputs"]), 4)


PAIRS = [("%s-%s" % (i, o), i, o) for i in (None, "gzip", "deflate")
         for o in (None, "gzip", "deflate")]


@cases(PAIRS)
def bodies_travel_compressed(coding_in, coding_out):
    x = np.arange(4000, dtype=np.float32).reshape(2, 2000)
    with client(daemon()) as c:
        for binary in (True, False):
            r = c.infer("echo-fp32", [tensor("x", "FP32", x, binary)],
                        outputs=[http.InferRequestedOutput("x", binary_data=binary)],
                        request_compression_algorithm=coding_in,
                        response_compression_algorithm=coding_out)
            same(r.as_numpy("x"), x, "x")


@cases(PAIRS)
def bodies_travel_compressed_for_aio(coding_in, coding_out):
    x = np.arange(4000, dtype=np.float32).reshape(2, 2000)

    async def go(c):
        found = []
        for binary in (True, False):
            found.append(await c.infer(
                "echo-fp32", [tensor("x", "FP32", x, binary, aio)],
                outputs=[aio.InferRequestedOutput("x", binary_data=binary)],
                request_compression_algorithm=coding_in, response_compression_algorithm=coding_out))
        return found
    for r in run_aio(daemon(), go):
        same(r.as_numpy("x"), x, "x")


@test
def what_is_asked_compressed_is_compressed():
    body = {"inputs": [{"name": "x", "shape": [1, 2000], "datatype": "FP32", "data": [1.5] * 2000}]}
    for coding in ("gzip", "deflate"):
        r = daemon().post("/v2/models/echo-fp32/infer", body, {"accept-encoding": coding})
        expect_eq((r.status, r.headers.get("content-encoding")), (200, coding))
        expect(len(r.body) < 1000, "%d bytes" % len(r.body))


@test
def only_answers_of_inference_are_compressed():
    """aio accepts gzip on every call and decodes inference answers only."""
    async def go(c):
        meta = await c.get_model_metadata("mixed")
        expect_eq(meta["name"], "mixed")
        expect_eq((await c.get_server_metadata())["name"], "slipway")
        expect((await c.get_model_config("mixed"))["input"])
        expect((await c.get_model_repository_index()))
        try:
            await c.infer("nobody", [tensor("x", "FP32", SAMPLES["FP32"], True, aio)])
        except InferenceServerException as e:
            expect_eq(e.status(), "404")
            expect_in("nobody", e.message())
            return
        expect(False, "no exception")
    run_aio(daemon(), go)


@test
def classification_gives_values_indices_and_labels():
    x = np.array([[0.25, 4, -1, 2], [9, 8, 7, 7]], np.float32)
    with client(daemon()) as c:
        for binary in (True, False):
            r = c.infer("ranked", [tensor("x", "FP32", x)],
                        outputs=[http.InferRequestedOutput("x", binary_data=binary, class_count=3)])
            expect_eq(r.get_output("x")["datatype"], "BYTES")
            got = r.as_numpy("x")
            expect_eq(got.shape, (2, 3))
            texts = [[t.decode() if isinstance(t, bytes) else t for t in row] for row in got]
            parts = [[(float(t.split(":")[0]), *t.split(":")[1:]) for t in row] for row in texts]
            expect_eq(parts, [[(4, "1", "spam"), (2, "3", "toast"), (0.25, "0", "ham")],
                              [(9, "0", "ham"), (8, "1", "spam"), (7, "2", "eggs")]])
        r = c.infer("ranked", [tensor("x", "FP32", x)],
                    outputs=[http.InferRequestedOutput("x", class_count=100)])
        expect_eq(r.as_numpy("x").shape, (2, 4))
        r = c.infer("echo-fp32", [tensor("x", "FP32", x)],
                    outputs=[http.InferRequestedOutput("x", class_count=1)])
        first = r.as_numpy("x")[0, 0]
        expect_eq(first.split(b":")[1:], [b"1"], "without labels")


@test
def ids_come_back():
    x = [tensor("x", "FP32", SAMPLES["FP32"])]
    with client(daemon()) as c:
        for given in ("1", "a b", "\u00e4\u20ac", 'quo"te\\', "x" * 256):
            expect_eq(c.infer("echo-fp32", x, request_id=given).get_response().get("id"), given)
        expect("id" not in c.infer("echo-fp32", x).get_response())
        refused(lambda: c.infer("echo-fp32", x, request_id="x" * 257), 400, "id")

    async def go(c):
        return await c.infer("echo-fp32", [tensor("x", "FP32", SAMPLES["FP32"], True, aio)],
                             request_id="77")
    expect_eq(run_aio(daemon(), go).get_response()["id"], "77")


@test
def parameters_are_accepted():
    x = [tensor("x", "FP32", SAMPLES["FP32"])]
    with client(daemon()) as c:
        c.infer("echo-fp32", x,
                parameters={"color": "red", "depth": 3, "weight": 0.5, "deep": True})
        c.infer("echo-fp32", x, priority=3, timeout=5000000)
        c.infer("echo-fp32", x, sequence_id=7, sequence_start=True, sequence_end=True)
        c.infer("echo-fp32", x, sequence_id="a-name", sequence_start=True)
        c.infer("echo-fp32", x, headers={"X-Anything": "goes"},
                query_params={"a": "b c", "d": [1, 2]})
        r = c.infer("echo-fp32", x, model_version="1")
        expect_eq(r.get_response()["model_version"], "1")
        expect_eq(r.get_response()["model_name"], "echo-fp32")


@test
def mistakes_are_told_in_words():
    x = SAMPLES["FP32"]
    with client(daemon()) as c:
        refused(lambda: c.infer("nobody", [tensor("x", "FP32", x)]), 404, "nobody")
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP32", x)], model_version="9"), 404, "9")
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP32", x)], model_version="latest"), 400)
        refused(lambda: c.infer("echo-fp32", [tensor("y", "FP32", x)]), 400, "y")
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP64", SAMPLES["FP64"])]), 400, "x",
                "FP64",
                "FP32")
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP32", x.ravel())]), 400, "x")
        refused(lambda: c.infer("mixed", mixed_inputs()[1][:3]), 400, "b")
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP32", x)],
                                outputs=[http.InferRequestedOutput("z")]), 400, "z")
        refused(lambda: c.infer("echo-fp32", []), 400)
        short = tensor("x", "FP32", x)
        short.set_shape([5, 5])
        refused(lambda: c.infer("echo-fp32", [short]), 400, "x")
        refused(lambda: c.get_model_metadata("nobody"), 404, "nobody")
        refused(lambda: c.get_model_metadata("echo-fp32", "9"), 404, "9")
        refused(lambda: c.get_model_config("nobody"), 404, "nobody")
        refused(lambda: c.get_inference_statistics("nobody"), 404, "nobody")
        refused(lambda: c.load_model("nobody"), 404, "nobody")
        refused(lambda: c.unload_model("nobody"), 404, "nobody")
        same(c.infer("echo-fp32", [tensor("x", "FP32", x)]).as_numpy("x"), x, "afterwards")


@test
def the_server_says_who_it_is():
    with client(daemon()) as c:
        expect(c.is_server_live())
        expect(c.is_server_ready())
        meta = c.get_server_metadata()
        expect_eq(meta["name"], "slipway")
        expect(meta["version"])
        for extension in ("classification", "model_repository",
                          "model_repository(unload_dependents)",
                          "schedule_policy", "model_configuration", "binary_tensor_data",
                          "parameters",
                          "statistics"):
            expect_in(extension, meta["extensions"])
        for extension in ("system_shared_memory", "cuda_shared_memory", "sequence", "trace"):
            expect(extension not in meta["extensions"], extension)

    async def go(c):
        return await c.is_server_live(), await c.is_server_ready(), await c.is_model_ready("mixed")
    expect_eq(run_aio(daemon(), go), (True, True, True))


@test
def a_model_says_what_it_takes():
    with client(daemon()) as c:
        expect(c.is_model_ready("mixed"))
        expect(c.is_model_ready("mixed", "1"))
        expect(not c.is_model_ready("mixed", "2"))
        expect(not c.is_model_ready("nobody"))
        meta = c.get_model_metadata("mixed")
        expect_eq(meta["name"], "mixed")
        expect_eq(meta["versions"], ["1"])
        expect(isinstance(meta["platform"], str) and meta["platform"])
        listed = [(t["name"], t["datatype"], t["shape"]) for t in meta["inputs"]]
        expect_eq(listed,
                  [("f", "FP32", [-1, 2]), ("i", "INT64", [-1, 1]), ("s", "BYTES", [-1, -1]),
                           ("b", "BOOL", [-1, 1])])
        expect_eq([t["name"] for t in meta["outputs"]], ["f", "i", "s", "b"])
        expect_eq(c.get_model_metadata("mixed", "1"), meta)
        expect_eq(c.get_model_metadata("mixed", query_params={"x": "y"}), meta)


@test
def a_models_configuration_is_tritons():
    with client(daemon()) as c:
        config = c.get_model_config("mixed")
        expect_eq(config["name"], "mixed")
        for member in ("platform", "backend", "version_policy", "instance_group",
                       "dynamic_batching",
                       "model_transaction_policy", "response_cache", "parameters"):
            expect_in(member, config)
        expect(config["max_batch_size"] > 0, "the model batches")
        expect_eq([(i["name"], i["data_type"], i["dims"]) for i in config["input"]],
                  [("f", "TYPE_FP32", [2]), ("i", "TYPE_INT64", [1]), ("s", "TYPE_STRING", [-1]),
                   ("b", "TYPE_BOOL", [1])])
        expect_eq(config["model_transaction_policy"], {"decoupled": False})
        config = c.get_model_config("one", "1")
        expect_eq(config["max_batch_size"], 0)
        expect_eq(config["input"][0]["dims"], [1])


def counts(c, model, version=""):
    stats = c.get_inference_statistics(model, version)["model_stats"]
    expect_eq(len(stats), 1)
    return stats[0]


@test
def statistics_grow_by_what_was_done():
    x = np.zeros((5, 3), np.float32)
    with client(daemon()) as c:
        before = counts(c, "echo-fp32")
        for _ in range(3):
            c.infer("echo-fp32", [tensor("x", "FP32", x)])
        refused(lambda: c.infer("echo-fp32", [tensor("x", "FP32", x[0])]), 400)
        after = counts(c, "echo-fp32", "1")
        everything = c.get_inference_statistics()["model_stats"]
    expect_eq(after["version"], "1")
    expect_eq(after["inference_count"] - before["inference_count"], 15, "rows")
    runs = after["execution_count"] - before["execution_count"]
    expect(1 <= runs <= 3, "%d runs" % runs)
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
                 "cache_hit", "cache_miss"):
        expect_eq(set(after["inference_stats"][name]), {"count", "ns"}, name)
    for name in ("success", "queue", "compute_infer"):
        a, b = after["inference_stats"][name], before["inference_stats"][name]
        expect_eq(a["count"] - b["count"], 3, name)
        expect(a["ns"] >= b["ns"], name)
    expect(after["last_inference"] >= before["last_inference"])
    expect(after["last_inference"] > 1600000000000, "milliseconds since 1970")
    expect(any(b["batch_size"] == 5 for b in after["batch_stats"]) or runs < 3,
           after["batch_stats"])
    for m in after["memory_usage"]:
        expect_eq(m["type"], "CPU")
    names = {s["name"] for s in everything}
    expect({"mixed", "one", "echo-fp32"} <= names, names)


@test
def many_requests_at_once():
    x = [tensor("x", "FP32", SAMPLES["FP32"])]
    with client(daemon(), concurrency=8) as c:
        waiting = [c.async_infer("echo-fp32", x, request_id=str(i)) for i in range(100)]
        for i, w in enumerate(waiting):
            r = w.get_result(timeout=30)
            expect_eq(r.get_response()["id"], str(i))
            same(r.as_numpy("x"), SAMPLES["FP32"], "x")

    async def go(c):
        y = [tensor("x", "FP32", SAMPLES["FP32"], True, aio)]
        return await asyncio.gather(*[c.infer("echo-fp32", y, request_id=str(i))
                                      for i in range(100)])
    expect_eq([r.get_response()["id"] for r in run_aio(daemon(), go)], [str(i) for i in range(100)])


@test
def bodies_can_be_made_and_read_apart():
    """For those who send with an HTTP client of their own."""
    x = SAMPLES["INT64"]
    body, n = http.InferenceServerClient.generate_request_body([tensor("x", "INT64", x)])
    r = daemon().post("/v2/models/echo-int64/infer", body,
                      {"inference-header-content-length": str(n)} if n else {})
    expect_eq(r.status, 200, r.body)
    length = r.headers.get("inference-header-content-length")
    parsed = http.InferenceServerClient.parse_response_body(
        r.body, header_length=int(length) if length else None)
    same(parsed.as_numpy("x"), x, "x")


@test
def what_is_not_built_says_so():
    with client(daemon()) as c:
        for fn in (c.get_system_shared_memory_status, c.get_cuda_shared_memory_status,
                   c.get_trace_settings, c.get_log_settings,
                   lambda: c.update_log_settings({"log_info": True}),
                   lambda: c.register_system_shared_memory("a", "/b", 10)):
            refused(fn, 501)


@test
def large_tensors_travel():
    x = np.random.default_rng(1).random((64, 16384)).astype(np.float32)  # 4 MiB
    with client(daemon(), network_timeout=60) as c:
        same(c.infer("echo-fp32", [tensor("x", "FP32", x)]).as_numpy("x"), x, "binary")
        y = x[:4]
        r = c.infer("echo-fp32", [tensor("x", "FP32", y, False)],
                    outputs=[http.InferRequestedOutput("x", binary_data=False)])
        same(r.as_numpy("x"), y, "JSON")


@test
def the_daemon_ends_in_good_order():
    shared.end()


main()
