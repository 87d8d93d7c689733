#!/usr/bin/env python3
# run: early
"""cache_test.py - answers that are kept for who asks the same: what is found and what never is, who
waits for whose run, what a switch of versions leaves, and what it costs.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
import releases
from slipway import SLOW, Daemon, expect, expect_eq, expect_in, main, request, test, wait_for
from tenants import As, tenant

X = models.spec("x", "FP32", (-1, 2))
CACHED = b"cache: {ttl: 60s, bytes_max: 8MiB}\n"


def model(d, name="m", yaml=CACHED, **more):
    files = models.echo([X], **more)
    if yaml:
        files["slipway.yaml"] = yaml
    return models.serve(d, name, files)


def linear(d, factor, name="m", yaml=CACHED):
    files = models.linear([[factor]], [0.0])
    files["slipway.yaml"] = yaml
    return models.serve(d, name, files)


def body(a=1.0, b=2.0, **more):
    return dict({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [a, b]}]}, **more)


def ask(d, a=1.0, name="m", headers=None, **more):
    return d.post("/v2/models/%s/infer" % name, body(a, **more), headers)


def said(reply):
    expect_eq(reply.status, 200, reply.body[:300])
    return reply.headers.get("x-slipway-cache")


def metric(d, name):
    total = 0
    for found in re.finditer(r"^%s(?:\{[^}]*\})? (\S+)$" % re.escape(name), d.get("/metrics").body.decode(), re.M):
        total += float(found.group(1))
    return total


def runs(d, name="m"):
    stats = d.get("/v2/models/%s/stats" % name).json()["model_stats"]
    return sum(s["execution_count"] for s in stats)


@test
def the_same_question_is_answered_without_a_run():
    with Daemon() as d:
        model(d)
        first = ask(d, id="one")
        expect_eq(said(first), None)
        again = ask(d, id="two", parameters={"slipway_debug": True})
        expect_eq(said(again), "hit")
        expect_eq(again.json()["id"], "two")
        expect_eq(again.json()["outputs"], first.json()["outputs"])
        expect_eq(again.json()["parameters"]["cache"], "hit")
        # Other forms of the same: raw bytes out, another id, a priority, a timeout.
        expect_eq(said(ask(d, parameters={"binary_data_output": True, "priority": 3, "timeout": 9000000})), "hit")
        expect_eq(said(ask(d, 3.0)), None)
        expect_eq(said(ask(d, outputs=[{"name": "x"}])), None)
        expect_eq(runs(d), 3)
        stats = d.get("/v2/models/m/stats").json()["model_stats"][0]
        expect_eq(stats["inference_stats"]["success"]["count"], 5)
        expect_eq(stats["inference_stats"]["cache_hit"]["count"], 2)
        expect_eq(stats["inference_stats"]["cache_miss"]["count"], 3)
        expect_eq(stats["inference_count"], 3)
        expect_eq(metric(d, "slipway_cache_hits"), 2)
        expect_eq(metric(d, "slipway_cache_misses"), 3)
        expect_eq(metric(d, "slipway_cache_key_mismatch"), 0)
        expect(metric(d, "slipway_cache_bytes") > 300)


@test
def what_is_asked_not_to_be_kept_is_not():
    """CA-106: errors, never, no-store, no-cache, sequences; and models that say nothing."""
    with Daemon() as d:
        model(d)
        model(d, "never", b"cache: never\n")
        model(d, "plain", None)
        for name in ("never", "plain"):
            for _ in range(2):
                expect_eq(said(ask(d, name=name)), None)
        store = {"cache-control": "max-age=0, No-Store"}
        for _ in range(2):
            expect_eq(said(ask(d, headers=store)), None)
            expect_eq(said(ask(d, parameters={"slipway_cache": "never"})), None)
            expect_eq(said(ask(d, parameters={"sequence_id": 7})), None)
        expect_eq(metric(d, "slipway_cache_bytes"), 0)
        fresh = {"cache-control": "no-cache"}
        expect_eq(said(ask(d, headers=fresh)), None)  # not read, but kept
        expect_eq(said(ask(d)), "hit")
        expect_eq(said(ask(d, headers=fresh)), None)
        expect_eq(said(ask(d, parameters={"slipway_cache": "refresh"})), None)
        expect_eq(said(ask(d, headers=store)), None)
        wrong = ask(d, parameters={"slipway_cache": "maybe"})
        expect_eq((wrong.status, wrong.json()["code"]), (400, "WRONG_TYPE"))
        for _ in range(2):
            bad = d.post("/v2/models/m/infer", {"inputs": []})
            expect_eq(bad.status, 400)
            expect("x-slipway-cache" not in bad.headers)


@test
def a_daemon_without_a_budget_keeps_nothing():
    with Daemon("--cache-max", "0") as d:
        model(d)
        for _ in range(2):
            expect_eq(said(ask(d)), None)


@test
def an_answer_is_kept_for_its_time():
    with Daemon() as d:
        model(d, yaml=b"cache: {ttl: 300ms}\n")
        ask(d)
        expect_eq(said(ask(d)), "hit")
        time.sleep(0.4)
        expect_eq(said(ask(d)), None)
        wait_for(lambda: metric(d, "slipway_cache_bytes") == 0, what="what expired to be given back")


@test
def the_quota_of_a_tenant_holds():
    with Daemon() as d:
        model(d)
        expect_eq(d.cli("tenant", "set", "default", "--cache-bytes", "4KiB").returncode, 0)
        for i in range(50):
            ask(d, float(i))
        expect(0 < metric(d, "slipway_cache_bytes") <= 4096)
        expect(metric(d, "slipway_cache_evictions") >= 30)
        quota = d.get("/api/v1/quotas").json()["quotas"]["cache_bytes"]
        expect_eq(quota["limit"], 4096)
        expect(0 < quota["used"] <= 4096)
        limits = d.get("/api/v1/doctor").json()["limits"]
        expect(any(row["option"] == "--cache-max" and row["value"] == 256 << 20 for row in limits), limits)


@test
def a_stampede_of_equal_misses_is_one_run():
    n, loops = 1000, 2
    with Daemon("--loops", str(loops), "--connections-max", "4096", seconds=20 * SLOW) as d:
        model(d, delay_us=int(1500000 * SLOW))
        conns = [d.conn(60 * SLOW) for _ in range(n)]
        text = request("POST", "/v2/models/m/infer", body())
        for c in conns:
            c.send(text)
        says = [said(c.reply()) for c in conns]
        expect_eq(runs(d), 1)
        expect_eq(says.count(None), 1)
        expect_eq(says.count("shared") + says.count("hit"), n - 1)
        expect(says.count("shared") > n // 2, says.count("shared"))
        for c in conns:
            c.close()
        wait_for(lambda: metric(d, "nv_inference_pending_request_count") == 0, what="nothing in flight")


@test
def who_leads_may_leave_and_the_run_goes_on():
    with Daemon("--loops", "2", "--workers", "1") as d:
        model(d, delay_us=int(1000000 * SLOW))
        text = request("POST", "/v2/models/m/infer", body())
        leader, others = d.conn(60), [d.conn(60) for _ in range(6)]
        leader.send(text)
        time.sleep(0.2)
        for c in others:
            c.send(text)
        time.sleep(0.2)
        leader.close()
        others.pop().close()
        expect_eq([said(c.reply()) for c in others], ["shared"] * 5)
        expect(runs(d) <= 1)  # a run whose own client left is counted as no answer
        # And each has its own deadline.
        late = ask(d, 5.0, headers={"x-slipway-deadline-ms": "100"})
        expect(late.status in (503, 504), late.body)  # refused at once, or late


@test
def one_that_waits_too_long_is_late_alone():
    with Daemon("--loops", "1", "--workers", "1") as d:
        model(d, delay_us=int(1000000 * SLOW))
        first, short, last = [d.conn(60) for _ in range(3)]
        first.send(request("POST", "/v2/models/m/infer", body()))
        time.sleep(0.1)
        short.send(request("POST", "/v2/models/m/infer", body(), {"x-slipway-deadline-ms": "200"}))
        last.send(request("POST", "/v2/models/m/infer", body()))
        began = time.monotonic()
        expect_eq(short.reply().status, 504)
        expect(time.monotonic() - began < 0.9 * SLOW)
        expect_eq(said(first.reply()), None)
        expect_eq(said(last.reply()), "shared")
        expect_eq(runs(d), 1)


@test
def after_the_2xx_of_a_switch_nothing_older_is_served():
    """CA-105: eight clients ask the same all the while; each notes when it asked."""
    with Daemon("--loops", "2") as d:
        stop, wrong, asked, hits = threading.Event(), [], [0], [0]
        current = {"value": None}  # what every request sent from then on must get

        def put(factor):
            version = linear(d, factor)
            current.update(value=factor)
            return version

        put(1.0)
        probe = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]}
        text = request("POST", "/v2/models/m/infer", probe)

        def client():
            with d.conn(30 * SLOW) as c:
                while not stop.is_set():
                    least = current["value"]
                    c.send(text)
                    reply = c.reply()
                    if reply.status != 200:
                        wrong.append(reply.body)
                        return
                    got = reply.json()["outputs"][0]["data"][0]
                    asked[0] += 1
                    hits[0] += reply.headers.get("x-slipway-cache") == "hit"
                    if got < least:
                        wrong.append("got %s after %s was acknowledged" % (got, least))

        threads = [threading.Thread(target=client) for _ in range(8)]
        for t in threads:
            t.start()
        for i in range(2, 16):
            put(float(i))
            time.sleep(0.05)
        stop.set()
        for t in threads:
            t.join()
        expect_eq(wrong[:3], [])
        expect(hits[0] > asked[0] / 2, (hits[0], asked[0]))
        # Back to what served before: that one's own answers, and no other's.
        expect_eq(d.post("/api/v1/models/m/rollback", {"wait": True}).status, 200)
        for _ in range(3):
            expect_eq(d.post("/v2/models/m/infer", probe).json()["outputs"][0]["data"], [14.0])
        before = metric(d, "slipway_cache_bytes")
        expect(before > 0)
        models.unload(d, "m")
        began = time.monotonic()
        wait_for(lambda: metric(d, "slipway_cache_bytes") == 0, what="the old ones' bytes")
        expect(time.monotonic() - began < 1.2 * SLOW, time.monotonic() - began)


@test
def what_was_removed_is_forgotten():
    """CA-105: the same files under the same name again are another model's, and another tenant's."""
    with Daemon() as d:
        model(d)
        ask(d)
        expect_eq(said(ask(d)), "hit")
        models.unload(d, "m")
        reply = d.ask("DELETE", "/api/v1/models/m")
        expect(reply.status in (200, 204), reply.body)
        model(d)
        expect_eq(said(ask(d)), None)
        expect_eq(said(ask(d)), "hit")


@test
def a_hit_costs_a_fifth_of_a_run_and_a_miss_hardly_more():
    """By the processor time of the server, in one run: ratios of a model of 200 us and one of 1 ms."""
    def cpu(d, name, n, fresh):
        conn = d.conn(30 * SLOW)
        before = metric(d, "process_cpu_seconds_total")
        for i in range(n):
            conn.send(request("POST", "/v2/models/%s/infer" % name, body(float(i if fresh else 0), float(fresh))))
            expect_eq(conn.reply().status, 200)
        conn.close()
        return (metric(d, "process_cpu_seconds_total") - before) / n

    with Daemon("--loops", "1", "--workers", "1") as d:
        model(d, "short", busy_us=200)
        model(d, "kept", busy_us=1000)
        model(d, "plain", None, busy_us=1000)
        cpu(d, "short", 50, 0)
        miss, hit = cpu(d, "short", 1000, 1), cpu(d, "short", 4000, 0)
        print("hit: %.1f us, miss of 200 us: %.1f us" % (hit * 1e6, miss * 1e6))
        rounds = []
        for i in range(7):
            order = ("kept", "plain") if i % 2 else ("plain", "kept")
            rounds.append({name: cpu(d, name, 300, 2 + i) for name in order})
        ratio = sorted(r["plain"] / r["kept"] for r in rounds)[3]
        span = d.get("/v2/models/kept/stats").json()["model_stats"][0]["inference_stats"]["cache_miss"]
        print("looking, keeping and telling: %.2f us a miss" % (span["ns"] / span["count"] / 1000))
        print("all misses of 1 ms: %.1f %% of what they do without a cache" % (100 * ratio))
        expect(SLOW > 1 or miss >= 5 * hit, (miss, hit))
        expect(SLOW > 1 or ratio >= 0.97, rounds)
        expect_eq(metric(d, "slipway_cache_hits"), 4000 + 49)


@test
def short_of_memory_half_of_it_is_given_back():
    with tempfile.NamedTemporaryFile("w", suffix=".pressure") as readings, \
            Daemon("--cache-max", "64KiB", env={"SLIPWAY_DEBUG": "pressure=" + readings.name}) as d:
        model(d)
        for i in range(200):
            ask(d, float(i))
        expect(32 << 10 < metric(d, "slipway_cache_bytes") <= 64 << 10)
        readings.write("memory 86\n")
        readings.flush()
        wait_for(lambda: metric(d, "slipway_cache_bytes") <= 32 << 10, what="half of it")
        expect_eq(ask(d, 1.0).status, 200)
        expect(metric(d, "slipway_cache_bytes") <= 32 << 10)


@test
def tenants_share_nothing():
    """CA-101: the same model files, the same question: each runs its own."""
    with Daemon() as d:
        acme, zeta = As(d, tenant(d, "acme")), As(d, tenant(d, "zeta"))
        for who in (acme, zeta):
            model(who)
        for who in (acme, zeta):
            expect_eq(said(ask(who)), None)
            expect_eq(said(ask(who)), "hit")
        for who in (acme, zeta):
            expect_eq(metric(who, "slipway_cache_hits"), 1)


@test
def a_shadow_neither_reads_nor_fills():
    """Answers that were kept are not copied; copies are runs, and what they answer is not kept."""
    with Daemon("--loops", "1") as d:
        model(d)
        files = models.echo([X])
        files.update({"slipway.yaml": CACHED, "note.txt": b"second"})
        models.push(d, "m", files)
        releases.begin(d, strategy="shadow")
        releases.reaches(d, "running")

        def pairs():  # repeats of what was asked before, too
            return releases.release(d)["arms"][0]["requests"]

        wait_for(lambda: d.post("/v2/models/m/versions/2/infer", body(98.0)).status == 200, 20,
                 "version 2 is loaded")
        named = d.post("/v2/models/m/versions/2/infer", body(99.0))
        expect_eq(said(named), None)
        expect_eq(said(d.post("/v2/models/m/versions/2/infer", body(99.0))), "hit")
        expect_eq(said(ask(d, 99.0)), None)  # its copy must run, although its answer is known
        wait_for(lambda: pairs() == 1, 20, "the pair of what version 2 had kept")
        for i in range(20):
            expect_eq(said(ask(d, float(i))), None)
            time.sleep(0.02)
        wait_for(lambda: pairs() >= 15, 20, "pairs")
        time.sleep(1.5)
        seen, kept = pairs(), metric(d, "slipway_cache_bytes")
        for i in range(20):
            expect_eq(said(ask(d, float(i))), "hit")
        time.sleep(2.5)
        expect_eq(pairs(), seen, "hits were copied")
        expect_eq(metric(d, "slipway_cache_bytes"), kept)
        for i in range(20):
            again = d.post("/v2/models/m/versions/2/infer", body(float(i)))
            expect_eq(said(again), None, i)


main()
