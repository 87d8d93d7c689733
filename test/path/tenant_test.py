#!/usr/bin/env python3
"""tenant_test.py - several tenants at one running daemon: who is whose, what an operator may, and
what removing one leaves. Named after the rows of the robustness rules.
SPDX-License-Identifier: MIT
"""
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, SLOW, Daemon, expect, expect_eq, expect_in, main,  # noqa: E402
                     request, test)
import models  # noqa: E402
from tenants import As, auth, operator, tenant  # noqa: E402

def refused(reply, status, code):
    expect_eq((reply.status, reply.json()["code"]), (status, code), reply)
    return reply.json()["error"]


@test
def a_tenant_is_added_listed_set_and_removed():
    with Daemon("--keys-only") as d:
        top = As(d, operator(d))
        reply = top.post("/api/v1/tenants", {"name": "acme", "about": "fraud", "person": "ann"})
        expect_eq(reply.status, 201, reply)
        made = reply.json()
        expect_eq((made["name"], made["about"], made["keys"], made["models"]),
                  ("acme", "fraud", 1, 0))
        expect_eq((made["first_key"]["role"], made["first_key"]["person"]), ("admin", "ann"))
        ann = As(d, made["key"])
        who = ann.get("/api/v1/whoami").json()
        expect_eq((who["tenant"], who["role"], who["person"]), ("acme", "admin", "ann"))
        names = [t["name"] for t in top.get("/api/v1/tenants").json()["tenants"]]
        expect_eq(names, ["acme", "default"])
        page = top.get("/api/v1/tenants?limit=1").json()
        expect_eq([t["name"] for t in page["tenants"]], ["acme"])
        page = top.get("/api/v1/tenants?limit=1&page=" + page["next"]).json()
        expect_eq(([t["name"] for t in page["tenants"]], page["next"]), (["default"], None))
        reply = top.ask("PATCH", "/api/v1/tenants/acme", b'{"about":"cards"}')
        expect_eq((reply.status, reply.json()["about"]), (200, "cards"), reply)
        refused(top.ask("PATCH", "/api/v1/tenants/acme", b'{}'), 400, "INVALID_ARGUMENT")
        refused(top.post("/api/v1/tenants", {"name": "acme"}), 409, "CONFLICT")
        expect_eq(top.ask("DELETE", "/api/v1/tenants/acme").status, 200)
        expect_eq(ann.get("/api/v1/whoami").status, 401)
        refused(top.get("/api/v1/tenants/acme"), 404, "TENANT_NOT_FOUND")
        refused(top.ask("DELETE", "/api/v1/tenants/acme"), 404, "TENANT_NOT_FOUND")
        expect_in("never given twice",
                  refused(top.post("/api/v1/tenants", {"name": "acme"}), 409, "CONFLICT"))


@test
def two_tenants_have_models_of_one_name_and_see_their_own():
    with Daemon("--keys-only") as d:
        ann, bob = (As(d, tenant(d, name)) for name in ("acme", "bank"))
        models.serve(ann, "fraud", models.linear([[1, 0]], [5]))
        models.serve(bob, "fraud", models.linear([[1, 0]], [7]))
        models.serve(bob, "loans", models.linear([[1, 0]], [9]))
        ask = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
        one = ann.get("/v2/models/fraud").json()["inputs"][0]
        ask["inputs"][0].update(name=one["name"], datatype=one["datatype"])
        answers = [who.post("/v2/models/fraud/infer", ask).json()["outputs"][0]["data"]
                   for who in (ann, bob)]
        expect(answers[0] != answers[1], answers)
        expect_eq(ann.get("/v2/models").json(), {"models": ["fraud"]})
        refused(ann.post("/v2/models/loans/infer", ask), 404, "MODEL_NOT_FOUND")


@test
def an_operator_acts_in_a_tenant_it_names_and_nobody_else_does():
    with Daemon("--keys-only") as d:
        ann, bob = tenant(d, "acme"), tenant(d, "bank")
        top = auth(operator(d))
        who = d.get("/api/v1/whoami", dict(top, **{"x-slipway-tenant": "acme"})).json()
        expect_eq((who["tenant"], who["role"]), ("acme", "operator"))
        refused(d.get("/api/v1/whoami", dict(top, **{"x-slipway-tenant": "ghost"})), 404,
                "TENANT_NOT_FOUND")
        expect_eq(d.get("/api/v1/models", auth(ann, **{"x-slipway-tenant": "acme"})).status, 200)
        words = {refused(d.get("/api/v1/models", auth(ann, **{"x-slipway-tenant": other})), 403,
                         "DENIED") for other in ("bank", "ghost", "", "ACME", "default")}
        expect_eq(len(words), 1)
        refused(d.get("/v2", {"x-slipway-tenant": "acme"}), 401, "UNAUTHENTICATED")
        # twice is one too many
        expect_eq(d.get("/api/v1/models", dict(top, **{"x-slipway-tenant": "acme, bank"})).status,
                  404)
        reply = d.post("/api/v1/keys", {"role": "viewer", "person": "eve"},
                       dict(top, **{"x-slipway-tenant": "bank"}))
        expect_eq(reply.status, 201)
        expect_eq(d.get("/api/v1/whoami", auth(reply.json()["key"])).json()["tenant"], "bank")
        del bob


@test
def TN_101_a_tenant_sees_itself_and_another_as_if_it_were_not():
    """[TN-101] GET, DELETE and PATCH of a tenant"""
    with Daemon("--keys-only") as d:
        ann = As(d, tenant(d, "acme"))
        tenant(d, "bank")
        expect_eq(ann.get("/api/v1/tenants/acme").json()["name"], "acme")
        for verb in ("GET", "DELETE"):
            bodies = []
            for name in ("bank", "bonk"):
                reply = ann.ask(verb, "/api/v1/tenants/" + name, None, {"x-request-id": "r"})
                refused(reply, 404, "TENANT_NOT_FOUND")
                bodies.append(reply.body.replace(name.encode(), b"NAME"))
            expect_eq(bodies[0], bodies[1])
        refused(ann.ask("PATCH", "/api/v1/tenants/bank", b'{"about":"x"}'), 403, "DENIED")
        refused(ann.get("/api/v1/tenants"), 403, "DENIED")


@test
def AU_108_an_admin_does_not_remove_its_own_tenant():
    """[AU-108]"""
    with Daemon("--keys-only") as d:
        ann, top = auth(tenant(d, "acme")), auth(operator(d))
        refused(d.ask("DELETE", "/api/v1/tenants/acme", None, ann), 409, "CONFLICT")
        refused(d.ask("DELETE", "/api/v1/tenants/acme?force=true", None, ann), 409, "CONFLICT")
        refused(d.ask("DELETE", "/api/v1/tenants/default?force=true", None, top), 409, "CONFLICT")
        expect_eq(d.get("/api/v1/whoami", ann).status, 200)


@test
def TN_107_a_tenant_that_serves_goes_by_force_and_leaves_nothing():
    """[TN-107]"""
    with Daemon("--keys-only") as d:
        key, top = tenant(d, "acme"), As(d, operator(d))
        ann = As(d, key)
        models.serve(ann, "fraud", models.linear([[1, 0]], [5]))
        models.serve(top, "own", models.linear([[1, 0]], [5]))
        expect_in("serves", refused(top.ask("DELETE", "/api/v1/tenants/acme"), 409, "CONFLICT"))
        expect_eq(ann.get("/v2/models/fraud/ready").status, 200)
        expect_eq(top.ask("DELETE", "/api/v1/tenants/acme?force=true").status, 200)
        expect_eq(ann.get("/api/v1/models").status, 401)
        expect_eq(top.get("/v2/models/own/ready").status, 200)  # others go on
        refused(top.get("/v2/models/fraud", {"x-slipway-tenant": "acme"}), 404, "TENANT_NOT_FOUND")
        d.stop()
        d.start()  # folds to the same
        refused(top.post("/api/v1/tenants", {"name": "acme"}), 409, "CONFLICT")
        expect_eq(ann.get("/api/v1/models").status, 401)
        expect_eq(top.get("/v2/models/own/ready").status, 200)


@test
def TN_107_what_is_under_way_is_answered_before_a_tenant_goes():
    """[TN-107] requests in flight, an event stream, a running release"""
    with Daemon("--keys-only") as d:
        key, top = tenant(d, "acme"), As(d, operator(d))
        ann = As(d, key)
        slow = models.echo([models.spec("x", "FP32", (-1, 1))], delay_us=700000)
        models.serve(ann, "slow", slow)
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
        models.push(ann, "slow", slow)
        started = ann.post("/api/v1/models/slow/deploy", {"version": 2, "strategy": "canary"})
        expect(started.status in (200, 202), started)
        # a release is aborted first, by force as well: its record has to fit
        refused(top.ask("DELETE", "/api/v1/tenants/acme?force=true"), 409, "CONFLICT")
        expect_eq(ann.post("/api/v1/models/slow/release/abort", {"why": "leaving"}).status, 200)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            ann.post("/v2/models/slow/infer", body).status)) for _ in range(2)]
        for t in threads:
            t.start()
        stream = d.conn()
        stream.send(request("GET", "/ofrep/v1/events", headers=auth(key)))
        expect_in(b"200 OK", stream._until(b"\r\n\r\n"))
        time.sleep(0.2)
        expect_eq(answers, [])
        began = time.monotonic()
        expect_eq(top.ask("DELETE", "/api/v1/tenants/acme?force=true").status, 200)
        expect_eq(ann.post("/v2/models/slow/infer", body).status, 401)
        while stream._more():
            pass
        expect(time.monotonic() - began < 2 * SLOW, time.monotonic() - began)
        for t in threads:
            t.join(20)
        expect_eq(answers, [200, 200])


@test
def TN_109_bad_names_are_400():
    """[TN-109]"""
    with Daemon() as d:
        for name in ("", "admin", "..", "a..b", "Acme", "аcme", "acme😀", "a/b", "nul", "a" * 64,
                     "a" * 60000):
            expect(refused(d.post("/api/v1/tenants", {"name": name}), 400,
                           "BAD_NAME" if len(name) < 4096 else "INVALID_ARGUMENT"))
        refused(d.post("/api/v1/tenants", {"name": 5}), 400, "WRONG_TYPE")
        refused(d.post("/api/v1/tenants", {"nam": "x"}), 400, "INVALID_ARGUMENT")
        expect_eq(len(d.get("/api/v1/tenants").json()["tenants"]), 1)


@test
def TN_105_logs_metrics_and_status_are_ones_own():
    """[TN-105] [AU-112]"""
    with Daemon("--keys-only", "--log-level", "debug") as d:
        ann, bob = (As(d, tenant(d, name)) for name in ("acme", "bank"))
        top = As(d, operator(d))
        models.serve(bob, "canary-model", models.linear([[1, 0]], [5]))
        for _ in range(20):
            refused(bob.get("/api/v1/models/canary-path"), 404, "MODEL_NOT_FOUND")
            bob.get("/v2/models/canary-model")
        for path in ("/api/v1/logs", "/metrics", "/api/v1/status", "/api/v1/doctor", "/v2/models",
                     "/api/v1/models", "/v2/models/stats", "/api/v1/releases", "/api/v1/keys",
                     "/api/v1/flags", "/api/v1/flag-history", "/api/v1/freezes"):
            reply = ann.get(path)
            expect(reply.status in (200, 404), path, reply)
            expect(b"canary" not in reply.body and b"bank" not in reply.body, path, reply.body)
        # sums over all tenants tell of the others: they are an operator's
        expect(b"slipway_requests_total" not in ann.get("/metrics").body)
        expect_in(b"slipway_requests_total", top.get("/metrics").body)
        expect_eq(ann.get("/api/v1/status").json()["server"]["requests"], 0)
        expect(top.get("/api/v1/status").json()["server"]["requests"] > 20)
        lines = top.get("/api/v1/logs", {"x-slipway-tenant": "bank"}).json()["lines"]
        expect(any("canary-path" in line.get("path", "") for line in lines))
        expect(any("tenant" not in line for line in lines))
        expect_eq([line for line in ann.get("/api/v1/logs").json()["lines"]
                   if line.get("tenant") != "acme"], [])
        for path in ("/metrics", "/api/v1/doctor", "/api/v1/status", "/api/v1/logs"):
            expect_eq(d.get(path).status, 401, path)


@test
def the_command_line_adds_acts_and_removes():
    with Daemon() as d:
        env = dict(os.environ, SLIPWAY_URL=d.url(), HOME=d.data)
        env.pop("XDG_CONFIG_HOME", None)

        def run(*words, **more):
            return subprocess.run([BIN, *words], env=dict(env, **more), capture_output=True,
                                  text=True, timeout=30)
        out = run("tenant", "add", "acme", "--about", "fraud team", "--person", "ann")
        expect_eq(out.returncode, 0, out.stderr)
        key = out.stdout.strip()
        expect(key.startswith("slw_") and "\n" not in key, out.stdout)
        expect_in("not shown again", out.stderr)
        out = run("tenant", "list")
        expect_in("acme", out.stdout)
        expect_in("fraud team", out.stdout)
        expect_in("cards", run("tenant", "set", "acme", "--about", "cards").stdout)
        expect_in("cards", run("tenant", "show", "acme").stdout)
        expect_in("ann", run("key", "list", "--tenant", "acme").stdout)
        expect_in("ann", run("key", "list", SLIPWAY_TENANT="acme").stdout)
        expect_in("ann", run("key", "list", SLIPWAY_KEY=key).stdout)
        out = run("key", "list", "--tenant", "default", SLIPWAY_KEY=key)
        expect_eq(out.returncode, 3, out.stdout)
        for verb in ("list", "show acme", "remove acme"):
            out = run("tenant", *verb.split(), "--requests-per-second", "3")
            expect_eq((out.returncode, "tenant set NAME" in out.stderr), (2, True), verb)
        expect_eq(run("tenant", "remove", "acme").returncode, 0)
        expect_eq(run("tenant", "show", "acme").returncode, 4)
        expect_eq(run("tenant", "show").returncode, 2)
        out = run("tenant", "add", "bank", "--requests-per-second", "0")
        expect_eq((out.returncode, out.stdout), (2, ""))
        expect_eq(run("tenant", "show", "bank").returncode, 4)
        out = run("tenant", "add", "bank", "--requests-per-second", "3", "--stored-bytes", "1GiB",
                  "--json")
        said = json.loads(out.stdout)
        expect(said["key"].startswith("slw_"))
        expect_eq(said["quotas"]["requests_per_second"]["limit"], 3)
        quotas = json.loads(run("tenant", "show", "bank", "--json").stdout)["quotas"]
        expect_eq((quotas["requests_per_second"]["limit"], quotas["stored_bytes"]["limit"]),
                  (3, 1 << 30))


main()
