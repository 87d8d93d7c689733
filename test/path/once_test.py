#!/usr/bin/env python3
"""once_test.py - Idempotency-Keys at every route that changes something: the same request again
gets the first answer and changes nothing, another request with that key gets 409. A route of
routes.def without a row here fails.

SPDX-License-Identifier: MIT
"""
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import linear, upload, want
from slipway import ROOT, Daemon, Failed, cases, expect, expect_eq, main, test

FLAG = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}


def files(d, value):
    sha = upload(d, linear([[0]], [value])["model.json"])
    return {"files": [{"name": "model.json", "sha256": sha}]}


def model(d, versions=2, serving=1):
    for i in range(versions):
        want(d.post("/api/v1/models/m/versions", files(d, i + 1)), 201, "push")
    if serving:
        want(d.post("/api/v1/models/m/deploy", {"version": serving, "strategy": "now",
                                                "wait": True}), 200, "deploy")


def release(d):
    model(d)
    want(d.post("/api/v1/models/m/deploy", {"version": 2, "plan": PLAN}), 202, "release")


def alias(d):
    model(d)
    want(d.ask("PUT", "/api/v1/models/m/aliases/best", {"version": 1}), 200, "alias")


def a_flag(d):
    want(d.ask("PUT", "/api/v1/flags/a", FLAG), 200, "flag")


def tenant(d):
    want(d.post("/api/v1/tenants", {"name": "acme"}), 201, "tenant")


def freeze(d):
    model(d)
    want(d.post("/api/v1/freezes", {"model": "m", "now": True}), 200, "freeze")


PLAN = {"strategy": "canary", "steps": [{"canary": {"traffic": "5%", "for": "1h"}}]}

# method and pattern: what to prepare, the path, the body, and another body or (text) path
ROWS = {
    "POST /api/v1/models/{model}/versions":
        (None, "/models/m/versions", lambda d: files(d, 1), lambda d: files(d, 2)),
    "POST /api/v1/models": (None, "/models", {"name": "m"}, {"name": "n"}),
    "PATCH /api/v1/models/{model}": (model, "/models/m", {"description": "a"}, {"description": "b"}),
    "DELETE /api/v1/models/{model}": (lambda d: model(d, serving=0), "/models/m", None, "/models/n"),
    "PATCH /api/v1/models/{model}/versions/{version}":
        (model, "/models/m/versions/1", {"description": "a"}, {"description": "b"}),
    "DELETE /api/v1/models/{model}/versions/{version}":
        (lambda d: model(d, serving=0), "/models/m/versions/1", None, "/models/m/versions/2"),
    "PUT /api/v1/models/{model}/aliases/{alias}":
        (model, "/models/m/aliases/best", {"version": 1}, {"version": 2}),
    "DELETE /api/v1/models/{model}/aliases/{alias}":
        (alias, "/models/m/aliases/best", None, "/models/m/aliases/worst"),
    "POST /api/v1/models/{model}/deploy":
        (model, "/models/m/deploy", {"version": 2, "strategy": "now", "wait": True},
         {"version": 2, "strategy": "canary"}),
    "POST /api/v1/models/{model}/rollback":
        (lambda d: (model(d, 2, 1), model(d, 0, 2)), "/models/m/rollback",
         {"wait": True}, {"to": 2, "wait": True}),
    "PUT /api/v1/flags": (None, "/flags", {"flags": {"a": FLAG}}, {"flags": {"b": FLAG}}),
    "PUT /api/v1/flags/{key*}": (None, "/flags/a", FLAG, dict(FLAG, defaultVariant="off")),
    "DELETE /api/v1/flags/{key*}": (a_flag, "/flags/a", None, "/flags/b"),
    "PATCH /api/v1/tenants/{tenant}": (tenant, "/tenants/acme", {"about": "a"}, {"about": "b"}),
    "DELETE /api/v1/tenants/{tenant}": (tenant, "/tenants/acme", None, "/tenants/acme?force=true"),
    "DELETE /api/v1/keys/{key}": (None, "/keys/KEY", None, "/keys/OTHER"),
    "POST /api/v1/models/{model}/release/pause":
        (release, "/models/m/release/pause", {"why": "a"}, {"why": "b"}),
    "POST /api/v1/models/{model}/release/resume":
        (lambda d: (release(d), d.post("/api/v1/models/m/release/pause", {})),
         "/models/m/release/resume", {"why": "a"}, {"why": "b"}),
    "POST /api/v1/models/{model}/release/abort":
        (release, "/models/m/release/abort", {"why": "a"}, {"why": "b"}),
    "POST /api/v1/freezes": (model, "/freezes", {"model": "m", "now": True},
                             {"model": "m", "now": True, "why": "b"}),
    "DELETE /api/v1/freezes": (freeze, "/freezes?model=m", None, "/freezes?model=m&why=b"),
    "PATCH /api/v1/models/{model}/quotas":
        (model, "/models/m/quotas", {"quotas": {"requests_per_second": 5}},
         {"quotas": {"requests_per_second": 6}}),
    "POST /api/v1/state/apply":
        (alias, "/state/apply", {"models": {"m": {"description": "a", "aliases": {"best": 2}}}},
         {"models": {"m": {"description": "b"}}}),
    "POST /v2/repository/models/{model}/unload":
        (model, "!/v2/repository/models/m/unload", {}, {"parameters": {}}),
}

# why a route has no row: each is the same however often it is done, or shows a secret once
APART = {
    "POST /v2/repository/index": "it asks",
    "POST /api/v1/state/plan": "it asks",
    "DELETE /api/v1/models/{model}/versions/{version}/quarantine": "lifted is lifted",
    "POST /ofrep/v1/evaluate/flags": "it asks",
    "POST /ofrep/v1/evaluate/flags/{key*}": "it asks",
    "PUT /api/v1/blobs": "what it makes is named by its content",
    "POST /api/v1/uploads": "bytes on their way, named by their content in the end",
    "PATCH /api/v1/uploads/{upload}": "Upload-Offset says where they belong",
    "DELETE /api/v1/uploads/{upload}": "given up is given up",
    "POST /api/v1/check": "it asks",
    "POST /api/v1/models/{model}/versions/{version}/check": "it asks",
    "POST /api/v1/storage/scrub": "once more finds the same",
    "POST /api/v1/storage/collect": "once more takes nothing away",
    "POST /api/v1/keys/{key}/rotate": "shown once: as keys",
    "POST /api/v1/feedback": "an outcome is joined by its request's id, once",
    "POST /api/v1/keys": "shown once: shows_a_secret_once",
    "POST /api/v1/tenants": "shown once: shows_a_secret_once",
    "POST /v2/repository/models/{model}/load": "its push carries the key: registry tests",
    "POST /api/v1/models/{model}/release/promote": "as pause: one handler, one command",
    "POST /api/v1/models/{model}/release/approve": "as pause",
    "POST /api/v1/models/{model}/release/reject": "as pause",
    "POST /api/v1/models/{model}/release/override_freeze": "as pause",
}


def path_of(d, path):
    if path.startswith("!"):
        return path[1:]
    for name in ("KEY", "OTHER"):
        if "/keys/" + name in path and not hasattr(d, name):
            reply = want(d.post("/api/v1/keys", {"role": "viewer", "person": "ann"}), 201, "key")
            setattr(d, name, reply["id"])
        path = path.replace("/keys/" + name, "/keys/" + getattr(d, name, ""))
    return "/api/v1" + path


def body_of(d, body):
    return body(d) if callable(body) else body


def last_seq(d):
    """Of what somebody asked for: a release goes on by itself meanwhile."""
    lines = d.get("/api/v1/audit?limit=10000&tenants=all").body.decode().splitlines()
    rows = [json.loads(line)["row"] for line in lines if '"row"' in line]
    return max((row["seq"] for row in rows if row["actor"] != "slipway"), default=0)


@cases([(name,) + (name,) for name in ROWS])
def the_first_answer_again(name):
    prepare, path, body, other = ROWS[name]
    method = name.split()[0]
    with Daemon() as d:
        if prepare:
            prepare(d)
        at, sent = path_of(d, path), body_of(d, body)
        if isinstance(other, str):
            path_of(d, other)
        key = {"idempotency-key": "once"}
        before = last_seq(d)
        first = d.ask(method, at, sent, key)
        expect(first.status in (200, 201, 202), first)
        seq = last_seq(d)
        expect(seq > before, "nothing of it stands in the ledger")
        again = d.ask(method, at, sent, key)
        expect_eq(again.status, first.status, again)
        expect_eq(last_seq(d), seq, "the second one changed something")
        expect_eq(again.json().get("seq"), first.json().get("seq"), again)
        if isinstance(other, str):
            mixed = d.ask(method, path_of(d, other), sent, key)
        else:
            mixed = d.ask(method, at, body_of(d, other), key)
        expect_eq((mixed.status, mixed.json().get("code")), (409, "IDEMPOTENCY_MISMATCH"), mixed)
        expect_eq(last_seq(d), seq)
        d.kill(signal.SIGKILL)  # it is stored with its effect
        d.start()
        seq = last_seq(d)
        after = d.ask(method, at, sent, key)
        expect_eq(after.status, first.status, after)
        expect_eq(after.json().get("seq"), first.json().get("seq"), after)
        expect_eq(last_seq(d), seq)


@test
def every_changing_route_has_a_row():
    with open(os.path.join(ROOT, "src", "api", "routes.def")) as f:
        found = re.findall(r'^ROUTE\((POST|PUT|PATCH|DELETE), "([^"]+)", (\w+)', f.read(), re.M)
    for method, pattern, kind in found:
        if kind.startswith("INFER"):
            continue
        name = "%s %s" % (method, pattern)
        if name not in ROWS and name not in APART:
            raise Failed("%s has no row: add what it is asked, and what else" % name)


@cases([("key", "/api/v1/keys", {"role": "viewer", "person": "ann"}),
        ("tenant", "/api/v1/tenants", {"name": "acme"})])
def shows_a_secret_once(path, body):
    with Daemon() as d:
        key = {"idempotency-key": "once"}
        first = d.post(path, body, key)
        expect_eq(first.status, 201, first)
        seq = last_seq(d)
        again = d.post(path, body, key)
        expect_eq((again.status, again.json()["code"]), (409, "IDEMPOTENCY_MISMATCH"), again)
        expect_eq(last_seq(d), seq)


main()
