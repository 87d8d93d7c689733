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
from models import damage  # noqa: E402
from tenants import As, key_add, operator, tenant  # noqa: E402
from slipway import (BIN, ROOT, Daemon, cases, expect, expect_eq, expect_in,  # noqa: E402
                     main, test, wait_for)

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
        words = [path or self.dir.name] if path != [] else []
        return subprocess.run([BIN, what] + words + list(args), timeout=120,
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


# --- what serves --------------------------------------------------------------------------------

PLAN = """strategy: canary
steps:
  - canary: {traffic: 50%, for: 1h}
warm_up: 0s
"""


@test
def a_release_is_begun_respected_and_its_verdict_kept():
    with Daemon() as d, Files(d) as files:
        files.write("plan.yaml.txt", PLAN)
        files.write("m/model.json", linear(1))
        files.write("a.yaml", "models:\n  m:\n    path: m\n"
                              "    deploy: {strategy: canary, plan: plan.yaml.txt}\n")
        files.ok("apply")  # a first version answers at once
        wait_for(lambda: serving(d, "m") == 1)
        files.write("m/model.json", linear(2))
        expect_in("~ m is released: 1 -> 2", files.ok("plan", code=8))
        expect_in("m release 1 of version 2 has begun", files.ok("apply"))
        running = d.get("/api/v1/models/m/release").json()
        expect_eq((running["version"], running["plan"]["strategy"]), (2, "canary"))
        expect_in("as declared", files.ok("plan"))  # it is on its way
        files.write("m/model.json", linear(3))
        done = files.run("apply")
        expect_eq(done.returncode, 6, done)
        expect_in("a.yaml:4:5: release 1 of model 'm' is running", done.stderr)
        expect_eq(d.get("/api/v1/models/m").json()["versions"], 2, "nothing was pushed")
        files.write("m/model.json", linear(2))
        expect_eq(d.post("/api/v1/models/m/release/abort", {"why": "no"}).status, 200)
        wait_for(lambda: d.get("/api/v1/models/m/release").json()["state"] == "aborted")
        for what in ("plan", "apply"):
            done = files.run(what)
            expect_eq(done.returncode, 8, done)
            expect_in("a.yaml:4:5: release 1 of model 'm' took version 2 back", done.stderr)
        files.write("m/model.json", linear(1))
        files.ok("plan")


@test
def a_freeze_holds_a_deploy_and_all_with_it():
    with Daemon() as d, Files(d) as files:
        files.write("m/model.json", linear(1))
        files.write("a.yaml", "models:\n  m:\n    path: m\n    tags: {a: b}\n")
        files.ok("apply")
        expect_eq(d.post("/api/v1/freezes", {"model": "m", "now": True, "why": "night"}).status, 200)
        files.write("m/model.json", linear(2))
        files.write("a.yaml", "models:\n  m:\n    path: m\n    tags: {a: c}\n")
        before = last_seq(d)
        done = files.run("apply")
        expect_eq(done.returncode, 6, done)
        expect_in("is frozen", done.stderr)
        expect_eq(last_seq(d), before)
        files.write("a.yaml", "models:\n  m:\n    path: m\n    tags: {a: c}\n    deploy: none\n")
        files.ok("apply")
        expect_eq((serving(d, "m"), d.get("/api/v1/models/m").json()["tags"]), (1, {"a": "c"}))


@test
def what_is_held_or_named_is_not_pruned():
    with Daemon() as d, Files(d) as files:
        files.write("a.yaml", "models:\n  m:\n    hold: case 17\n  n: {}\n")
        files.ok("apply")
        files.write("a.yaml", "models:\n  n: {}\n")
        done = files.run("apply", "--prune")
        expect_eq(done.returncode, 6, done)
        expect_in("model 'm' is on hold", done.stderr)
        expect_eq(d.get("/api/v1/models/n").status, 200)
        expect_in("as declared", files.ok("plan"))


@test
def flags_may_be_a_file_of_their_own():
    with Daemon() as d, Files(d) as files:
        rule = {"if": [{"<": [{"var": "age"}, 0.10]}, "on", None]}
        files.write("flags.json", json.dumps({"$schema": "https://flagd.dev/schema/v0/flags.json",
                                              "flags": {"x": dict(FLAG, targeting=rule)}}, indent=2))
        files.write("a.yaml", "flags: flags.json\n")
        files.ok("apply")
        expect_eq(d.get("/api/v1/flags/x").json()["definition"]["targeting"], rule)
        files.ok("plan")
        got = d.post("/ofrep/v1/evaluate/flags/x", {"context": {"age": 0.01}}).json()
        expect_eq((got["variant"], got["reason"]), ("on", "TARGETING_MATCH"))
        files.write("flags.json", '{"flags": {}, "$evaluators": {}}')
        done = files.run("plan")
        expect_eq(done.returncode, 2, done)
        expect_in("flags.json:1:15: only 'flags' can be declared", done.stderr)


@test
def what_is_refused_when_it_is_loaded_is_told():
    with Daemon() as d, Files(d) as files:
        files.write("m/model.json", linear(1))
        files.write("a.yaml", "models: {m: {path: m, deploy: none}}\n")
        files.ok("apply")
        damage(d, linear(1))
        files.write("a.yaml", "models: {m: {path: m}}\n")
        done = files.run("apply")
        expect_eq(done.returncode, 8, done)
        expect_in("m version 1 was refused", done.stderr)
        files.ok("apply", "--no-wait")
        expect_eq(serving(d, "m"), None)


@test
def the_example_is_applied_twice():
    with Daemon() as d, Files(d) as files:
        example = os.path.join(ROOT, "examples", "state")
        expect_in("wine version 1 serves", files.ok("apply", path=example))
        files.ok("plan", path=example)
        files.ok("plan", "--prune", path=example)


# --- what there is, as a file ---------------------------------------------------------------------

ODD = "two\nlines \x7f\u0085\u2028\ufeff \U0001f600 # \"quoted\" \\\\ 'x': {[&*!|>%@`"


def exported(files, *args, **more):
    """The tenant's state as a file among `files`, alone there."""
    out = files.ok("plan", "--export", *args, path=[], **more)
    files.write("export/all.yaml", out)
    return os.path.join(files.dir.name, "export"), out


@test
def what_is_exported_differs_in_nothing():
    with Daemon() as d, Files(d) as files:
        files.write("a/model.json", linear(1))
        files.write("a.yaml", "quotas: {models: 50, stored_bytes: 1GiB, requests_in_flight: unlimited}\n"
                              "models:\n  fraud:\n    path: a\n    aliases: [champion, yes]\n"
                              "    tags: {tier: 1, on: 'true'}\n    quotas: {versions: 5}\n"
                              "    hold: 'no'\n  'null':\n    hold: case 17\n  bare:\n")
        files.ok("apply")
        reply = d.ask("PATCH", "/api/v1/models/fraud", {"description": ODD})
        expect_eq(reply.status, 200, reply)
        flags = {"x": FLAG, "true": dict(FLAG, metadata={"why": ODD}),
                 "rule": dict(FLAG, targeting={"if": [{"<": [{"var": "age"}, 0.1]}, "on", None]})}
        body = json.dumps({"flags": flags, "metadata": {"team": "risk"}}).replace("0.1", "0.10")
        expect_eq(d.ask("PUT", "/api/v1/flags", body.encode()).status, 200)
        expect_eq(d.post("/api/v1/models/stored/versions", entry(linear(1))).status, 201)
        d.ask("PUT", "/api/v1/models/stored/aliases/best", {"version": 1})
        before = last_seq(d)

        folder, out = exported(files)
        digest = d.get("/api/v1/models/fraud/versions/1").json()["digest"]
        for text in ("tenant: default\n", "  models: 50\n", "stored_bytes: 1073741824\n",
                     "  requests_in_flight: unlimited\n", "champion: 1\n", '"yes": 1\n',
                     "0.10", '    digest: "%s" # version 1' % digest, '  "null":\n',
                     "  bare: {}\n"):
            expect_in(text, out)
        for args in ([], ["--prune"]):
            expect_in("as declared", files.ok("plan", *args, path=folder))
            files.ok("apply", *args, path=folder)
        expect_eq(last_seq(d), before, "nothing was changed by any of it")
        model = d.get("/api/v1/models/fraud").json()
        expect_eq((model["description"], model["tags"]), (ODD, {"tier": "1", "on": "true"}))
        expect_eq(exported(files)[1], out, "the same state is the same file")
        body = files.ok("plan", "--export", "--json", path=[])
        expect_eq(json.loads(body)["models"]["fraud"]["description"], ODD)
        expect_eq(d.post("/api/v1/state/plan", body.encode()).json()["changes"], [])

        d.ask("PATCH", "/api/v1/models/fraud", {"tags": {"tier": "2"}})
        expect_in("~ fraud tag tier: 2 -> 1", files.ok("plan", path=folder, code=8))
        files.ok("apply", path=folder)
        expect_eq(exported(files)[1], out)


@test
def an_export_is_of_one_tenant_and_for_whoever_may_read_it():
    with Daemon("--keys-only") as d, Files(d) as files:
        top, ann = operator(d), tenant(d, "acme", about="the fraud team")
        viewer = key_add(d, "viewer", by=ann)["key"]
        _, out = exported(files, SLIPWAY_KEY=top)
        expect_in("tenant: default\nmodels: {}\nflags: {}\n", out)
        As(d, ann).post("/api/v1/models", {"name": "m", "description": "d"})
        folder, out = exported(files, "--tenant", "acme", SLIPWAY_KEY=top)
        expect_in('tenant: acme\nabout: "the fraud team"\nmodels:\n  m:\n    description: d\n', out)
        files.ok("plan", "--prune", path=folder, SLIPWAY_KEY=top)
        expect_eq(exported(files, SLIPWAY_KEY=ann)[1], out)
        folder, out = exported(files, SLIPWAY_KEY=viewer)
        expect_in("# about: it takes an admin to see that\n", out)
        files.ok("plan", "--prune", path=folder, SLIPWAY_KEY=viewer)
        done = files.run("plan", "--export", "--tenant", "ghost", path=[], SLIPWAY_KEY=top)
        expect(done.returncode != 0 and not done.stdout, done)
        for args in (["--export", "--prune"], ["--export", folder], []):
            done = files.run("plan", *args, path=[], SLIPWAY_KEY=top)
            expect_eq((done.returncode, done.stdout), (2, ""), done)


# --- who may ------------------------------------------------------------------------------------

@test
def a_viewer_plans_an_admin_applies_an_operator_limits():
    with Daemon("--keys-only") as d:
        ann = tenant(d, "acme")
        people = {role: As(d, key_add(d, role, by=ann)["key"])
                  for role in ("viewer", "invoker", "deployer", "approver", "auditor")}
        people["admin"] = As(d, ann)
        wish = {"models": {"m": {"description": "d"}}}
        for role, who in people.items():
            expect_eq(who.post("/api/v1/state/plan", wish).status, 200, role)
            got = who.post("/api/v1/state/apply", {"models": {"m-" + role: {}}})
            expect_eq(got.status, 200 if role == "admin" else 403, role)
        limits = {"quotas": {"models": 3}}
        expect_eq(len(people["viewer"].post("/api/v1/state/plan", limits).json()["changes"]), 1)
        is_error(people["admin"].post("/api/v1/state/apply", limits), 403, "DENIED", "quotas")
        is_error(people["admin"].post("/api/v1/state/apply", {"about": "us"}), 403, "DENIED", "about")
        top = As(d, operator(d))
        expect_eq(top.post("/api/v1/state/apply", dict(limits, tenant="acme")).status, 200)
        got = people["admin"].post("/api/v1/state/apply", dict(wish, **limits))
        expect_eq(got.status, 200, "saying what is so needs nobody's leave", got)
        expect_eq(d.post("/api/v1/state/plan", wish).status, 401)


@test
def another_tenant_is_not_there():
    with Daemon("--keys-only") as d:
        ann, bob = As(d, tenant(d, "acme")), As(d, tenant(d, "beta"))
        for path in ("/api/v1/state/plan", "/api/v1/state/apply"):
            there, ghost = (ann.post(path, {"tenant": name, "models": {}})
                            for name in ("beta", "ghost"))
            is_error(there, 404, "TENANT_NOT_FOUND", "tenant")
            expect_eq(there.json()["error"].replace("beta", "ghost"), ghost.json()["error"])
        data = linear(1)
        expect_eq(bob.ask("PUT", "/api/v1/blobs", data).status, 201)
        wish = {"models": {"m": entry(data)}}
        plan = ann.post("/api/v1/state/plan", wish).json()
        expect_eq(len(plan["uploads"]), 1, "beta's bytes are not acme's")
        is_error(ann.post("/api/v1/state/apply", wish), 400, "INVALID_ARGUMENT",
                 "models.m.files[0]")
        expect_eq(bob.post("/api/v1/state/apply", wish).status, 200)
        digest = bob.get("/api/v1/models/m/versions/1").json()["digest"]
        is_error(ann.post("/api/v1/state/plan", {"models": {"m": {"digest": digest}}}), 404,
                 "VERSION_NOT_FOUND", "models.m.digest")


@test
def an_operators_folder_holds_many_tenants():
    with Daemon("--keys-only") as d:
        with Files(d) as files:
            key = operator(d)
            files.write("m/model.json", linear(3))
            for name in ("acme", "beta"):
                files.write(name + ".yaml", "tenant: %s\nabout: team %s\nquotas: {models: 5}\n"
                            "models:\n  same:\n    path: m\n" % (name, name))
            files.write("more.yaml", "tenant: beta\nmodels: {other: {}}\n")
            out = files.ok("apply", SLIPWAY_KEY=key)
            for line in ("+ tenant acme", "+ about: team beta", "acme: applied", "beta: applied"):
                expect_in(line, out)
            files.ok("plan", SLIPWAY_KEY=key)
            for name, models in (("acme", ["same"]), ("beta", ["other", "same"])):
                who = As(d, {"authorization": "Bearer " + key, "x-slipway-tenant": name})
                got = who.get("/api/v1/models").json()["models"]
                expect_eq([m["name"] for m in got], models)
                expect_eq([m["serving"] for m in got if m["name"] == "same"], [1])
            files.write("wrong.yaml", "tenant: acme\nmodels: {same: {tags: {a: b}}}\n")
            done = files.run("plan", SLIPWAY_KEY=key)
            expect_eq(done.returncode, 2, done)
            expect_in("wrong.yaml:2:10: 'same' stands in", done.stderr)
            files.write("wrong.yaml", "tenant: beta\nflags: {}\n")
            files.write("acme.yaml", "tenant: acme\nmodels: {}\n")
            done = files.run("plan", "--prune", SLIPWAY_KEY=key)
            expect_eq(done.returncode, 6, done)
            expect_in("tenant acme: model 'same' serves", done.stderr)
            expect_in("slipway model unload same --tenant acme", done.stderr)


# --- what cannot be -----------------------------------------------------------------------------

LAUGH = "a: &a [x, x]\nb: &b [*a, *a]\nmodels: {m: {tags: *b}}\n"


@cases([
    ("empty", "", "1:1: ", 2),
    ("list", "- models\n", "1:1: a declaration is a map", 2),
    ("duplicate_model", "models:\n  m: {}\n  m: {}\n", "3:3: ", 2),
    ("duplicate_section", "models: {}\nmodels: {}\n", "2:1: ", 2),
    ("anchors", LAUGH, "1:4: ", 2),
    ("tab", "models:\n\tm: {}\n", "2:1: ", 2),
    ("not_utf8", b"models: {m: {description: '\xff'}}\n", "", 2),
    ("bom", b"\xef\xbb\xbfmodels: {}\n", "", 2),
    ("unknown_section", "modles: {}\n", "1:1: unknown key 'modles'; did you mean 'models'?", 2),
    ("unknown_member", "models:\n  m:\n    alises: [a]\n",
     "3:5: unknown key 'models.m.alises'; did you mean 'aliases'?", 2),
    ("no_such_path", "models:\n  m:\n    path: nowhere\n", "3:5: ", 2),
    ("two_versions", "models:\n  m:\n    version: 1\n    digest: %s\n" % ("0" * 64), "4:5: ", 2),
    ("no_version", "models:\n  m:\n    version: 7\n", "3:5: model 'm' has no version 7", 4),
    ("no_digest", "models:\n  m:\n    digest: %s\n" % ("0" * 64), "3:5: ", 4),
    ("bad_digest", "models:\n  m:\n    digest: xyz\n", "3:5: a digest is 64", 2),
    ("bad_name", "models:\n  a/b: {}\n", "2:3: ", 2),
    ("device_name", "models:\n  con: {}\n", "2:3: ", 2),
    ("case_twins", "models:\n  m: {}\n  M: {}\n", "", 6),
    ("quota_unknown", "models:\n  m:\n    quotas:\n      modells: 4\n", "4:7: ", 2),
    ("quota_typo", "models:\n  m:\n    quotas: {request_per_second: 4}\n",
     "3:14: unknown key 'models.m.quotas.request_per_second'; did you mean 'requests_per_second'?",
     2),
    ("quota_typo_of_a_tenant", "quotas:\n  model: 4\n",
     "2:3: unknown key 'quotas.model'; did you mean 'models'?", 2),
    ("quota_of_tenants", "models:\n  m:\n    quotas:\n      models: 4\n", "4:7: ", 2),
    ("quota_nan", "quotas:\n  models: 1e3\n", "2:3: ", 2),
    ("quota_negative", "quotas: {models: -1}\n", "1:10: ", 2),
    ("alias_nowhere", "models:\n  m:\n    aliases:\n      best: 3\n", "4:7: ", 4),
    ("alias_of_nothing", "models:\n  m:\n    aliases: [best]\n", "3:5: ", 2),
    ("alias_twice", "models:\n  m:\n    version: 1\n    aliases: [a, b, a]\n", "4:21: ", 2),
    ("alias_list_of_maps", "models:\n  m:\n    version: 1\n    aliases: [a, {b: 1}]\n",
     "4:18: a list of aliases has names only; of other versions it is a map", 2),
    ("alias_bad", "models:\n  m:\n    aliases: {v3: 1}\n", "3:15: ", 2),
    ("tags_nested", "models:\n  m:\n    tags: {a: {b: c}}\n", "3:5: ", 2),
    ("deploy_unknown", "models:\n  m:\n    version: 1\n    deploy: soon\n", "4:5: deploy is one of", 2),
    ("deploy_plan", "models:\n  m:\n    version: 1\n    deploy: {plan: p.yaml}\n",
     "4:5: a plan goes with a strategy", 2),
    ("deploy_nothing", "models:\n  m:\n    deploy: now\n", "3:5: there is nothing to deploy", 2),
    ("flag_broken", "flags:\n  x: {state: MAYBE}\n", "2:3: ", 2),
    ("flag_logic", "flags:\n  x: {state: ENABLED, variants: {a: 1}, defaultVariant: b}\n", "2:3: ", 2),
    ("tenant_bad", "tenant: a b\n", "1:1: ", 2),
    ("huge", "# %s\nmodels: {}\n" % ("x" * (1 << 20)), "longer than 1 MiB", 5),
    ("many_nodes", "models: {%s}\n" % ", ".join("m%d: {}" % i for i in range(20000)), "", 2),
    ("deep", "models: {m: {tags: %s}}\n" % ("[" * 40 + "]" * 40), "", 2),
])
def wrong_files_name_the_place(text, place, code):
    with shared() as d, Files(d) as files:
        files.write("a.yaml", text)
        before = last_seq(d)
        for what in ("plan", "apply"):
            done = files.run(what, "--prune")
            expect_eq(done.returncode, code, done)
            expect_in(os.path.join(files.dir.name, "a.yaml") + ("" if ":" not in place else ":")
                      if place else "slipway: ", done.stderr)
            expect_in(place, done.stderr)
            expect("Sanitizer" not in done.stderr, done)
        expect_eq(last_seq(d), before)


class Shared:
    """One daemon for rows that change nothing."""
    d = None

    def __enter__(self):
        if not self.d:
            Shared.d = Daemon()
            Shared.d.start()
        return self.d

    def __exit__(self, *_):
        pass


def shared():
    return Shared()


@test
def flags_stand_beside_thousands_of_models():
    """A flag file's bounds are its own; the member is found however it is written."""
    models = {"m%d" % i: {"description": "},{\\\"flags\\\":"} for i in range(1500)}
    with Daemon() as d:
        for body in ({"models": models, "flags": {"x": FLAG}}, {"flags": {"x": FLAG}, "about": "{"},
                     b'{ "about" : "\\"flags\\":", "prune":true , "fl\\u0061gs" : {"x" :%s} }'
                     % json.dumps(FLAG).encode()):
            reply = d.post("/api/v1/state/plan", body)
            expect_eq(reply.status, 200, reply)
            edits = [e for e in reply.json()["changes"] if e["what"] == "flag"]
            expect_eq([(e["op"], e["name"]) for e in edits], [("+", "x")])


@cases([
    ("unknown_member", {"modles": {}}, 400, "INVALID_ARGUMENT", "modles"),
    ("twice", b'{"models":{"m":{},"m":{}}}', 400, "DUPLICATE_KEY", ""),
    ("list", {"models": []}, 400, "WRONG_TYPE", "models"),
    ("model", {"models": {"m": 3}}, 400, "WRONG_TYPE", "models.m"),
    ("alias_null", {"models": {"m": {"aliases": {"a": None}}}}, 400, "WRONG_TYPE",
     "models.m.aliases.a"),
    ("plan", {"plan": "abc"}, 400, "INVALID_ARGUMENT", "plan"),
    ("prune", {"prune": "yes"}, 400, "WRONG_TYPE", "prune"),
    ("size", {"models": {"m": {"files": [{"name": "a", "sha256": "0" * 64}]}}}, 400,
     "INVALID_ARGUMENT", "models.m.files"),
    ("path", {"models": {"m": {"files": [{"name": "../a", "sha256": "0" * 64, "bytes": 1}]}}}, 400,
     "BAD_NAME", "models.m.files[0]"),
    ("deep", b'{"flags":' + b"[" * 99 + b"]" * 99 + b"}", 400, "JSON_TOO_DEEP", ""),
    ("tags", {"models": {"m": {"tags": {"key-%d" % i: None for i in range(6000)}}}}, 429,
     "LIMIT_EXCEEDED", "models.m.tags"),
    ("huge", b'{"about":"' + b"x" * (1 << 20) + b'"}', 413, "BODY_TOO_LARGE", None),
    ("many", {"models": {"m%d" % i: {} for i in range(4097)}}, 429, "LIMIT_EXCEEDED", None),
])
def wrong_bodies_are_refused(body, status, code, field):
    with shared() as d:
        before = last_seq(d)
        for path in ("/api/v1/state/plan", "/api/v1/state/apply"):
            reply = d.post(path, body)
            expect_eq((reply.status, reply.json()["code"]), (status, code), reply)
            if field is not None:
                expect_eq(reply.json()["details"].get("field", ""), field, reply)
        expect_eq(last_seq(d), before)


@test
def the_shared_daemon_ends_well():
    if Shared.d:
        Shared.d.stop()


main()
