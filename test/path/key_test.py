#!/usr/bin/env python3
"""key_test.py - API keys at the running daemon, named after the rows of the robustness rules.

SPDX-License-Identifier: MIT
"""
import base64
import glob
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, SLOW, Daemon, Failed, expect, expect_eq, expect_in,  # noqa: E402
                     main, request, skip, test)
import models  # noqa: E402
from tenants import auth, key_add, operator  # noqa: E402


def add(d, role, person="ann", **more):
    return key_add(d, role, person, **more)


def keys_of(d, key):
    return d.get("/api/v1/keys", auth(key)).json()["keys"]


ROLES = ["viewer", "auditor", "invoker", "deployer", "approver", "admin", "operator"]
HOLDS = {"viewer": {"viewer"}, "auditor": {"viewer", "auditor"}, "invoker": {"viewer", "invoker"},
         "deployer": {"viewer", "invoker", "deployer"},
         "approver": {"viewer", "invoker", "deployer", "approver"},
         "admin": set(ROLES) - {"operator"}, "operator": set(ROLES)}


@test
def AU_101_the_matrix_of_every_route_and_role():
    """[AU-101] every route x every role x {no key, expired, revoked}, from the daemon's own table"""
    with Daemon("--keys-only") as d:
        keys = {role: add(d, role, role)["key"] for role in ROLES}
        expired = add(d, "operator", "late", expires="1s")["key"]
        gone = add(d, "operator", "gone")
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + gone["id"], None,
                        auth(operator(d))).status, 200)
        tree = d.get("/api/v1/openapi.json").json()
        # an event stream ends never: the test below is about those
        rows = [(verb.upper(), path.replace("{version}", "1").replace("{", "").replace("}", ""),
                 operation["x-role"])
                for path, operations in tree["paths"].items()
                for verb, operation in operations.items() if not path.endswith("/events")]
        expect(len(rows) > 60)
        time.sleep(1.1)
        with d.conn() as c:
            for verb, path, needed in rows:
                body = None if verb in ("GET", "DELETE") else b"{"  # no body of a handler's: 400s
                for key in (expired, gone["key"]):
                    expect_eq(c.ask(verb, path, body, auth(key)).status, 401, verb, path)
                status = c.ask(verb, path, body).status
                expect_eq(status == 401, needed != "anybody", verb, path, status)
                for role in ROLES:
                    if role in ("admin", "operator") and verb == "DELETE":
                        continue  # these would do it
                    reply = c.ask(verb, path, body, auth(keys[role]))
                    may = needed == "anybody" or needed in HOLDS[role]
                    expect(reply.status != 401, verb, path, role)
                    denied = reply.status == 403 and "this needs the role" in reply.body.decode()
                    expect_eq(denied, not may, verb, path, role, reply)


@test
def AU_102_a_wrong_key_is_401_even_where_anonymous_would_do():
    """[AU-102] cut, one character changed, bad checksum, long, in the query string"""
    with Daemon() as d:
        good = operator(d)
        bodies = set()
        for bad in (good[:-1], good + "0", good[:30] + "x" + good[31:], "slw_", "x",
                    good[:-8] + "00000000", good * 80, "slw_%s_%s_%s" % ("a" * 12, "0" * 64, "0" * 8)):
            for headers in (auth(bad), {"x-api-key": bad}):
                reply = d.get("/api/v1/models", headers)
                expect_eq(reply.status, 401, bad)
                expect_eq(reply.headers["www-authenticate"], "Bearer")
                bodies.add(reply.json()["error"])
        expect_eq(len(bodies), 1)
        expect_eq(d.get("/api/v1/models", {"authorization": "Basic c2x3Og=="}).status, 401)
        both = dict(auth(good), **{"x-api-key": good})
        expect_eq(d.get("/api/v1/models", both).status, 200)
        both["x-api-key"] = good[:-1]
        expect_eq(d.get("/api/v1/models", both).status, 401)
        with d.conn() as c:
            c.send(b"GET /api/v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: a\0b\r\n\r\n")
            expect_eq(c.reply().status, 400)
        expect_eq(d.get("/v2", {"x-api-key": "k" * (1 << 20)}).status, 431)
    with Daemon("--keys-only") as d:
        asked = "/api/v1/models?key=%s&api_key=%s" % (operator(d), operator(d))
        expect_eq(d.get(asked).status, 401)


def part(**members):
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@test
def AU_104_tokens_that_say_where_their_key_is_are_refused_and_nothing_is_fetched():
    """JWTs are not taken: whatever one says of itself, it is a wrong key."""
    with Daemon("--keys-only") as d, socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.settimeout(1)
        url = "http://127.0.0.1:%d/keys" % door.getsockname()[1]
        heads = [{"alg": "none"}, {"jku": url}, {"x5u": url}, {"jwk": {"kty": "oct", "k": "AA"}},
                 {"kid": "../../../etc/passwd"}, {"kid": "' OR 1=1 --"},
                 {"crit": ["exp", "nobody"], "nobody": 1}]
        said = set()
        for head in heads:
            token = "%s.%s.c2ln" % (part(**dict({"alg": "HS256"}, **head)),
                                    part(sub="admin", tenant=["default", "other"], role="operator"))
            for headers in (auth(token), {"x-api-key": token}):
                reply = d.get("/api/v1/models", headers)
                expect_eq(reply.status, 401, head)
                said.add(reply.json()["error"])
        expect_eq(len(said), 1, said)
        try:
            door.accept()
            raise Failed("somebody came for a key")
        except socket.timeout:
            pass


@test
def AU_103_a_revoked_key_is_refused_within_a_second_on_open_connections_under_load():
    """[AU-103]"""
    with Daemon("--keys-only") as d:
        key = add(d, "viewer")
        stop, refused, errors = threading.Event(), [], []

        def hammer():
            with d.conn() as c:
                while not stop.is_set():
                    status = c.ask("GET", "/api/v1/models", None, auth(key["key"])).status
                    time.sleep(0.002)  # below the tenant's limit of requests to the control plane
                    if status == 401:
                        refused.append(time.monotonic())
                        return
                    if status != 200:
                        errors.append(status)
                        return

        threads = [threading.Thread(target=hammer) for _ in range(8)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        expect_eq((refused, errors), ([], []))
        began = time.monotonic()
        reply = d.ask("DELETE", "/api/v1/keys/" + key["id"], None, auth(operator(d)))
        acknowledged = time.monotonic()
        expect_eq(reply.status, 200)
        for t in threads:
            t.join(10)
        stop.set()
        expect_eq((len(refused), errors), (8, []))
        expect(max(refused) - began < 1, max(refused) - began)
        # once acknowledged, every loop has seen it: only what was on its way may be later
        expect(max(refused) - acknowledged < 0.25, max(refused) - acknowledged)
        expect_eq(d.get("/api/v1/models", auth(key["key"])).status, 401)


@test
def AU_103_an_event_stream_ends_with_its_key():
    """[AU-103] revoked, expired"""
    with Daemon("--keys-only") as d:
        gone, late, stays = add(d, "invoker"), add(d, "invoker", expires="2s"), add(d, "invoker")
        conns = []
        for key in (gone, late, stays):
            c = d.conn()
            c.send(request("GET", "/ofrep/v1/events", headers=auth(key["key"])))
            expect_in(b"200 OK", c._until(b"\r\n\r\n"))
            conns.append(c)
        d.ask("DELETE", "/api/v1/keys/" + gone["id"], None, auth(operator(d)))
        began = time.monotonic()
        while conns[0]._more():
            pass
        expect(time.monotonic() - began < 1 * SLOW, time.monotonic() - began)
        while conns[1]._more():
            pass
        expect(time.monotonic() - began < 5 * SLOW, time.monotonic() - began)
        conns[2].sock.settimeout(0.3)
        try:
            while conns[2]._more():
                pass
            expect(False, "a good key's stream was ended")
        except TimeoutError:
            pass


@test
def AU_108_the_last_admin_stays():
    """[AU-108]"""
    with Daemon() as d:
        first = keys_of(d, operator(d))[0]["id"]
        reply = d.ask("DELETE", "/api/v1/keys/" + first)
        expect_eq((reply.status, reply.json()["code"]), (409, "CONFLICT"))
        add(d, "admin", "eve")
        reply = d.ask("DELETE", "/api/v1/keys/" + first)
        expect_eq(reply.status, 409)
        expect_in("the role operator", reply.json()["error"])
        other = add(d, "operator", "bob")
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + first).status, 200)
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + first).status, 200)  # it is so already
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + other["id"]).status, 409)
        expect_eq(d.ask("DELETE", "/api/v1/keys/unknown").status, 404)
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + "z" * 12).status, 404)


@test
def a_rotated_key_and_its_follower_both_work_until_the_grace_is_over():
    with Daemon("--keys-only") as d:
        old = add(d, "deployer", "ci", cidrs="127.0.0.0/8,::1", note="pipeline")
        reply = d.post("/api/v1/keys/%s/rotate" % old["id"], {"grace": "1s"}, auth(operator(d)))
        expect_eq(reply.status, 201, reply)
        new = reply.json()
        expect_eq([new[k] for k in ("role", "person", "cidrs", "note", "replaces")],
                  [old[k] for k in ("role", "person", "cidrs", "note", "id")])
        for key in (old, new):
            expect_eq(d.get("/api/v1/models", auth(key["key"])).status, 200)
        again = d.post("/api/v1/keys/%s/rotate" % new["id"], {}, auth(operator(d)))
        expect_eq((again.status, again.json()["code"]), (409, "CONFLICT"))
        time.sleep(1.1)
        expect_eq(d.get("/api/v1/models", auth(old["key"])).status, 401)
        expect_eq(d.get("/api/v1/models", auth(new["key"])).status, 200)
        d.stop()
        d.start()  # so it is in the ledger
        expect_eq(d.get("/api/v1/models", auth(old["key"])).status, 401)
        expect_eq(d.get("/api/v1/models", auth(new["key"])).status, 200)
        out = cli(d, "key", "rotate", new["id"], "--grace", "0s", "--url", d.url(),
                  SLIPWAY_KEY=operator(d))
        expect_eq(out.returncode, 0, out.stderr)
        expect_eq(d.get("/api/v1/models", auth(out.stdout.strip())).status, 200)
        expect_eq(d.get("/api/v1/models", auth(new["key"])).status, 401)
        # nobody hands on more than they hold
        mine = add(d, "admin", "ann")["key"]
        top = [k["id"] for k in keys_of(d, mine) if k["role"] == "operator"][0]
        expect_eq(d.post("/api/v1/keys/%s/rotate" % top, {}, auth(mine)).status, 403)


@test
def AU_111_another_spelling_of_a_route_is_the_same_route():
    """[AU-111]"""
    with Daemon("--keys-only") as d:
        viewer = auth(add(d, "viewer")["key"])
        for verb, path, headers in (
                ("POST", "/api/v1/keys", {"x-http-method-override": "GET"}),
                ("POST", "/api/v1/keys?_method=GET", {}),
                ("POST", "/api/v1/%6beys", {})):
            reply = d.ask(verb, path, b"{}", dict(viewer, **headers))
            expect_eq(reply.status, 403, verb, path, reply)
        for path in ("/api/v1/keys/", "/API/v1/keys", "/api/v1/Keys", "//api/v1/keys",
                     "/api/v1/./keys"):
            expect(d.post(path, b"{}", viewer).status in (400, 403, 404), path)
        expect_eq(d.ask("HEAD", "/api/v1/keys", None, viewer).status, 403)
        expect_eq(d.ask("HEAD", "/api/v1/keys", None, {}).status, 401)


@test
def AU_107_a_page_may_not_use_a_key_and_a_proxy_with_one_may_call_us_by_any_name():
    """[AU-107] what a browser can send by itself changes nothing"""
    with Daemon() as d:
        body, key = {"role": "viewer", "person": "ann"}, auth(operator(d))
        evil = {"origin": "http://evil.example", "host": "evil.example"}
        expect_eq(d.post("/api/v1/keys", body, evil).status, 403)
        expect_eq(d.post("/api/v1/keys", body, {"host": "evil.example"}).status, 403)
        expect_eq(d.post("/api/v1/keys", body, dict(key, host="ml.example")).status, 201)
        cross = dict(key, host="ml.example", origin="http://evil.example")
        expect_eq(d.post("/api/v1/keys", body, cross).status, 403)


@test
def AU_112_metrics_logs_and_limits_need_a_key():
    """[AU-112]"""
    with tempfile.TemporaryDirectory() as data:
        with Daemon(data=data) as d:
            models.serve(d, "secret", models.linear([[1.0]], [0.0]))
        with Daemon("--keys-only", data=data) as d:
            AU_112_look(d)


def AU_112_look(d):
    for path in ("/metrics", "/api/v1/logs", "/api/v1/doctor", "/api/v1/status", "/v2/models"):
        expect_eq(d.get(path).status, 401, path)
    for path in ("/healthz", "/readyz", "/v2/health/ready", "/v2"):
        expect_eq(d.get(path).status, 200, path)
    expect_eq(d.get("/v2/models/secret/ready").status, 404)  # as if it were not there
    expect_eq(d.get("/v2/models/secret/ready", auth(operator(d))).status, 200)
    rows = {"instances": [[1.0]]}
    expect_eq(d.post("/v1/models/secret:predict", rows).status, 401)
    expect_eq(d.post("/v1/models/secret:predict", rows, auth(operator(d))).status, 200)
    viewer, app = add(d, "viewer")["key"], add(d, "invoker")["key"]
    expect_eq(d.post("/v1/models/secret:predict", rows, auth(viewer)).status, 403)
    expect_eq(d.post("/v1/models/secret:predict", rows, auth(app)).status, 200)


@test
def AU_114_a_key_is_nowhere_but_in_its_answer():
    """[AU-114] logs, the data directory, /proc, errors, the list"""
    with Daemon("--log-level", "debug") as d:
        made = add(d, "deployer", note="laptop")
        secret = made["key"].split("_")[2]
        for headers in (auth(made["key"]), {"x-api-key": made["key"]}):
            for path in ("/api/v1/models", "/api/v1/keys", "/nowhere", "/api/v1/logs",
                         "/v2/models/x"):
                expect(secret not in d.get(path, headers).body.decode(), path)
        expect(secret not in d.get("/v2", auth(made["key"][:-1] + "z")).body.decode())
        with open("/proc/%d/environ" % d.proc.pid) as f:
            expect(secret not in f.read())
        with open("/proc/%d/cmdline" % d.proc.pid) as f:
            expect(secret not in f.read())
        expect(secret not in d.stderr())
        for path in glob.glob(d.data + "/**", recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    expect(secret.encode() not in f.read(), path)
        for name in ("pepper", "admin.key"):
            expect_eq(stat.S_IMODE(os.stat(os.path.join(d.data, name)).st_mode), 0o600)


@test
def AU_114_a_crash_leaves_no_core():
    """[AU-114] not dumpable, whatever the limits of who starts it say"""
    def unlimited():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    def ends_with_core(argv, ready):
        proc = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stdin=subprocess.DEVNULL, preexec_fn=unlimited, cwd=data)
        try:
            ready(proc)
            os.kill(proc.pid, signal.SIGABRT)
            status = os.waitpid(proc.pid, 0)[1]
        finally:
            proc.returncode = -signal.SIGABRT
            proc.stderr.close()
        expect_eq(os.WTERMSIG(status), signal.SIGABRT)
        return os.WCOREDUMP(status)

    with tempfile.TemporaryDirectory() as data:
        if not ends_with_core(["sleep", "60"], lambda p: time.sleep(0.2)):
            skip("nobody leaves cores on this machine")
        expect(not ends_with_core([BIN, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                                  lambda p: p.stderr.readline()))


@test
def AU_115_beyond_loopback_it_starts_with_keys_or_not_at_all():
    """[AU-115]"""
    with tempfile.TemporaryDirectory() as data:
        for flags, rc, word in (([], 3, "--insecure"),
                                (["--anonymous", "--keys-only"], 2, "the opposite")):
            done = subprocess.run([BIN, "serve", "--data", data, "--listen", "0.0.0.0:0"] + flags,
                                  capture_output=True, text=True, timeout=30)
            expect_eq(done.returncode, rc)
            expect_in(word, done.stderr)

    class Everywhere(Daemon):
        def start(self):
            self.host = "0.0.0.0"
            return Daemon.start(self)

    with Everywhere("--insecure") as d:
        expect_eq(d.get("/api/v1/models").status, 401)
        expect_eq(d.get("/api/v1/models", auth(operator(d))).status, 200)
        expect(any(line["event"] == "listening_in_the_clear" for line in d.log()))
    with Everywhere("--anonymous") as d:
        expect_eq(d.get("/api/v1/models").status, 200)


@test
def nobody_grants_or_takes_more_than_they_hold():
    with Daemon("--keys-only") as d:
        boss = add(d, "admin", "boss")["key"]
        for role in ROLES:
            reply = d.post("/api/v1/keys", {"role": role, "person": "x"}, auth(boss))
            expect_eq(reply.status, 201 if role in HOLDS["admin"] else 403, role)
        first = [k for k in keys_of(d, operator(d)) if k["role"] == "operator"][0]["id"]
        reply = d.ask("DELETE", "/api/v1/keys/" + first, None, auth(boss))
        expect_eq((reply.status, reply.json()["code"]), (403, "DENIED"))
        deployer = add(d, "deployer")["key"]
        expect_eq(d.post("/api/v1/keys", {"role": "viewer", "person": "x"}, auth(deployer)).status, 403)
        expect_eq(d.get("/api/v1/keys", auth(deployer)).status, 403)
        auditor = add(d, "auditor")["key"]
        expect(len(keys_of(d, auditor)) > 5)


@test
def what_is_wrong_with_a_request_for_a_key_is_named():
    with Daemon() as d:
        for body, field in (({"person": "ann"}, "role"), ({"role": "god", "person": "a"}, "role"),
                            ({"role": "anybody", "person": "a"}, "role"),
                            ({"role": "viewer"}, "person"),
                            ({"role": "viewer", "person": "a b"}, "person"),
                            ({"role": "viewer", "person": "anonymous"}, "person"),
                            ({"role": "viewer", "person": "slipway"}, "person"),
                            ({"role": "viewer", "person": "x" * 64}, "person"),
                            ({"role": "viewer", "person": "a", "expires": "soon"}, "expires"),
                            ({"role": "viewer", "person": "a", "expires": "0s"}, "expires"),
                            ({"role": "viewer", "person": "a", "expires": "-1d"}, "expires"),
                            ({"role": "viewer", "person": "a", "expires": "9999d"}, "expires"),
                            ({"role": "viewer", "person": "a", "expires": 90}, "expires"),
                            ({"role": "viewer", "person": "a", "cidrs": "10.0.0.1/8"}, "cidrs"),
                            ({"role": "viewer", "person": "a", "note": "n" * 201}, "note"),
                            ({"role": "viewer", "person": "a", "secret": "x"}, "secret")):
            reply = d.post("/api/v1/keys", body)
            expect_eq(reply.status, 400, body, reply)
            expect_eq(reply.json()["details"].get("field"), field, body)
        expect_eq(len(d.get("/api/v1/keys").json()["keys"]), 1)


@test
def a_key_is_bound_to_its_networks_and_its_time():
    with Daemon("--keys-only") as d:
        here = add(d, "viewer", cidrs="127.0.0.0/8,::1")
        there = add(d, "viewer", cidrs="10.0.0.0/8")
        expect_eq(here["cidrs"], ["127.0.0.0/8", "::1/128"])
        expect_eq(d.get("/api/v1/models", auth(here["key"])).status, 200)
        expect_eq(d.get("/api/v1/models", auth(there["key"])).status, 401)
        soon = add(d, "viewer", expires="1s")
        expect_eq(d.get("/api/v1/models", auth(soon["key"])).status, 200)
        time.sleep(1.1)
        expect_eq(d.get("/api/v1/models", auth(soon["key"])).status, 401)
        states = {k["id"]: k["state"] for k in keys_of(d, operator(d))}
        expect_eq((states[soon["id"]], states[here["id"]]), ("EXPIRED", "LIVE"))
        ever = add(d, "viewer", expires="never")
        expect_eq(ever["expires_at"], None)
        checks = {c["name"]: c for c in d.get("/api/v1/doctor", auth(operator(d))).json()["checks"]}
        expect_eq(checks["keys"]["ok"], True, checks["keys"])
        add(d, "viewer", expires="6d")
        checks = {c["name"]: c for c in d.get("/api/v1/doctor", auth(operator(d))).json()["checks"]}
        expect_eq(checks["keys"]["ok"], False, checks["keys"])


@test
def who_did_it_is_the_key_and_keys_survive_a_kill():
    with tempfile.TemporaryDirectory() as data:
        d = Daemon("--keys-only", data=data)
        with d:
            first = operator(d)
            made = add(d, "deployer")
            gone = add(d, "deployer")
            d.ask("DELETE", "/api/v1/keys/" + gone["id"], None, auth(first))
            d.kill(signal.SIGKILL)
            d.start()
            expect_eq(operator(d), first)  # one first start, one first key
            expect_eq(d.get("/api/v1/models", auth(first)).status, 200)
            expect_eq(d.get("/api/v1/models", auth(made["key"])).status, 200)
            expect_eq(d.get("/api/v1/models", auth(gone["key"])).status, 401)
            listed = {k["id"]: k for k in keys_of(d, first)}
            expect_eq(set(listed), {made["id"], first.split("_")[1]})
            expect_eq(listed[made["id"]]["added_by"], first.split("_")[1])
            expect(listed[made["id"]]["used_at"].startswith("20"))


@test
def two_keys_live_side_by_side_for_rotation():
    with Daemon("--keys-only") as d:
        old, new = add(d, "invoker", "app"), add(d, "invoker", "app")
        for key in (old, new):
            expect_eq(d.get("/api/v1/models", auth(key["key"])).status, 200)
        d.ask("DELETE", "/api/v1/keys/" + old["id"], None, auth(operator(d)))
        expect_eq(d.get("/api/v1/models", auth(old["key"])).status, 401)
        expect_eq(d.get("/api/v1/models", auth(new["key"])).status, 200)


@test
def an_idempotency_key_adds_one_key_and_shows_it_once():
    with Daemon() as d:
        body, headers = {"role": "viewer", "person": "ann"}, {"idempotency-key": "once"}
        expect_eq(d.post("/api/v1/keys", body, headers).status, 201)
        again = d.post("/api/v1/keys", body, headers)
        expect_eq((again.status, again.json()["code"]), (409, "IDEMPOTENCY_MISMATCH"))
        expect_in("shown", again.json()["error"])
        keys = d.get("/api/v1/keys").json()["keys"]
        expect_eq(len(keys), 2)
        gone = {"idempotency-key": "gone"}
        path = "/api/v1/keys/" + keys[1]["id"]
        one, two = d.ask("DELETE", path, None, gone), d.ask("DELETE", path, None, gone)
        expect_eq((one.status, one.json()["seq"]), (200, two.json()["seq"]))


@test
def a_lost_pepper_stops_the_start_unless_it_is_said():
    """[AU-109] Without it no key can be told from another: nobody is let in."""
    with tempfile.TemporaryDirectory() as data:
        with Daemon(data=data) as d:
            first = operator(d)
        os.remove(os.path.join(data, "pepper"))
        done = subprocess.run([BIN, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=30)
        expect_eq(done.returncode, 7)
        expect_in("--accept-key-loss", done.stderr)
        with Daemon("--accept-key-loss", data=data) as d:
            expect_eq(d.get("/api/v1/models", auth(first)).status, 401)
            made = d.post("/api/v1/keys", {"role": "viewer", "person": "ann"}).json()["key"]
            expect_eq(d.get("/api/v1/models", auth(made)).status, 200)
        os.chmod(os.path.join(data, "pepper"), 0o644)
        done = subprocess.run([BIN, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=30)
        expect_eq(done.returncode, 3)
        expect_in("chmod 600", done.stderr)


def cli(d, *words, home=None, input=None, **env):
    full = dict(os.environ, HOME=home or d.data, **env)
    full.pop("SLIPWAY_URL", None)
    return subprocess.run([BIN, *words], input=input, env=full, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@test
def the_cli_adds_lists_and_revokes_and_uses_what_lies_on_this_machine():
    with Daemon("--keys-only") as d:
        url = ["--url", d.url()]
        done = cli(d, "key", "list", *url)
        expect_eq(done.returncode, 3, done)  # no key to be found
        done = cli(d, "key", "add", "--role", "deployer", "--person", "ann", "--note", "laptop",
                   *url, SLIPWAY_DATA=d.data)
        expect_eq(done.returncode, 0, done)
        key = done.stdout.strip()
        expect_eq(len(key), 90)
        expect(key not in done.stderr)
        expect_in("deployer, of ann", done.stderr)
        done = cli(d, "key", "list", *url, SLIPWAY_KEY=key)
        expect_eq(done.returncode, 3, done)
        expect_in("auditor", done.stderr)
        done = cli(d, "status", *url, SLIPWAY_KEY=key)
        expect_eq(done.returncode, 0, done)
        done = cli(d, "key", "list", *url, SLIPWAY_DATA=d.data)
        expect_in("laptop", done.stdout)
        expect_in("ann", done.stdout)
        done = cli(d, "key", "revoke", key.split("_")[1], *url, SLIPWAY_DATA=d.data)
        expect_eq((done.returncode, done.stdout), (0, "key %s is revoked\n" % key.split("_")[1]))
        expect_eq(cli(d, "status", *url, SLIPWAY_KEY=key).returncode, 3)
        expect_eq(cli(d, "key", "revoke", "z" * 12, *url, SLIPWAY_DATA=d.data).returncode, 4)
        for words in (["key", "rotate"], ["key", "revoke"], ["status"], ["tenant", "show"],
                      ["flag", "get"], ["predict"], ["deploy"], ["model", "show"], ["freeze"],
                      ["login"], [], ["--" + key], ["history", "m", "--at"]):
            done = cli(d, *words, key, *url, SLIPWAY_DATA=d.data, input="[1]")
            expect(done.returncode not in (0, 70), words, done)
            expect(key[:30] not in done.stdout + done.stderr, words, done)
            if "rotate" in words or "revoke" in words:
                expect_in("the id of 'slipway key list', 12 letters and digits", done.stderr)
        for word in ("/api/v1/keys/" + key, "/v2/models/" + key, "/api/v1/tenants/" + key):
            reply = d.ask("DELETE" if "keys" in word else "GET", word,
                          None, auth(operator(d)))
            expect(key[:30] not in str(reply.json()), word, reply)
        done = cli(d, "status", *url, SLIPWAY_KEY=key[:20] + ("1" if key[20] == "0" else "0") +
                   key[21:])
        expect_eq(done.returncode, 2)
        expect_in("check digits do not fit", done.stderr)
        for words in (["key"], ["key", "rotate"], ["key", "revoke"], ["key", "list", "x"],
                      ["key", "add"], ["key", "add", "--role", "viewer"]):
            expect_eq(cli(d, *words, *url, SLIPWAY_DATA=d.data).returncode, 2, words)
        os.chmod(os.path.join(d.data, "admin.key"), 0o644)
        expect_eq(cli(d, "key", "list", *url, SLIPWAY_DATA=d.data).returncode, 3)


@test
def login_keeps_url_and_key_where_only_their_owner_reads_them():
    with Daemon("--keys-only") as d, tempfile.TemporaryDirectory() as home:
        key = add(d, "auditor")["key"]
        path = os.path.join(home, ".config", "slipway", "config.yaml")
        expect_eq(cli(d, "login", d.url(), home=home).returncode, 3)  # it wants one
        expect_eq(cli(d, "login", d.url(), "--key-file", "-", input=key[:-1] + "\n",
                      home=home).returncode, 2)
        done = cli(d, "login", d.url(), "--key-file", "-", input=key + "\n", home=home)
        expect_eq((done.returncode, done.stdout),
                  (0, "%s knows you as ann of default, auditor\n" % d.url()))
        expect_eq(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        expect_eq(cli(d, "key", "list", home=home).returncode, 0)
        with Daemon("--keys-only") as other:  # the key goes to the URL it stands with, nowhere else
            expect_eq(cli(d, "key", "list", "--url", other.url(), home=home).returncode, 3)
            expect(not any(line["event"] == "key_refused" for line in other.log()))
        os.chmod(path, 0o640)
        done = cli(d, "key", "list", home=home)
        expect_eq(done.returncode, 3)
        expect_in("chmod 600", done.stderr)


main()
