#!/usr/bin/env python3
"""cache_redis_test.py - the cache's second level in a real Redis, and in one that lies, stalls and
dies: nodes share what they know, and no request ever fails or waits long for it.
SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from redis import PASSWORD, USER, Client, Fake, Redis, Refused, secret_file
from slipway import BIN, SLOW, Daemon, cases, expect, expect_eq, expect_in, main, test, wait_for
from tenants import As, tenant

X = models.spec("x", "FP32", (-1, 2))
CACHED = b"cache: {ttl: 60s, bytes_max: 8MiB}\n"
SECRET, OTHER = secret_file("0123456789abcdef" * 2), secret_file("fedcba9876543210" * 2)
PASSWORDS = secret_file(PASSWORD)
PATIENT = 1000  # ms: a machine that stands still now and then does not end the line


def node(port, *more, secret=SECRET, timeout_ms=PATIENT, loops=1, user=USER + "@", **others):
    """A daemon whose second level is there."""
    return Daemon("--cache-redis", "redis://%s127.0.0.1:%d" % (user, port), "--cache-redis-password-file", PASSWORDS,
                  "--cache-redis-secret-file", secret, "--cache-redis-timeout", "%dms" % timeout_ms,
                  "--loops", str(loops), *more, **others)


def model(d, name="m", yaml=CACHED, **more):
    files = models.echo([X], **more)
    files["slipway.yaml"] = yaml
    return models.serve(d, name, files)


def body(a=1.0, **more):
    return dict({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [a, 2.0]}]}, **more)


def ask(d, a=1.0, name="m", headers=None, **more):
    return d.post("/v2/models/%s/infer" % name, body(a, **more), headers)


def said(reply, a=None):
    expect_eq(reply.status, 200, reply.body[:300])
    if a is not None:
        expect_eq(reply.json()["outputs"][0]["data"], [a, 2.0])
    return reply.headers.get("x-slipway-cache")


def metrics(d):
    return {name: float(value) for name, value in re.findall(
        r"^slipway_cache_shared_(\w+(?:\{[^}]*\})?) (\S+)$", d.get("/metrics").body.decode(), re.M)}


def metric(d, name, least):
    """Its value once it is that large: counters come with the next pulse, pages are a second old."""
    return wait_for(lambda: metrics(d)[name] >= least and metrics(d)[name], 20, "%s of %g" % (name, least))


def open_lines(d, n=1):
    wait_for(lambda: metrics(d)["lines"] == n, 30, "%d lines to Redis" % n)


def runs(d, name="m"):
    return sum(s["execution_count"] for s in d.get("/v2/models/%s/stats" % name).json()["model_stats"])


def rests(d):
    return [e for e in d.log() if e["event"] == "cache_shared_rests"]


def kept(redis, n):
    wait_for(lambda: len(redis.keys()) == n, what="%d values in Redis" % n)


@test
def what_one_node_has_run_another_one_knows():
    with Redis() as redis, node(redis.port) as one, node(redis.port) as two:
        model(two, delay_us=10)  # other content under the same name, number and tenant
        model(two)
        for d in (one, two):
            open_lines(d)
        model(one)
        expect_eq(said(ask(one, 1.0), 1.0), None)
        kept(redis, 1)
        expect_eq(said(ask(two, 1.0, id="mine"), 1.0), "hit")
        expect_eq(runs(two), 0)
        expect_eq(said(ask(two, 1.0), 1.0), "hit")  # by now its own
        metric(two, "hits", 1)
        expect_eq(metrics(two)["hits"], 1)
        expect_eq(metrics(one)["hits"], 0)
        # What must not be kept, or not be read.
        expect_eq(said(ask(two, 2.0, headers={"cache-control": "no-store"})), None)
        expect_eq(said(ask(two, 2.0, parameters={"sequence_id": 7})), None)
        expect_eq(ask(two, 2.0, outputs=[{"name": "none"}]).status, 400)
        expect_eq(len(redis.keys()), 1)
        expect_eq(said(ask(two, 1.0, headers={"cache-control": "no-cache"})), None)  # fills only
        expect_eq(runs(two), 3)
        metric(two, 'fills{state="sent"}', 1)
        name = redis.keys()[0]
        expect(re.fullmatch(rb"slipway:cache:[0-9a-f]{64}", name), name)
        expect(55000 < redis.ask("PTTL", name) <= 60000)
        value = redis.ask("GET", name)
        for word in (b"default", b'"m"', PASSWORD.encode()):
            expect(word not in value)
        # Another version is another name, and so is the same files' under another tenant.
        version = model(two, delay_us=20)
        expect_eq(said(ask(two, 1.0)), None)
        kept(redis, 2)
        expect(version > 1)


@test
def tenants_never_share():
    with Redis() as redis, node(redis.port) as d:
        open_lines(d)
        model(d)
        said(ask(d))
        kept(redis, 1)
        other = As(d, tenant(d, "other"))
        model(other)
        expect_eq(said(ask(other)), None)
        kept(redis, 2)


@test
def poison_is_not_swallowed():
    """CA-108: values that somebody with the password wrote."""
    with Redis() as redis, node(redis.port) as one, node(redis.port) as two, \
            node(redis.port, secret=OTHER) as three:
        for d in (one, two, three):
            model(d)
            open_lines(d)
        ask(one, 1.0)
        kept(redis, 1)
        first = redis.keys()[0]
        ask(one, 2.0)
        kept(redis, 2)
        second = next(k for k in redis.keys() if k != first)
        a, b = redis.ask("GET", first), redis.ask("GET", second)
        # Another's value under this name, and the other way round; then one bit, less, more, none.
        redis.ask("SET", second, a)
        expect_eq(said(ask(two, 2.0), 2.0), None)
        forged = 1
        bad = [b[:-1], b + b"\0", b"", b[:80], b"\0" * len(b), b[:60] + bytes([b[60] ^ 1]) + b[61:],
               b[:8] + b"\xff" * 7 + b[15:], bytes([b[0] ^ 2]) + b[1:], b"x" * 300000]
        wait_for(lambda: redis.ask("GET", second) != a, what="a good value again")
        for i, value in enumerate(bad[:-1]):
            # A question of its own each time, answered once by `one` so that its name is known.
            before = set(redis.keys())
            ask(one, 100.0 + i)
            kept(redis, len(before) + 1)
            name = next(iter(set(redis.keys()) - before))
            redis.ask("SET", name, value)
            expect_eq(said(ask(two, 100.0 + i), 100.0 + i), None)
            forged += 1
            wait_for(lambda: redis.ask("GET", name) != value, what="a good value again")
        metric(two, "forged", forged)
        expect_eq(metrics(two)["forged"], forged)
        expect_eq(metrics(two)["hits"], 0)
        # Who has another secret finds nothing, and leaves nothing that anybody here would look at.
        expect_eq(said(ask(three, 1.0), 1.0), None)
        expect_eq(metrics(three)["hits"], 0)


@test
def the_user_may_do_what_it_must_and_no_more():
    """CA-108: the ACL of the manual."""
    with Redis() as redis, node(redis.port) as d:
        model(d)
        open_lines(d)
        said(ask(d))
        kept(redis, 1)
        redis.ask("SET", "elsewhere", "x")
        client = Client(redis.port)
        expect_eq(client("AUTH", USER, PASSWORD), "OK")
        for words in (("GET", "elsewhere"), ("SET", "elsewhere", "y"), ("EVAL", "return 1", "0"), ("KEYS", "*"),
                      ("CONFIG", "GET", "*"), ("MODULE", "LIST"), ("DEL", redis.keys()[0]), ("FLUSHALL",), ("SCAN", "0"),
                      ("ACL", "LIST"), ("SCRIPT", "LOAD", "return 1"), ("SUBSCRIBE", "x")):
            try:
                got = client(*words)
            except Refused as why:
                expect_in("NOPERM", str(why))
            else:
                expect(False, words, got)
        client.close()
    with Redis() as redis:
        redis.ask("ACL", "SETUSER", USER, "-get")
        with node(redis.port) as d:
            model(d)
            wait_for(lambda: any(e["event"] == "cache_shared_rests" and e.get("said") == "NOPERM" for e in d.log()))
            expect_eq(said(ask(d)), None)


@test
def a_redis_that_is_killed_under_load_costs_no_request():
    """CA-104, CA-110: killed in the middle of pipelines, and back later; nothing fails, nothing is wrong."""
    with Redis() as redis, node(redis.port, timeout_ms=200, loops=2) as d:
        model(d)
        open_lines(d, 2)
        over, wrong, n = threading.Event(), [], [0]

        def client(seed):
            with d.conn(30) as c:
                i = seed
                while not over.is_set():
                    i += 10
                    reply = c.ask("POST", "/v2/models/m/infer", body(float(i)))
                    if reply.status != 200 or reply.json()["outputs"][0]["data"] != [float(i), 2.0]:
                        wrong.append(reply)
                        return
                    n[0] += 1

        threads = [threading.Thread(target=client, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        wait_for(lambda: n[0] > 300, 30, "requests with Redis")
        redis.stop()
        at = n[0]
        wait_for(lambda: n[0] > at + 300, 30, "requests without Redis")
        wait_for(lambda: metrics(d)["lines"] == 0, 20, "no line")
        redis.start()
        open_lines(d, 2)  # within the first rest, 6 s at most
        at = n[0]
        wait_for(lambda: n[0] > at + 300, 30, "requests with Redis again")
        over.set()
        for t in threads:
            t.join()
        expect_eq(wrong, [])
        expect(len(rests(d)) >= 2)
        expect(len([e for e in d.log() if e["event"] == "cache_shared_open"]) >= 4)
        values = redis.keys()
        expect(values)


@test
def one_that_is_not_there_costs_nothing():
    with Fake() as fake:
        port = fake.port
    with node(port) as d:
        model(d)
        for i in range(20):
            expect_eq(said(ask(d, float(i)), float(i)), None)
        expect_eq(metric(d, "bypassed", 20), 20)
        expect_eq(metrics(d)["errors"], 0)
        expect(rests(d) and all(4000 <= e["for_ms"] <= 72000 for e in rests(d)), rests(d))


def told(d):
    """The doctor's word on Redis: (ok, text); and the line of status."""
    check = [c for c in d.get("/api/v1/doctor").json()["checks"] if c["name"] == "cache_redis"]
    line = [l for l in d.cli("status").stdout.splitlines() if "Redis" in l]
    expect_eq((len(check), len(line)), (1, 1))
    return check[0]["ok"], check[0]["text"], line[0]


@test
def doctor_and_status_say_how_redis_is():
    """What fails is named, with what to do; the exit code is the doctor's; who has no Redis hears nothing."""
    wrong = secret_file("not the password")
    with Redis() as redis:
        with node(redis.port, loops=2) as d:
            open_lines(d, 2)
            ok, text, line = told(d)
            expect_eq((ok, text), (True, "2 of 2 lines are up"))
            expect_in("2 of 2 lines are up", line)
            redis.stop()
            wait_for(lambda: not told(d)[0], 20, "a doctor who sees that it is gone")
            wait_for(lambda: "nobody answers at its address" in told(d)[1], 60, "a try in vain")
            ok, text, line = told(d)
            expect_in("start that Redis", text)
            expect_in("slipway doctor says", line)
            expect(not re.search(r"127\.0\.0\.1|:%d" % redis.port, text), text)
            redis.start()
            wait_for(lambda: told(d)[:2] == (True, "2 of 2 lines are up"), 60, "all well again")
        refused = ("--cache-redis-password-file", wrong)
        with node(redis.port, *refused) as d:
            wait_for(lambda: not told(d)[0], 20, "a refused login")
            ok, text, line = told(d)
            expect_in("0 of 1 lines: the login was refused (WRONGPASS); check", text)
            expect_in("--cache-redis-password-file", text)
            expect_in("the login was refused (WRONGPASS)", line)
            doctor = d.cli("doctor")
            expect_eq(doctor.returncode, 8)
            expect(re.search(r"^BAD +cache_redis +0 of 1 lines", doctor.stdout, re.M), doctor.stdout)
            redis_json = d.get("/api/v1/status").json()["server"]["cache_redis"]
            expect_eq(redis_json, {"lines": 0, "of": 1, "ok": False,
                                   "failure": "the login was refused (WRONGPASS)"})
        redis.ask("ACL", "SETUSER", USER, "-get")
        with node(redis.port) as d:
            wait_for(lambda: "NOPERM" in told(d)[1], 20, "NOPERM")
            expect_in("needs GET and SET", told(d)[1])
    with Daemon("--loops", "1") as d:
        expect("Redis" not in d.cli("status").stdout)
        expect("cache_redis" not in d.cli("doctor").stdout)


def drip(sock, words):
    for c in b"$100000\r\n" + b"x" * 5:
        sock.sendall(bytes([c]))
        time.sleep(0.02)


def endless(sock, words):
    while True:
        sock.sendall(b"+" + b"x" * 65536)


def slowly(sock, words):
    time.sleep(3 * SLOW)
    sock.sendall(b"$-1\r\n")


def closes(sock, words):
    sock.sendall(b"$200\r\nabc")
    sock.shutdown(2)


def always(text):
    return lambda sock, words: sock.sendall(text)


HOSTILE = [
    ("loading", always(b"-LOADING Redis is loading the dataset in memory\r\n"), "LOADING"),
    ("moved", always(b"-MOVED 3999 10.0.0.1:6381\r\n"), "MOVED"),
    ("masterdown", always(b"-MASTERDOWN Link with MASTER is down\r\n"), "MASTERDOWN"),
    ("error without end", always(b"-ERR " + b"x" * 400000), None),
    ("bulk of -2", always(b"$-2\r\n"), None),
    ("bulk of 2^63", always(b"$9223372036854775808\r\n"), None),
    ("bulk of 2^63-1", lambda s, w: endless(s, s.sendall(b"$9223372036854775807\r\n")), None),
    ("bulk of 2^31", lambda s, w: endless(s, s.sendall(b"$2147483648\r\n")), None),
    ("array", always(b"*1\r\n$1\r\nx\r\n"), None),
    ("array of 2^31", always(b"*2147483647\r\n"), None),
    ("arrays 10^6 deep", always(b"*1\r\n" * 1000000), None),
    ("integer", always(b":1\r\n"), None),
    ("status", always(b"+OK\r\n"), None),
    ("no reply at all", always(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None),
    ("more than asked", always(b"$-1\r\n$-1\r\n$-1\r\n"), None),
    ("half of one more", always(b"$-1\r\n$3"), None),
    ("NUL bytes", always(b"\0" * 4096), None),
    ("endless", endless, None),
    ("slow", slowly, None),
    ("drips", drip, None),
    ("closes in a reply", closes, None),
    ("closes", lambda sock, words: sock.shutdown(2), None),
    ("says nothing", lambda sock, words: None, None),
]


@cases(HOSTILE)
def a_hostile_redis_is_left_alone(says, word):
    """CA-103, CA-104, NW-104."""
    with Fake(says) as fake, node(fake.port) as d:
        model(d)
        open_lines(d)
        before, connections = len(rests(d)), fake.connections
        for i in range(30):
            expect_eq(said(ask(d, float(i)), float(i)), None)
        # One GET, or two where the first was answered before what came behind it was seen.
        expect(1 <= fake.asked.count("GET") <= 3, fake.asked)
        wait_for(lambda: len(rests(d)) > before, what="a rest")
        rest = rests(d)[before]
        expect(4000 <= rest["for_ms"] <= 6000 or before, rest)
        expect_eq(rest.get("said"), word)
        metric(d, "bypassed", 26)
        expect_eq(metrics(d)["hits"], 0)
        expect(metrics(d)["errors"] <= 1)  # of those who waited: the first one
        expect(fake.connections <= connections + 1)  # rests are over some day


@test
def who_was_left_alone_is_tried_again():
    with Fake(closes) as fake, node(fake.port) as d:
        model(d)
        open_lines(d)
        expect_eq(said(ask(d, 1.0), 1.0), None)
        wait_for(lambda: metrics(d)["lines"] == 0, 20, "no line")
        fake.says = None
        open_lines(d)
        expect_eq(said(ask(d, 1000.0), 1000.0), None)
        wait_for(lambda: fake.asked[-2:] == ["GET", "SET"], what="a look-up and a fill again")


def full(word):
    def says(sock, words):
        sock.sendall(b"$-1\r\n" if words[0] == b"GET" else word)
    return says


@cases([("READONLY", full(b"-READONLY You can't write against a read only replica.\r\n")),
        ("OOM", full(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"))])
def one_that_keeps_nothing_is_still_read(says):
    """CA-104: a replica, a full one."""
    with Fake(says) as fake, node(fake.port) as d:
        model(d)
        open_lines(d)
        for i in range(20):
            expect_eq(said(ask(d, float(i)), float(i)), None)
        expect_eq(fake.asked.count("GET"), 20)
        expect(fake.asked.count("SET") <= 2, fake.asked)
        expect_eq(metric(d, 'fills{state="left"}', 18) >= 18, True)
        expect_eq(metrics(d)["lines"], 1)
        expect_eq(len([e for e in d.log() if e["event"] == "cache_shared_keeps_nothing"]), 1)


@test
def a_real_one_without_memory_and_a_real_replica():
    """CA-104."""
    with Redis() as main_one, Redis("--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as redis:
        for setting in (("CONFIG", "SET", "maxmemory", "1"), ("REPLICAOF", "127.0.0.1", str(main_one.port))):
            with node(redis.port) as d:
                model(d)
                open_lines(d)
                redis.ask(*setting)
                for i in range(10):
                    expect_eq(said(ask(d, float(i)), float(i)), None)
        expect_eq(main_one.keys(), [])


@test
def a_clock_that_jumps_brings_nothing_back():
    """CA-107, as far as it is about a cache: a value says itself until when it holds."""
    with Redis() as redis, node(redis.port) as one, node(redis.port) as two:
        for d in (one, two):
            model(d, yaml=b"cache: {ttl: 500ms}\n")
            open_lines(d)
        ask(one, 1.0)
        kept(redis, 1)
        name = redis.keys()[0]
        value = redis.ask("GET", name)
        redis.ask("SET", name, value)  # for ever, as if the clock there stood still
        time.sleep(0.6)
        expect_eq(said(ask(two, 1.0), 1.0), None)
        metric(two, "misses", 1)
        expect_eq(metrics(two)["hits"], 0)


@test
def what_is_said_wrong_is_refused_at_the_start():
    """CA-109, and the rest of the options."""
    def check(*args):
        done = subprocess.run([BIN, "serve", "--check", *args], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    good = ("--cache-redis-secret-file", SECRET, "--cache-redis-password-file", PASSWORDS)
    short = secret_file("short")
    for where, words in (("redis://10.1.2.3:6379", "in the clear"), ("redis://[2001:db8::1]", "in the clear"),
                         ("redis://0.0.0.0", "in the clear"), ("redis://example.com", "no address"),
                         ("rediss://127.0.0.1", "is no redis"), ("redis://", "database"),
                         ("redis://127.0.0.1/3", "database"), ("redis://a:secret@127.0.0.1", "password"),
                         ("redis://127.0.0.1:0", "port"), ("redis://127.0.0.1:", "port"),
                         ("redis://127.0.0.1:65536", "port"), ("redis://[::1", "address"), ("redis://[::1]6379", "address")):
        rc, text = check("--cache-redis", where, *good)
        expect(rc != 0, where)
        expect_in(words, text)
        expect("secret@" not in text, text)
    for where in ("redis://127.0.0.1", "redis://localhost:7000/", "redis://u@127.8.9.1:1", "redis://[::1]:6379"):
        expect_eq(check("--cache-redis", where, *good), (0, ""))
    expect_eq(check("--cache-redis", "redis://10.1.2.3", "--cache-redis-insecure", *good)[0], 0)
    expect_in("needs a secret", check("--cache-redis", "redis://127.0.0.1")[1])
    expect_in("takes 32", check("--cache-redis", "redis://127.0.0.1", "--cache-redis-secret-file", short)[1])
    expect_in("password", check("--cache-redis", "redis://u@127.0.0.1", *good[:2])[1])
    os.chmod(short, 0o644)
    expect(check("--cache-redis", "redis://127.0.0.1", "--cache-redis-secret-file", short)[0] != 0)


main()
