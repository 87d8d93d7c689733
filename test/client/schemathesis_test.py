#!/usr/bin/env python3
"""schemathesis_test.py - Schemathesis, unmodified, against a daemon and the OpenAPI it serves: what
the document promises of every route is asked, well and badly formed, and every answer held against
it.

The daemon has tenants, keys, models, flags and a running release, whose names the requests use half
of the time. SCHEMATHESIS_EXAMPLES says how many of a route (make schemathesis: more).
SPDX-License-Identifier: MIT
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import VENV, in_venv

in_venv()
from models import echo, push, serve, spec, want
from schemathesis_hooks import REFUSED, SERVER_SAYS
from slipway import Daemon, Failed, expect, expect_eq, main, test, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "7"))
BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
# QUERY is left out: who does not know a method at all says 501 (RFC 9110, 15.6.2), not 405.
METHODS = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE"]
REJECTS = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 501, 503]
OFF = {"not_a_server_error": "server_is_sound", "positive_data_acceptance": "valid_is_taken"}
FLAG = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}


class Keyed(Daemon):
    """Every request with the operator's key."""
    key = None

    def ask(self, method, path, body=None, headers=None):
        own = {"authorization": "Bearer " + self.key} if self.key else {}
        return super().ask(method, path, body, dict(own, **(headers or {})))


def town(d):
    """What there is to be found; gives the words for the parameters of paths."""
    with open(os.path.join(d.data, "admin.key")) as f:
        d.key = f.read().strip()
    want(d.post("/api/v1/tenants", {"name": "acme", "about": "they make things"}), 201, "tenant")
    spare = want(d.post("/api/v1/keys", {"role": "viewer", "person": "eve"}), 201, "key")["id"]
    for model in ("loan", "fraud", "spare"):
        serve(d, model, echo([spec("x")]))
    push(d, "loan", dict(echo([spec("x")]), **{"notes.txt": b"2"}), tags={"team": "credit"})
    push(d, "spare", dict(echo([spec("x")]), **{"notes.txt": b"2"}))
    want(d.post("/api/v1/models", {"name": "empty", "description": "no version yet"}), 201, "model")
    want(d.ask("PUT", "/api/v1/models/loan/aliases/champion", {"version": 1}), 200, "alias")
    want(d.ask("PUT", "/api/v1/flags/ranker", FLAG), 200, "flag")
    for i in range(20):
        want(d.post("/v2/models/loan/infer", BODY, {"x-request-id": "req-%d" % i}), 200, "infer")
    want(d.post("/api/v1/models/loan/deploy", {
        "version": 2, "plan": {"strategy": "canary", "steps": [{"canary": {
            "traffic": "50%", "for": "1h"}}]}}), 202, "release")
    want(d.post("/api/v1/feedback", {"model": "loan", "request_id": "req-1", "outcome": 1}), 202,
         "feedback")
    upload = d.ask("POST", "/api/v1/uploads", b"abc", {"upload-complete": "?0"})
    expect_eq(upload.status, 201, upload)
    return {"model": ["loan", "fraud", "spare", "empty"], "version": [1, 2],
            "alias": ["champion", "best"], "number": [1], "tenant": ["acme", "bonk"],
            "upload": [upload.json()["upload"]], "request": ["req-1", "req-2"],
            "key": [spare], "tenants": ["default"], "flag": ["ranker", "release.loan"]}


def toml(value):
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s = %s" % (json.dumps(k), toml(v)) for k, v in value.items())
    return json.dumps(value)


def config(d, words, checks):
    parameters = {"path." + name: {"dictionary": name, "probability": 0.6} for name in words
                  if name != "flag"}
    parameters["header.x-slipway-tenant"] = {"dictionary": "tenants", "probability": 0.9}
    rows = [("continue-on-failure", True),
            ("auth", {"openapi": {"bearer": {"bearer": d.key}}}),
            ("dictionaries", {k: {"values": v} for k, v in words.items()}),
            ("parameters", parameters), ("checks", checks),
            ("generation", {"allow-x00": False}),  # U+0000 in a text is refused, wherever it is
            ("phases", {"coverage": {"unexpected-methods": METHODS}})]
    return "".join("%s = %s\n" % (k, toml(v)) for k, v in rows)


def st(d, words, checks, *args):
    """Runs Schemathesis; gives (exit status, what it printed)."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "schemathesis.toml"), "w") as f:
            f.write(config(d, words, checks))
        env = dict(os.environ, PATH=os.path.join(VENV, "bin") + ":" + os.environ["PATH"],
                   PYTHONPATH=HERE, SCHEMATHESIS_HOOKS="schemathesis_hooks")
        done = subprocess.run(
            ["st", "run", d.url("/api/v1/openapi.json"), "--seed", str(SEED), "--no-color",
             "--generation-database", "none", *args],
            cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


@test
def every_answer_is_what_the_document_says():
    with Keyed("--keys-only") as d:
        words = town(d)
        off = {name: {"enabled": False} for name in OFF}
        # a precondition is asked before the body is looked at (RFC 9110, 13.2.1)
        off["negative_data_rejection"] = {"expected-statuses": REJECTS}
        code, out = st(d, words, off, "--checks", "all", *["--exclude-checks", ",".join(OFF)], "--max-examples", str(EXAMPLES))
        for name, own in OFF.items():
            print("%s is asked as %s:" % (name, own))
        for status, what, _, why in REFUSED + SERVER_SAYS:
            print("  %d %s is no failure: %s" % (status, what or "", why))
        if code:
            print(out)
        expect_eq(code, 0, "Schemathesis, seed %d" % SEED)


main()
