#!/usr/bin/env python3
"""state_test.py - `slipway plan` and `slipway apply` through a daemon: what differs, made so or
not at all.
SPDX-License-Identifier: MIT
"""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, Daemon, cases, expect, expect_eq, expect_in, main, test,  # noqa: E402
                     wait_for)

FLAG = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}


def linear(scale):
    return json.dumps({"engine": "linear", "weights": [[scale, 1]]}).encode()


class Files:
    """A folder of declarations, and the command line that reads it."""
    def __init__(self, d, env=None):
        self.dir = tempfile.TemporaryDirectory()
        self.env = dict(os.environ, SLIPWAY_URL="http://127.0.0.1:%d" % d.port, **(env or {}))
        self.env.pop("SLIPWAY_KEY", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dir.cleanup()

    def write(self, name, data):
        path = os.path.join(self.dir.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, what, *args, path=None, **env):
        return subprocess.run([BIN, what, path or self.dir.name] + list(args), timeout=120,
                              env=dict(self.env, **env), capture_output=True, text=True)

    def ok(self, what, *args, code=0, **more):
        done = self.run(what, *args, **more)
        expect_eq(done.returncode, code, done)
        return done.stdout


def last_seq(d):
    return d.post("/api/v1/state/apply", {}).json()["seq"]


def serving(d, name):
    return d.get("/api/v1/models/" + name).json()["serving"]


def entry(data, **more):
    """A model's entry over the API: its bytes are not uploaded yet."""
    return dict({"files": [{"name": "model.json", "sha256": hashlib.sha256(data).hexdigest(),
                            "bytes": len(data)}]}, **more)


def is_error(reply, status, code, field=None):
    expect_eq(reply.status, status, reply)
    expect_eq(reply.json()["code"], code, reply)
    if field is not None:
        expect_eq(reply.json()["details"].get("field", ""), field, reply)


@test
def a_folder_is_made_so_and_a_second_apply_changes_nothing():
    with Daemon() as d, Files(d) as files:
        files.write("models/fraud/model.json", linear(1))
        files.write("a.yaml", "models:\n  fraud:\n    path: models/fraud\n    tags: {tier: 1}\n"
                              "    aliases: [champion]\n    quotas: {versions: 5}\n")
        files.write("b.yml", "flags:\n  new-ranker: %s\nquotas: {models: 10}\n" % json.dumps(FLAG))
        before = last_seq(d)
        out = files.ok("plan", code=8)
        for line in ("+ model fraud", "+ fraud version 1: 41 B", "+ fraud tag tier: 1",
                     "+ fraud alias champion: 1", "+ fraud serves version: 1",
                     "+ fraud quota versions: 5", "+ quota models: 10", "+ flag new-ranker"):
            expect_in(line, out)
        expect_eq(last_seq(d), before, "a plan changes nothing")
        expect_in("fraud version 1 serves", files.ok("apply"))
        after = last_seq(d)
        model = d.get("/api/v1/models/fraud").json()
        expect_eq((model["serving"], model["aliases"], model["tags"]),
                  (1, {"champion": 1}, {"tier": "1"}))
        expect_eq(d.get("/api/v1/flags").json()["file"]["flags"], {"new-ranker": FLAG})
        expect_in("as declared", files.ok("plan"))
        files.ok("apply")
        expect_eq(last_seq(d), after, "the second apply appends nothing")

        files.write("models/fraud/model.json", linear(2))
        out = files.ok("plan", code=8)
        for line in ("+ fraud version 2", "~ fraud alias champion: 1 -> 2",
                     "~ fraud serves version: 1 -> 2"):
            expect_in(line, out)
        files.ok("apply")
        expect_eq(serving(d, "fraud"), 2)
        files.write("models/fraud/model.json", linear(1))  # back: its bytes are known
        plan = json.loads(files.ok("plan", "--json", code=8))["tenants"][0]
        expect_eq([c["what"] for c in plan["changes"]], ["alias", "deploy"])
        expect_eq(plan["uploads"], [])
        files.ok("apply")
        expect_eq(serving(d, "fraud"), 1)


@test
def one_bad_entry_changes_nothing():
    with Daemon() as d, Files(d) as files:
        files.write("good/model.json", linear(1))
        files.write("bad/model.json", b"{\"engine\":\"linear\",\"weights\":[[1,")
        files.write("a.yaml", "models:\n  good:\n    path: good\n  bad:\n    path: bad\n")
        before = last_seq(d)
        done = files.run("apply")
        expect_eq(done.returncode, 8, done)
        expect_in("a.yaml:4:3: ", done.stderr)
        expect_eq(last_seq(d), before)
        expect_eq(d.get("/api/v1/models").json()["models"], [])


@test
def what_is_not_mentioned_stays_unless_pruned():
    with Daemon() as d, Files(d) as files:
        files.write("m/model.json", linear(1))
        files.write("a.yaml", "models:\n  fraud:\n    path: m\n    deploy: none\n"
                              "    tags: {a: x, b: y}\n"
                              "    aliases: {old: this, new: this}\n  other:\n"
                              "flags: {x: %s, y: %s}\n" % (json.dumps(FLAG), json.dumps(FLAG)))
        files.ok("apply")
        files.write("a.yaml", "models:\n  fraud:\n    path: m\n    deploy: none\n    tags: {a: x}\n"
                              "    aliases: {new: 1}\nflags: {x: %s}\n" % json.dumps(FLAG))
        files.ok("plan")
        out = files.ok("plan", "--prune", code=8)
        expect_eq([line for line in out.split("\n") if line.startswith("  ")],
                  ["  - model other", "  - fraud tag b: y", "  - fraud alias old: 1",
                   "  - flag y: %s..." % json.dumps(FLAG, separators=(",", ":"),
                                                    sort_keys=True)[:57]])
        files.ok("apply", "--prune")
        model = d.get("/api/v1/models/fraud").json()
        expect_eq((model["tags"], model["aliases"]), ({"a": "x"}, {"new": 1}))
        expect_eq(d.get("/api/v1/models/other").status, 404)
        expect_eq(list(d.get("/api/v1/flags").json()["file"]["flags"]), ["x"])
        files.ok("plan", "--prune")
        d.post("/api/v1/models/fraud/deploy", {"strategy": "now", "wait": True})
        files.write("a.yaml", "models: {}\n")
        done = files.run("apply", "--prune")
        expect_eq(done.returncode, 6, done)
        expect_in("model 'fraud' serves", done.stderr)


@test
def a_change_in_between_is_a_conflict_and_one_elsewhere_is_not():
    with Daemon() as d:
        wish = {"models": {"m": {"description": "d", "tags": {"a": "1"}}}}
        plan = d.post("/api/v1/state/plan", wish).json()["plan"]
        expect_eq(d.post("/api/v1/models", {"name": "elsewhere"}).status, 201)
        expect_eq(d.post("/api/v1/models", {"name": "m"}).status, 201)
        is_error(d.post("/api/v1/state/apply", dict(wish, plan=plan)), 409, "CONFLICT", "plan")
        expect_eq(d.get("/api/v1/models/m").json().get("tags"), None)
        plan = d.post("/api/v1/state/plan", wish).json()["plan"]
        expect_eq(d.post("/api/v1/models", {"name": "elsewhere2"}).status, 201)
        expect_eq(d.post("/api/v1/state/apply", dict(wish, plan=plan)).json()["applied"], True)


@test
def many_at_once_end_in_one_of_the_states_and_are_replayed():
    with Daemon() as d:
        def go(i):
            return d.post("/api/v1/state/apply",
                          {"models": {"m%d" % k: {"description": "by %d" % i} for k in range(20)}},
                          {"Idempotency-Key": "go-%d" % i})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(go, range(8)))
        expect_eq({r.status for r in replies}, {200})
        shown = {d.get("/api/v1/models/m%d" % k).json()["description"] for k in range(20)}
        expect_eq(len(shown), 1, "no half of one and half of another")
        before = last_seq(d)
        expect_eq([go(i).body for i in range(8)], [r.body for r in replies])
        expect_eq(last_seq(d), before)
        other = d.post("/api/v1/state/apply", {"models": {"m1": {"description": "else"}}},
                       {"Idempotency-Key": "go-1"})
        is_error(other, 409, "IDEMPOTENCY_MISMATCH")


main()
