#!/usr/bin/env python3
# run: early release
"""robustness_run_test.py - the rows MF-109, MF-110 and MF-114 to MF-118 of the robustness
catalogue: models that load and then misbehave, and models that come and go. SLIPWAY_FULL=1 runs the
catalogue's sizes.
SPDX-License-Identifier: MIT
"""
import ctypes
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import onnxpb as pb
from hostile import (FULL, Bystander, Room, check_error, fresh, good, has_onnx, has_onnx_once,
                     infer_json, not_built, threads, try_model)
from models import deploy, echo, linear, push, serve, spec, unload, want
from slipway import (SANITIZED, SLOW, Daemon, Failed, expect, expect_eq, main, request, skip, test,
                     wait_for)

room = Room(has_onnx_once)
W = pb.floats("w", [2], [1, 2])


def loop_model():
    """A Loop of 2^63 - 1 rounds."""
    body = pb.graph([pb.node("Identity", ["c"], ["c2"]), pb.node("Add", ["v", "w"], ["v2"])],
                    [pb.value("i", (), pb.INT64), pb.value("c", (), pb.BOOL),
                     pb.value("v", (None, 2))],
                    [pb.value("c2", (), pb.BOOL), pb.value("v2", (None, 2))])
    return pb.model(pb.graph([pb.node("Loop", ["n", "t", "x"], ["y"],
                                      [pb.attribute("body", g=body)])],
                             [pb.value("x")], [pb.value("y")],
                             [pb.int64s("n", [], [2**63 - 1]), pb.tensor("t", [], b"\1", pb.BOOL),
                              W]))


def grows(op, shape):
    """y = something of a shape that comes from constants."""
    inits = [pb.int64s("s", [len(shape)], shape), W]
    made = pb.node(op, ["x", "s"] if op != "ConstantOfShape" else ["s"], ["t"])
    total = pb.node("ReduceSum", ["t"], ["r"])
    return pb.model(pb.graph([made, total, pb.node("Add", ["x", "r"], ["y"])], [pb.value("x")],
                             [pb.value("y", (None, None))],
                             inits))


def sized():
    """y = zeros of the shape that x says."""
    nodes = [pb.node("Cast", ["x"], ["i"], [pb.attribute("to", i=pb.INT64)]),
             pb.node("Reshape", ["i", "two"], ["s"]), pb.node("ConstantOfShape", ["s"], ["y"])]
    return pb.model(pb.graph(nodes, [pb.value("x")], [pb.value("y", (None, None))],
                             [pb.int64s("two", [1], [2])]))


@room.row
def MF_109_models_that_never_end(d):
    """Refused when it is warmed, or cut at the deadline when it is called; the others go on."""
    has_onnx(d)
    model = fresh()
    files = {"model.onnx": loop_model(),
             "slipway.yaml": b"engine: onnx\nlimits: {deadline: 500ms}\n"}
    with Bystander(d) as other:
        began = time.monotonic()
        reply = try_model(d, files, model)
        if reply.status == 200:
            for i in range(3):  # cut at the deadline, or, after the first, not begun
                got = d.post("/v2/models/%s/infer" % model, infer_json([1, 1]))
                late = i == 0 or got.status == 504
                check_error(got, 504 if late else 503,
                            "DEADLINE_EXCEEDED" if late else "DEADLINE_UNREACHABLE")
            expect_eq(unload(d, model).status, 200)
        else:
            check_error(reply, reply.status if reply.status in (422, 504) else 422,
                        ("MODEL_LOAD_FAILED", "DEADLINE_EXCEEDED", "MODEL_REJECTED"))
        expect(time.monotonic() - began < 60 * SLOW, "it took %.0f s" % (time.monotonic() - began))
    other.check(p99=1)


@room.rows([("constant-of-shape", grows("ConstantOfShape", [2**20, 2**20])),
            ("tile", grows("Tile", [2**40, 1])), ("expand", grows("Expand", [2**40, 2]))])
def MF_109_models_that_grow(d, model):
    """Terabytes: a clean refusal at load or at the call."""
    has_onnx(d)
    if SANITIZED:
        skip("the sanitizer's allocator ends the process by design; the release build runs this")
    name = fresh()
    reply = try_model(d, model, name)
    if reply.status == 200:
        r = d.post("/v2/models/%s/infer" % name, infer_json([1, 1]))
        check_error(r, r.status if r.status in (502, 503, 504, 507) else 502,
                    ("MODEL_FAILED", "OUT_OF_MEMORY", "DEADLINE_EXCEEDED"))
    else:
        check_error(reply, 422, ("MODEL_LOAD_FAILED", "MODEL_REJECTED"))


def struck_out(d, model):
    """Three calls that have to be ended: then the next ones are refused at once, with the reason."""
    for _ in range(3):
        r = d.post("/v2/models/%s/infer" % model, infer_json([1, 1]))
        expect(r.status in (503, 504), r)

    def refused():
        r = d.post("/v2/models/%s/infer" % model, infer_json([1, 1]))
        return r.status == 503 and r.json()["code"] == "QUARANTINED" and r
    reply = wait_for(refused, 30)
    expect("runs in a row" in reply.json()["error"], reply)
    return reply


@room.rows([("never-ends", loop_model()),
            ("grows", grows("ConstantOfShape", [2**20, 2**20]))])
def MF_109_quarantine_after_three(d, net):
    """Shown, in the ledger, over a restart; lifted by hand, or by another version."""
    has_onnx(d)
    if SANITIZED:
        skip("the sanitizer's allocator ends the process by design; the release build runs this")
    model = fresh()
    files = {"model.onnx": net, "slipway.yaml": b"engine: onnx\nlimits: {deadline: 300ms}\n"}
    reply = try_model(d, files, model)
    if reply.status != 200:
        skip("refused when it was looked at: " + reply.json()["error"])
    where = "/api/v1/models/%s" % model
    check_error(d.post("/v2/models/%s/infer" % model, infer_json([1, 1])),
                503 if b"ConstantOfShape" in net else 504,
                ("OUT_OF_MEMORY", "DEADLINE_EXCEEDED"))
    struck_out(d, model)
    expect_eq(d.get("/v2/models/%s/ready" % model).status, 503)
    shown = d.get(where + "/versions/1").json()
    expect_eq(shown["state"], "QUARANTINED", shown)
    expect("runs in a row" in shown["reason"], shown)
    out = d.cli("model", "show", model + "@1")
    expect("QUARANTINED" in out.stdout, out.stdout)
    check_error(d.post("/v2/models/%s/versions/1/infer" % model, infer_json([1, 1])), 503,
                "QUARANTINED")
    check_error(deploy(d, model, 1), 503, "QUARANTINED")
    wait_for(lambda: "version_quarantined" in
             [e["what"] for e in d.get(where + "/history").json()["events"]], what="the event")
    expect_eq(d.ask("DELETE", where + "/versions/1/quarantine").status, 200)
    # it is warmed as long as a model may be (jobs/load.c, ten seconds), and only then is ready
    wait_for(lambda: d.get("/v2/models/%s/ready" % model).status == 200, seconds=30)
    struck_out(d, model)
    serve(d, model, echo([spec("x", "FP32", (-1, -1))]))  # lifts nothing of 1, and answers
    expect_eq(good(d, model), 200)
    expect_eq(d.get(where + "/versions/1").json()["state"], "QUARANTINED")


def thread_of(pid, name):
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task)) as f:
            if f.read().strip() == name:
                return int(task)
    raise Failed("there is no thread " + name)


@test
def MF_116_a_version_that_crashes_the_server_three_times():
    """The kernel's crash ends the process, and that is said; the fourth start does not run it."""
    if SANITIZED:
        skip("a sanitizer takes the signal for itself")
    slow = echo([spec("x", "FP32", (-1, -1))], delay_us=300000)
    with Daemon("--workers", "1") as d:
        serve(d, "evil", slow)
        serve(d, "fine", linear([[2.0]], [0.0]))
        for round in range(3):
            with d.conn() as conn:
                conn.send(request("POST", "/v2/models/evil/infer", infer_json()))
                time.sleep(0.1)
                ctypes.CDLL(None).syscall(234, d.proc.pid, thread_of(d.proc.pid, "worker"),
                                          signal.SIGSEGV)  # tgkill: as if its kernel did it
                expect_eq(d.proc.wait(20), -signal.SIGSEGV)
            with open(os.path.join(d.data, "crashes")) as f:
                expect_eq([line.split()[1:] for line in f], [["default", "evil", "1"]] * (round + 1))
            d.start()
        check_error(d.post("/v2/models/evil/infer", infer_json()), 503, "QUARANTINED",
                    says="died 3 times")
        expect_eq(d.get("/api/v1/models/evil/versions/1").json()["state"], "QUARANTINED")
        expect_eq(d.get("/v2/models/fine/ready").status, 200)
        out = d.cli("model", "clear", "evil@1")
        expect_eq(out.returncode, 0, out.stderr)
        wait_for(lambda: d.post("/v2/models/evil/infer", infer_json()).status == 200)
        d.stop()  # the three are forgotten with it
        d.start()
        expect_eq(d.post("/v2/models/evil/infer", infer_json()).status, 200)


@test
def MF_116_a_version_that_crashed_three_times_is_not_loaded_again():
    """Its load may be what crashes: then nothing would be written before the next death."""
    with Daemon() as d:
        serve(d, "evil", echo([spec("x", "FP32", (-1, -1))]))
        for clear in (False, True):  # the second time it is quarantined already
            d.kill()
            before = len(d.log())
            with open(os.path.join(d.data, "crashes"), "w") as f:
                for i in range(3):
                    f.write("%d default evil 1\n" % (time.time() * 1000 - 100 + i))
            d.start()
            wait_for(lambda: os.path.getsize(os.path.join(d.data, "crashes")) == 0)
            loads = [e for e in d.log()[before:] if e["event"] == "model_loading"]
            expect_eq(loads, [])
            wait_for(lambda: "died 3 times" in d.post("/v2/models/evil/infer",
                                                      infer_json()).json().get("error", ""))
            if clear:
                expect_eq(d.cli("model", "clear", "evil@1").returncode, 0)
                wait_for(lambda: d.post("/v2/models/evil/infer", infer_json()).status == 200)


@test
def a_release_whose_stable_version_is_quarantined_ends():
    """The candidate has nothing to be compared with nor to go back to: it is at zero, and every
    answer says what to do."""
    with Daemon() as d:
        serve(d, "evil", echo([spec("x", "FP32", (-1, -1))]))
        push(d, "evil", echo([spec("x", "FP32", (-1, -1))], delay_us=1))
        expect_eq(d.post("/api/v1/models/evil/deploy", {
            "version": 2, "plan": "strategy: canary\nsteps:\n  - canary: {traffic: 5%, for: 300s}\n"
        }).status, 202)
        wait_for(lambda: d.get("/api/v1/models/evil/release").json()["state"] == "running")
        d.kill()
        with open(os.path.join(d.data, "crashes"), "w") as f:
            f.write(("%d default evil 1\n" % (time.time() * 1000)) * 3)
        d.start()
        wait_for(lambda: os.path.getsize(os.path.join(d.data, "crashes")) == 0)
        wait_for(lambda: d.get("/api/v1/models/evil/release").json()["state"] == "aborted")
        now = d.get("/api/v1/models/evil/release").json()
        expect_eq((now["why"], now["weight"]), ("quarantined", 0), now)
        wait_for(lambda: d.post("/v2/models/evil/infer", infer_json()).json()["code"]
                 == "QUARANTINED")
        check_error(d.post("/v2/models/evil/infer", infer_json()), 503, "QUARANTINED",
                    says="deploy another version, or lift it")
        out = d.cli("status", "evil")
        for text in ("aborted for", "(quarantined)", "slipway model clear evil@1"):
            expect(text in out.stdout, text, out.stdout)
        for _ in range(2):  # it is in the ledger
            d.stop()
            d.start()
            check_error(d.post("/v2/models/evil/infer", infer_json()), 503, "QUARANTINED")
        expect_eq(d.cli("model", "clear", "evil@1").returncode, 0)
        wait_for(lambda: d.post("/v2/models/evil/infer", infer_json()).status == 200)
        # Or another version: the one that was the candidate.
        expect_eq(d.post("/api/v1/models/evil/deploy", {"version": 2, "wait": True,
                                                        "strategy": "now"}).status, 200)


@room.row
def a_client_cannot_have_a_good_version_quarantined(d):
    """Deadlines that the client makes too short are no evidence."""
    model = fresh()
    serve(d, model, echo([spec("x", "FP32", (-1, -1))]))
    for _ in range(6):
        d.ask("POST", "/v2/models/%s/infer" % model, infer_json(),
              {"x-slipway-deadline-ms": "0.001"})
    time.sleep(2.5)
    expect_eq(good(d, model), 200)


@room.row
def a_client_cannot_have_a_version_quarantined_by_what_it_asks_for(d):
    """Inputs that ask for terabytes are refused as they are, however many come, and nobody else has
    asked anything yet."""
    has_onnx(d)
    if SANITIZED:
        skip("the sanitizer's allocator ends the process by design; the release build runs this")
    name = fresh()
    expect_eq(try_model(d, sized(), name).status, 200)
    for _ in range(2):
        for _ in range(6):
            r = d.post("/v2/models/%s/infer" % name, infer_json([2**20, 2**20]))
            check_error(r, 503, "OUT_OF_MEMORY")
        time.sleep(1.3)  # a pulse has seen them
    expect_eq(d.get("/api/v1/models/%s/versions/1" % name).json()["state"], "READY")
    r = d.post("/v2/models/%s/infer" % name, infer_json([1, 3]))
    expect_eq((r.status, r.json()["outputs"][0]["data"]), (200, [0, 0, 0]))


@room.row
def ME_105_memory_that_the_engine_does_not_get(d):
    """The input says how large the output is: terabytes fail as the model's error, and the same
    session answers the next request right."""
    has_onnx(d)
    if SANITIZED:
        skip("the sanitizer's allocator ends the process by design; the release build runs this")
    name = fresh()
    expect_eq(try_model(d, sized(), name).status, 200)
    for huge in ([2**20, 2**20], [1, 2**45]) * 3:
        r = d.post("/v2/models/%s/infer" % name, infer_json(huge))
        check_error(r, r.status if r.status in (502, 503, 507) else 502,
                    ("MODEL_FAILED", "OUT_OF_MEMORY", "MODELS_MEMORY_FULL"))
        r = d.post("/v2/models/%s/infer" % name, infer_json([1, 3]))
        expect_eq((r.status, r.json()["outputs"][0]["data"]), (200, [0, 0, 0]))


@room.rows([("reshape-by-0", [pb.int64s("s", [2], [0, -1])], pb.node("Reshape", ["x", "s"], ["y"])),
            ("reshape-overflow", [pb.int64s("s", [2], [2**62, 4])],
             pb.node("Reshape", ["x", "s"], ["y"])),
            ("reshape-two-unknown", [pb.int64s("s", [2], [-1, -1])],
             pb.node("Reshape", ["x", "s"], ["y"])),
            ("gather-far", [pb.int64s("s", [1], [2**62])], pb.node("Gather", ["x", "s"], ["y"])),
            ("scalar-for-rank-1", [pb.int64s("s", [], [1])], pb.node("Reshape", ["x", "s"], ["y"])),
            ("pad-negative", [pb.int64s("s", [4], [-2**40, 0, 0, 0])],
             pb.node("Pad", ["x", "s"], ["y"])),
            ("conv-stride-0", [pb.floats("s", [1, 1, 1, 1], [1])],
             pb.node("Conv", ["x", "s"], ["y"]))])
def MF_110_shapes_that_cannot_be(d, inits, node):
    """Refused, or answered as an error of the model's; or right."""
    has_onnx(d)
    model = fresh()
    reply = try_model(d, pb.model(pb.graph([node], [pb.value("x")], [pb.value("y", (None, None))],
                                           inits)), model)
    if reply.status == 200:
        r = d.post("/v2/models/%s/infer" % model, infer_json([1, 1]))
        if r.status != 200:
            check_error(r, 502, ("MODEL_FAILED", "BAD_MODEL_OUTPUT"))
    else:
        check_error(reply, 422, ("MODEL_LOAD_FAILED", "MODEL_REJECTED"))


@room.row
def MF_114_models_that_break_their_word(d):
    """Another shape or datatype than declared: refused when tried, or 502 when called."""
    for out in (spec("y", "FP32", (-1, 7)), spec("y", "INT64", (-1, 4)), spec("y", "FP32", (2, 4)),
                spec("y", "FP32", (-1,))):
        name = fresh()
        reply = try_model(d, echo([spec("x", "FP32", (-1, 4))], [out]), name)
        if reply.status == 200:
            check_error(d.post("/v2/models/%s/infer" % name, infer_json([1, 2, 3, 4])), 502,
                        "BAD_MODEL_OUTPUT")
        else:
            check_error(reply, 422, ("MODEL_LOAD_FAILED", "GOLDEN_FAILED", "MODEL_REJECTED"))


@room.row
def MF_114_golden_examples_decide(d):
    ask = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}]}
    def golden(data, tolerance=0.001, shape=(1, 1)):
        answer = {"outputs": [{"name": "output", "shape": list(shape), "datatype": "FP32",
                               "data": data}]}
        return json.dumps({"request": ask, "response": answer,
                           "tolerance": tolerance}).encode() + b"\n"
    model = fresh()
    files = linear([[1, 2]], [0.5])
    expect_eq(try_model(d, dict(files, **{"golden.jsonl": golden([3.5]) * 3}), model).status, 200)
    for bad in (golden([3.6]), golden([3.5]) + golden(["NaN"]), golden([3.5, 1], shape=(1, 2)),
                b"{}\n", b"nonsense\n",
                golden([3.5]).replace(b"output", b"other", 2)):
        reply = try_model(d, dict(files, **{"golden.jsonl": bad}), model)
        check_error(reply, 422, ("GOLDEN_FAILED", "MODEL_REJECTED"))
        r = d.post("/v2/models/%s/infer" % model, ask)
        expect_eq((r.status, r.headers["x-slipway-version"]), (200, "1"), "the old one serves")
    infinite = linear([[3e38, 3e38]], [0])
    reply = try_model(d, dict(infinite, **{"golden.jsonl": golden([3.5])}), model)
    check_error(reply, 422, "GOLDEN_FAILED")


@room.row
def MF_115_unload_during_inference(d):
    model = fresh()
    serve(d, model, echo([spec("x", "FP32", (-1, -1))], delay_us=200000))
    for _ in range(5 if not FULL else 50):
        answers = []

        def ask():
            with d.conn(30) as c:
                answers.append(c.ask("POST", "/v2/models/%s/infer" % model, infer_json()))
        crew = [threading.Thread(target=ask) for _ in range(4)]
        for t in crew:
            t.start()
        time.sleep(0.1)
        want(unload(d, model), 200, "unload")
        for t in crew:
            t.join()
        for r in answers:
            expect(r.status in (200, 503), r)
        expect(any(r.status == 200 for r in answers), "those in flight are finished")
        want(d.post("/v2/repository/models/%s/load" % model), 200, "load")


@room.row
def MF_115_a_storm_of_loads(d):
    model = fresh()
    serve(d, model, echo([spec("x", "FP32", (-1, -1))]))
    errors, done = [], threading.Event()

    def call():
        with d.conn(30) as c:
            while not done.is_set():
                r = c.ask("POST", "/v2/models/%s/infer" % model, infer_json())
                if r is None or r.status not in (200, 503):
                    errors.append(r)
                    return
    crew = [threading.Thread(target=call) for _ in range(2)]
    for t in crew:
        t.start()
    try:
        with d.conn(60) as c:
            for i in range(1000 if FULL else 40):
                for verb in ("unload", "load"):
                    r = c.ask("POST", "/v2/repository/models/%s/%s" % (model, verb), b"")
                    expect_eq(r.status, 200, "%s %d: %r" % (verb, i, r.body))
    finally:
        done.set()
        for t in crew:
            t.join()
    expect(not errors, errors[:3])
    expect_eq(good(d, model), 200)


@room.row
def MF_115_two_loads_of_one_version(d):
    model = fresh()
    version = push(d, model, echo([spec("x", "FP32", (-1, -1))]))
    answers = []
    crew = [threading.Thread(target=lambda: answers.append(deploy(d, model, version)))
            for _ in range(6)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    for r in answers:
        expect(r.status in (200, 409), r)
    expect(any(r.status == 200 for r in answers), answers)
    expect_eq(good(d, model), 200)


not_built("MF_116_a_model_that_crashes", "models in processes of their own")


def refused_or_clamped(reply):
    if reply.status != 200:
        check_error(reply, 400, "BAD_CONFIG")


@room.row
def MF_117_thread_explosion(d):
    before = threads(d.proc.pid)
    for n in ("100000", "-1", "1e9", "64"):
        model = fresh()
        reply = try_model(d,
                          {"model.onnx": pb.add_model(),
                           "slipway.yaml": b"engine: onnx\nlimits: {threads: %s}\n" % n.encode()},
                          model)
        if reply.status != 503:
            refused_or_clamped(reply)
        text = b"engine: echo\nlimits: {instances: %s}\n" % n.encode()
        reply = try_model(d, dict(echo([spec("x")]), **{"slipway.yaml": text}))
        refused_or_clamped(reply)
        expect(threads(d.proc.pid) < before + 200, "%d threads" % threads(d.proc.pid))
        d.post("/v2/repository/models/%s/unload" % model)


@room.row
def a_bad_slipway_yaml_is_refused(d):
    for text in (b"engine: nobody\n", b"engine: [echo]\n", b"colour: red\n",
                 b"engine: echo\nengine: echo\n", b"\t- x", b"",
                 b"engine: echo\nlimits: {deadline: 10x}\n",
                 b"engine: echo\nlimits: {deadline: -1s}\n", b"\xff\xfe",
                 b"a: &a [*a]\n", b"labels: {a: b}\n", b"engine: echo\nlimits: {memory: 1e400}\n"):
        model = fresh()
        reply = try_model(d, dict(echo([spec("x")]), **{"slipway.yaml": text}), model)
        check_error(reply, 400, "BAD_CONFIG")
        expect(good(d, model) in (404, 503), "it answers")


not_built("MF_118_optimiser_caches", "caches of optimised models")


@test
def the_daemon_ends_in_good_order():
    room.end()


main()
