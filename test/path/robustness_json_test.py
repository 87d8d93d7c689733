#!/usr/bin/env python3
# run: release
"""robustness_json_test.py - the rows JS-101 to JS-109 of the robustness catalogue: hostile
JSON, tensors and parameters of the V2 protocol. SPDX-License-Identifier: MIT
"""
import json
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import ONE, Room, bad_infer, infer_json, raw
from models import bytes_tensor, echo, infer_body, outputs_of, serve, spec
from slipway import expect, expect_eq, main, test

INTS = {"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "UINT8": 8, "UINT16": 16, "UINT32": 32,
        "UINT64": 64}


def prepare(d):
    for t in ("BOOL", *INTS, "FP16", "BF16", "FP64", "BYTES"):
        serve(d, "echo-" + t.lower(), echo([spec("x", t, (-1, -1))]))
    serve(d, "two", echo([spec("a", "FP32", (-1, 2)), spec("b", "INT64", (-1, 2))]))
    serve(d, "slow", echo([spec("x", "FP32", (-1, -1))], delay_us=20000))


room = Room(prepare)


def model_of(datatype):
    return "echo" if datatype == "FP32" else "echo-" + datatype.lower()


@room.rows([
    ("objects", b'{"a":' * 100000), ("arrays", b'{"a":' + b"[" * 100000),
    ("in-an-array", b'{"inputs":[{"zzz":' + b"[" * 100000),
    ("in-data", raw("[" * 100000 + "]" * 100000).encode()),
    ("a-body-of-brackets", b"[" * 100000), ("an-array-of-arrays", b"[" * 100000 + b"]" * 100000),
    ("in-a-parameter",
     b'{"parameters":{"a":' + b'{"a":' * 100000 + b"1" + b"}" * 100000 + b"}}"),
    ("in-an-unknown-member", b'{"x":' + b"[" * 100000 + b"]" * 100000 + b',"inputs":[]}'),
    ("just-over", b'{"x":' + b"[" * 64 + b"]" * 64 + b"}")])
def JS_101_depth(d, body):
    bad_infer(d, body, "JSON_TOO_DEEP")


@room.row
def JS_101_depth_within_the_limit(d):
    r = d.post("/v2/models/echo/infer", json.dumps(infer_json())[:-1] + ',"x":' + "[" * 60 +
               "]" * 60 + "}")
    expect_eq(r.status, 200, r.body)


WRONG = [("3.7", t, "WRONG_TYPE") for t in INTS]
WRONG += [("true", t, "WRONG_TYPE") for t in (*INTS, "FP32", "FP64")]
WRONG += [('"1"', t, "WRONG_TYPE") for t in (*INTS, "FP32", "FP64")]
WRONG += [("null", t, "WRONG_TYPE") for t in ("INT32", "FP32", "BYTES", "BOOL")]
WRONG += [("{}", t, "WRONG_TYPE") for t in ("INT32", "FP32", "BYTES", "BOOL")]
WRONG += [("1", "BYTES", "WRONG_TYPE"), ("true", "BYTES", "WRONG_TYPE"),
          ('"true"', "BOOL", "WRONG_TYPE"),
          ('"nan"', "FP32", "WRONG_TYPE"), ('"inf"', "FP64", "WRONG_TYPE"),
          ('"-NaN"', "FP32", "WRONG_TYPE"),
          ("2", "BOOL", "VALUE_OUT_OF_RANGE"), ("-1", "BOOL", "VALUE_OUT_OF_RANGE"),
          ("1e39", "FP32", "VALUE_OUT_OF_RANGE"), ("-1e39", "FP32", "VALUE_OUT_OF_RANGE"),
          ("3.4028236e38", "FP32", "VALUE_OUT_OF_RANGE"), ("1e309", "FP64", "VALUE_OUT_OF_RANGE")]
for _t, _bits in INTS.items():
    _top = 2**(_bits - 1) if _t[0] == "I" else 2**_bits
    _low = -_top - 1 if _t[0] == "I" else -1
    WRONG += [(str(_top), _t, "VALUE_OUT_OF_RANGE"), (str(_low), _t, "VALUE_OUT_OF_RANGE"),
              ("1" + "0" * 40, _t, "VALUE_OUT_OF_RANGE")]


@room.rows([("%s-%s" % (t, v[:14]), v, t, code) for v, t, code in WRONG])
def JS_102_values_outside_their_type(d, value, datatype, code):
    fine = '"a"' if datatype == "BYTES" else "1"
    body = bad_infer(d, raw("[%s,%s,%s]" % (fine, fine, value), datatype, "[1,3]"), code, "x",
                     "inputs[0].data[2]", model=model_of(datatype))
    expect("x" in body["error"] and "2" in body["error"], body["error"])
    bad_infer(d, raw("[[%s],[%s]]" % (fine, value), datatype, "[2,1]"), code, "x",
              model=model_of(datatype))


@room.row
def JS_102_integers_are_exact(d):
    for t, values in (("INT64", [2**53 + 1, -2**53 - 1, 2**63 - 1, -2**63, 0]),
                      ("UINT64", [2**53 + 1, 2**64 - 1, 2**63, 0, 1]),
                      ("INT8", [-128, 127, 0, 1, -1])):
        r = d.post("/v2/models/%s/infer" % model_of(t), infer_json(values, datatype=t))
        expect_eq((r.status, r.json()["outputs"][0]["data"]), (200, values), t)


@room.row
def JS_102_floats_are_rounded_once(d):
    """The text is rounded to the type at once, never by way of another; -0 and subnormals stay."""
    rnd = random.Random(7)
    for t, fmt, ifmt, model in (("FP32", "<f", "<I", "echo"), ("FP64", "<d", "<Q", "echo-fp64")):
        bits = [rnd.getrandbits(32 if t == "FP32" else 64) for _ in range(400)]
        values = [v for v in (struct.unpack(fmt, struct.pack(ifmt, b))[0] for b in bits)
                  if abs(v) < 1e300 and v == v]
        texts = [repr(v) for v in values] + ["-0.0", "-0", "1e-45", "5e-324",
                                             "1.00000017881393432617187499",
                                             "0.1", "1E2", "1e-400", "16777217"]
        body = raw("[%s]" % ",".join(texts), t, "[1,%d]" % len(texts))
        cut = body[:-1] + ',"parameters":{"binary_data_output":true}}'
        r = d.post("/v2/models/%s/infer" % model, cut)
        expect_eq(r.status, 200, r.body[:300])
        got = outputs_of(r)["x"][2]
        for i, text in enumerate(texts):
            want = nearest(text, t)
            expect_eq(got[i * len(want):(i + 1) * len(want)], want, "%s as %s" % (text, t))


def nearest(text, datatype):
    """The bytes of the float nearest to a decimal text, ties to even."""
    from fractions import Fraction
    v = float(text)
    if datatype == "FP64":
        return struct.pack("<d", v)
    exact = Fraction(text)
    near = struct.unpack("<I", struct.pack("<f", v))[0]
    best = None
    for bits in (near - 1, near, near + 1):
        if bits < 0 or bits > 0xffffffff:
            continue
        f = struct.unpack("<f", struct.pack("<I", bits))[0]
        if f != f or f in (float("inf"), float("-inf")):
            continue
        key = (abs(Fraction(f) - exact), bits & 1, bits != near)
        if best is None or key < best[0]:
            best = (key, bits)
    return struct.pack("<I", best[1])


@room.rows([
    ("invalid-utf8-in-a-string", b'{"inputs":[],"id":"\xff"}', "BAD_JSON"),
    ("cut-utf8", b'{"inputs":[],"id":"\xe2\x82"}', "BAD_JSON"),
    ("overlong", b'{"inputs":[],"id":"\xc0\xaf"}', "BAD_JSON"),
    ("overlong-3", b'{"inputs":[],"id":"\xe0\x80\xaf"}', "BAD_JSON"),
    ("surrogate-bytes", b'{"inputs":[],"id":"\xed\xa0\x80"}', "BAD_JSON"),
    ("past-10ffff", b'{"inputs":[],"id":"\xf4\x90\x80\x80"}', "BAD_JSON"),
    ("lone-surrogate", b'{"inputs":[],"id":"\\ud800"}', "BAD_JSON"),
    ("lone-low-surrogate", b'{"inputs":[],"id":"\\udc00"}', "BAD_JSON"),
    ("swapped-surrogates", b'{"inputs":[],"id":"\\udc00\\ud800"}', "BAD_JSON"),
    ("invalid-utf8-in-a-key", b'{"inputs":[],"\xff":1}', "BAD_JSON"),
    ("bom", b"\xef\xbb\xbf" + json.dumps(infer_json()).encode(), "BAD_JSON"),
    ("utf-16", json.dumps(infer_json()).encode("utf-16-le"), "BAD_JSON"),
    ("utf-16-bom", json.dumps(infer_json()).encode("utf-16"), "BAD_JSON"),
    ("nul", b'{"inputs":[]}\0', "BAD_JSON"), ("control", b'{"inputs":[],"id":"\x01"}', "BAD_JSON"),
    ("raw-newline", b'{"inputs":[],"id":"\n"}', "BAD_JSON"),
    ("bad-escape", b'{"inputs":[],"id":"\\x41"}', "BAD_JSON"),
    ("cut-escape", b'{"inputs":[],"id":"\\u12"}', "BAD_JSON")])
def JS_103_text(d, body, code):
    bad_infer(d, body, code)


@room.row
def JS_103_names_are_never_cut_at_nul(d):
    bad_infer(d, infer_json(name="x\0y"), "BAD_NAME", field="inputs[0].name")
    bad_infer(d, infer_json(name="x\0"), "BAD_NAME", field="inputs[0].name")
    body = infer_json()
    body["outputs"] = [{"name": "x\0"}]
    bad_infer(d, body, "BAD_NAME", field="outputs[0].name")
    reply = d.get("/v2/models/echo%00")
    expect(reply.status in (400, 404), reply)


@room.row
def JS_103_text_is_kept_as_it_is(d):
    texts = ["", "\0", "a\0b", "\u00e4", "\U0001f600", '"\\/\b\f\n\r\t', "\x7f", "\u2028"]
    for ascii_only in (True, False):
        body = json.dumps(infer_json(texts, datatype="BYTES"), ensure_ascii=ascii_only)
        r = d.post("/v2/models/echo-bytes/infer", body)
        expect_eq((r.status, r.json()["outputs"][0]["data"]), (200, texts))


@room.rows([
    ("negative", "[-1,2]", "BAD_SHAPE"), ("2^63", "[9223372036854775808]", "BAD_SHAPE"),
    ("2^64", "[1,18446744073709551616]", "BAD_SHAPE"), ("huge", "[%s]" % ("9" * 60), "BAD_SHAPE"),
    ("2^31", "[1,2147483648]", "BAD_SHAPE"),
    ("product-overflows", "[2147483647,2147483647,2147483647]", "BAD_SHAPE"),
    ("product-wraps-to-1", "[1,4294967297]", "BAD_SHAPE"),
    ("rank-1000", "[%s]" % ",".join(["1"] * 1000), "BAD_SHAPE"),
    ("rank-9", "[1,1,1,1,1,1,1,1,1]", "BAD_SHAPE"),
    ("rank-1", "[1]", "BAD_SHAPE"), ("rank-3", "[1,1,1]", "BAD_SHAPE"),
    ("too-many", "[1,2]", "BAD_SHAPE"),
    ("too-few", "[1,0]", "BAD_SHAPE"),
    ("fraction", "[1.5,1]", "BAD_SHAPE"), ("exponent", "[1,1e0]", "BAD_SHAPE"),
    ("text", '["1",1]', "WRONG_TYPE"), ("null", "null", "WRONG_TYPE"),
    ("object", "{}", "WRONG_TYPE"), ("nested", "[[1,1]]", "WRONG_TYPE")])
def JS_104_shapes(d, shape, code):
    body = bad_infer(d, raw("[1]", shape=shape), code)
    expect('"x"' in body["error"] or "shape" in body["error"], body)
    expect(body["details"].get("field", "").startswith("inputs[0]"), body)
    text = raw("[]", shape=shape).replace('"data":[]', '"parameters":{"binary_data_size":4}')
    bad_infer(d, text.encode() + b"\0\0\0\0", (code, "BAD_SIZE"),
              headers={"inference-header-content-length": str(len(text))})


@room.row
def JS_104_missing_ragged_and_empty(d):
    bad_infer(d, '{"inputs":[{"name":"x","datatype":"FP32","data":[1]}]}', "BAD_SHAPE", "x")
    bad_infer(d, raw("[[1,2],[3]]", shape="[2,2]"), "BAD_SHAPE", "x")
    bad_infer(d, raw("[[1,2,3],[4]]", shape="[2,2]"), "BAD_SHAPE", "x")
    bad_infer(d, raw("[[1,2],3,4]", shape="[2,2]"), ("BAD_SHAPE", "WRONG_TYPE"), "x")
    bad_infer(d, raw("[1,[2,3],4]", shape="[2,2]"), ("BAD_SHAPE", "WRONG_TYPE"), "x")
    body = bad_infer(d, raw("[1,2,3,4,5]", shape="[2,3]"), "BAD_SHAPE", ["x", "6", "5"])
    expect("[2,3]" in body["error"].replace(" ", ""), body["error"])
    for shape in ("[0,3]", "[3,0]", "[0,0]"):
        r = d.post("/v2/models/echo/infer", raw("[]", shape=shape))
        expect_eq((r.status, r.json()["outputs"][0]),
                  (200, {"name": "x", "datatype": "FP32", "data": [],
                                                             "shape": json.loads(shape)}))
    bad_infer(d, raw("[1]", shape="[0,3]"), "BAD_SHAPE", "x")
    bad_infer(d, raw("[1,2,3]", shape="[1,3]").replace('"x"', '"a"'),
              ("BAD_SHAPE", "INVALID_ARGUMENT"), model="two")


@room.row
def JS_104_batches_must_agree(d):
    body = {"inputs": [{"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]},
                       {"name": "b", "shape": [2, 2], "datatype": "INT64", "data": [1, 2, 3, 4]}]}
    bad_infer(d, body, "BAD_SHAPE", model="two")


@room.rows([(t or "empty", t)
            for t in ("FP8", "fp32", "FLOAT", "STRING", "", "INT128", "TYPE_FP32", "F\\u0000P32")])
def JS_105_unknown_datatypes(d, datatype):
    bad_infer(d, raw("[1]", datatype), "BAD_DATATYPE", "x", "inputs[0].datatype")


@room.row
def JS_105_datatypes_that_do_not_fit(d):
    for t in ("FP16", "BF16"):
        bad_infer(d, raw("[1]", t), "BAD_DATATYPE", ["x", t], model=model_of(t))
        body, headers = infer_body([("x", t, [1, 1], b"\0\0")])
        r = d.post("/v2/models/%s/infer" % model_of(t), body, headers)
        expect_eq(r.status, 200, "binary is fine")
        text = body.replace(b'"binary_data_output": true', b'"binary_data_output":false')
        bad_infer(d, text, "BAD_DATATYPE", "x", model=model_of(t),
                  headers={"inference-header-content-length": str(len(text) - 2)})
    bad_infer(d, raw("[1]", "FP64"), "BAD_DATATYPE", ["x", "FP64", "FP32"])
    bad_infer(d, raw("[1]", "BYTES"), ("WRONG_TYPE"), "x", model="echo-bytes")
    bad_infer(d, '{"inputs":[{"name":"x","shape":[1,1],"data":[1]}]}',
              ("BAD_DATATYPE", "INVALID_ARGUMENT"), "x")
    bad_infer(d, '{"inputs":[{"name":"x","shape":[1,1],"datatype":7,"data":[1]}]}',
              ("BAD_DATATYPE", "WRONG_TYPE"))


@room.row
def JS_106_names(d):
    bad_infer(d, {"inputs": [ONE, ONE]}, "INVALID_ARGUMENT", "x")
    bad_infer(d, {"inputs": [dict(ONE, name="nobody")]}, "UNKNOWN_TENSOR", "nobody")
    bad_infer(d, {"inputs": [ONE, dict(ONE, name="nobody")]}, "UNKNOWN_TENSOR", "nobody")
    bad_infer(d, {"inputs": []}, "INVALID_ARGUMENT")
    bad_infer(d, {"inputs": [dict(ONE, name="a", shape=[1, 2], data=[1, 2])]}, "INVALID_ARGUMENT",
              "b", model="two")
    bad_infer(d, {"inputs": [ONE], "outputs": [{"name": "x"}, {"name": "x"}]}, "INVALID_ARGUMENT",
              "x")
    bad_infer(d, {"inputs": [ONE], "outputs": [{"name": "nobody"}]}, "UNKNOWN_TENSOR", "nobody")
    bad_infer(d, {"inputs": [{k: v for k, v in ONE.items() if k != "name"}]}, "INVALID_ARGUMENT")
    bad_infer(d, {"inputs": [dict(ONE, name="")]}, "BAD_NAME")
    bad_infer(d, {"inputs": [dict(ONE, name=7)]}, ("WRONG_TYPE",))
    bad_infer(d, {"inputs": [{k: v for k, v in ONE.items() if k != "data"}]},
              ("INVALID_ARGUMENT", "BAD_SHAPE"))
    bad_infer(d, {}, "INVALID_ARGUMENT", "inputs")
    bad_infer(d, {"inputs": ONE}, "WRONG_TYPE")
    bad_infer(d, {"inputs": [7]}, "WRONG_TYPE")
    bad_infer(d, {"inputs": [dict(ONE, name="n%d" % i) for i in range(65)]}, "INVALID_ARGUMENT")
    long = "n" * 10000
    body = bad_infer(d, {"inputs": [dict(ONE, name=long)]}, "UNKNOWN_TENSOR")
    expect(len(body["error"]) < 400, "the client's text is cut: %d bytes" % len(body["error"]))
    body = bad_infer(d, {"inputs": [dict(ONE, name="\x1b[31m\r\nX: y")]}, "UNKNOWN_TENSOR")
    expect("\x1b" not in body["error"] and "\n" not in body["error"], repr(body["error"]))


@room.rows([("top", '{"inputs":[],"inputs":[]}'), ("id", '{"id":"a","id":"b","inputs":[]}'),
            ("input",
             '{"inputs":[{"name":"x","name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]}'),
            ("escaped", '{"inputs":[],"\\u0069nputs":[]}'),
            ("parameters", '{"parameters":{"a":1,"a":1},"inputs":[]}'),
            ("unknown-member", '{"zzz":{"a":1,"a":1},"inputs":[]}')])
def JS_106_keys_twice(d, body):
    bad_infer(d, body, "DUPLICATE_KEY")


@room.row
def JS_107_outputs_and_classes(d):
    bad_infer(d, {"inputs": [ONE], "outputs": [{"name": "n%d" % i} for i in range(10000)]},
              ("INVALID_ARGUMENT", "UNKNOWN_TENSOR"))
    bad_infer(d, {"inputs": [ONE], "outputs": [{"name": "x"}] * 10000}, "INVALID_ARGUMENT")
    for n in (10**9, 10**30, 1000001, -1):
        bad_infer(d, {"inputs": [ONE],
                      "outputs": [{"name": "x", "parameters": {"classification": n}}]},
                  ("VALUE_OUT_OF_RANGE", "INVALID_ARGUMENT"))
    for n in (1.5, "3", True):
        bad_infer(d, {"inputs": [ONE],
                      "outputs": [{"name": "x", "parameters": {"classification": n}}]},
                  "WRONG_TYPE")
    r = d.post("/v2/models/echo/infer", {"inputs": [ONE], "outputs": [
        {"name": "x", "parameters": {"classification": 1000000}}]})
    expect_eq((r.status, r.json()["outputs"][0]["shape"]), (200, [1, 1]))


def sized(sizes, tail, shape=(1, 1), datatype="FP32", model="echo", names=None):
    """A binary request that declares these sizes and brings this tail."""
    names = names or ["x"]
    inputs = [{"name": n, "shape": list(shape), "datatype": datatype,
               "parameters": {"binary_data_size": s}}
              for n, s in zip(names, sizes)]
    head = json.dumps({"inputs": inputs}).encode()
    return head + tail, {"inference-header-content-length": str(len(head))}


@room.rows([
    ("negative", [-1], b"\0" * 4), ("negative-4", [-4], b"\0" * 4), ("over-body", [400], b"\0" * 4),
    ("2^63", [2**63], b"\0" * 4), ("2^64", [2**64], b"\0" * 4), ("2^64+4", [2**64 + 4], b"\0" * 4),
    ("left-over", [4], b"\0" * 5), ("missing", [4], b"\0" * 3), ("nothing", [4], b""),
    ("not-the-shape", [8], b"\0" * 8), ("zero", [0], b""), ("less-than-shape", [3], b"\0" * 3)])
def JS_108_sizes(d, sizes, tail):
    body, headers = sized(sizes, tail)
    body = bad_infer(d, body, "BAD_SIZE", headers=headers)
    if len(tail) <= sizes[0]:
        expect(body["details"].get("field", "").startswith("inputs[0]"), body)


@room.row
def JS_108_sizes_of_several(d):
    for a, b, n in ((8, 16, 23), (8, 16, 25), (16, 8, 24), (2**63, 2**63, 0), (2**64 - 8, 8, 0)):
        inputs = [{"name": "a", "shape": [1, 2], "datatype": "FP32",
                   "parameters": {"binary_data_size": a}},
                  {"name": "b", "shape": [1, 2], "datatype": "INT64",
                   "parameters": {"binary_data_size": b}}]
        head = json.dumps({"inputs": inputs}).encode()
        bad_infer(d, head + b"\0" * n, "BAD_SIZE", model="two",
                  headers={"inference-header-content-length": str(len(head))})
    body, headers = infer_body([("b", "INT64", [1, 2], struct.pack("<qq", 1, 2))])
    request_ = json.loads(body[:int(headers["inference-header-content-length"])])
    request_["inputs"].insert(0, {"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]})
    head = json.dumps(request_).encode()
    r = d.post("/v2/models/two/infer", head + body[-16:],
               {"inference-header-content-length": str(len(head))})
    expect_eq(r.status, 200, "JSON and binary mix")
    text = json.dumps({"inputs": [dict(ONE, parameters={"binary_data_size": 4})]}).encode()
    bad_infer(d, text + b"\0" * 4, ("BAD_SIZE", "INVALID_ARGUMENT"),
              headers={"inference-header-content-length": str(len(text))})
    text = json.dumps({"inputs": [dict(ONE, data=None, parameters={"binary_data_size": 4})]})
    bad_infer(d, text.encode() + b"\0" * 4, ("BAD_SIZE", "BAD_JSON"))  # no header: all is JSON


@room.rows([("prefix-past-end", struct.pack("<I", 100) + b"abc", 1),
            ("prefix-2^32-1", b"\xff" * 4, 1),
            ("cut-prefix", b"\x01\x00", 1), ("one-too-few", bytes_tensor([b"a"]), 2),
            ("one-too-many", bytes_tensor([b"a", b"b", b"c"]), 2),
            ("many-empty", b"\0" * 4000, 10**6),
            ("nothing", b"", 1)])
def JS_108_bytes_elements(d, tail, n):
    body, headers = sized([len(tail)], tail, (1, n), "BYTES")
    bad_infer(d, body, ("BAD_SIZE",), "x", headers=headers, model="echo-bytes")


@room.row
def JS_108_binary_bools(d):
    for b in (2, 255, 128):
        body, headers = sized([3], bytes([0, 1, b]), (1, 3), "BOOL")
        bad_infer(d, body, "VALUE_OUT_OF_RANGE", "x", headers=headers, model="echo-bool")


@room.rows([(k, k)
            for k in ("triton_enable_empty_final_response", "triton_x", "headers", "slipway_x",
                             "slipway_", "shared_memory_region")])
def JS_109_reserved_parameters(d, key):
    bad_infer(d, infer_json(parameters={key: True}), "RESERVED_PARAMETER", key)


@room.row
def JS_109_parameters(d):
    fine = {"color": "red", "n": 1.5, "deep": True, "content_type": "np", "slipway_debug": False,
            "Triton_x": 1}
    expect_eq(d.post("/v2/models/echo/infer", infer_json(parameters=fine)).status, 200)
    for value in (None, [], {}, [1]):
        bad_infer(d, infer_json(parameters={"color": value}), ("WRONG_TYPE", "INVALID_ARGUMENT"))
    bad_infer(d, infer_json(parameters={"p%d" % i: 1 for i in range(65)}), ("INVALID_ARGUMENT",))
    bad_infer(d, infer_json(parameters=[]), "WRONG_TYPE")
    for key, value in (("timeout", -1), ("timeout", 2**64), ("priority", -1), ("sequence_id", -1),
                       ("sequence_id", 2**64)):
        bad_infer(d, infer_json(parameters={key: value}), "VALUE_OUT_OF_RANGE", key)
    for key, value in (("timeout", "x"), ("timeout", 1.5), ("priority", True),
                       ("sequence_start", 1),
                       ("binary_data_output", "yes"), ("slipway_debug", 1)):
        bad_infer(d, infer_json(parameters={key: value}), "WRONG_TYPE", key)
    bad_infer(d, json.dumps(infer_json())[:-1] + "," +
              ",".join('"k%d":1' % i for i in range(1100)) + "}",
              "BAD_JSON")


@test
def the_daemon_ends_in_good_order():
    room.end()


main()
