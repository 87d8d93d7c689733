#!/usr/bin/env python3
# run: early release
"""robustness_model_test.py - the rows MF-101 to MF-118 of the robustness catalogue: hostile model
files, pushed and deployed like any other. SLIPWAY_FULL=1 runs the sizes of the catalogue.
SPDX-License-Identifier: MIT
"""
import glob
import gzip
import io
import os
import pickle
import random
import re
import shutil
import struct
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import onnxpb as pb
from hostile import (COUNT, FULL, MIB, REJECTED, Room, check_error, fresh, has_onnx, has_onnx_once,
                     infer_json, not_built, refused, rss, try_model)
from models import deploy, echo, spec, upload, want
from slipway import SANITIZED, Daemon, expect, expect_eq, main, skip, test

room = Room(has_onnx_once)


@room.row
def a_good_model_serves(d):
    """What the others are changes of."""
    has_onnx(d)
    model = fresh()
    expect_eq(try_model(d, pb.add_model(), model).status, 200)
    r = d.post("/v2/models/%s/infer" % model, infer_json([1, 1]))
    expect_eq((r.status, r.json()["outputs"][0]["data"]), (200, [2, 3]))


@room.row
def so_do_the_others_when_nothing_is_wrong_with_them(d):
    has_onnx(d)
    for model in (if_model(branch(initializers=[pb.floats("k", [2], [1, 2])])),
                  inside(t=pb.floats("", [1], [1])),
                  inside(sparse_tensor=pb.sparse(pb.floats("", [1], [1]), sparse_indices(), [4])),
                  deep(3)):
        reply = try_model(d, model)
        expect_eq(reply.status, 200, reply.body)


# --- MF-101 to MF-104: data outside the file ---------------------------------------------------

LOCATIONS = ["../../x", "a/../../x", "/etc/passwd", "..\\x", "C:\\x", "file:///etc/passwd",
             "//host/x", "data.bin", "",
             ".", "model.onnx", "a\0b", "\u2025/x", "%2e%2e/x", "~/x", "/proc/self/environ"]


@room.rows([(repr(loc), loc) for loc in LOCATIONS])
def MF_101_external_data(d, location):
    w = pb.tensor("w", [2], None, external={"location": location})
    refused(d, pb.add_model(w), "EXTERNAL_DATA_FORBIDDEN", "w")
    files = {"model.onnx": pb.add_model(w), "data.bin": struct.pack("<2f", 1, 2)}
    refused(d, files, "EXTERNAL_DATA_FORBIDDEN")


@test
def MF_101_nothing_is_opened():
    """Under strace: no system call ever names what the model points to."""
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    with tempfile.TemporaryDirectory() as tmp:
        trace = os.path.join(tmp, "trace")
        wrap = ["strace", "-D", "-f", "-qq", "-e", "trace=%file", "-o", trace]
        with Daemon(wrap=wrap, seconds=30) as d:
            for marker in ("../../moonstone", "/moonstone/x", "moonstone.bin"):
                w = pb.tensor("w", [2], None, external={"location": marker})
                check_error(try_model(d, pb.add_model(w)), 422, "EXTERNAL_DATA_FORBIDDEN")
        with open(trace, errors="replace") as f:
            calls = f.read()
    expect("openat(" in calls, "strace saw nothing")
    expect("moonstone" not in calls, re.findall(".*moonstone.*", calls)[:3])


def out_there(name="secret"):
    return pb.tensor(name, [2], None, external={"location": "x.bin"})


def inside(**kw):
    """A model with one more node that has this attribute."""
    return pb.add_model(extra_nodes=[pb.node("Constant", [], ["c"], [pb.attribute("value", **kw)])])


def branch(**kw):
    return pb.graph([pb.node("Identity", ["k"], ["z"])], [], [pb.value("z", (2,))], **kw)


def if_model(then):
    cond = pb.node("Constant", [], ["cond"],
                   [pb.attribute("value", t=pb.tensor("", [], b"\1", pb.BOOL))])
    choice = pb.node("If", ["cond"], ["z"],
                     [pb.attribute("then_branch", g=then), pb.attribute("else_branch", g=then)])
    return pb.add_model(extra_nodes=[cond, choice])


def sparse_indices():
    return pb.int64s("", [1], [0])


PLACES = [
    ("initializer", pb.add_model(out_there("w"))),
    ("constant", inside(t=out_there())),
    ("tensors", inside(ts=[pb.floats("", [1], [1]), out_there()])),
    ("sparse-value", inside(sparse_tensor=pb.sparse(out_there(), sparse_indices(), [4]))),
    ("sparse-indices", inside(sparse_tensor=pb.sparse(
        pb.floats("", [1], [1]), pb.tensor("", [1], None, pb.INT64, {"location": "x.bin"}), [4]))),
    ("sparse-initializer",
     pb.model(pb.graph([pb.node("Add", ["x", "w"], ["y"])], [pb.value("x")], [pb.value("y")],
                                             [pb.floats("w", [2], [1, 2])],
                                             [pb.sparse(out_there("s"), sparse_indices(), [4])]))),
    ("subgraph-initializer", if_model(branch(initializers=[out_there("k")]))),
    ("subgraph-constant",
     if_model(pb.graph([pb.node("Constant", [], ["z"], [pb.attribute("value", t=out_there())])],
                                            [], [pb.value("z", (2,))]))),
    ("graphs", inside(gs=[branch(initializers=[out_there("k")])])),
    ("function", pb.add_model(functions=[
        pb.field(1, "F") + pb.field(4, ["a"]) + pb.field(5, ["b"]) +
        pb.field(7, pb.node("Constant", [], ["b"], [pb.attribute("value", t=out_there())])) +
        pb.field(9, pb.opset(17)) + pb.field(10, "local")],
        opsets=[pb.opset(17), pb.opset(1, "local")])),
    ("training-initialization",
     pb.add_model(training=[pb.field(1, branch(initializers=[out_there("k")]))])),
    ("training-algorithm",
     pb.add_model(training=[pb.field(2, branch(initializers=[out_there("k")]))])),
    ("two-levels-down", if_model(pb.graph(
        [pb.node("If", ["cond"], ["z"],
                 [pb.attribute("then_branch", g=branch(initializers=[out_there("k")])),
                                         pb.attribute("else_branch",
                                                      g=branch(initializers=[out_there("k")]))])],
        [], [pb.value("z", (2,))]))),
    # location without the data_location field, and the other way round
    ("external-without-flag", pb.add_model(pb.tensor("w", [2], struct.pack("<2f", 1, 2)) +
                                           pb.field(13, pb.field(1, "location") +
                                                    pb.field(2, "x.bin")))),
    ("flag-without-external",
     pb.add_model(pb.tensor("w", [2], struct.pack("<2f", 1, 2)) + pb.field(14, 1))),
]


@room.rows(PLACES)
def MF_102_external_data_wherever_a_tensor_can_be(d, model):
    refused(d, model, "EXTERNAL_DATA_FORBIDDEN")


@room.rows([("offset-negative", {"offset": -1}), ("length-negative", {"length": -8}),
            ("offset-text", {"offset": "abc"}),
            ("length-2^63", {"length": 2**63}), ("offset-2^64", {"offset": 2**64}),
            ("offset-beyond", {"offset": 10**6}),
            ("length-beyond", {"length": 10**9}), ("unknown-key", {"color": "red"}),
            ("checksum", {"checksum": "0"}),
            ("no-location", None)])
def MF_103_offsets_and_lengths(d, more):
    external = dict({"location": "data.bin"}, **more) if more is not None else {"offset": 0}
    w = pb.tensor("w", [2], None, external=external)
    refused(d, {"model.onnx": pb.add_model(w), "data.bin": struct.pack("<2f", 1, 2)},
            "EXTERNAL_DATA_FORBIDDEN")


def object_path(d, sha):
    found = glob.glob(os.path.join(d.data, "objects", "*", "*" + sha[2:])) + \
        glob.glob(os.path.join(d.data, "objects", "*", sha))
    expect(found, "no object of that digest in the data folder")
    return found[0]


@room.row
def MF_104_bytes_changed_after_the_check(d):
    """An artifact changed on disk after its push: found by its hash at load, and not loaded."""
    model = fresh()
    data = echo([spec("x")], delay_us=COUNT[0])["model.json"]
    sha = upload(d, data)
    version = want(d.post("/api/v1/models/%s/versions" % model,
                          {"files": [{"name": "model.json", "sha256": sha}]}),
                   201, "push")["version"]
    path = object_path(d, sha)
    os.chmod(path, 0o600)
    with open(path, "r+b") as f:
        f.write(data.replace(b'"x"', b'"z"'))
    check_error(deploy(d, model, version), 503, "ARTIFACT_CORRUPT")
    upload(d, data)  # a fresh copy heals it
    expect_eq(deploy(d, model, version).status, 200)
    expect_eq(d.get("/v2/models/" + model).json()["inputs"][0]["name"], "x")


# --- MF-105 to MF-112: the file itself ---------------------------------------------------------

def survives(d, data, seen):
    """Any verdict but a crash or a 5xx."""
    reply = try_model(d, data, "mutant")
    expect(reply.status in (200, 422), "%r of %r" % (reply, data[:60]))
    if reply.status == 422:
        check_error(reply, 422, (*REJECTED, "GOLDEN_FAILED"))
    seen[reply.status] = seen.get(reply.status, 0) + 1


@room.row
def MF_105_truncated(d):
    data, seen = pb.add_model(), {}
    step = 1 if FULL else 5
    for n in range(0, len(data), step):
        survives(d, data[:n], seen)
    expect(seen.get(422, 0) > len(data) / step / 2, "%s" % seen)


@room.row
def MF_105_bits_flipped(d):
    has_onnx(d)
    data, seen = pb.add_model(), {}
    bits = list(range(len(data) * 8))
    if not FULL:
        bits = random.Random(1).sample(bits, 120)
    for bit in bits:
        mutant = bytearray(data)
        mutant[bit // 8] ^= 1 << bit % 8
        survives(d, bytes(mutant), seen)
    expect(seen.get(422, 0) > 10, "%s" % seen)


@room.row
def MF_105_mutants(d):
    has_onnx(d)
    rnd, seen = random.Random(2), {}
    seeds = [pb.add_model(), if_model(branch(initializers=[pb.floats("k", [2], [1, 2])])),
             PLACES[2][1]]
    for _ in range(20000 if FULL else 150):
        data = bytearray(rnd.choice(seeds))
        for _ in range(rnd.randint(1, 6)):
            at = rnd.randrange(len(data))
            how = rnd.randrange(4)
            if how == 0:
                data[at] = rnd.randrange(256)
            elif how == 1:
                del data[at:at + rnd.randint(1, 20)]
            elif how == 2:
                data[at:at] = data[rnd.randrange(len(data)):][:rnd.randint(1, 30)]
            else:
                data[at:at + 1] = b"\xff" * rnd.randint(1, 10)
            if not data:
                data = bytearray(b"\0")
        survives(d, bytes(data), seen)


@room.rows([
    ("2^40-elements", pb.tensor("w", [2**40], b"\0\0\0\0")),
    ("2^62-elements", pb.tensor("w", [2**31, 2**31], b"\0" * 4)),
    ("product-wraps", pb.tensor("w", [2**32, 2**32], b"\0" * 4)),
    ("negative", pb.tensor("w", [-1], b"\0" * 4)),
    ("too-few-bytes", pb.tensor("w", [2], b"\0" * 7)),
    ("too-many-bytes", pb.tensor("w", [2], b"\0" * 9)),
    ("no-bytes", pb.tensor("w", [2])), ("no-type", pb.tensor("w", [2], b"\0" * 8, 0)),
    ("unknown-type", pb.tensor("w", [2], b"\0" * 8, 99)),
    ("two-places", pb.tensor("w", [2], b"\0" * 8) + pb.field(4, b"\0" * 8)),
    ("wrong-place", pb.tensor("w", [2]) + pb.field(7, b"\1\2")),
    ("string-as-raw", pb.tensor("w", [2], b"\0" * 8, pb.STRING)),
    ("segment", pb.tensor("w", [2], b"\0" * 8) + pb.field(3, pb.field(1, 0) + pb.field(2, 4)))])
def MF_106_sizes_of_tensors(d, w):
    before = rss(d.proc.pid)
    refused(d, pb.add_model(w), "MODEL_REJECTED")
    expect(rss(d.proc.pid) < before + 64 * MIB, "memory for a tensor that is not there")


def deep(n):
    g = leaf = branch(initializers=[pb.floats("k", [2], [1, 2])])
    for _ in range(n):
        g = pb.graph([pb.node("If", ["cond"], ["z"], [pb.attribute("then_branch", g=g),
                                                      pb.attribute("else_branch", g=leaf)])],
                     [], [pb.value("z", (2,))])
    return if_model(g)


ADD = pb.node("Add", ["x", "w"], ["y"])
W = pb.floats("w", [2], [1, 2])


def plain(nodes, inits=(W,), inputs=("x",), outputs=("y",), **kw):
    return pb.model(pb.graph(nodes, [pb.value(i) for i in inputs], [pb.value(o) for o in outputs],
                             list(inits)), **kw)


@room.rows([
    ("cycle", plain([pb.node("Add", ["x", "b"], ["a"]), pb.node("Add", ["a", "w"], ["b"]),
                     pb.node("Add", ["b", "w"], ["y"])])),
    ("itself", plain([pb.node("Add", ["y", "w"], ["y"])])),
    ("output-twice", plain([ADD, ADD])),
    ("two-outputs-alike", plain([pb.node("Split", ["x"], ["y", "y"])])),
    ("initializer-twice", plain([ADD], [W, W])),
    ("input-redefined", plain([pb.node("Add", ["x", "w"], ["x"]), ADD])),
    ("missing-input", plain([pb.node("Add", ["x", "nobody"], ["y"])])),
    ("missing-graph-output", plain([ADD], outputs=("nobody",))),
    ("no-outputs", plain([ADD], outputs=())),
    ("no-graph", pb.field(1, 8) + pb.field(8, pb.opset(17))),
    ("no-opset", pb.field(1, 8) +
     pb.field(7, pb.graph([ADD], [pb.value("x")], [pb.value("y")], [W]))),
    ("no-ir-version", pb.field(7, pb.graph([ADD], [pb.value("x")], [pb.value("y")], [W])) +
     pb.field(8, pb.opset(17))),
    ("future-ir", pb.add_model(ir=1000)), ("future-opset", pb.add_model(opsets=[pb.opset(1000)])),
    ("negative-opset", pb.add_model(opsets=[pb.opset(-1)])),
    ("opset-twice", pb.add_model(opsets=[pb.opset(17), pb.opset(9)])),
    ("empty-op", plain([pb.node("", ["x", "w"], ["y"])])),
    ("graph-twice", pb.add_model(more=pb.field(7, b""))),
    ("17-levels", deep(17)), ("200-levels", deep(200)), ("5000-levels", deep(2000)),
    ("empty", b""), ("zeros", b"\0" * 100), ("text", b"hello, I am a model"),
    ("json", b'{"engine":"echo"}'),
    ("endless-varint", b"\x80" * 100), ("length-2^63", b"\x3a" + pb.varint(2**63 - 1) + b"x"),
    ("groups", b"\x0b" * 10000)])
def MF_107_graphs(d, model):
    refused(d, model, REJECTED)


@room.row
def MF_107_too_many_nodes(d):
    node = pb.field(1, pb.node("N", [], []))
    body = node * 1000001
    refused(d, pb.model(body), "MODEL_REJECTED", "nodes")
    if FULL:
        refused(d, pb.model(node * 10**7), "MODEL_REJECTED", "nodes")
        refused(d, pb.add_model(extra_nodes=[pb.node("Constant", [], ["c"], [
            pb.attribute("value_string", s=b"x" * 10**9)])]), REJECTED)


@room.rows([("custom-domain", plain([pb.node("Add", ["x", "w"], ["y"], domain="com.evil")],
                                    opsets=[pb.opset(17), pb.opset(1, "com.evil")])),
            ("pyop", plain([pb.node("PyOp", ["x"], ["y"], [pb.attribute("module", s=b"os")],
                                    domain="pyopmulticpu")],
                           opsets=[pb.opset(17), pb.opset(1, "pyopmulticpu")])),
            ("undeclared-domain",
             plain([pb.node("Add", ["x", "w"], ["y"], domain="ai.onnx.contrib")])),
            ("unknown-op", plain([pb.node("ReadFile", ["x"], ["y"])])),
            ("unknown-op-of-ours",
             plain([pb.node("ReadFile", ["x"], ["y"], domain="com.microsoft")],
                                         opsets=[pb.opset(17), pb.opset(1, "com.microsoft")])),
            ("in-a-subgraph", if_model(pb.graph([pb.node("X", [], ["z"], domain="com.evil")], [],
                                                [pb.value("z", (2,))])))])
def MF_108_operators_nobody_knows(d, model):
    refused(d, model, ("MODEL_REJECTED", "MODEL_LOAD_FAILED"))


def zipped(name="data.pkl", body=b"x"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(name, body)
    return out.getvalue()


@room.rows([("pickle", pickle.dumps({"a": [1, 2]})), ("pickle-2", pickle.dumps([1], 2)),
            ("pickle-0", pickle.dumps([1], 0)),
            ("pt", zipped("archive/data.pkl", pickle.dumps([1]))),
            ("keras-3", zipped("config.json")),
            ("joblib-gz", gzip.compress(pickle.dumps([1]))),
            ("hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100),
            ("saved-model", b"\x08\x01\x12\x0b\x0a\x09tensorflow" + b"\0" * 20),
            ("elf", b"\x7fELF" + b"\0" * 100),
            ("tflite", b"\x1c\0\0\0TFL3" + b"\0" * 100),
            ("safetensors", struct.pack("<Q", 2) + b"{}"),
            ("numpy", b"\x93NUMPY\x01\0v\0{}")])
def MF_111_something_else_in_disguise(d, data):
    body = refused(d, data, "MODEL_REJECTED")
    if data[:2] in (b"PK", b"\x80\x04", b"\x80\x05", b"\x89H"):
        expect("ONNX" in body["error"] or "pickle" in body["error"]
               or "zip" in body["error"].lower()
               or "HDF5" in body["error"], body["error"])


@room.row
def MF_112_gguf_in_disguise(d):
    refused(d, b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1), "MODEL_REJECTED")
    refused(d, b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 2**63) + b"x",
            "MODEL_REJECTED")


not_built("MF_112_an_engine_for_gguf", "GGUF models")
not_built("MF_113_archives", "uploads of archives; a version is made of single files")


@room.rows([(repr(n), n) for n in ("../x", "/etc/passwd", "a/b", "a\\b", "", ".", "..", ".hidden",
                                   "a\0b", "x" * 300,
                                   "\u202ex", "a b", "model.onnx\n")])
def MF_113_file_names(d, name):
    sha = upload(d, b"anything")
    body = {"files": [{"name": name, "sha256": sha}]}
    check_error(d.post("/api/v1/models/archive/versions", body), 400,
                ("BAD_NAME", "BAD_JSON", "VALUE_OUT_OF_RANGE"))


@room.row
def MF_113_manifests(d):
    sha = upload(d, b"anything")
    def no(files, codes):
        check_error(d.post("/api/v1/models/archive/versions", {"files": files}), 400, codes)
    no([{"name": "a", "sha256": sha}, {"name": "a", "sha256": sha}], "BAD_NAME")
    no([{"name": "a", "sha256": "0" * 64}], ("INVALID_ARGUMENT", "NOT_FOUND"))
    no([{"name": "a", "sha256": sha[:-1]}], "INVALID_ARGUMENT")
    no([{"name": "a", "sha256": sha.upper()}], "INVALID_ARGUMENT")
    no([{"name": "a", "sha256": "../" * 21 + "x"}], "INVALID_ARGUMENT")
    no([{"name": "a", "sha256": sha, "bytes": 3}], "BAD_SIZE")
    no([{"name": "f%d" % i, "sha256": sha} for i in range(10000)], ("INVALID_ARGUMENT",))
    no([], "INVALID_ARGUMENT")
    no([7], ("WRONG_TYPE", "INVALID_ARGUMENT"))
    expect("archive" not in [m["name"] for m in d.get("/api/v1/models").json()["models"]],
           "half a model is left")


@test
def the_daemon_ends_in_good_order():
    room.end()


main()
