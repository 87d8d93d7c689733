#!/usr/bin/env python3
# run: release
"""robustness_v2_test.py - the rows JS-110 to JS-118 of the robustness catalogue: names, versions,
whole bodies, media types and ids of the V2 protocol. SPDX-License-Identifier: MIT
"""
import json
import os
import random
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import (FULL, MIB, ONE, Room, bad, bad_infer, check_error, infer_json, not_built,
                     own_answer, raw)
from models import echo, infer_body, push, serve, spec, upload
from slipway import expect, expect_eq, main, request, test


def prepare(d):
    for t in ("FP64", "BYTES"):
        serve(d, "echo-" + t.lower(), echo([spec("x", t, (-1, -1))]))
    serve(d, "two", echo([spec("a", "FP32", (-1, 2)), spec("b", "INT64", (-1, 2))]))
    together = echo([spec("x", "FP32", (-1, -1))])
    together["slipway.yaml"] = b"batch: {delay_us_max: 20000}\nruns_on: worker\n"
    serve(d, "together", together)


room = Room(prepare)


NAMES = [("dots", "../x"), ("slash", "a/b"), ("empty", ""), ("10-KB", "a" * 10240), ("dot", "."),
         ("dotdot", ".."),
         ("con", "con"), ("CON", "CON"), ("nul.onnx", "nul.onnx"), ("look-alike", "\u0435cho"),
         ("dot-end", "echo."),
         ("dash-end", "echo-"), ("dot-start", ".echo"), ("64", "a" * 64), ("space", "a b"),
         ("colon", "a:b"),
         ("nul", "a\0b"), ("crlf", "a\r\nb"), ("ansi", "\x1b[31m"), ("percent", "%n%n%s"),
         ("two-dots", "a..b"),
         ("quote", "a'\"b"), ("backslash", "a\\b")]


def quoted(name):
    from urllib.parse import quote
    return quote(name, safe="")


@room.rows(NAMES)
def JS_110_model_names(d, name):
    if not hasattr(JS_110_model_names, "sha"):
        JS_110_model_names.sha = upload(d, echo([spec("x")])["model.json"])
    files = [{"name": "model.json", "sha256": JS_110_model_names.sha}]
    at = quoted(name)
    too_long = len(at) > 8000
    with d.conn() as c:
        reply = c.ask("POST", "/api/v1/models/%s/versions" % at, {"files": files})
        # "a%2Fb" is not canonical, "" and "a:b" are no such route: none reaches the name's own test
        codes = ("BAD_NAME", "BAD_REQUEST") if not too_long else ("URI_TOO_LONG",)
        if name == "" or ":" in name:
            check_error(reply, reply.status if reply.status in (400, 404) else 400,
                        (*codes, "NOT_FOUND"))
        else:
            check_error(reply, 414 if too_long else 400, codes)
        own_answer(c)
    with d.conn() as c:
        reply = c.ask("POST", "/v2/models/%s/infer" % at, infer_json())
        if too_long:
            check_error(reply, 414, "URI_TOO_LONG")
        else:
            check_error(reply, reply.status if reply.status in (400, 404) else 404,
                        ("MODEL_NOT_FOUND", "NOT_FOUND", "BAD_REQUEST"))
        own_answer(c)
    listed = [m["name"] for m in d.get("/api/v1/models").json()["models"]]
    expect(name not in listed, listed)


@room.row
def JS_110_names_that_are_fine(d):
    for name in ("a", "A.b-c_9", "x" * 63, "0"):
        push(d, name, echo([spec("x")]))
        expect_eq(d.get("/v2/models/%s/ready" % name).status, 503, name)
    reply = d.post("/api/v1/models/ECHO/versions", {"files": []})
    expect(reply.status in (400, 409), "a name that differs by case only: %r" % reply)


@room.row
def JS_111_versions(d):
    for text in ("-1", "latest", "+1", "1.0", "0x1", "18446744073709551616", "9" * 30, "1e0",
                 "%201", "01x", "%E1"):
        path = "/v2/models/echo/versions/%s/infer" % text
        bad(d, request("POST", path, infer_json()), 400, ("BAD_VERSION", "BAD_REQUEST"))
    with d.conn() as c:
        reply = c.ask("POST", "/v2/models/echo/versions/latest/../1/infer", infer_json())
        check_error(reply, reply.status if reply.status in (400, 404) else 400,
                    ("BAD_REQUEST", "NOT_FOUND"))
        own_answer(c)
    for text in ("0", "2", "4294967295"):
        bad(d, request("POST", "/v2/models/echo/versions/%s/infer" % text, infer_json()), 404,
            "VERSION_NOT_FOUND")
        bad(d, request("GET", "/v2/models/echo/versions/%s" % text), 404, "VERSION_NOT_FOUND")
    push(d, "idle-version", echo([spec("x")]))
    bad(d, request("POST", "/v2/models/idle-version/versions/1/infer", infer_json()), 404,
        "VERSION_NOT_FOUND")


def strict(text):
    def no(name):
        raise ValueError("%s is not JSON" % name)
    return json.loads(text, parse_constant=no)


@room.row
def JS_112_not_finite_answers_are_strings(d):
    for t, fmt, model in (("FP32", "<4f", "echo"), ("FP64", "<4d", "echo-fp64")):
        data = struct.pack(fmt, float("nan"), float("inf"), float("-inf"), -0.0)
        body, headers = infer_body([("x", t, [1, 4], data)])
        body = body.replace(b'"binary_data_output": true', b'"binary_data_output":false')
        r = d.post("/v2/models/%s/infer" % model, body,
                   {"inference-header-content-length": str(len(body) - len(data))})
        expect_eq(r.status, 200, r.body)
        expect_eq(strict(r.body)["outputs"][0]["data"][:3], ["NaN", "Infinity", "-Infinity"])
        r = d.post("/v2/models/%s/infer" % model,
                   raw('["NaN","Infinity","-Infinity",0]', t, "[1,4]"))
        expect_eq(strict(r.body)["outputs"][0]["data"], ["NaN", "Infinity", "-Infinity", 0])
    for text in ("NaN", "Infinity", "-Infinity", "nan", "inf", "+1", ".5", "5.", "01", "0x10",
                 "1_000", "- 1", "--1",
                 "1e", "1e+", "\uff11"):
        bad_infer(d, raw("[%s]" % text), "BAD_JSON")
    bad_infer(d, raw("[%s]" % ("1" * 65)), "BAD_JSON")


@room.row
def JS_113_one_bad_request_among_eight(d):
    """Callers whose requests share a run: the malformed one alone fails."""
    shared = 0
    for _ in range(10):
        answers = [None] * 8
        gate = threading.Barrier(8)

        def ask(i):
            with d.conn() as c:
                gate.wait()
                body = infer_json([i, "x"] if i == 3 else [i, i + 0.5], id=str(i),
                                  parameters={"slipway_debug": True})
                answers[i] = c.ask("POST", "/v2/models/together/infer", body)
        crew = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
        for t in crew:
            t.start()
        for t in crew:
            t.join()
        for i, r in enumerate(answers):
            if i == 3:
                check_error(r, 400, "WRONG_TYPE")
            else:
                expect_eq((r.status, r.json()["id"], r.json()["outputs"][0]["data"]),
                          (200, str(i), [i, i + 0.5]))
                shared += r.json()["parameters"]["batch_rows"] > 1
    expect(shared >= 35, "%d of 70 shared a run" % shared)


@room.rows([("empty", b""), ("space", b"  "), ("cut", b'{"inputs":['),
            ("trailing-comma", b'{"inputs":[],}'),
            ("trailing-bytes", json.dumps(infer_json()).encode() + b"x"),
            ("two-documents", json.dumps(infer_json()).encode() * 2),
            ("comment", b'{"inputs":[]/**/}'),
            ("line-comment", b'{"inputs":[]}//'), ("single-quotes", b"{'inputs':[]}"),
            ("no-quotes", b"{inputs:[]}"),
            ("no-colon", b'{"inputs"[]}'), ("vertical-tab", b'\x0b{"inputs":[]}'),
            ("form-feed", b'{"inputs":[]}\x0c'),
            ("nbsp", b'\xc2\xa0{"inputs":[]}'), ("word", b"hello"), ("True", b'{"inputs":True}')])
def JS_114_not_one_document(d, body):
    bad_infer(d, body, "BAD_JSON")


@room.rows([("array", b"[]"), ("string", b'"inputs"'), ("number", b"7"), ("null", b"null"),
            ("true", b"true")])
def JS_114_not_an_object(d, body):
    bad_infer(d, body, ("BAD_JSON", "WRONG_TYPE"))


@room.row
def JS_115_content_types(d):
    body = json.dumps(infer_json()).encode()
    for text in ("multipart/form-data; boundary=x", "multipart/mixed", "MULTIPART/related",
                 "application/json; charset=utf-16", "text/plain; charset=iso-8859-1",
                 'application/json; charset="UTF-16LE"'):
        bad_infer(d, body, "UNSUPPORTED_MEDIA", status=415, headers={"content-type": text})
    for text in (None, "application/octet-stream", "application/x-www-form-urlencoded",
                 "text/plain", "", "nonsense",
                 "application/json; charset=utf-8", "application/json;charset=UTF-8",
                 "text/json; charset=us-ascii",
                 'application/json; charset="utf-8"'):
        r = d.post("/v2/models/echo/infer", body, {"content-type": text}
                   if text is not None else {})
        expect_eq(r.status, 200, "Content-Type %r: %r" % (text, r.body))


@room.row
def JS_116_shared_memory(d):
    for method, path in (("GET", "/v2/systemsharedmemory/status"),
                         ("POST", "/v2/systemsharedmemory/region/a/register"),
                         ("POST", "/v2/cudasharedmemory/region/a/unregister"),
                         ("GET", "/v2/cudasharedmemory/status"),
                         ("POST", "/v2/systemsharedmemory/unregister")):
        bad(d, request(method, path, b"{}" if method == "POST" else None), 501, "NOT_IMPLEMENTED")
    for key, value in (("shared_memory_region", "a"), ("shared_memory_byte_size", 4),
                       ("shared_memory_offset", 0)):
        bad_infer(d, {"inputs": [dict(ONE, parameters={key: value})]}, "RESERVED_PARAMETER")
        bad_infer(d, {"inputs": [ONE], "outputs": [{"name": "x", "parameters": {key: value}}]},
                  "RESERVED_PARAMETER")


@room.row
def JS_117_ids_in_logs(d):
    lines = len(d.stderr().splitlines())
    for text in ("\x1b[31mred\x1b[0m", "a\r\nb: c", "%n%s%x%n", "\u2028", "<script>", "\0",
                 '","level":"error'):
        r = d.post("/v2/models/echo/infer", infer_json(id=text))
        expect_eq((r.status, r.json()["id"]), (200, text))
        bad_infer(d, infer_json(["a"], id=text), "WRONG_TYPE")
        quiet = "".join(ch for ch in text if 32 < ord(ch) < 127)
        r = d.get("/v2/models/nobody", {"x-request-id": quiet, "user-agent": quiet})
        expect_eq(r.status, 404)
    bad_infer(d, infer_json(id="x" * 257), "INVALID_ARGUMENT", "id")
    bad_infer(d, infer_json(id="x" * MIB), "INVALID_ARGUMENT", "id")
    bad_infer(d, infer_json(id=7), "WRONG_TYPE", "id")
    bad(d, request("GET", "/v2/models/" + "m" * MIB), 414, "URI_TOO_LONG", closes=True)
    for line in d.stderr().splitlines()[lines:]:
        expect(all(ord(ch) >= 32 for ch in line), "a control byte in the log: %r" % line[:200])
        expect(not line.startswith("{") or isinstance(json.loads(line), dict), line)
        expect(len(line) < 8192, "a log line of %d bytes" % len(line))


@room.row
def JS_117_long_strings(d):
    r = d.post("/v2/models/echo-bytes/infer", infer_json(["a" * (8 * MIB)], datatype="BYTES"))
    expect_eq((r.status, len(r.json()["outputs"][0]["data"][0])), (200, 8 * MIB))
    bad_infer(d, infer_json(["a" * (16 * MIB + 1)], datatype="BYTES"), "BAD_JSON",
              model="echo-bytes")


@room.row
def raw_requests(d):
    """Inference-Header-Content-Length 0: the body is the bytes of the one input."""
    zero = {"inference-header-content-length": "0"}
    r = d.post("/v2/models/echo-bytes/infer", b"anything", zero)
    expect(r.status in (200, 400), r)
    body, headers = infer_body([("a", "FP32", [1, 2], b"\0" * 8)])
    bad_infer(d, b"\0" * 8, ("INVALID_ARGUMENT", "BAD_SIZE", "BAD_SHAPE"), headers=zero,
              model="two")
    bad_infer(d, b"\0" * 7, ("BAD_SIZE", "BAD_SHAPE", "INVALID_ARGUMENT"), headers=zero)


@room.row
def random_damage_never_gets_a_5xx(d):
    """A good request with a few bytes changed, over and over: 200 or 4xx, and the daemon lives."""
    rnd = random.Random(3)
    body, headers = infer_body([("x", "FP32", [2, 3], struct.pack("<6f", *range(6)))], id="abc",
                               outputs=[{"name": "x", "parameters": {"classification": 2}}])
    seeds = [(body, headers), (json.dumps(infer_json([1.5, -2e3, 7], id="n")).encode(), {})]
    conn = d.conn()
    for i in range(20000 if FULL else 1500):
        data, head = rnd.choice(seeds)
        data = bytearray(data)
        for _ in range(rnd.randint(1, 4)):
            at, how = rnd.randrange(len(data)), rnd.randrange(4)
            if how == 0:
                data[at] = rnd.randrange(256)
            elif how == 1:
                del data[at:at + rnd.randint(1, 9)]
            elif how == 2:
                data[at:at] = bytes(rnd.choice(b'{}[]",:0123456789.-eEnulltrfas\\ ')
                                    for _ in range(rnd.randint(1, 4)))
            else:
                data[at] ^= 1 << rnd.randrange(8)
            if not data:
                data = bytearray(b"{")
        try:
            conn.send(request("POST", "/v2/models/echo/infer", bytes(data), head))
            reply = conn.reply()
        except (BrokenPipeError, ConnectionResetError, socket.timeout) as e:
            raise AssertionError("request %d: %r: %r" % (i, e, bytes(data)))
        expect(reply is not None, "request %d: no answer: %r" % (i, bytes(data)))
        if reply.status != 200:
            check_error(reply, 400, [json.loads(reply.body)["code"]])
        if reply.headers.get("connection") == "close":
            conn.close()
            conn = d.conn()
    conn.close()


not_built("JS_118_ensembles", "ensembles")


@test
def the_daemon_ends_in_good_order():
    room.end()


main()
