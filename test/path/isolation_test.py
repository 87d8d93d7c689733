#!/usr/bin/env python3
# run: release
"""isolation_test.py - two tenants at work at once, each with a string of 32 bytes of its own in
every name, tensor, header and note. Whatever comes back to one of them, whatever it may read
afterwards, holds its own string and never the other's.

ISOLATION is how many requests are sent, 4,000 when it is not there; `make isolation` sends 100,000,
`make isolation N=1000000` a million, at daemons built with AddressSanitizer and with
ThreadSanitizer.
SPDX-License-Identifier: MIT
"""
import json
import os
import random
import re
import string
import sys
import time
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, SLOW, expect, expect_eq, main, request, test  # noqa: E402
import models  # noqa: E402
from tenants import As, auth, operator, tenant  # noqa: E402

N = int(os.environ.get("ISOLATION", "4000"))
WORKERS = 4  # of each tenant
COST = re.compile(rb'^slipway_tenant_cost_seconds_total\{tenant="[^"]*"\} \S+$', re.M)


class Tenant(As):
    """One tenant and its canary: 32 bytes that are letters, a part of names, and eight floats."""

    def __init__(self, d, name, chance):
        self.name = name
        self.canary = "".join(chance.choice(string.ascii_lowercase) for _ in range(32))
        self.key = tenant(d, name + "-" + self.canary[:32], about="of " + self.canary,
                          person="p" + self.canary)
        super().__init__(d, self.key)
        self.model, self.floats = "m-" + self.canary, "f-" + self.canary
        self.errors, self.asked, self.answers = [], 0, 0

    def furnish(self):
        c = self.canary
        kept = {"slipway.yaml": b"cache: {ttl: 60s}\nbatch: {rows_max: 512, delay_us_max: 1000}\n"}
        models.serve(self, self.model, dict(
            kept, **models.echo([models.spec("in-" + c, "BYTES", (-1, 1))])), note="note " + c)
        models.serve(self, self.floats, dict(
            kept, **models.echo([models.spec("in-" + c, "FP32", (-1, 8))], delay_us=200)))
        # the same bytes under the same name for both: one file, one hash, two tenants
        models.serve(self, "twin", dict(
            kept, **models.echo([models.spec("in", "FP32", (-1, 8))], delay_us=200)))
        flag = {"state": "ENABLED", "variants": {"on-" + c: "value " + c, "off": "no"},
                "defaultVariant": "on-" + c}
        expect_eq(self.ask("PUT", "/api/v1/flags/flag-" + c, flag).status, 200)
        reply = self.post("/api/v1/keys", {"role": "viewer", "person": "v" + c[:20],
                                           "note": "note " + c})
        expect_eq(reply.status, 201)
        expect_eq(self.post("/api/v1/freezes", {"model": self.model, "until": int(time.time() * 1000) + 3600000,
                                                "why": "why " + c}).status in (200, 201), True)

    def marks(self, chance):
        c, nonce = self.canary, "%08x" % chance.getrandbits(32)
        return auth(self.key, **{"x-request-id": c + nonce, "user-agent": "agent " + c,
                                 "idempotency-key": c + nonce, "traceparent": c,
                                 "x-" + c: c, "cookie": "a=" + c})

    # --- what it asks: each gives method, path, body, more headers

    def infer_json(self, chance):
        data = ["%s %d" % (self.canary, chance.randrange(1000)) for _ in range(chance.choice([1, 40]))]
        return "POST", "/v2/models/%s/infer" % self.model, {"id": self.canary, "inputs": [
            {"name": "in-" + self.canary, "datatype": "BYTES", "shape": [len(data), 1],
             "data": data}]}, {}

    def infer_twin(self, chance):
        """The model of the other's bytes; one in two is asked for the first time, and shares a
        batch rather than a flight or what was kept."""
        nonce = b"%08x" % chance.getrandbits(32) if chance.random() < 0.5 else b""
        return self.binary("twin", "in", self.canary.encode() * chance.choice([1, 3]) +
                           (self.canary.encode()[:24] + nonce if nonce else b""))

    def infer_binary(self, chance):
        return self.binary(self.floats, "in-" + self.canary,
                           self.canary.encode() * chance.choice([1, 3, 500]))

    def binary(self, model, name, raw):
        head = json.dumps({"inputs": [{"name": name, "datatype": "FP32",
                                       "shape": [len(raw) // 32, 8], "parameters":
                                       {"binary_data_size": len(raw)}}],
                           "parameters": {"binary_data_output": True}}).encode()
        return ("POST", "/v2/models/%s/infer" % model, head + raw,
                {"inference-header-content-length": str(len(head)),
                 "content-type": "application/octet-stream"})

    def infer_wrong(self, chance):
        c = self.canary
        return "POST", "/v2/models/%s/infer" % chance.choice([self.model, "no-" + c]), chance.choice([
            ('{"inputs":[{"name":"%s"' % c).encode(), {"inputs": [{"name": c, "datatype": c}]},
            {c: c}, b"\xff" + c.encode(), b"x" * 70000 + c.encode()]), {}

    def flags(self, chance):
        return "POST", chance.choice(["/ofrep/v1/evaluate/flags",
                                      "/ofrep/v1/evaluate/flags/flag-" + self.canary]), {
            "context": {"targetingKey": self.canary, self.canary: self.canary}}, {}

    def feedback(self, chance):
        return "POST", "/api/v1/feedback", {"model": self.model, "request_id": self.canary + "x%d"
                                            % chance.randrange(100), "outcome": self.canary}, {}

    def reads(self, chance):
        path = chance.choice(self.paths)
        return "GET", re.sub(r"\{(\w+)\*?\}", lambda m: {"model": self.model, "version": "1"}.get(
            m.group(1), self.canary), path), None, {}

    def small(self, chance):
        """Little of its own goes in: what comes out is somebody's, if a buffer is."""
        return "GET", chance.choice(["/v2", "/api/v1/whoami", "/api/v1/models/x", "/nothing", "/",
                                     "/v2/models/x/ready"]), None, {}

    def work(self, other, seed, n):
        chance = random.Random(seed)
        kinds = [self.infer_json, self.infer_binary, self.infer_twin, self.infer_wrong,
                 self.flags, self.feedback, self.reads, self.small]
        conn, foreign = None, other.canary.encode()
        try:
            for i in range(n):
                if conn is None:
                    conn = self.d.conn(30 * SLOW)
                method, path, body, more = chance.choice(kinds)(chance)
                text = request(method, path, body, dict(self.marks(chance), **more))
                if i % 50 == 49:  # leaves in the middle: what it sent stays in some buffer
                    conn.send(text[:-5])
                    conn.sock.close()
                    conn = None
                    continue
                conn.send(text)
                reply = conn.reply()
                self.asked += 1
                if reply is None:
                    conn = None
                    continue
                whole = reply.body + json.dumps(reply.headers).encode()
                if foreign in whole:
                    self.errors.append("%s %s: %r" % (method, path, whole[:2000]))
                    return
                if path.endswith("/infer") and reply.status == 200:
                    self.answers += 1
                    if self.canary.encode() not in reply.body:
                        self.errors.append("%s is not its own: %r" % (path, whole[:2000]))
                        return
                if reply.status >= 500 and reply.status not in (501, 503):
                    self.errors.append("%s %s: %r" % (method, path, reply))
                    return
                if reply.headers.get("connection") == "close":
                    conn.sock.close()
                    conn = None
        except Exception as e:  # noqa: a thread tells what ended it
            self.errors.append("%s %s: %r" % (type(e).__name__, e, path))


def readable(d):
    """Every path that may be read, of the table itself; an event stream has no end."""
    tree = d.get("/api/v1/openapi.json").json()
    return [path for path, item in tree["paths"].items() if "get" in item
            and not path.endswith("/events") and not path.endswith("/backup")]


@test
def canaries_never_cross():
    """[TN-103] [TN-104] [TN-105]"""
    chance = random.Random(N)
    with Daemon("--keys-only", "--log-level", "debug") as d:
        pair = [Tenant(d, "acme", chance), Tenant(d, "bank", chance)]
        for tenant in pair:
            tenant.furnish()
            tenant.paths = readable(d)
        threads = [threading.Thread(target=who.work, args=(pair[1 - i], 10 * k + i,
                                                           N // (2 * WORKERS)))
                   for k in range(WORKERS) for i, who in enumerate(pair)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        expect_eq(pair[0].errors + pair[1].errors, [])
        expect(all(who.asked > N // 2 * 0.9 for who in pair), [who.asked for who in pair])
        # batches, kept answers and shared runs there were, or this would say nothing of them
        stats = [who.get("/v2/models/twin/stats").json()["model_stats"][0] for who in pair]
        print([who.answers for who in pair], [s["inference_stats"]["cache_hit"]["count"]
                                              for s in stats], [s["execution_count"] for s in stats])
        for who, s in zip(pair, stats):
            expect(who.answers > N // 10, who.answers)
            expect(s["inference_stats"]["cache_hit"]["count"] > 0, s)
            expect(s["inference_stats"]["cache_miss"]["count"] > 0, s)
        # what each may read afterwards, its own name in it and not the other's
        for who, other in (pair, pair[::-1]):
            seen = b""
            for path in who.paths:
                path = re.sub(r"\{(\w+)\*?\}", lambda m: {"model": who.model, "version": "1",
                                                          "tenant": who.name + "-" + who.canary}.get(
                    m.group(1), "flag-" + who.canary), path)
                reply = who.ask("GET", path)
                seen += reply.body
                expect(other.canary.encode() not in reply.body, path, reply)
            expect(seen.count(who.canary.encode()) > 20)
        # the log: a line with somebody's canary is that tenant's, or nobody's (refused before its
        # tenant mattered), which an operator alone may read
        lines = 0
        with open(os.path.join(d.data, "log", "slipway.jsonl"), "rb") as f:
            for line in f:
                holds = [who for who in pair if who.canary.encode() in line]
                expect(len(holds) < 2, line)
                if holds:
                    lines += 1
                    whose = json.loads(line).get("tenant", "")
                    expect(whose in ("", holds[0].name + "-" + holds[0].canary), line)
        expect(lines > 10, lines)
        # who has no key gets nothing of either; the operator's own tenant holds neither, and of the
        # whole server operators see who its tenants are, and what each costs
        top = auth(operator(d))
        for headers in ({}, top):
            for path in pair[0].paths:
                reply = d.get(re.sub(r"\{(\w+)\*?\}", "x", path), headers)
                if path.startswith("/api/v1/tenants") or path in ("/api/v1/logs",) and headers:
                    continue
                body = reply.body
                if path == "/metrics" and headers:
                    body = COST.sub(b"", body)
                for who in pair:
                    expect(who.canary.encode() not in body, path, reply)


main()
