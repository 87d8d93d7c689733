#!/usr/bin/env python3
"""matrix_test.py - every route x every role x {no key, expired, revoked, another tenant}, made from
the table the daemon itself serves (/api/v1/openapi.json), so that a new route is in at once.

What the table says (verb, resource) is held against the policy as it is drawn here a second time:
HOLDS says which role has which, LEAST what each pair takes. A route with a pair that is not in
LEAST fails: write down here who may, as well.
SPDX-License-Identifier: MIT
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, expect, expect_eq, main, test, wait_for  # noqa: E402
import models  # noqa: E402
from tenants import As, auth, key_add, tenant  # noqa: E402

ROLES = ["viewer", "auditor", "invoker", "deployer", "approver", "admin", "operator"]
HOLDS = {"viewer": {"viewer"}, "auditor": {"viewer", "auditor"}, "invoker": {"viewer", "invoker"},
         "deployer": {"viewer", "invoker", "deployer"},
         "approver": {"viewer", "invoker", "deployer", "approver"},
         "admin": set(ROLES) - {"operator"}, "operator": set(ROLES)}
LEAST = {
    "server": {"look": None, "read": "viewer", "audit": "operator", "write": "operator"},
    "caller": {"look": None},
    "tenants": {"read": "operator", "write": "operator"},
    "tenant": {"read": "admin", "write": "operator", "remove": "admin"},
    "quota": {"read": "viewer", "write": "operator"},
    "key": {"read": "auditor", "write": "admin", "remove": "admin"},
    "model": {"look": None, "read": "viewer", "invoke": "invoker", "write": "deployer",
              "remove": "deployer"},
    "blob": {"read": "deployer", "write": "deployer", "remove": "deployer"},
    "release": {"read": "viewer", "audit": "auditor", "write": "deployer", "approve": "approver"},
    "freeze": {"read": "viewer", "write": "deployer", "remove": "approver"},
    "flag": {"read": "viewer", "invoke": "invoker", "write": "deployer", "remove": "deployer"},
    "outcome": {"read": "viewer", "audit": "auditor", "invoke": "invoker"},
    "log": {"read": "viewer"},
    "ledger": {"read": "viewer", "audit": "auditor", "write": "operator"},
    "state": {"read": "viewer", "write": "admin"},
    "config": {"read": "operator", "write": "operator"},
    "backup": {"read": "operator", "write": "operator"},
}
# What the parameters of a path stand for: nothing that is there.
UNKNOWN = {"version": "7", "number": "7", "key": "zzzzzzzzzzzz", "request": "no-such-request",
           "tenant": "bonk", "sha256": "0" * 64, "digest": "0" * 64}


def routes(d):
    """(method, pattern, what the table says of it)"""
    tree = d.get("/api/v1/openapi.json").json()
    rows = [(verb.upper(), pattern, operation) for pattern, item in tree["paths"].items()
            for verb, operation in item.items()]
    expect(len(rows) > 90, len(rows))
    return rows


def filled(pattern, names):
    return re.sub(r"\{(\w+)\}", lambda m: names.get(m.group(1), "ghost"), pattern)


class Caller:
    """One connection, opened again where an answer closed it."""

    def __init__(self, d):
        self.d, self.conn = d, None

    def ask(self, method, path, headers, body=b"{"):
        # a stream of events never ends: its head tells as much. A body that no handler takes
        # cannot do harm; what has none cannot either, for it names nothing that is there
        if path.startswith("/ofrep/v1/events"):
            method = "HEAD"
        body = None if method in ("GET", "HEAD", "DELETE") else body
        for _ in range(2):
            if self.conn is None:
                self.conn = self.d.conn()
            try:
                reply = self.conn.ask(method, path, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                reply = None
            if reply is None or reply.headers.get("connection") == "close":
                self.conn.sock.close()
                self.conn = None
            if reply is not None:
                return reply
        raise AssertionError("%s %s: closed without an answer" % (method, path))


def result(reply):
    """(status, code); the code of what is no error of ours is None."""
    try:
        code = reply.json().get("code")
    except (ValueError, AttributeError):
        code = None
    return reply.status, code


@test
def AU_101_every_route_with_every_role_and_without():
    """[AU-101] the exact matrix"""
    with Daemon("--keys-only") as d:
        ann = auth(tenant(d, "acme"))
        keys = {role: auth(key_add(d, role, by=ann)["key"]) for role in ROLES[:-1]}
        keys["operator"] = auth(key_add(d, "operator")["key"], **{"x-slipway-tenant": "acme"})
        expired = auth(key_add(d, "admin", by=ann, expires="1s")["key"])
        gone = key_add(d, "admin", by=ann)
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + gone["id"], None, ann).status, 200)
        gone = auth(gone["key"])
        time.sleep(1.1)
        caller, cells = Caller(d), 0
        for method, pattern, operation in routes(d):
            verb, resource = operation["x-verb"], operation["x-resource"]
            expect(verb in LEAST.get(resource, {}), "no row in LEAST:", resource, verb, pattern)
            least = LEAST[resource][verb]
            expect_eq(operation["x-role"], least or "anybody", method, pattern)
            path = filled(pattern, UNKNOWN)

            def ask(headers):
                return caller.ask(method, path, headers)
            where = (method, pattern)
            bodyless = path.startswith("/ofrep/v1/events")
            wrong = (401, None if bodyless else "UNAUTHENTICATED")
            for bad in (expired, gone):
                expect_eq(result(ask(bad)), wrong, *where)
            if least:
                expect_eq(result(ask({})), wrong, *where)
            seen = {}
            for role in ROLES:
                reply = ask(keys[role])
                cells += 1
                if least and least not in HOLDS[role]:
                    expect_eq(result(reply), (403, None if bodyless else "DENIED"), *where, role)
                    if not bodyless:
                        expect_eq(reply.json()["error"].split(";")[0],
                                  "this needs the role " + least, *where)
                    continue
                seen[role] = result(reply)
                expect(reply.status < 500 or seen[role] == (501, "NOT_IMPLEMENTED"), *where, reply)
                expect(reply.status not in (401, 403), *where, role, reply)
            # who may gets the same, whoever it is
            expect_eq(len(set(seen.values())), 1, *where, seen)
            if not least:
                expect_eq(result(ask({})) in ((401, "UNAUTHENTICATED"), seen["viewer"]), True, *where)
        expect(cells > 7 * 90, cells)
        expect_eq(d.get("/api/v1/whoami", ann).status, 200)


@test
def TN_101_what_is_anothers_is_answered_as_what_is_not_there():
    """[TN-101] every route with a parameter: equal status, fields and bytes"""
    with Daemon("--keys-only") as d:
        ann, bob = As(d, tenant(d, "acme")), auth(tenant(d, "bank"), **{"x-request-id": "same"})
        own = {"model": "fraud", "version": "1", "number": "1", "tenant": "acme",
               "key": key_add(d, "viewer", by=ann.headers)["id"], "request": "req-of-acme"}
        models.serve(ann, "fraud", models.linear([[1, 0]], [5]))
        flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
        expect_eq(ann.ask("PUT", "/api/v1/flags/ghost", flag).status, 200)
        caller, n = Caller(d), 0
        for method, pattern, operation in routes(d):
            names = re.findall(r"\{(\w+)\}", pattern)
            if not names or operation["x-verb"] == "look" and "{model}" not in pattern:
                continue
            replies = []
            for values in (own, dict(own, model="freud", tenant="acne", key="z" * 12,
                                     request="req-of-acne", flag="ghust")):
                path = filled(pattern, values)
                reply = caller.ask(method, path, bob, b"{}")
                body = reply.body
                for value in {values.get(name, "ghost") for name in names}:
                    if len(value) > 3:  # what the caller said itself may come back
                        body = body.replace(value.encode(), b"NAME")
                fields = {k: v for k, v in reply.headers.items()
                          if k not in ("content-length", "date")}
                replies.append((reply.status, fields, body))
            n += 1
            expect_eq(replies[0], replies[1], method, pattern)
            expect(replies[0][0] >= 400 or pattern.startswith("/ofrep"), method, pattern, replies[0])
        expect(n > 30, n)


@test
def TN_101_tokens_request_ids_and_queries_of_another_tell_nothing():
    """[TN-101] page tokens, request ids, Idempotency-Keys, names in the query"""
    with Daemon("--keys-only") as d:
        one, two = (As(d, auth(tenant(d, name), **{"x-request-id": "same"}))
                    for name in ("acme", "bank"))
        for name in ("fraud", "loans"):
            files = dict(models.linear([[1, 0]], [5]), **{"slipway.yaml": b"feedback: {window: 1h}\n"})
            models.serve(one, name, files)
        token = one.get("/api/v1/models?limit=1").json()["next"]
        expect_eq(one.get("/api/v1/models?limit=1&page=" + token).json()["models"][0]["name"],
                  "loans")
        flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
        expect_eq(*[result(two.get("/api/v1/models?limit=1&page=" + t)) for t in (token, flipped)])
        expect_eq(two.get("/api/v1/models?limit=1&page=" + token).status, 400)
        for path in ("/api/v1/status?model=%s", "/api/v1/releases?model=%s", "/metrics?x=%s",
                     "/api/v1/logs?model=%s", "/api/v1/freezes?model=%s"):
            a, b = (two.get(path % name) for name in ("fraud", "freud"))
            expect_eq((a.status, a.body.replace(b"fraud", b"freud")) if b.status >= 400 else a.status,
                      (b.status, b.body) if b.status >= 400 else b.status, path)
            expect(b'"fraud"' not in a.body or a.status >= 400, path, a)
        # a request of ann's, and what bob says of that id: as of any other
        said = one.post("/v2/models/fraud/infer", {"inputs": [
            {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]},
            {"x-request-id": "req-1"})
        expect_eq(said.status, 200, said)
        wait_for(lambda: one.get("/api/v1/models/fraud/feedback/req-1").status == 200,
                 what="what is kept of ann's request")
        expect_eq(one.get("/api/v1/models/fraud/feedback/req-2").status, 404)
        told = [two.post("/api/v1/feedback", {"model": "fraud", "request_id": name, "outcome": 1})
                for name in ("req-1", "req-2")]
        expect_eq((told[0].status, told[0].body.replace(b"req-1", b"req-2")),
                  (told[1].status, told[1].body))
        # an Idempotency-Key is its tenant's own: no replay, no mismatch
        again = {"idempotency-key": "k-1"}
        made = [who.post("/api/v1/keys", {"role": "viewer", "person": "eve"}, again)
                for who in (one, two)]
        expect_eq([r.status for r in made], [201, 201])
        flag = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
        put = [who.ask("PUT", "/api/v1/flags/f", flag, {"idempotency-key": "k-2"}).status
               for who in (one, two)]
        expect_eq(put, [200, 200])


main()
