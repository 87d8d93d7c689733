#!/usr/bin/env python3
# run: release
"""memory_test.py - a daemon whose memory is near its budget for real: bodies under way, models and
kept answers fill it to 85, 92, 95 % and past it, by what the kernel says is resident.
SPDX-License-Identifier: MIT
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from hostile import infer_json, rss
from slipway import SANITIZED, Daemon, expect, expect_eq, expect_in, main, skip, test, wait_for

MIB = 1 << 20
BUDGET = 400 * MIB
PIECE = b" " * MIB
AT_85 = {"alert", "no_load", "no_shadow", "half_cache"}
AT_92 = AT_85 | {"no_batch", "unload_idle", "no_keep_alive"}
AT_95 = AT_92 | {"refuse"}


def in_force(d):
    text = d.get("/metrics").body.decode()
    return set(re.findall(r'^slipway_pressure_action\{action="(\w+)"\} 1$', text, re.M))


def metric(d, name):
    found = re.findall(r"^%s(?:\{[^}]*\})? (\S+)$" % name, d.get("/metrics").body.decode(), re.M)
    return sum(float(v) for v in found)


def ask(d, headers=None):
    return d.post("/v2/models/m/infer", infer_json(), headers)


class Fill:
    """Bodies that are under way: each connection has announced 33 MiB and sent at most 32."""

    def __init__(self, d):
        self.d, self.conns, self.room = d, [], 0

    def piece(self):
        if not self.room:
            conn = self.d.conn(30)
            conn.send(b"POST /v2/models/m/infer HTTP/1.1\r\nhost: localhost\r\ncontent-type: "
                      b"application/json\r\ncontent-length: %d\r\n\r\n" % (33 * MIB))
            self.conns.append(conn)
            self.room = 32
        self.conns[-1].send(PIECE)
        self.room -= 1

    def to(self, percent):
        """Until so much is resident: it has to have been read, so each piece is waited for."""
        end = time.monotonic() + 60
        while rss(self.d.proc.pid) * 100 < percent * BUDGET:
            expect(time.monotonic() < end, "no more than %d MiB" % (rss(self.d.proc.pid) // MIB))
            self.piece()
            time.sleep(0.01)

    def leave(self):
        for conn in self.conns:
            conn.close()
        self.conns, self.room = [], 0


def upright(d):
    for path in ("/healthz", "/v2/health/live", "/api/v1/status", "/api/v1/doctor"):
        expect_eq(d.get(path).status, 200, path)


def squeezed(*more):
    if SANITIZED:
        skip("a sanitizer's memory is measured, too")
    return Daemon("--loops", "1", "--memory-budget", str(BUDGET), "--body-max", "64MiB", *more)


@test
def bodies_fill_it_step_by_step_and_leave():
    """[ME-101]"""
    with squeezed("--memory-max", "1GiB") as d:
        models.serve(d, "m", models.echo([models.spec("x", "FP32", (-1, -1))]))
        kept = models.echo([models.spec("x", "FP32", (-1, -1))])
        kept["slipway.yaml"] = b"cache: {ttl: 60s}\n"
        models.serve(d, "kept", kept)
        fresh = models.push(d, "new", models.linear([[0] * 512] * 512, [0] * 512))
        pid = d.proc.pid
        expect(rss(pid) < BUDGET * 0.7, "%d MiB at rest" % (rss(pid) // MIB))
        expect_eq(in_force(d), set())
        fill = Fill(d)
        for percent, actions in ((86, AT_85), (93, AT_92), (95.5, AT_95)):
            fill.to(percent)
            wait_for(lambda: in_force(d) >= actions, what="what belongs to %s %%" % percent)
            time.sleep(0.3)
            now = in_force(d)
            print("%s %%: %d MiB resident, %s" % (percent, rss(pid) // MIB, sorted(now)))
            expect_eq(now - AT_95, set(), percent)
            upright(d)
            refused = "refuse" in now
            expect_eq(ask(d).status, 503 if refused else 200, percent)
            batch = ask(d, {"x-slipway-class": "batch"})
            expect_eq(batch.status, 503 if "no_batch" in now else 200, percent)
            if "no_batch" in now:
                expect_eq(batch.json()["code"], "OVERLOADED")
                expect_in("retry-after", batch.headers)
            reply = models.deploy(d, "new", fresh)
            expect_eq((reply.status, reply.json()["code"]), (507, "MODELS_MEMORY_FULL"), percent)
        fill.leave()
        wait_for(lambda: in_force(d) == set(), what="nothing in force")
        print("after: %d MiB resident" % (rss(pid) // MIB))
        expect_eq(ask(d).status, 200)
        expect_eq(ask(d, {"x-slipway-class": "batch"}).status, 200)
        models.want(models.deploy(d, "new", fresh), 200, "deploy")
        expect_eq(d.proc.pid, pid)
        told = [(e["event"], e["action"]) for e in d.log() if "action" in e and "what" in e]
        for action in AT_95 - {"alert"}:
            expect_eq([t for t in told if t[1] == action][-1][0], "pressure_eased", action)


@test
def who_fills_it_whatever_is_said_is_reset_and_the_process_lives():
    """[ME-101] Forty clients send what they like: past 97 % the heaviest lose their connections."""
    with squeezed("--memory-max", "1GiB") as d:
        models.serve(d, "m", models.echo([models.spec("x", "FP32", (-1, -1))]))
        pid, most = d.proc.pid, 0
        fills = [Fill(d) for _ in range(40)]
        for turn in range(30):
            for fill in fills:
                try:
                    fill.piece()
                except OSError:  # reset, or answered and closed
                    fill.leave()
            most = max(most, rss(pid))
            if turn % 3 == 0:
                expect_eq(d.get("/healthz").status, 200)
                expect_eq(d.get("/api/v1/status").status, 200)
        print("at most %d MiB resident of %d" % (most // MIB, BUDGET // MIB))
        expect(most > 0.9 * BUDGET, most // MIB)
        wait_for(lambda: any(e["event"] in ("connection_reset", "pressure_acts", "memory_high")
                             for e in d.log()), what="what was done about it in the log")
        for fill in fills:
            fill.leave()
        wait_for(lambda: in_force(d) == set(), 20, "nothing in force")
        expect_eq(ask(d).status, 200)
        expect_eq(d.proc.pid, pid)


@test
def requests_have_a_quarter_of_the_budget_unless_said_otherwise():
    """[ME-101] Twelve clients that announce and send 33 MiB each: most are refused in time."""
    with squeezed() as d:
        models.serve(d, "m", models.echo([models.spec("x", "FP32", (-1, -1))]))
        most, fills = 0, [Fill(d) for _ in range(12)]
        for _ in range(30):
            for fill in fills:
                try:
                    fill.piece()
                except OSError:  # answered and closed
                    fill.leave()
            most = max(most, rss(d.proc.pid))
            expect_eq(d.get("/healthz").status, 200)
        print("at most %d MiB resident of %d" % (most // MIB, BUDGET // MIB))
        expect(most < 0.8 * BUDGET, most // MIB)
        expect_eq((in_force(d), ask(d).status), (set(), 200))


@test
def kept_answers_and_idle_models_give_their_memory_back():
    """[ME-101] What the process itself can give, it gives before anybody is refused."""
    with squeezed("--cache-max", "64MiB", "--memory-max", "1GiB") as d:
        models.serve(d, "m", models.echo([models.spec("x", "FP32", (-1, -1))]))
        files = models.echo([models.spec("x", "FP32", (-1, -1))])
        files["slipway.yaml"] = b"cache: {ttl: 600s, bytes_max: 256MiB}\n"
        models.serve(d, "kept", files)
        n = 64 * 1024
        with d.conn(60) as conn:
            for i in range(160):
                body, headers = models.infer_body([("x", "FP32", (1, n), i.to_bytes(4, "little") +
                                                    bytes(4 * n - 4))])
                reply = conn.ask("POST", "/v2/models/kept/infer", body, headers)
                expect_eq(reply.status, 200, reply.body[:200])
        held = metric(d, "slipway_cache_bytes")
        expect(held > 48 * MIB, held)
        fill = Fill(d)
        fill.to(86)
        wait_for(lambda: "half_cache" in in_force(d), what="half a cache")
        wait_for(lambda: metric(d, "slipway_cache_bytes") <= 32 * MIB, what="bytes given back")
        print("kept: %d MiB, then %d" % (held // MIB, metric(d, "slipway_cache_bytes") // MIB))
        expect_eq(ask(d).status, 200)
        fill.leave()
        wait_for(lambda: in_force(d) == set(), 20, "nothing in force")


main()
