#!/usr/bin/env python3
"""registry_test.py - models and versions as a registry: described, named, listed, removed.

Names in brackets are rows of the robustness catalogue.
SPDX-License-Identifier: MIT
"""
import concurrent.futures
import hashlib
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, expect, expect_eq, expect_in, main, test  # noqa: E402
from tenants import auth, key_add, operator  # noqa: E402


def linear(scale):
    return json.dumps({"engine": "linear", "weights": [[scale, 1]]}).encode()


def push(d, model, data, headers=None, **more):
    sent = d.ask("PUT", "/api/v1/blobs", data)
    expect_eq(sent.status, 201, sent)
    return d.post("/api/v1/models/%s/versions" % model,
                  dict({"files": [dict(sent.json(), name="model.json")]}, **more), headers)


def deploy(d, model, headers=None, **body):
    return d.post("/api/v1/models/%s/deploy" % model,
                  dict({"wait": True, "strategy": "now"}, **body), headers)


def is_error(reply, status, code, field=None):
    expect_eq(reply.status, status, reply)
    tree = reply.json()
    expect_eq(tree["code"], code, reply)
    if field is not None:
        expect_eq(tree["details"].get("field", ""), field, reply)


def infer(d, model, version=None):
    path = "/v2/models/%s%s/infer" % (model, "/versions/%s" % version if version else "")
    return d.post(path, {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32",
                                     "data": [1, 0]}]})


def three(d):
    """Model m, versions 1 to 3; 3 serves, 2 is the way back."""
    for i in range(1, 4):
        expect_eq(push(d, "m", linear(i)).status, 201)
    for i in (2, 3):
        expect_eq(deploy(d, "m", version=i).status, 200)


@test
def cards_are_patched_and_shown():
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        shown = d.ask("PATCH", m, {"description": "reads digits", "tags": {"team": "fraud"}})
        expect_eq(shown.status, 200, shown)
        tree = d.get(m).json()
        expect_eq((tree["description"], tree["tags"]), ("reads digits", {"team": "fraud"}))
        expect_eq(d.ask("PATCH", m, {"tags": {"team": None, "tier": "1"}}).status, 200)
        tree = d.get(m).json()
        expect_eq((tree["description"], tree["tags"]), ("reads digits", {"tier": "1"}))
        lineage = {"run": "nightly/812", "data": "s3://lake/2026", "parent": 2}
        expect_eq(d.ask("PATCH", m + "/versions/3", lineage).status, 200)
        tree = d.get(m + "/versions/3").json()
        expect_eq({k: tree[k] for k in lineage}, lineage)
        made = push(d, "m", linear(9), note="n", tags={"a": "b"}, run="r", parent=3)
        expect_eq(made.status, 201, made)
        tree = d.get(m + "/versions/4").json()
        expect_eq((tree["tags"], tree["run"], tree["parent"], tree["note"]),
                  ({"a": "b"}, "r", 3, "n"))
        listed = d.get("/api/v1/models").json()["models"]
        expect_eq(listed[0]["tags"], {"tier": "1"})
        what = [e["what"] for e in d.get(m + "/history").json()["events"]]
        expect_in("model_set", what)
        expect_in("version_set", what)
        d.stop()
        d.start()
        expect_eq(d.get(m).json()["tags"], {"tier": "1"})


@test
def cards_are_capped_and_names_are_text():
    """[RG-108]"""
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        odd = {"__proto__": "x", "constructor": "y", "=cmd()|' /C calc'!A0": "=1+1", "\u2028": "<b>"}
        expect_eq(d.ask("PATCH", m, {"tags": odd}).status, 200)
        expect_eq(d.get(m).json()["tags"], odd)
        is_error(d.ask("PATCH", m, {"tags": {"k": "v" * 10240}}), 400, "INVALID_ARGUMENT", "tags")
        is_error(d.ask("PATCH", m, {"tags": {"k" * 200: "v"}}), 400, "INVALID_ARGUMENT", "tags")
        is_error(d.ask("PATCH", m, {"tags": {"k%d" % i: "v" for i in range(100)}}), 429,
                 "LIMIT_EXCEEDED", "tags")
        is_error(d.ask("PATCH", m, {"tags": {"k": 1}}), 400, "WRONG_TYPE", "tags")
        is_error(d.ask("PATCH", m, {"owner": "x"}), 400, "INVALID_ARGUMENT", "owner")
        is_error(d.ask("PATCH", m, {"run": "x"}), 400, "INVALID_ARGUMENT", "run")
        is_error(d.ask("PATCH", m, {}), 400, "INVALID_ARGUMENT")
        is_error(d.ask("PATCH", m + "/versions/9", {"run": "x"}), 404, "VERSION_NOT_FOUND")
        is_error(d.ask("PATCH", m + "/versions/3", {"parent": 3}), 404, "VERSION_NOT_FOUND",
                 "parent")
        is_error(d.ask("PATCH", "/api/v1/models/none", {"tags": {}}), 404, "MODEL_NOT_FOUND")
        expect_eq(d.get(m).json()["tags"], odd)


@test
def a_manifest_is_shown_and_hashes_to_the_version():
    with Daemon() as d:
        three(d)
        tree = d.get("/api/v1/models/m/versions/2").json()
        data = linear(2)
        expect_eq(tree["files"], [{"name": "model.json", "bytes": len(data),
                                   "sha256": hashlib.sha256(data).hexdigest()}])
        text = d.get("/api/v1/models/m/versions/2/manifest")
        expect_eq(hashlib.sha256(text.body).hexdigest(), tree["digest"])
        expect_eq(text.headers["etag"], '"%s"' % tree["digest"])
        is_error(d.get("/api/v1/models/m/versions/7"), 404, "VERSION_NOT_FOUND")
        is_error(d.get("/api/v1/models/m/versions/Q"), 400, "BAD_VERSION")
        is_error(d.get("/api/v1/models/m/versions/none"), 404, "VERSION_NOT_FOUND")


@test
def aliases_name_versions_everywhere():
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        expect_eq(d.ask("PUT", m + "/aliases/champion", {"version": 3}).status, 200)
        expect_eq(d.ask("PUT", m + "/aliases/old", {"version": 1}).status, 200)
        expect_eq(d.ask("PUT", m + "/aliases/best", {"version": "champion"}).status, 200)
        expect_eq(d.get(m).json()["aliases"], {"best": 3, "champion": 3, "old": 1})
        rows = d.get(m + "/aliases").json()["aliases"]
        expect_eq([(r["alias"], r["version"]) for r in rows],
                  [("best", 3), ("champion", 3), ("old", 1)])
        expect_eq(d.get(m + "/versions/champion").json()["version"], 3)
        reply = infer(d, "m@champion")
        expect_eq(reply.status, 200, reply)
        expect_eq(reply.headers["x-slipway-version"], "3")
        expect_eq(reply.json()["model_name"], "m")
        expect_eq(infer(d, "m@3").status, 200)
        is_error(infer(d, "m@old"), 404, "VERSION_NOT_FOUND")  # known, not loaded
        is_error(infer(d, "m@none"), 404, "VERSION_NOT_FOUND")
        is_error(infer(d, "m@"), 404, "VERSION_NOT_FOUND")
        is_error(infer(d, "m@champion", 3), 400, "BAD_VERSION")
        is_error(infer(d, "m", "champion"), 400, "BAD_VERSION")  # V2: numbers
        expect_eq(d.get("/v2/models/m@champion").status, 200)
        expect_eq(d.get("/v2/models/m@champion/ready").status, 200)
        expect_eq(deploy(d, "m", version="old").json()["version"], 1)
        expect_eq(infer(d, "m").headers["x-slipway-version"], "1")
        expect_eq(d.ask("DELETE", m + "/aliases/old").status, 200)
        is_error(d.ask("DELETE", m + "/aliases/old"), 404, "NOT_FOUND")
        for bad in ["3", "v3", "latest", "Champion", "a" * 64]:
            is_error(d.ask("PUT", m + "/aliases/" + bad, {"version": 3}), 400, "BAD_NAME")
        is_error(d.ask("PUT", m + "/aliases/x", {"version": 9}), 404, "VERSION_NOT_FOUND")
        is_error(d.ask("PUT", m + "/aliases/x", {}), 400, "INVALID_ARGUMENT", "version")


@test
def what_an_alias_pointed_at_then():
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        times = [int(time.time() * 1000)]
        for version in (1, 2, None):
            time.sleep(0.02)
            if version:
                d.ask("PUT", m + "/aliases/a", {"version": version})
                d.ask("PUT", m + "/aliases/b", {"version": 3})
            else:
                d.ask("DELETE", m + "/aliases/a")
            time.sleep(0.02)
            times.append(int(time.time() * 1000))
        got = [d.get(m + "/history?at=%d&alias=a" % t).json()["version"] for t in times]
        expect_eq(got, [None, 1, 2, None])
        expect_eq(d.get(m + "/history?at=%d&alias=b" % times[1]).json()["who"], "anonymous")
        serving = d.get(m + "/history?at=%d" % times[-1]).json()
        expect_eq(serving["serving"], 3)
        done = d.cli("history", "m@a", "--at", str(times[2]))
        expect_in("m@a was version 2", done.stdout)
        events = d.get(m + "/history").json()["events"]
        expect_eq((events[0]["what"], events[0]["alias"]), ("alias_removed", "a"))


@test
def stale_etags_change_nothing():
    """[RG-106]"""
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        seen = d.get(m).headers["etag"]
        reply = d.ask("PUT", m + "/aliases/a", {"version": 3}, {"if-match": seen})
        expect_eq(reply.status, 200, reply)
        fresh = reply.headers["etag"]
        expect(fresh != seen)
        expect_eq(d.get(m).headers["etag"], fresh)
        for method, path, body in [("PUT", m + "/aliases/a", {"version": 2}),
                                   ("DELETE", m + "/aliases/a", None),
                                   ("PATCH", m, {"description": "x"}),
                                   ("PATCH", m + "/versions/1", {"description": "x"}),
                                   ("DELETE", m + "/versions/1", None), ("DELETE", m, None),
                                   ("POST", m + "/deploy", {"version": 1, "strategy": "now"}),
                                   ("POST", m + "/rollback", {})]:
            for stale in [seen, '"m1"', '"x"', "x", 'W/%s' % fresh, ""]:
                is_error(d.ask(method, path, body, {"if-match": stale}), 412,
                         "PRECONDITION_FAILED", "If-Match")
        expect_eq(d.get(m).headers["etag"], fresh)
        expect_eq(d.ask("PATCH", m, {"description": "x"},
                        {"if-match": '"m1", %s' % fresh}).status, 200)
        expect_eq(d.ask("PATCH", m, {"description": "y"}, {"if-match": "*"}).status, 200)


@test
def two_who_make_the_same_model():
    """[RG-103] [JS-110]"""
    with Daemon() as d:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = sorted(r.status for r in pool.map(
                lambda _: d.post("/api/v1/models", {"name": "twin"}), range(8)))
        expect_eq(got, [201] + [409] * 7)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = sorted(r.json()["version"] for r in pool.map(
                lambda i: push(d, "twin", linear(i)), range(8)))
        expect_eq(made, list(range(1, 9)))
        is_error(d.post("/api/v1/models", {"name": "TWIN"}), 409, "CONFLICT")
        for name in ["a:b", "../x", "a/b", "", "con", ".", "x.", "a@b", "n" * 10240]:
            reply = d.post("/api/v1/models", {"name": name})
            expect_eq(reply.status, 400, name[:20], reply)
        expect_eq(infer(d, "a:b").status, 404)
        reply = d.post("/api/v1/models", {"name": "new", "description": "d", "tags": {"a": "1"}},
                       {"idempotency-key": "k"})
        expect_eq(reply.status, 201, reply)
        again = d.post("/api/v1/models", {"name": "new", "description": "d", "tags": {"a": "1"}},
                       {"idempotency-key": "k"})
        expect_eq((again.status, again.json()["seq"]), (201, reply.json()["seq"]))
        is_error(d.post("/api/v1/models", {"name": "new", "description": "e"},
                        {"idempotency-key": "k"}), 409, "IDEMPOTENCY_MISMATCH")
        is_error(deploy(d, "new"), 404, "VERSION_NOT_FOUND")
        is_error(infer(d, "new"), 503, "NOT_READY")


@test
def what_is_needed_is_not_removed():
    """[RG-105]"""
    with Daemon() as d:
        three(d)
        m = "/api/v1/models/m"
        is_error(d.ask("DELETE", m + "/versions/3"), 409, "CONFLICT", "serving/3")
        is_error(d.ask("DELETE", m + "/versions/2"), 409, "CONFLICT", "rollback/2")
        d.ask("PUT", m + "/aliases/old", {"version": 1})
        is_error(d.ask("DELETE", m + "/versions/1"), 409, "CONFLICT", "alias/old")
        d.ask("DELETE", m + "/aliases/old")
        d.ask("PATCH", m + "/versions/1", {"hold": "case 17"})
        is_error(d.ask("DELETE", m + "/versions/1"), 409, "CONFLICT", "hold")
        is_error(d.ask("DELETE", m), 409, "CONFLICT", "serving/3")
        d.ask("PATCH", m + "/versions/1", {"hold": None})
        reply = d.ask("DELETE", m + "/versions/1")
        expect_eq(reply.status, 200, reply)
        is_error(d.ask("DELETE", m + "/versions/1"), 404, "VERSION_NOT_FOUND")
        is_error(d.get(m + "/versions/1"), 404, "VERSION_NOT_FOUND")
        is_error(deploy(d, "m", version=1), 404, "VERSION_NOT_FOUND")
        expect_eq([v["version"] for v in d.get(m + "/versions").json()["versions"]], [3, 2])
        expect_eq(push(d, "m", linear(7)).json()["version"], 4)
        # A release that runs needs both of its versions.
        reply = d.post(m + "/deploy", {"version": 4, "strategy": "canary"})
        expect_eq(reply.status, 202, reply)
        is_error(d.ask("DELETE", m + "/versions/4"), 409, "CONFLICT", "release/1")
        expect_eq(d.post(m + "/release/abort", {}).status, 200)
        expect_eq(d.ask("DELETE", m + "/versions/4").status, 200)
        expect_eq(d.post("/v2/repository/models/m/unload", {}).status, 200)
        expect_eq(d.ask("DELETE", m).status, 200)
        is_error(d.get(m), 404, "MODEL_NOT_FOUND")
        expect_eq(d.get("/api/v1/models").json()["models"], [])
        d.stop()
        d.start()
        is_error(d.get(m), 404, "MODEL_NOT_FOUND")
        expect_eq(push(d, "m", linear(1)).json()["version"], 5)
        expect_eq(deploy(d, "m").status, 200)
        expect_eq(infer(d, "m").headers["x-slipway-version"], "5")


@test
def holds_are_an_admins():
    with Daemon("--keys-only") as d:
        admin, ann = auth(operator(d)), auth(key_add(d, "deployer", "ann")["key"])
        d.post("/api/v1/models", {"name": "m"}, ann)
        is_error(d.ask("PATCH", "/api/v1/models/m", {"hold": "x"}, ann), 403, "DENIED", "hold")
        expect_eq(d.ask("PATCH", "/api/v1/models/m", {"hold": "x"}, admin).status, 200)
        is_error(d.ask("PATCH", "/api/v1/models/m", {"hold": None}, ann), 403, "DENIED", "hold")
        is_error(d.ask("DELETE", "/api/v1/models/m", None, ann), 409, "CONFLICT", "hold")


@test
def the_command_line_has_all_of_it():
    with Daemon() as d, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        with open(path, "wb") as file:
            file.write(linear(2))

        def cli(*words, rc=0):
            done = d.cli(*words)
            expect_eq(done.returncode, rc, words, done.stdout, done.stderr)
            return done.stdout + done.stderr

        cli("model", "add", "m", "--description", "reads digits")
        cli("push", "m", path, "--run", "nightly/812", "--tags", "team=fraud,tier=1")
        with open(path, "wb") as file:
            file.write(linear(3))
        cli("push", "m", path, "--parent", "1")
        expect_in("m@champion is version 1", cli("alias", "set", "m@1", "champion"))
        expect_in("champion", cli("alias", "list", "m"))
        cli("deploy", "m@champion", "--strategy", "now", "--wait")
        expect_in("m", cli("model", "list"))
        shown = cli("model", "show", "m@champion")
        for text in ["nightly/812", "team=fraud", hashlib.sha256(linear(2)).hexdigest()]:
            expect_in(text, shown)
        cli("model", "set", "m@2", "--tags", "stage=trial", "--data", "s3://lake")
        expect_in("s3://lake", cli("model", "show", "m@2"))
        cli("model", "set", "m", "--hold", "case 17")
        expect_in("is on hold", cli("model", "remove", "m@2", rc=6))
        cli("model", "set", "m", "--hold", "")
        cli("model", "remove", "m@2")
        done = d.cli("predict", "m@champion", input="[[1, 0]]")
        expect_eq(done.returncode, 0, done.stderr)
        expect_in("alias", cli("alias", "set", "m", "x", rc=2))
        expect_in("not a version", cli("deploy", "m@latest", rc=2))
        expect_in("not read yet", cli("scrub"))
        told = cli("history", "m")
        for words in ("alias_set champion", "tags.stage=trial", "data=s3://lake", "hold=case 17"):
            expect_in(words, told)
        expect_in("m@champion did not point", cli("history", "m@champion", "--at", "2h"))
        expect_in("--at takes", cli("history", "m", "--at", "soon", rc=2))
        expect_in("taken away", cli("scrub", "--collect"))
        cli("alias", "remove", "m", "champion")
        expect_in("slipway model unload m", cli("model", "remove", "m", rc=6))
        expect_in("m is unloaded", cli("model", "unload", "m"))
        expect_eq(d.get("/api/v1/models/m").json()["serving"], None)
        expect_eq(infer(d, "m").status, 503)
        cli("model", "remove", "m")


@test
def a_large_push_goes_on_where_it_was():
    with Daemon() as d, tempfile.TemporaryDirectory() as folder:
        data = linear(2) + b" " * (9 << 20)
        path = os.path.join(folder, "model.json")
        with open(path, "wb") as file:
            file.write(data)
        begun = d.ask("POST", "/api/v1/uploads?sha256=" + hashlib.sha256(data).hexdigest(),
                      data[:5 << 20], {"upload-complete": "?0", "upload-length": str(len(data))})
        expect_eq((begun.status, begun.json()["offset"]), (201, 5 << 20), begun)
        done = d.cli("push", "m", path)
        expect_eq(done.returncode, 0, done.stderr)
        expect_eq(d.get(begun.headers["location"]).status, 404)  # it was that one
        shown = d.get("/api/v1/models/m/versions/1").json()
        expect_eq(shown["files"][0]["bytes"], len(data))


@test
def pages_are_sealed():
    """[RG-107]"""
    with Daemon() as d:
        for i in range(5):
            d.post("/api/v1/models", {"name": "m%d" % i})
        names, path = [], "/api/v1/models?limit=2"
        while path:
            page = d.get(path).json()
            names += [m["name"] for m in page["models"]]
            path = page["next"] and "/api/v1/models?limit=2&page=" + page["next"]
        expect_eq(names, ["m%d" % i for i in range(5)])
        token = d.get("/api/v1/models?limit=2").json()["next"]
        d.ask("DELETE", "/api/v1/models/m1")  # where the page ended: nothing is skipped for it
        expect_eq([m["name"] for m in d.get("/api/v1/models?page=" + token).json()["models"]],
                  ["m2", "m3", "m4"])
        for path in ["/api/v1/models", "/api/v1/models/m2/versions", "/api/v1/models/m2/history",
                     "/api/v1/models/m2/aliases", "/api/v1/releases", "/api/v1/keys",
                     "/api/v1/flag-history"]:
            for bad in ["x", "", token[:-1], "A" * 400, token + "A",
                        ("B" if token[0] != "B" else "C") + token[1:]]:
                is_error(d.get("%s?page=%s" % (path, bad)), 400, "INVALID_ARGUMENT", "page")
            for limit in ["-1", "0", "1000000000"]:
                is_error(d.get("%s?limit=%s" % (path, limit)), 400, "VALUE_OUT_OF_RANGE", "limit")
            if path != "/api/v1/models":
                is_error(d.get("%s?page=%s" % (path, token)), 400, "INVALID_ARGUMENT", "page")


@test
def the_command_line_lists_all_pages():
    with Daemon() as d:
        with d.conn() as c:
            for i in range(1001):  # one more than a page
                expect_eq(c.ask("POST", "/api/v1/models", {"name": "m%04d" % i}).status, 201)
        listed = d.cli("model", "list", "--json")
        expect_eq(listed.returncode, 0, listed.stderr)
        expect_eq([m["name"] for m in json.loads(listed.stdout)["models"]],
                  ["m%04d" % i for i in range(1001)])


main()
