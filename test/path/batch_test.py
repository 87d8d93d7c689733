#!/usr/bin/env python3
# run: release
"""batch_test.py - requests that share runs: the same answers, bad rows alone, settings, and what it
is good for. What is timed is a ratio within one run.
SPDX-License-Identifier: MIT
"""
import json
import os
import random
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench", "models"))
import make_models as nets  # noqa: E402
import models  # noqa: E402
from slipway import (SANITIZED, Daemon, expect, expect_eq, expect_in, main, skip,  # noqa: E402
                     test)

BIG = [256, 1024, 1024, 1024, 16]


def has_onnx(d):
    number = models.push(d, "has-onnx", {"model.onnx": nets.mlp([4, 2])})
    if models.deploy(d, "has-onnx", number).status != 200:
        skip("ONNX Runtime is not on this machine")


def body(rows, name="x", datatype="FP32", **more):
    data = [v for row in rows for v in (row if isinstance(row, list) else [row])]
    shape = [len(rows)] + ([len(rows[0])] if isinstance(rows[0], list) else [])
    return dict({"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}],
                 "parameters": {"slipway_debug": True}}, **more)


def at_once(d, model, bodies, each):
    """Bodies in turn over some connections at the same time."""
    answers, lock = [None] * len(bodies), threading.Lock()
    left = list(range(len(bodies)))

    def ask():
        with d.conn() as conn:
            while True:
                with lock:
                    if not left:
                        return
                    i = left.pop()
                answers[i] = conn.ask("POST", "/v2/models/%s/infer" % model, bodies[i])
    threads = [threading.Thread(target=ask) for _ in range(each)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def shared(answers):
    return sum(1 for a in answers if a.status == 200 and
               a.json()["parameters"]["batch_rows"] > a.json()["outputs"][0]["shape"][0])


@test
def answers_of_batches_are_those_of_runs_alone():
    """Two widths interleaved, one to four rows each: within 1e-5 of what is answered alone."""
    chance = random.Random(7)
    wait = b"batch: {delay_us_max: 20000}\nruns_on: worker\n"
    with Daemon() as d:
        has_onnx(d)
        for n in (16, 24):
            for name, text in (("wide%d", wait), ("alone%d", b"batch: {rows_max: 4}\n")):
                models.serve(d, name % n, {"model.onnx": nets.mlp([n, 64, 4]), "slipway.yaml": text})
        for n in (16, 24):
            bodies = [body([[round(chance.uniform(-1, 1), 4) for _ in range(n)]
                            for _ in range(chance.randint(1, 4))]) for _ in range(120)]
            got = at_once(d, "wide%d" % n, bodies, 12)
            expect(shared(got) > 40, "%d of 120 shared a run" % shared(got))
            for b, g in zip(bodies, got):
                expect_eq(g.status, 200, g.body)
                want = d.post("/v2/models/alone%d/infer" % n, b).json()["outputs"][0]
                out = g.json()["outputs"][0]
                expect_eq(out["shape"], want["shape"])
                for x, y in zip(out["data"], want["data"]):
                    expect(abs(x - y) <= 1e-5 * max(1, abs(y)), x, y)
                said = g.json()["parameters"]
                expect(said["cost_us"] <= said["compute_us"], said)


@test
def echoed_answers_have_the_same_bits_and_shapes_never_mix():
    """Of one model whose rows may have any width."""
    chance = random.Random(8)
    with Daemon() as d:
        files = models.echo([models.spec("x", "FP32", (-1, -1)), models.spec("t", "BYTES", (-1,))])
        files["slipway.yaml"] = b"batch: {delay_us_max: 10000, rows_max: 32}\nruns_on: worker\n"
        models.serve(d, "echo", files)
        bodies = []
        for i in range(400):
            rows, columns = chance.randint(1, 3), chance.choice((2, 3))
            b = body([[float(i * 10 + columns)] * columns for _ in range(rows)])
            b["inputs"].append({"name": "t", "datatype": "BYTES", "shape": [rows],
                                "data": ["%d-%s" % (i, "x" * chance.randint(0, 9))] * rows})
            bodies.append(b)
        got = at_once(d, "echo", bodies, 16)
        expect(shared(got) > 100, shared(got))
        for b, g in zip(bodies, got):
            expect_eq(g.status, 200, g.body)
            for sent, out in zip(b["inputs"], g.json()["outputs"]):
                expect_eq((out["shape"], out["data"]), (sent["shape"], sent["data"]))
            expect(g.json()["parameters"]["batch_rows"] <= 32)


def picks():
    """y = table[x]: an index past the table fails the whole run."""
    return nets.model(nets.graph(
        "picks", [nets.node("Gather", ["table", "x"], ["y"], name="pick")],
        [nets.value("x", nets.tensor_type(nets.INT64, ["n"]))],
        [nets.value("y", nets.tensor_type(nets.FLOAT, ["n"]))],
        [nets.tensor("table", nets.FLOAT, [8], struct.pack("<8f", *range(8)))]))


@test
def a_bad_row_fails_alone():
    with Daemon() as d:
        has_onnx(d)
        models.serve(d, "picks", {"model.onnx": picks(),
                                  "slipway.yaml": b"batch: {delay_us_max: 20000}\n"
                                                  b"runs_on: worker\n"})
        bodies = [body([i % 8 if i % 40 else 99], datatype="INT64") for i in range(200)]
        got = at_once(d, "picks", bodies, 16)
        for i, g in enumerate(got):
            if i % 40:
                expect_eq(g.status, 200, i, g.body)
                expect_eq(g.json()["outputs"][0]["data"], [i % 8])
            else:
                expect_eq((g.status, g.json()["code"]), (502, "MODEL_FAILED"), g.body)
        expect(shared(got) > 20, shared(got))


@test
def a_request_with_too_many_rows_is_refused_and_never_split():
    with Daemon() as d:
        files = models.echo([models.spec("x", "FP32", (-1, 2))])
        models.serve(d, "free", dict(files))
        files["slipway.yaml"] = b"batch: {rows_max: 4}\n"
        models.serve(d, "four", files)
        many = body([[1.0, 2.0]] * 5)
        r = d.post("/v2/models/four/infer", many)
        expect_eq((r.status, r.json()["code"]), (400, "INVALID_ARGUMENT"), r.body)
        expect_in("at most 4", r.json()["error"])
        expect_eq(d.post("/v2/models/four/infer", body([[1.0, 2.0]] * 4)).status, 200)
        r = d.post("/v2/models/free/infer", body([[1.0, 2.0]] * 100))
        expect_eq(r.json()["outputs"][0]["shape"], [100, 2])
        expect_eq(r.json()["parameters"]["batch_rows"], 100)
        config = d.get("/v2/models/four/config").json()
        expect_eq(config["max_batch_size"], 4)


@test
def where_a_model_runs_can_be_said():
    with Daemon() as d:
        for where, answers in (("loop", True), ("worker", True), ("moon", False)):
            files = models.echo([models.spec("x")])
            files["slipway.yaml"] = b"runs_on: %s\n" % where.encode()
            listed = [{"name": n, "sha256": models.upload(d, b)} for n, b in files.items()]
            r = d.post("/api/v1/models/on-%s/versions" % where, {"files": listed})
            if r.status == 201:
                r = models.deploy(d, "on-" + where, 1)
            expect_eq(r.status == 200, answers, r.body)
            expect(answers or b"auto, loop or worker" in r.body, r.body)
        for where in ("loop", "worker"):
            r = d.post("/v2/models/on-%s/infer" % where, body([[1.0] * 4]))
            expect_eq(r.status, 200)


def bench(d, model, connections, seconds):
    got = d.cli("bench", model, "--concurrency", str(connections), "--for", str(seconds), "--json")
    expect_eq(got.returncode, 0, got.stderr)
    got = json.loads(got.stdout)
    expect_eq(got["failed"], 0)
    return got


def cpu_seconds(d):
    with open("/proc/%d/stat" % d.proc.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def batches_pay_and_nobody_waits_for_nobody():
    """64 connections on an MLP of 256-1024x3-16: batched against not; one connection: no slower.
    Cores are shared with whatever else runs, so what an answer costs the server is compared, and
    of one connection the best of five pairs of runs: a wait would show in all of them."""
    if SANITIZED:
        skip("times mean nothing under a sanitizer")
    with Daemon() as d:
        has_onnx(d)
        net = nets.mlp(BIG)
        models.serve(d, "off", {"model.onnx": net, "slipway.yaml": b"batch: {rows_max: 1}\n"})
        models.serve(d, "on", {"model.onnx": net})
        rate, cost, half = {"off": 0, "on": 0}, {"off": 1, "on": 1}, []
        for _ in range(3):
            for name in ("off", "on"):
                began = cpu_seconds(d)
                got = bench(d, name, 64, 2)
                rate[name] = max(rate[name], got["answers"] / 2)
                cost[name] = min(cost[name], (cpu_seconds(d) - began) / got["answers"])
        for _ in range(5):
            p50 = {n: bench(d, n, 1, 1)["versions"][0]["p50_us"] for n in ("off", "on")}
            half.append(p50["on"] / p50["off"])
        print("  64 connections: %.0f/s batched, %.0f/s not: %.2f; us of CPU: %.0f, %.0f: %.2f"
              % (rate["on"], rate["off"], rate["on"] / rate["off"], 1e6 * cost["on"],
                 1e6 * cost["off"], cost["off"] / cost["on"]))
        print("  p50 of one connection, batched over not: %s" % ["%.3f" % h for h in sorted(half)])
        batch = [m for m in d.get("/api/v1/status?model=on").json()["models"]][0]["batch"]
        expect(batch["rows_mean"] > 2, batch)
        expect_in("batches:", d.cli("status", "on").stdout)
        text = d.get("/metrics").body.decode()
        expect_in('slipway_batch_rows_count{', text)
        expect_in('slipway_batch_delay_us{', text)
        expect(cost["off"] >= 1.8 * cost["on"], cost)
        expect(min(half) <= 1.05, half)


main()
