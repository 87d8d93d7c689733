#!/usr/bin/env python3
"""quota_test.py - limits of tenants and models at a running daemon: each is set, shown, held with
its exact answer, and changed without a restart.
SPDX-License-Identifier: MIT
"""
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, SLOW, Conn, Daemon, expect, expect_eq, expect_in,  # noqa: E402
                     main, request, test, wait_for)
import models  # noqa: E402
import tenants  # noqa: E402
from tenants import As, operator  # noqa: E402

MODEL = models.echo([models.spec("x", shape=(-1, 1))])
SLOW_MODEL = models.echo([models.spec("x", shape=(-1, 1))], delay_us=20000)


class Guest(As):
    """An admin, who asks a model with n rows."""

    def infer(self, model="m", rows=1):
        return self.post("/v2/models/%s/infer" % model, body_of(rows))


def body_of(rows=1):
    return {"inputs": [{"name": "x", "shape": [rows, 1], "datatype": "FP32", "data": [1] * rows}]}


def tenant(d, name, model=MODEL):
    """A new tenant with a model; its admin."""
    admin = Guest(d, tenants.tenant(d, name))
    models.serve(admin, "m", model)
    return admin


def limit(d, name, **quotas):
    reply = As(d, operator(d)).ask("PATCH", "/api/v1/tenants/" + name, {"quotas": quotas})
    expect_eq(reply.status, 200, reply)
    return reply.json()["quotas"]


def refused(reply, code, **details):
    """A 429 with these details; gives the rest of them."""
    expect_eq((reply.status, reply.json()["code"]), (429, code), reply)
    got = reply.json()["details"]
    for name, value in details.items():
        expect_eq(got[name], value, name, reply)
    expect(int(reply.headers["retry-after"]) >= 1)
    if got["resets_in_ms"] is not None:
        after = int(reply.headers["x-slipway-retry-after-ms"])
        expect(0.79 * got["resets_in_ms"] - 1 <= after <= 1.21 * got["resets_in_ms"] + 1, after,
               got)
    return got


@test
def a_rate_is_held_told_and_changed_without_a_restart():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", requests_per_second=5)
        expect_eq([acme.infer().status for _ in range(5)], [200] * 5)
        refused(acme.infer(), "RATE_LIMITED", limit="requests_per_second", scope="tenant",
                whose="acme", value=5)
        expect_in("over 5 requests a second (requests_per_second); retry in",
                  acme.infer().json()["error"])
        began = time.monotonic()
        limit(d, "acme", requests_per_second=100000)
        expect_eq(acme.infer().status, 200)
        expect(time.monotonic() - began < 1 * SLOW, "a change holds within a second")
        limit(d, "acme", requests_per_second="unlimited")
        expect_eq({acme.infer().status for _ in range(50)}, {200})
        shown = acme.get("/api/v1/quotas").json()["quotas"]["requests_per_second"]
        expect_eq((shown["limit"], shown["said"], shown["refused"]), (None, True, 2))
        limit(d, "acme", requests_per_second=None)
        shown = acme.get("/api/v1/quotas").json()["quotas"]["requests_per_second"]
        expect_eq((shown["limit"], shown["said"]), (None, False))


@test
def windows_rows_and_compute():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", requests_per_minute=3)
        expect_eq([acme.infer().status for _ in range(3)], [200] * 3)
        got = refused(acme.infer(), "RATE_LIMITED", limit="requests_per_minute", value=3, used=3)
        expect(0 < got["resets_in_ms"] <= 120000, got)
        limit(d, "acme", requests_per_minute=None, requests_per_day=3)
        expect_eq([acme.infer().status for _ in range(3)], [200] * 3)  # a day counts from here
        refused(acme.infer(), "RATE_LIMITED", limit="requests_per_day", value=3)
        limit(d, "acme", requests_per_day=None, rows_per_second=100)
        expect_eq(acme.infer(rows=80).status, 200)
        refused(acme.infer(rows=60), "RATE_LIMITED", limit="rows_per_second", value=100)
        got = refused(acme.infer(rows=101), "RATE_LIMITED", limit="rows_per_second",
                      resets_in_ms=None)
        limit(d, "acme", rows_per_second=None)
        expect_eq(acme.infer(rows=500).status, 200)
        globex = tenant(d, "globex", SLOW_MODEL)
        limit(d, "globex", compute_ms_per_second=10)
        expect_eq(globex.infer().status, 200)  # 20 ms: two seconds' worth
        got = refused(globex.infer(), "RATE_LIMITED", limit="compute_ms_per_second", value=10)
        # measured: the more the model's thread was kept waiting, the more was used
        expect(700 <= got["resets_in_ms"] <= max(1500 * SLOW, got["used"] * 100), got)
        expect_eq(acme.infer().status, 200)  # nobody else's business


@test
def in_flight_and_bytes():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", requests_in_flight=2)
        head = request("POST", "/v2/models/m/infer", None,
                       dict(acme.headers, **{"content-length": "1000"}))
        held = [Conn(d.host, d.port) for _ in range(2)]
        for conn in held:
            conn.send(head)

        def used(name):
            return acme.get("/api/v1/quotas").json()["quotas"][name]["used"]
        wait_for(lambda: used("requests_in_flight") == 2)
        refused(acme.infer(), "CONCURRENCY_LIMITED", limit="requests_in_flight", scope="tenant",
                whose="acme", value=2, used=2, resets_in_ms=None)
        for conn in held:
            conn.close()
        wait_for(lambda: used("requests_in_flight") == 0)
        expect_eq(acme.infer().status, 200)
        limit(d, "acme", requests_in_flight=None, body_bytes_in_flight=1500)
        conn = Conn(d.host, d.port)
        conn.send(head)
        wait_for(lambda: used("body_bytes_in_flight") == 1000)
        with Conn(d.host, d.port) as other:  # refused before a byte of it has come
            other.send(head)
            refused(other.reply(), "CONCURRENCY_LIMITED", limit="body_bytes_in_flight", value=1500,
                    used=1000, resets_in_ms=None)
        with Conn(d.host, d.port) as other:
            other.send(request("POST", "/v2/models/m/infer", None,
                               dict(acme.headers, **{"content-length": "1501"})))
            refused(other.reply(), "CONCURRENCY_LIMITED", limit="body_bytes_in_flight",
                    resets_in_ms=None)
        with Conn(d.host, d.port) as other:  # nobody says how long it is
            other.send(request("POST", "/v2/models/m/infer", None,
                               dict(acme.headers, **{"transfer-encoding": "chunked"})))
            other.send(b"1f4\r\n" + b" " * 500 + b"\r\n" + b"1f4\r\n" + b" " * 500 + b"\r\n")
            refused(other.reply(), "CONCURRENCY_LIMITED", limit="body_bytes_in_flight")
        conn.close()
        wait_for(lambda: used("body_bytes_in_flight") == 0)


@test
def connections_of_a_tenant():
    with Daemon("--keys-only", "--loops", "1") as d:
        acme, globex = tenant(d, "acme"), tenant(d, "globex")
        limit(d, "acme", connections=3)
        conns = [Conn(d.host, d.port) for _ in range(4)]
        for conn in conns[:3]:
            expect_eq(conn.ask("GET", "/api/v1/whoami", None, acme.headers).status, 200)
        reply = conns[3].ask("GET", "/api/v1/whoami", None, acme.headers)
        refused(reply, "CONCURRENCY_LIMITED", limit="connections", whose="acme", value=3, used=3)
        expect(conns[3].closed())
        expect_eq(conns[0].ask("GET", "/api/v1/whoami", None, acme.headers).status, 200)
        # A connection is whose key came last: this one goes over to the other tenant.
        expect_eq(conns[0].ask("GET", "/api/v1/whoami", None, globex.headers).status, 200)
        expect_eq(acme.get("/api/v1/whoami").status, 200)
        for conn in conns:
            conn.close()
        wait_for(lambda: acme.get("/api/v1/quotas").json()["quotas"]["connections"]["used"] == 1)


@test
def the_control_plane_has_its_own_bucket():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", control_requests_per_second=2, requests_per_second=1000)
        replies = [acme.get("/api/v1/models") for _ in range(4)]
        expect_in(429, [r.status for r in replies])
        refused(next(r for r in replies if r.status == 429), "RATE_LIMITED",
                limit="control_requests_per_second", value=2)
        expect_eq(acme.infer().status, 200)  # predictions go on
        expect_eq(d.get("/healthz").status, 200)  # health is never refused
        top = As(d, operator(d))  # and an operator who looks after the tenant is not its guest
        expect_eq({top.ask("GET", "/api/v1/models", None, {"x-slipway-tenant": "acme"}).status
                   for _ in range(10)}, {200})


@test
def a_model_has_limits_inside_its_tenants():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        models.serve(acme, "n", MODEL)
        reply = acme.ask("PATCH", "/api/v1/models/m/quotas", {"quotas": {"requests_per_second": 2}})
        expect_eq((reply.status, reply.json()["quotas"]["requests_per_second"]["limit"]), (200, 2))
        expect_eq([acme.infer().status for _ in range(2)], [200] * 2)
        refused(acme.infer(), "RATE_LIMITED", limit="requests_per_second", scope="model", whose="m",
                value=2)
        expect_eq({acme.infer("n").status for _ in range(10)}, {200})
        shown = acme.get("/api/v1/quotas").json()["models"]
        expect_eq((list(shown), shown["m"]["requests_per_second"]["refused"]), (["m"], 1))
        for path in ["/api/v1/models/ghost/quotas"]:
            expect_eq(acme.get(path).status, 404)
        reply = acme.ask("PATCH", "/api/v1/models/m/quotas", {"quotas": {"models": 2}})
        expect_eq((reply.status, reply.json()["details"]["field"]), (400, "quotas.models"))
        text = acme.get("/metrics").body.decode()
        expect_in('slipway_quota_limit{limit="requests_per_second",model="m"} 2\n', text)
        expect_in('slipway_quota_refused_total{limit="requests_per_second",model="m"} 1\n', text)
        expect_in('slipway_quota_limit{limit="connections"} 2048\n', text)


@test
def what_is_in_stock_is_held_when_something_is_added():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", models=1)
        digest = models.upload(acme, MODEL["model.json"])
        files = {"files": [{"name": "model.json", "sha256": digest}]}
        reply = acme.post("/api/v1/models/n/versions", files)
        refused(reply, "QUOTA_EXCEEDED", limit="models", scope="tenant", whose="acme", value=1,
                used=1, resets_in_ms=None)
        expect_eq(acme.get("/api/v1/models/n").status, 404)
        limit(d, "acme", models=None, versions=2)
        expect_eq(acme.post("/api/v1/models/m/versions", files).status, 201)
        reply = acme.post("/api/v1/models/m/versions", files)
        refused(reply, "QUOTA_EXCEEDED", limit="versions", value=2, used=2, resets_in_ms=None)
        size = len(MODEL["model.json"])
        limit(d, "acme", versions=None, stored_bytes=3 * size - 1)
        reply = acme.post("/api/v1/models/m/versions", files)
        refused(reply, "QUOTA_EXCEEDED", limit="stored_bytes", value=3 * size - 1, used=2 * size)
        limit(d, "acme", stored_bytes=3 * size)
        expect_eq(acme.post("/api/v1/models/m/versions", files).status, 201)
        shown = acme.get("/api/v1/quotas").json()["quotas"]
        expect_eq([shown[n]["used"] for n in ("models", "versions", "stored_bytes")],
                  [1, 3, 3 * size])
        expect_eq([shown[n]["refused"] for n in ("models", "versions", "stored_bytes")],
                  [1, 1, 1])
        expect(shown["resident_bytes"]["used"] is not None)


@test
def uploads_count_before_they_are_a_versions():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        stored = len(MODEL["model.json"])
        limit(d, "acme", stored_bytes=stored + 1000)

        def used():
            return acme.get("/api/v1/quotas").json()["quotas"]["stored_bytes"]["used"]
        expect_eq(used(), stored)
        refused(acme.ask("PUT", "/api/v1/blobs", b"x" * 1001), "QUOTA_EXCEEDED",
                limit="stored_bytes", scope="tenant", value=stored + 1000, used=stored)
        expect_eq(used(), stored)
        expect_eq(acme.ask("PUT", "/api/v1/blobs", b"y" * 600).status, 201)
        expect_eq(used(), stored + 600)
        refused(acme.ask("PUT", "/api/v1/blobs", b"z" * 401), "QUOTA_EXCEEDED", used=stored + 600)
        with Conn(d.host, d.port) as conn:  # nobody says how long it is
            conn.send(request("PUT", "/api/v1/blobs", None,
                              dict(acme.headers, **{"transfer-encoding": "chunked"})))
            conn.send(b"1f4\r\n" + b"c" * 500 + b"\r\n0\r\n\r\n")
            refused(conn.reply(), "QUOTA_EXCEEDED", used=stored + 600)
        reply = acme.ask("POST", "/api/v1/uploads", b"p" * 300,
                         {"upload-complete": "?0", "upload-length": "350"})
        expect_eq(reply.status, 201, reply)
        expect_eq(used(), stored + 900)
        refused(acme.ask("POST", "/api/v1/uploads", b"q",
                         {"upload-complete": "?0", "upload-length": "101"}), "QUOTA_EXCEEDED")
        expect_eq(acme.ask("DELETE", "/api/v1/uploads/" + reply.json()["upload"]).status, 200)
        expect_eq(used(), stored + 600)
        limit(d, "acme", stored_bytes=None)
        models.push(acme, "m", MODEL)  # named by a version: no longer pending
        expect_eq(used(), 2 * stored + 600)


def stored_used(who):
    return who.get("/api/v1/quotas").json()["quotas"]["stored_bytes"]["used"]


@test
def bytes_count_once_and_are_given_back_once():
    """a second version of an old file gives nothing back that others wait with; a restart forgets
    nothing"""
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        size = len(MODEL["model.json"])
        files = {"files": [{"name": "model.json",
                            "sha256": models.upload(acme, MODEL["model.json"])}]}
        expect_eq(acme.post("/api/v1/models/m/versions", files).status, 201)
        stored = stored_used(acme)
        for _ in range(3):  # the same bytes
            expect_eq(acme.ask("PUT", "/api/v1/blobs", b"w" * 5000).status, 201)
        expect_eq(stored_used(acme), stored + 5000)
        for _ in range(3):  # nothing of these versions waits
            expect_eq(acme.post("/api/v1/models/m/versions", files).status, 201)
        expect_eq(stored_used(acme), stored + 3 * size + 5000)
        reply = acme.ask("POST", "/api/v1/uploads", b"p" * 300, {"upload-complete": "?0"})
        expect_eq(reply.status, 201, reply)
        expect_eq(stored_used(acme), stored + 3 * size + 5300)
        d.stop()
        d.start()
        expect_eq(stored_used(acme), stored + 3 * size + 5300)
        limit(d, "acme", stored_bytes=stored + 4 * size + 5299)
        refused(acme.post("/api/v1/models/m/versions", files), "QUOTA_EXCEEDED",
                limit="stored_bytes", used=stored + 3 * size + 5300)
        limit(d, "acme", stored_bytes=stored + 4 * size + 5300)
        expect_eq(acme.post("/api/v1/models/m/versions", files).status, 201)


def version_of(who, model, size, mark, want=201):
    """A version of its own bytes, so many; what is answered where it is refused."""
    text = MODEL["model.json"] + b" " * (size - len(MODEL["model.json"]) - 1) + mark
    sent = who.ask("PUT", "/api/v1/blobs", text)
    if sent.status != 201:
        return sent
    reply = who.post("/api/v1/models/%s/versions" % model,
                     {"files": [dict(sent.json(), name="model.json")]})
    expect(reply.status in (want, 429), reply)
    return reply


def on_disk(d, name):
    return sum(os.path.getsize(os.path.join(root, f)) for root, _, files
               in os.walk(os.path.join(d.data, name)) for f in files)


def collect(d, aged=True):
    """aged: all that lies there is two hours old. What was removed is marked by the janitor, after
    the answer: it has, when a collection that was asked for later is over."""
    ask = As(d, operator(d))
    expect_eq(ask.post("/api/v1/storage/collect", {}).status, 200)
    if not aged:
        return
    then = time.time() - 7200
    for name in ("objects", "held"):
        for root, _, files in os.walk(os.path.join(d.data, name)):
            for f in files:
                os.utime(os.path.join(root, f), (then, then), follow_symlinks=False)
    expect_eq(ask.post("/api/v1/storage/collect", {}).status, 200)


def stores(who, used):
    """For a moment after an answer what was removed may be counted twice, and never not at all."""
    wait_for(lambda: stored_used(who) == used, what="%d stored" % used)


@test
def what_is_removed_counts_until_it_is_gone():
    """push and remove in turn: no more on the disk than the quota says, over a restart, and room
    again when it is gone"""
    with Daemon("--keys-only", "--uploads-keep", "1h") as d:
        acme, size = tenant(d, "acme"), 40000
        stored, before = stored_used(acme), on_disk(d, "objects")
        limit(d, "acme", stored_bytes=stored + 5 * size + size // 2)
        made = 0
        for i in range(9):
            reply = version_of(acme, "loop", size, b"\t\n\r "[i % 4:i % 4 + 1] * (i // 4 + 1))
            if reply.status == 429:
                break
            made += 1
            used = stored + sum(size + k // 4 for k in range(made))
            stores(acme, used)
            expect_eq(acme.ask("DELETE", "/api/v1/models/loop/versions/%d" % made).status, 200)
            stores(acme, used)
        expect_eq(made, 5)
        refused(reply, "QUOTA_EXCEEDED", limit="stored_bytes")
        expect_in("removed files among them", reply.json()["error"])
        expect_eq(on_disk(d, "objects") - before, used - stored)
        # Bytes that lie here still cost nothing more to name; removed again, they count once.
        for _ in range(3):
            limit(d, "acme", stored_bytes=stored + 7 * size)
            expect_eq(version_of(acme, "loop", size, b"\t").status, 201)
            made += 1
            stores(acme, used)
            expect_eq(acme.ask("DELETE", "/api/v1/models/loop/versions/%d" % made).status, 200)
            stores(acme, used)
        limit(d, "acme", stored_bytes=stored + 5 * size + size // 2)
        for _ in range(2):
            d.stop()
            d.start()
            stores(acme, used)
            refused(version_of(acme, "loop", size, b" \t"), "QUOTA_EXCEEDED")
        d.kill()  # and one that was too fast for the janitor
        d.start()
        stores(acme, used)
        collect(d, aged=False)
        stores(acme, used)
        collect(d)
        stores(acme, stored)
        expect_eq(on_disk(d, "objects"), before)
        expect_eq(version_of(acme, "loop", size, b"\t").status, 201)


@test
def a_removal_gives_room_for_what_others_keep():
    """equal bytes of another tenant: nobody sees them, and nobody pays for them twice"""
    with Daemon("--keys-only", "--uploads-keep", "1h") as d:
        acme, beta, size = tenant(d, "acme"), tenant(d, "beta"), 40000
        stored = stored_used(acme)
        for who in (acme, beta):
            expect_eq(version_of(who, "same", size, b"\t").status, 201)
            expect_eq(version_of(who, "twin", size, b"\t").status, 201)
        expect_eq(acme.ask("DELETE", "/api/v1/models/twin").status, 200)
        stores(acme, stored + size)  # the other version of it pays
        expect_eq(acme.ask("DELETE", "/api/v1/models/same").status, 200)
        stores(acme, stored + size)
        stores(beta, stored + 2 * size)
        collect(d)
        stores(acme, stored)
        stores(beta, stored + 2 * size)
        # An old one that goes counts until the collection after it, and no longer.
        expect_eq(beta.ask("DELETE", "/api/v1/models/twin").status, 200)
        expect_eq(beta.ask("DELETE", "/api/v1/models/same").status, 200)
        stores(beta, stored + size)
        collect(d)
        stores(beta, stored)


@test
def who_only_looks_keeps_nothing():
    """a plan does not make uploads stay; what does stay counts"""
    with Daemon("--keys-only", "--uploads-keep", "1h") as d:
        acme = tenant(d, "acme")
        stored = stored_used(acme)
        sha = models.upload(acme, b"x" * 5000)
        then = time.time() - 7200
        for root, _, files in os.walk(os.path.join(d.data, "held")):
            for f in files:
                os.utime(os.path.join(root, f), (then, then), follow_symlinks=False)
        state = {"tenant": "acme", "models": {"p": {"files": [
            {"name": "model.json", "sha256": sha, "bytes": 5000}]}}}
        reply = acme.post("/api/v1/state/plan", state)
        expect_eq((reply.status, reply.json()["uploads"]), (200, []), reply)
        expect_eq(acme.post("/api/v1/models/p/versions",
                            {"files": [{"name": "a/b", "sha256": sha}]}).status, 400)
        collect(d, aged=False)
        stores(acme, stored)


@test
def bytes_that_are_not_those_that_were_said_count_all_the_same():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        stored = len(MODEL["model.json"])
        limit(d, "acme", stored_bytes=stored + 1000)
        wrong = "/api/v1/blobs?sha256=" + "0" * 64
        expect_eq(acme.ask("PUT", wrong, b"a" * 400).status, 400)
        key = {"idempotency-key": "k"}
        expect_eq(acme.ask("PUT", "/api/v1/blobs", b"b" * 100, key).status, 201)
        expect_eq(acme.ask("PUT", "/api/v1/blobs", b"c" * 400, key).status, 409)
        used = acme.get("/api/v1/quotas").json()["quotas"]["stored_bytes"]["used"]
        expect_eq(used, stored + 900)  # they lie in the store until they are collected
        refused(acme.ask("PUT", wrong, b"d" * 101), "QUOTA_EXCEEDED", used=stored + 900)


@test
def many_pushes_at_once_find_the_room_there_is():
    with Daemon("--keys-only") as d:
        acme = tenant(d, "acme")
        limit(d, "acme", models=4)
        digest = models.upload(acme, MODEL["model.json"])
        files = {"files": [{"name": "model.json", "sha256": digest}]}
        got = []

        def push(i):
            got.append(acme.post("/api/v1/models/p%d/versions" % i, files).status)
        threads = [threading.Thread(target=push, args=(i,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect_eq((got.count(201), got.count(429)), (3, 9))


@test
def CF_103_values_that_are_none():
    """[CF-103] -1, 0, max, max + 1, NaN, 10x, 1e3 of every limit: a typed range error with the field"""
    with Daemon("--keys-only") as d:
        tenant(d, "acme")
        top = As(d, operator(d))
        names = limit(d, "acme", models=5)
        expect(len(names) >= 16)
        for name in names:
            for value in ["-1", "0", "-1", "NaN", "10x", "1e3", "9007199254740993"]:
                for form in (value, '"%s"' % value):
                    if form in ("NaN", "10x"):
                        continue  # no JSON at all
                    body = '{"quotas": {"%s": %s}}' % (name, form)
                    reply = top.ask("PATCH", "/api/v1/tenants/acme", body)
                    got = (reply.status, reply.json()["code"], reply.json()["details"]["field"])
                    expect_eq(got, (400, "VALUE_OUT_OF_RANGE", "quotas." + name), form)
            for form in ("true", "[1]", "{}"):
                reply = top.ask("PATCH", "/api/v1/tenants/acme",
                                '{"quotas": {"%s": %s}}' % (name, form))
                expect_eq((reply.status, reply.json()["code"]), (400, "WRONG_TYPE"))
        for body in ('{"quotas": 5}', '{"quotas": {}}', '{"quotas": {"owls": 5}}', '{}',
                     '{"quotas": {"models": 5, "models": 6}}'):
            expect_eq(top.ask("PATCH", "/api/v1/tenants/acme", body).status, 400, body)
        expect_eq(top.get("/api/v1/tenants/acme").json()["quotas"]["models"]["limit"], 5)


@test
def limits_outlive_a_restart():
    d = Daemon("--keys-only")
    with d:
        acme = tenant(d, "acme")
        limit(d, "acme", requests_per_second=7, stored_bytes="64MiB")
        acme.ask("PATCH", "/api/v1/models/m/quotas", {"quotas": {"requests_in_flight": 3}})
        d.kill()
        d.start()
        shown = acme.get("/api/v1/quotas").json()
        expect_eq((shown["quotas"]["requests_per_second"]["limit"],
                   shown["quotas"]["stored_bytes"]["limit"],
                   shown["models"]["m"]["requests_in_flight"]["limit"]), (7, 64 << 20, 3))
        wait_for(lambda: acme.infer().status == 200)
        statuses = [acme.infer().status for _ in range(20)]
        expect_in(429, statuses)


@test
def who_may_set_and_see_limits():
    with Daemon("--keys-only") as d:
        acme, globex = tenant(d, "acme"), tenant(d, "globex")
        viewer = As(d, acme.post("/api/v1/keys", {"role": "viewer", "person": "v"}).json()["key"])
        expect_eq(viewer.get("/api/v1/quotas").status, 200)
        expect_eq(viewer.ask("PATCH", "/api/v1/models/m/quotas",
                             {"quotas": {"versions": 5}}).status, 403)
        body = {"quotas": {"models": 1000}}
        expect_eq(acme.ask("PATCH", "/api/v1/tenants/acme", body).status, 403)
        expect_eq(globex.ask("PATCH", "/api/v1/tenants/acme", body).status, 403)
        expect_eq(globex.get("/api/v1/tenants/acme").status, 404)
        expect_eq(d.get("/api/v1/quotas").status, 401)


@test
def the_command_line_sets_and_shows():
    with Daemon("--keys-only") as d:
        tenant(d, "acme")
        env = dict(os.environ, SLIPWAY_URL=d.url(), SLIPWAY_KEY=operator(d), HOME=d.data)

        def run(*words):
            return subprocess.run([BIN, *words], env=env, capture_output=True, text=True)
        done = run("tenant", "set", "acme", "--requests-per-second", "100", "--stored-bytes",
                   "10GiB", "--models", "unlimited")
        expect_eq(done.returncode, 0, done.stderr)
        shown = run("tenant", "show", "acme").stdout
        expect_in("requests_per_second", shown)
        expect_in("10.0 GiB", shown)
        burst = [line.split() for line in shown.split("\n") if "_burst" in line]
        expect_eq([line[:3] for line in burst],
                  [["requests_burst", "100", "*"], ["rows_burst", "unlimited", "*"]],
                  "a burst of which nothing is said is its rate's second")
        expect_in("[....................] 0 %", shown)
        done = run("tenant", "set", "acme", "--requests-per-second", "10x")
        expect_eq(done.returncode, 2)
        expect_in("requests_per_second is '10x'; it takes a whole number from 1 to", done.stderr)
        done = run("quota", "m", "--versions", "1", "--tenant", "acme")
        expect_eq(done.returncode, 0, done.stderr)
        expect_in("[####################] 100 %", done.stdout)
        shown = run("quota", "--tenant", "acme").stdout
        expect_in("model m:", shown)
        expect_eq(run("quota", "--versions", "1").returncode, 2)


main()
