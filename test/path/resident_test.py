#!/usr/bin/env python3
# run: early release
"""resident_test.py - memory of models: budgets, who rests, and who comes back when asked.

Each model is a linear one of a mebibyte, which an inspection finds to take two to three while it is
loaded for the first time: so a budget of 5 MiB holds three, and of 4 MiB two or three.
SPDX-License-Identifier: MIT
"""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (SANITIZED, Daemon, expect, expect_eq, expect_in, main, skip, test,
                     wait_for)
import models

COLUMNS, ROWS = 1024, 256  # 1 MiB of float32, about as much as JSON


def weights(tag):
    return models.linear([[0] * COLUMNS] * ROWS, [tag] * ROWS)


def body(parameters=None):
    return dict({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, COLUMNS],
                             "data": [0] * COLUMNS}]}, **({"parameters": parameters}
                                                          if parameters else {}))


def ask(d, name, **more):
    return d.post("/v2/models/%s/infer" % name, body(**more))


def answered(d, name):
    reply = ask(d, name)
    expect_eq(reply.status, 200, name, reply.body[:300])
    return reply.json()["outputs"][0]["data"][0]


def states(d):
    return {m["name"]: m["state"] for m in d.get("/api/v1/models").json()["models"]}


def state_is(d, name, state):
    wait_for(lambda: states(d)[name] == state, what="%s %s" % (name, state))


def events(d, name):
    return [e for e in d.log() if e["event"] == name]


def rooms(memory_max):
    if SANITIZED:
        skip("a sanitizer's memory is measured as the model's")
    return Daemon("--models-memory-max", memory_max)


def fill(d, n):
    for i in range(n):
        models.serve(d, "m%d" % i, weights(i))


@test
def who_was_asked_the_longest_time_ago_rests_and_comes_back_when_asked():
    with rooms("5MiB") as d:
        fill(d, 3)
        wait_for(lambda: list(states(d).values()).count("READY") == 3, what="three in memory")
        for name in ("m0", "m2"):  # m1 is the one nobody asks
            answered(d, name)
        time.sleep(1.5)  # a pulse, which tells control who was asked
        answered(d, "m0")
        models.serve(d, "m3", weights(3))
        models.serve(d, "m4", weights(4))
        expect_eq(states(d)["m1"], "RESTING")
        expect_eq(answered(d, "m1"), 1, "it is itself when it is back")
        expect(list(states(d).values()).count("RESTING") >= 1, states(d))
        for i in range(5):
            expect_eq(answered(d, "m%d" % i), i)
        expect_eq(d.get("/v2/models/m0/ready").status, 200)
        expect_eq(d.get("/readyz").status, 200)


@test
def many_who_ask_at_once_wait_for_one_load():
    with rooms("3MiB") as d:
        fill(d, 3)
        resting = [n for n, s in states(d).items() if s == "RESTING"]
        expect(resting, states(d))
        name, got = resting[0], []
        before = len([e for e in events(d, "model_loading") if e["model"] == name])
        threads = [threading.Thread(target=lambda: got.append(ask(d, name).status))
                   for _ in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        expect_eq(got, [200] * 40)
        loads = [e for e in events(d, "model_loading") if e["model"] == name]
        expect_eq(len(loads) - before, 1)


@test
def what_is_pinned_stays():
    with rooms("5MiB") as d:
        fill(d, 1)
        reply = d.ask("PATCH", "/api/v1/models/m0", {"pin": "a person waits for it"})
        expect_eq(reply.status, 200, reply.body)
        for i in (1, 2, 3, 4):
            models.serve(d, "m%d" % i, weights(i))
        for i in (1, 2, 3, 4, 1, 2, 3, 4):
            expect_eq(answered(d, "m%d" % i), i)
            expect_eq(states(d)["m0"], "READY")
        expect_eq(d.ask("PATCH", "/api/v1/models/m0", {"pin": None}).status, 200)
        for i in (1, 2, 3, 4, 5):
            models.serve(d, "m%d" % i, weights(i))
        state_is(d, "m0", "RESTING")


@test
def what_can_never_fit_is_refused_before_it_is_loaded():
    with rooms("3MiB") as d:
        big = models.linear([[0] * (4 * COLUMNS)] * ROWS, [0] * ROWS)
        version = models.push(d, "big", big)
        reply = models.deploy(d, "big", version)
        expect_eq((reply.status, reply.json()["code"]), (507, "MODELS_MEMORY_FULL"), reply.body)
        expect_in("models-memory-max", reply.json()["error"])
        expect_eq(events(d, "model_loading"), [])
        fill(d, 1)
        expect_eq(answered(d, "m0"), 0, "and nobody had to leave for it")


@test
def what_serves_goes_on_serving_when_its_successor_does_not_fit():
    with rooms("3MiB") as d:
        fill(d, 1)
        d.ask("PATCH", "/api/v1/models/m0", {"pin": "no"})
        fill2 = models.push(d, "m0", models.linear([[0] * (2 * COLUMNS)] * ROWS, [7] * ROWS))
        reply = models.deploy(d, "m0", fill2)
        expect_eq(reply.status, 507, reply.body)
        expect_eq(answered(d, "m0"), 0)


@test
def the_deadline_holds_while_a_version_comes_back():
    with rooms("3MiB") as d:
        fill(d, 3)
        name = [n for n, s in states(d).items() if s == "RESTING"][0]
        began = time.monotonic()
        reply = ask(d, name, parameters={"timeout": 1})  # microseconds
        expect_eq((reply.status, reply.json()["code"]), (504, "DEADLINE_EXCEEDED"), reply.body)
        expect(time.monotonic() - began < 2)
        state_is(d, name, "READY")  # the load went on for the next one


@test
def who_hangs_up_while_waiting_holds_nothing():
    with rooms("3MiB") as d:
        fill(d, 3)
        for _ in range(10):
            name = [n for n, s in states(d).items() if s == "RESTING"][0]
            with d.conn() as conn:
                text = json.dumps(body()).encode()
                conn.send(b"POST /v2/models/%s/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length:"
                          b" %d\r\n\r\n" % (name.encode(), len(text)) + text)
                time.sleep(0.05)
            state_is(d, name, "READY")
        answered(d, "m0")


@test
def a_file_that_rotted_while_its_model_rested_is_told_to_who_asks():
    with rooms("3MiB") as d:
        fill(d, 3)
        name = [n for n, s in states(d).items() if s == "RESTING"][0]
        manifest = d.get("/api/v1/models/%s/versions" % name).json()["versions"][0]
        objects = os.path.join(d.data, "objects")
        for folder, _, files in os.walk(objects):
            for file in files:
                path = os.path.join(folder, file)
                with open(path, "rb") as f:
                    text = f.read()
                if ('"bias": [%s,' % name[1:]).encode() in text:
                    os.chmod(path, 0o600)
                    with open(path, "r+b") as f:
                        f.seek(100)
                        f.write(b"9")
        reply = ask(d, name)
        expect(reply.status in (503, 422), reply.body)
        expect(manifest["version"] == 1)
        others = [n for n in states(d) if n != name]
        for other in others:
            answered(d, other)


@test
def after_a_restart_those_that_fit_come_and_the_rest_wait_to_be_asked():
    d = rooms("4MiB")
    try:
        d.start()
        fill(d, 5)
        d.stop()
        d.start()
        now = states(d)
        expect(1 <= list(now.values()).count("READY") <= 3, now)
        expect_eq(list(now.values()).count("READY") + list(now.values()).count("RESTING"), 5)
        for i in range(5):
            expect_eq(answered(d, "m%d" % i), i)
        d.stop()
    finally:
        d.clean()


@test
def a_budget_that_is_nearly_used_is_said_once():
    with rooms("5MiB") as d:
        # What a model takes is measured, so whether four of them nearly use it is the machine's to
        # say, and how often it is left: each time it is said once.
        high, calm = "models_memory_high", "models_memory_calm"

        def said():
            return [e["event"] for e in d.log() if e["event"] in (high, calm)]
        for n in (4, 6):
            fill(d, n)
            used = sum(m["memory_bytes"] for m in d.get("/api/v1/models").json()["models"]
                       if m["state"] == "READY")  # a resting one takes nothing
            if used >= 0.8 * (5 << 20):
                wait_for(lambda: said()[-1:] == [high], what="%d bytes said to be many" % used)
            time.sleep(2.5)
            expect_eq(said(), ([high, calm] * len(said()))[:len(said())])


main()
