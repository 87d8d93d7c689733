#!/usr/bin/env python3
"""api_test.py - the control plane through the running daemon: push, deploy, go back, read, refuse.

Names in brackets are rows of the robustness catalogue.
SPDX-License-Identifier: MIT
"""
import base64
import concurrent.futures
import hashlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import damage  # noqa: E402
from slipway import (Daemon, ROOT, SLOW, cases, expect, expect_eq, expect_in, main,  # noqa: E402
                     request, skip, test, wait_for)


def linear(scale):
    """A model of two inputs and one output: y = scale * x0 + x1."""
    return json.dumps({"engine": "linear", "weights": [[scale, 1]]}).encode()


def blob(d, data, query=""):
    return d.ask("PUT", "/api/v1/blobs" + query, data)


def push(d, model, data, name="model.json", headers=None, **more):
    sent = blob(d, data)
    expect_eq(sent.status, 201, sent)
    return d.post("/api/v1/models/%s/versions" % model,
                  dict({"files": [dict(sent.json(), name=name)]}, **more), headers)


def deploy(d, model, **body):
    return d.post("/api/v1/models/%s/deploy" % model, dict({"wait": True, "strategy": "now"}, **body))


def answer(d, model, path=""):
    reply = d.post("/v2/models/%s%s/infer" % (model, path), {"inputs": [
        {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [10, 1]}]})
    return reply.json()["outputs"][0]["data"][0] if reply.status == 200 else reply.status


def is_error(reply, status, code):
    expect_eq((reply.status, reply.json().get("code")), (status, code), reply)
    expect_eq(reply.headers["content-type"], "application/json")
    expect_eq(set(reply.json()), {"error", "code", "request_id", "details"})
    expect(isinstance(reply.json()["error"], str) and reply.json()["error"])
    expect_eq(reply.json()["request_id"], reply.headers["x-request-id"])
    return reply


def objects(d):
    return sorted(f for _, _, files in os.walk(os.path.join(d.data, "objects")) for f in files)


@test
def push_deploy_replace_and_go_back():
    with Daemon() as d:
        made = push(d, "m", linear(2), note="first")
        expect_eq((made.status, made.json()["version"]), (201, 1))
        is_error(d.get("/v2/models/m/ready"), 503, "NOT_READY")
        expect_eq(deploy(d, "m").json()["version"], 1)
        expect_eq(answer(d, "m"), 21)
        expect_eq(push(d, "m", linear(3)).json()["version"], 2)
        expect_eq(answer(d, "m"), 21)  # pushed is not deployed
        expect_eq(deploy(d, "m", version=2).status, 200)
        expect_eq(answer(d, "m"), 31)
        back = d.post("/api/v1/models/m/rollback", {})
        expect_eq((back.status, back.json()["version"]), (200, 1))
        expect_eq(answer(d, "m"), 21)
        events = [e["what"] for e in d.get("/api/v1/models/m/history").json()["events"]]
        expect_eq(events[0], "rolled_back")
        expect_eq(events[-2:], ["version_pushed", "model_created"])
        shown = d.get("/api/v1/models/m").json()
        expect_eq((shown["serving"], shown["newest"]), (1, 2))


@test
def what_was_acknowledged_is_there_after_a_restart():
    with Daemon() as d:
        push(d, "m", linear(2))
        deploy(d, "m")
        history = d.get("/api/v1/models/m/history").json()
        d.kill()
        d.start()
        wait_for(lambda: answer(d, "m") == 21, 10, "the model after the restart")
        expect_eq(d.get("/api/v1/models/m/history").json(), history)


@test
def a_version_that_does_not_load_leaves_the_old_one_serving():
    with Daemon() as d:
        push(d, "m", linear(2))
        deploy(d, "m")
        push(d, "m", linear(3))
        damage(d, linear(3))
        is_error(deploy(d, "m"), 503, "ARTIFACT_CORRUPT")
        expect_eq(answer(d, "m"), 21)
        wait_for(lambda: "refused" in d.get("/api/v1/models/m").json(), 10, "the refusal shown")
        shown = d.get("/api/v1/models/m").json()
        expect_eq((shown["serving"], shown["refused"]["version"]), (1, 2))
        expect(shown["refused"]["reason"])


@test
def what_is_no_model_does_not_become_a_version():
    with Daemon() as d:
        push(d, "m", linear(2))
        is_error(push(d, "m", b'{"engine":"linear","weights":"none"}'), 422, "MODEL_REJECTED")
        is_error(push(d, "other", b"junk"), 422, "MODEL_REJECTED")
        expect_eq([v["version"] for v in d.get("/api/v1/models/m/versions").json()["versions"]], [1])
        is_error(d.get("/api/v1/models/other"), 404, "MODEL_NOT_FOUND")
        found = push(d, "m", linear(4)).json()["inspected"]
        expect_eq(found["engine"], "linear")
        expect(found["memory_peak_bytes"] >= found["memory_bytes"] > 0, found)
        expect(found["run_ns"] > 0, found)


@test
def deploy_without_wait_answers_at_once():
    with Daemon() as d:
        push(d, "m", linear(2))
        reply = d.post("/api/v1/models/m/deploy", {})
        expect_eq((reply.status, reply.json()["state"]), (202, "LOADING"))
        wait_for(lambda: answer(d, "m") == 21, 10, "the deploy")


@test
def uploads_stream_and_leave_nothing_when_cut():
    with Daemon() as d:
        big = os.urandom(1 << 20) * 9
        sent = blob(d, big, "?sha256=" + hashlib.sha256(big).hexdigest())
        expect_eq(sent.json(), {"sha256": hashlib.sha256(big).hexdigest(), "bytes": len(big)})
        have = objects(d)
        with d.conn() as c:  # chunked
            c.send("PUT /api/v1/blobs HTTP/1.1\r\nhost: localhost\r\n"
                   "transfer-encoding: chunked\r\n\r\n")
            for _ in range(40):
                c.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            c.send("0\r\n\r\n")
            expect_eq(c.reply().json()["bytes"], 40 * 65536)
        have = objects(d)
        with d.conn() as c:  # cut off in the middle
            c.send("PUT /api/v1/blobs HTTP/1.1\r\nhost: localhost\r\n"
                   "content-length: 10000000\r\n\r\n" + "y" * 100000)
        staging = os.path.join(d.data, "staging")
        wait_for(lambda: not os.listdir(staging), 10, "an empty staging folder")
        expect_eq(objects(d), have)
        is_error(blob(d, b"abc", "?sha256=" + "0" * 64), 400, "INVALID_ARGUMENT")
        is_error(blob(d, b"abc", "?sha256=xyz"), 400, "INVALID_ARGUMENT")


@test
def an_upload_over_the_limit_is_refused_before_it_is_read():
    with Daemon() as d, d.conn() as c:
        c.send("PUT /api/v1/blobs HTTP/1.1\r\nhost: localhost\r\n"
               "content-length: 3000000000000\r\n\r\n")
        is_error(c.reply(), 413, "BODY_TOO_LARGE")


NAMES = ["../x", "a/b", "a\\b", "..", ".", ".hidden", "", "a" * 129, "a b", "ü", "%2e%2e", "a\nb"]


@test
def names_of_files_are_plain():
    """[RG-101]"""
    with Daemon() as d:
        digest = blob(d, b"x").json()["sha256"]
        for name in NAMES:
            is_error(d.post("/api/v1/models/m/versions", {"files": [
                {"name": name, "sha256": digest}]}), 400, "BAD_NAME")
        is_error(d.post("/api/v1/models/m/versions", {"files": [
            {"name": "a", "sha256": digest}, {"name": "a", "sha256": digest}]}), 400, "BAD_NAME")
        is_error(d.get("/api/v1/models/m"), 404, "MODEL_NOT_FOUND")


@test
def names_of_models_are_400_when_creating_and_404_when_calling():
    """[JS-110]"""
    with Daemon() as d:
        digest = blob(d, b"x").json()["sha256"]
        body = {"files": [{"name": "a", "sha256": digest}]}
        for name in ["con", "a..b", "trailing.", "-", "a%20b", "%C3%BC", "a" * 64, "nul.txt"]:
            reply = d.post("/api/v1/models/%s/versions" % name, body)
            is_error(reply, 400, "BAD_NAME")
            is_error(d.get("/v2/models/%s" % name), 404, "MODEL_NOT_FOUND")
        for path in ["/v2/models/../x", "/v2/models/a%2fb", "/v2/models/%2e%2e/x"]:
            expect_eq(d.get(path).status, 400, path)
        for path in ["/v2/models/a/b", "/v2/models/" + "a" * 5000]:
            expect_eq(d.get(path).status, 404, path)


@test
def versions_in_paths_are_digits():
    """[JS-111]"""
    with Daemon() as d:
        push(d, "m", linear(2))
        deploy(d, "m")
        push(d, "m", linear(3))
        for text, status, code in [("-1", 400, "BAD_VERSION"), ("1.0", 400, "BAD_VERSION"),
                                   ("latest", 400, "BAD_VERSION"),
                                   ("18446744073709551616", 400, "BAD_VERSION"),
                                   ("0", 404, "VERSION_NOT_FOUND"), ("2", 404, "VERSION_NOT_FOUND"),
                                   ("9", 404, "VERSION_NOT_FOUND")]:
            for tail in ["", "/config", "/stats"]:
                is_error(d.get("/v2/models/m/versions/%s%s" % (text, tail)), status, code)
        expect_eq(d.get("/v2/models/m/versions/latest/../1").status, 400)
        expect_eq(d.get("/v2/models/m/versions/1").status, 200)


@cases([(p, m, p) for m, p in [
    ("POST", "/v2/systemsharedmemory/region/a/register"), ("GET", "/v2/cudasharedmemory/status"),
    ("POST", "/v2/models/m/generate"), ("POST", "/v2/models/m/generate_stream"),
    ("GET", "/v2/trace/setting"), ("POST", "/v2/logging"), ("POST", "/v2/repository/r/index"),
    ("POST", "/v1/models/m:explain")]])
def what_is_not_offered_says_so(method, path):
    """[JS-116]"""
    with Daemon() as d:
        is_error(d.ask(method, path, b"{}" if method == "POST" else None), 501, "NOT_IMPLEMENTED")


@test
def the_canonical_route_decides():
    """[AU-111]"""
    with Daemon() as d:
        push(d, "m", linear(2))
        is_error(d.get("/v2/models/"), 404, "NOT_FOUND")
        is_error(d.get("/V2/models"), 404, "NOT_FOUND")
        reply = is_error(d.ask("DELETE", "/v2/models"), 405, "METHOD_NOT_ALLOWED")
        expect_in("GET", reply.headers["allow"])
        reply = d.post("/v2/models?_method=GET", b"", {"x-http-method-override": "GET"})
        expect_eq(reply.status, 405)
        with d.conn() as c:
            head = c.ask("HEAD", "/v2/models")
            expect_eq((head.status, head.body), (200, b""))
            expect_eq(int(head.headers["content-length"]), len(b'{"models":[]}'))
            expect_eq(c.ask("HEAD", "/api/v1/models/m/deploy").status, 405)


@test
def bodies_are_read_strictly_and_up_to_a_limit():
    with Daemon() as d:
        push(d, "m", linear(2))
        path = "/api/v1/models/m/deploy"
        for body, code in [(b"{", "BAD_JSON"), (b"[]", "WRONG_TYPE"), (b"{} {}", "BAD_JSON"),
                           (b'{"wait":true,"wait":true}', "DUPLICATE_KEY"),
                           (b"\xef\xbb\xbf{}", "BAD_JSON"), (b'{"wait":1}', "WRONG_TYPE"),
                           (b'{"a":"\xff"}', "BAD_JSON"), (b"[" * 100000, "JSON_TOO_DEEP"),
                           (b'{"version":-1}', "VALUE_OUT_OF_RANGE"),
                           (b'{"version":4294967296}', "VALUE_OUT_OF_RANGE")]:
            is_error(d.post(path, body), 400, code)
        is_error(d.post(path, b" " * (1 << 20) + b"{}"), 413, "BODY_TOO_LARGE")
        is_error(d.post(path, {"strategy": "yolo"}), 400, "INVALID_ARGUMENT")
        is_error(d.post("/api/v1/models/none/deploy", {}), 404, "MODEL_NOT_FOUND")
        is_error(deploy(d, "m", version=7), 404, "VERSION_NOT_FOUND")


@test
def a_key_makes_a_push_happen_once():
    """[RG-104]"""
    with Daemon() as d:
        key = {"idempotency-key": "k-1"}
        first = push(d, "m", linear(2), headers=key)
        again = push(d, "m", linear(2), headers=key)
        expect_eq((again.status, again.json()["version"]), (201, first.json()["version"]))
        is_error(push(d, "m", linear(3), headers=key), 409, "IDEMPOTENCY_MISMATCH")
        expect_eq(d.get("/api/v1/models/m").json()["versions"], 1)
        is_error(push(d, "m", linear(2), headers={"idempotency-key": "k" * 256}), 400,
                 "INVALID_ARGUMENT")


@test
def parallel_pushes_get_numbers_of_their_own():
    """[RG-103]"""
    with Daemon() as d, concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: push(d, "m", linear(i)).json()["version"], range(24)))
        expect_eq(sorted(made), list(range(1, 25)))


@test
def pages_take_numbers_only():
    """[RG-107]"""
    with Daemon() as d:
        for i in range(3):
            push(d, "m", linear(i))
        for limit in ["-1", "0", "1000000000", "x", "", "1e1"]:
            for path in ["/api/v1/models/m/versions", "/api/v1/models/m/history", "/api/v1/models"]:
                is_error(d.get("%s?limit=%s" % (path, limit)), 400, "VALUE_OUT_OF_RANGE")
        page = d.get("/api/v1/models/m/versions?limit=2").json()
        expect_eq([v["version"] for v in page["versions"]], [3, 2])
        page = d.get("/api/v1/models/m/versions?page=" + page["next"]).json()
        expect_eq([v["version"] for v in page["versions"]], [1])


@test
def pages_in_a_browser_change_nothing():
    with Daemon() as d:
        push(d, "m", linear(2))
        path, own = "/api/v1/models/m/deploy", "127.0.0.1:%d" % d.port
        for host, origin, status in [("evil.example", None, 403), (own, "http://evil.example", 403),
                                     (own, "null", 403), ("evil.example", "http://evil.example", 403),
                                     (own, "http://" + own, 202)]:
            with d.conn() as c:
                reply = c.ask("POST", path, {}, {"origin": origin}, host=host)
                expect_eq(reply.status, status, host, origin, reply)
        with d.conn() as c:
            expect_eq(c.ask("POST", "/v2/repository/index", b"", host="any.example").status, 200)


@test
def the_repository_loads_and_unloads():
    with Daemon() as d:
        files = {"config": "{}", "file:1/model.json": base64.b64encode(linear(2)).decode()}
        reply = d.post("/v2/repository/models/m/load", {"parameters": files})
        expect_eq((reply.status, reply.json()), (200, {"name": "m", "load": True}))
        expect_eq(answer(d, "m"), 21)
        expect_eq(d.post("/v2/repository/index").json(),
                  [{"name": "m", "version": "1", "state": "READY", "reason": ""}])
        reply = d.post("/v2/repository/models/m/unload", {"parameters": {"unload_dependents": False}})
        expect_eq((reply.status, reply.json()), (200, {"name": "m", "unload": True}))
        expect_eq(answer(d, "m"), 503)
        expect_eq(d.post("/v2/repository/index", {"ready": True}).json(), [])
        expect_eq(d.post("/v2/repository/models/m/load").status, 200)
        expect_eq(answer(d, "m"), 21)
        files["file:1/model.json"] = base64.b64encode(b"{}").decode()
        is_error(d.post("/v2/repository/models/m/load", {"parameters": files}), 422,
                 "MODEL_REJECTED")
        expect_eq(answer(d, "m"), 21)  # the one before serves on
        is_error(d.post("/v2/repository/models/none/load"), 404, "MODEL_NOT_FOUND")
        is_error(d.post("/v2/repository/models/none/unload"), 404, "MODEL_NOT_FOUND")


@test
def files_in_base64_are_read_a_block_at_a_time():
    block = 3 * 16384
    with Daemon() as d:
        def load(text):
            return d.post("/v2/repository/models/m/load",
                          {"parameters": {"config": "{}", "file:1/model.json": text}})
        for n in [block - 1, block, block + 1, 2 * block, 2 * block + 2]:
            model = linear(2)
            model += b" " * (n - len(model))
            expect_eq(load(base64.b64encode(model).decode()).status, 200, n)
            version = d.get("/api/v1/models/m").json()["newest"]
            files = d.get("/api/v1/models/m/versions/%d" % version).json()["files"]
            expect_eq([f["sha256"] for f in files], [hashlib.sha256(model).hexdigest()], n)
        ended = base64.b64encode(b"{" * (block - 1)).decode()  # a block whose padding ends it
        for text in [ended + "e30=", "e30", "e3==", "e30=\n"]:
            is_error(load(text), 400, "INVALID_ARGUMENT")


@test
def statistics_count_what_was_answered():
    with Daemon() as d:
        push(d, "m", linear(2))
        deploy(d, "m")
        for _ in range(7):
            answer(d, "m")
        row = d.get("/v2/models/m/stats").json()["model_stats"][0]
        expect_eq((row["name"], row["version"], row["inference_count"]), ("m", "1", 7))
        expect_eq(row["inference_stats"]["success"]["count"], 7)
        expect_eq(set(row["inference_stats"]), {
            "success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
            "cache_hit", "cache_miss"})
        expect(row["inference_stats"]["success"]["ns"] > row["inference_stats"]["compute_infer"]["ns"])
        expect(time.time() * 1000 - row["last_inference"] < 60000 * SLOW)
        expect_eq(d.get("/v2/models/stats").json()["model_stats"], [row])
        text = d.get("/metrics").body.decode()
        expect_in('nv_inference_request_success{model="m",version="1"} 7\n', text)
        expect_in('slipway_request_duration_seconds_count{model="m",version="1"} 7\n', text)


@test
def a_thousand_scrapes_are_one_snapshot_each_tenth_of_a_second():
    """[LG-102]"""
    with Daemon() as d, d.conn(30) as c:
        began = time.monotonic()
        bodies = set()
        for _ in range(1000):
            reply = c.ask("GET", "/metrics")
            expect_eq(reply.status, 200)
            bodies.add(reply.body)
        seconds = time.monotonic() - began
        # two desks, each with a text of its own, and one more at either end
        expect(len(bodies) <= 2 * (seconds / 0.1 + 2), len(bodies), seconds)


@test
def every_route_of_the_table_is_in_openapi_and_answers():
    with Daemon() as d:
        tree = d.get("/api/v1/openapi.json").json()
        expect_eq(tree["openapi"], "3.1.0")
        expect(len(tree["paths"]) > 40)
        for path, operations in tree["paths"].items():
            where = re.sub(r"\{version\}", "1", re.sub(r"\{\w+\}", "x", path))
            for verb, operation in operations.items():
                expect(operation["summary"] and operation["x-role"])
                if where == "/ofrep/v1/events":  # a stream: flag_test.py
                    continue
                reply = d.ask(verb.upper(), where, b"" if verb in ("post", "put") else None)
                expect(reply.status not in (405, 500), verb, where, reply)
                if reply.status == 404:
                    expect("there is nothing at" not in reply.json().get("error", ""), verb, where, reply)


@test
def logs_are_one_event_a_line_whatever_clients_send():
    """[LG-101]"""
    with Daemon() as d:
        d.get("/v2/models/%1b%5b31m%c2%85x", {"x-request-id": "a\tb"})
        d.get("/v2/models/%22%7d%7b%22")
        push(d, "m", linear(2), note="two\nlines \x1b[31m")
        deploy(d, "m")
        reply = wait_for(lambda: [e for e in d.get("/api/v1/logs?model=m").json()["lines"]
                                  if e["event"] == "model_ready"], 10, "the event in the log")
        expect_eq(str(reply[0]["version"]), "1")
        tail = d.get("/api/v1/logs").json()
        expect_eq(d.get("/api/v1/logs?after=%d" % tail["next"]).json()["lines"], [])
        expect_eq(d.get("/api/v1/logs?model=other").json()["lines"], [])
        is_error(d.get("/api/v1/logs?after=x"), 400, "VALUE_OUT_OF_RANGE")


@test
def doctor_and_status_tell_about_the_server():
    with Daemon() as d:
        tree = d.get("/api/v1/doctor").json()
        expect_eq(tree["limits_memory_bytes"], sum(l["memory_bytes"] for l in tree["limits"]))
        expect(all(c["ok"] for c in tree["checks"]), tree["checks"])
        push(d, "m", linear(2))
        damage(d, linear(2))
        is_error(deploy(d, "m"), 503, "ARTIFACT_CORRUPT")
        wait_for(lambda: {"name": "models", "ok": False} in [
            {"name": c["name"], "ok": c["ok"]} for c in d.get("/api/v1/doctor").json()["checks"]],
            10, "the check that fails")
        expect_eq(d.get("/api/v1/status").json()["server"]["ready"], True)
        expect_eq(d.get("/api/v1/version").json()["name"], "slipway")


@test
def the_commands_work_against_the_real_server():
    with Daemon() as d:
        folder = os.path.join(d.data, "m")
        os.mkdir(folder)
        with open(os.path.join(folder, "model.json"), "wb") as f:
            f.write(linear(2))
        expect_eq(d.cli("push", "m", folder).stdout,
                  "m version 1 pushed; deploy it with: slipway deploy m@1\n")
        expect_eq(d.cli("deploy", "m", "--wait").stdout, "m version 1 serves\n")
        expect_in("FP32[1,1]  21\n", d.cli("predict", "m", input="[10, 1]").stdout)
        expect_in("READY", d.cli("status", "m").stdout)
        expect_in("version_deployed", d.cli("history", "m").stdout)
        expect_in("model_ready", d.cli("logs", "m").stdout)
        expect_eq(d.cli("doctor").returncode, 0)
        expect_eq(json.loads(d.cli("status", "--json").stdout)["models"][0]["serving"], 1)
        refused = d.cli("rollback", "m")
        expect(refused.returncode in (4, 6), refused.returncode, refused.stderr)
        expect_eq(d.cli("status", "none").returncode, 4)


@cases([("on_a_worker", "0s", "worker"), ("on_a_loop", "1s", "loop")])
def a_model_that_runs_on_cannot_keep_the_process(resident_below, thread):
    """A run would outlive the drain by its client's deadline. A worker's ends when the drain cuts
    the client off, for nobody waits then; a loop in a run cuts nobody off: what it holds cannot be
    waited for, and is named."""
    with open(os.path.join(ROOT, "test", "data", "onnx", "loop.onnx"), "rb") as f:
        data = f.read()
    body = {"inputs": [{"name": "n", "datatype": "INT64", "shape": [], "data": [2**62]},
                       {"name": "x", "datatype": "FP32", "shape": [], "data": [8]}],
            "parameters": {"timeout": 60000000}}
    with Daemon("--drain-timeout", "200ms", "--resident-below", resident_below) as d:
        pushed = push(d, "m", data, name="model.onnx")
        if pushed.status == 503:
            skip(pushed.json()["error"])
        expect_eq(deploy(d, "m").status, 200)
        names = [i["name"] for i in d.get("/v2/models/m").json()["inputs"]]
        for tensor, name in zip(body["inputs"], names):
            tensor["name"] = name
        with d.conn(60) as c:
            c.send(request("POST", "/v2/models/m/infer", body))
            time.sleep(1)  # long enough to be at it
            d.stop(20)
        without = [e for e in d.log() if e["event"] == "stop_without"]
        on_loop = [("default m 1", True)] if thread == "loop" else []
        expect_eq([(e["runs"], thread in e) for e in without], on_loop)
        expect_eq("stop_cut" in d.stderr(), thread == "loop")
        expect_eq(any(e["event"] == "drain_late" for e in d.log()), thread == "loop")


main()
