#!/usr/bin/env python3
"""ofrep_test.py - OpenFeature's own OFREP providers, unmodified, against the daemon: Python's from
PyPI, JavaScript's server and web provider from npm; and flagd's own evaluator (flagd-core, npm)
beside ours on the same flags and contexts.
SPDX-License-Identifier: MIT
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import in_venv

in_venv()
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from slipway import ROOT, Daemon, SLOW, expect, expect_eq, main, skip, test

NODE = os.path.join(ROOT, "build", "deps", "node", "node_modules")
OBJECT = {"size": 3, "deep": {"list": [1, 2.5, None, "x"]}}
FLAGS = {"flags": {
    "bool": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"},
    "text": {"state": "ENABLED", "variants": {"a": "gr\u00fcn", "b": "rot"}, "defaultVariant": "a",
             "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "b"]}},
    "int": {"state": "ENABLED", "variants": {"one": 1, "many": 42}, "defaultVariant": "many"},
    "float": {"state": "ENABLED", "variants": {"half": 0.5, "whole": 2.0},
              "defaultVariant": "whole", "targeting": {"if": [{"var": "half"}, "half"]}},
    "object": {"state": "ENABLED", "variants": {"o": OBJECT}, "defaultVariant": "o",
               "metadata": {"team": "search", "n": 2, "live": True}},
    "off": {"state": "DISABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"},
    "split": {"state": "ENABLED", "variants": {"r": "red", "g": "green", "b": "blue"},
              "defaultVariant": "r",
              "targeting": {"fractional": [["r", 25], ["g", 25], ["b", 50]]}},
    "odd key \u00fc:": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"},
}}


class Flagged(Daemon):
    """A daemon with FLAGS."""
    def __enter__(self):
        super().__enter__()
        expect_eq(self.ask("PUT", "/api/v1/flags", json.dumps(FLAGS).encode()).status, 200)
        return self


def client(d):
    api.set_provider(OFREPProvider(base_url=d.url()))
    return api.get_client()


def context(**attributes):
    return EvaluationContext(attributes.pop("key", "u1"), attributes)


# --- Python -------------------------------------------------------------------------------------

@test
def python_provider_resolves_every_type():
    with Flagged() as d:
        c = client(d)
        rows = [(c.get_boolean_details("bool", False), True, "on", Reason.STATIC),
                (c.get_string_details("text", "?", context(email="a@example.com")), "rot", "b",
                 Reason.TARGETING_MATCH),
                (c.get_string_details("text", "?", context()), "gr\u00fcn", "a", Reason.DEFAULT),
                (c.get_integer_details("int", 0), 42, "many", Reason.STATIC),
                (c.get_float_details("float", 0.1), 2.0, "whole", Reason.DEFAULT),
                (c.get_float_details("float", 0.1, context(half=True)), 0.5, "half",
                 Reason.TARGETING_MATCH),
                (c.get_object_details("object", {}), OBJECT, "o", Reason.STATIC),
                (c.get_boolean_details("odd key \u00fc:", False), True, "on", Reason.STATIC)]
        for got, value, variant, reason in rows:
            expect_eq((got.value, type(got.value), got.variant, got.reason, got.error_code),
                      (value, type(value), variant, reason, None), got)
        expect_eq(c.get_object_details("object", {}).flag_metadata,
                  {"team": "search", "n": 2, "live": True})


@test
def python_provider_tells_each_error():
    with Flagged() as d:
        c = client(d)
        rows = [(c.get_boolean_details("nope", True), True, ErrorCode.FLAG_NOT_FOUND),
                (c.get_string_details("split", "?", EvaluationContext()), "?",
                 ErrorCode.TARGETING_KEY_MISSING),
                (c.get_string_details("bool", "?"), "?", ErrorCode.TYPE_MISMATCH),
                (c.get_boolean_details("bool", False, context(big="x" * 70000)), False,
                 ErrorCode.INVALID_CONTEXT)]
        for got, value, code in rows:
            expect_eq((got.value, got.error_code, got.reason), (value, code, Reason.ERROR), got)
        expect_eq(c.get_boolean_value("off", True), True, "disabled: the code's default")
        expect_eq(c.get_boolean_value("off", False), False)


@test
def python_provider_sees_a_change_at_once():
    with Flagged() as d:
        c = client(d)
        expect_eq(c.get_boolean_value("bool", False), True)
        changed = dict(FLAGS["flags"]["bool"], defaultVariant="off")
        expect_eq(d.ask("PUT", "/api/v1/flags/bool", json.dumps(changed).encode()).status, 200)
        expect_eq(c.get_boolean_value("bool", True), False)


# --- JavaScript ---------------------------------------------------------------------------------

def node(script, *args):
    """Runs test/client/SCRIPT; what it prints, line by line, as JSON."""
    if not os.path.isdir(NODE) or not shutil.which("node"):
        skip("there is no build/deps/node (make deps-test)")
    done = subprocess.run(["node", os.path.join(ROOT, "test", "client", script), *args],
                          env=dict(os.environ, NODE_PATH=NODE), text=True, timeout=60 * SLOW,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect_eq(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


DETAILS = {
    "bool": [True, "on", "STATIC", None], "text": ["rot", "b", "TARGETING_MATCH", None],
    "int": [42, "many", "STATIC", None], "float": [2, "whole", "DEFAULT", None],
    "object": [OBJECT, "o", "STATIC", None],
    "odd key \u00fc:": [True, "on", "STATIC", None],
    "nope": [True, None, "ERROR", "FLAG_NOT_FOUND"]}


@test
def javascript_server_provider_resolves_every_type_and_error():
    with Flagged() as d:
        got = dict(node("ofrep_server.cjs", d.url()))
        expect_eq(got.pop("metadata"), {"team": "search", "n": 2, "live": True})
        expect_eq(got.pop("off")[0], "fallback")
        expect_eq(got.pop("split without a key"),
                  ["?", None, "ERROR", "TARGETING_KEY_MISSING"])
        expect_eq(got, DETAILS)


@test
def javascript_web_provider_resolves_and_follows_changes_by_push():
    with Flagged() as d:
        got = dict(node("ofrep_web.cjs", d.url()))
        expect(got.pop("milliseconds from change to event") < 1000 * SLOW)
        expect_eq(got.pop("after the change"), False)
        expect_eq(got.pop("after another context"), "gr\u00fcn")
        expect_eq(got.pop("answers without a change"), 304)
        expect_eq(got.pop("metadata"), {"team": "search", "n": 2, "live": True})
        expect_eq(got.pop("off")[0], "fallback")
        expect_eq(got, DETAILS)


# --- flagd --------------------------------------------------------------------------------------

@test
def flagd_s_own_evaluator_gives_the_same_variants():
    with Daemon() as d:
        rows = node("flagd_same.cjs", d.url())
        expect_eq(rows[:-1][:5], [])
        expect(rows[-1]["compared"] > 2000, rows[-1])


if __name__ == "__main__":
    main()
