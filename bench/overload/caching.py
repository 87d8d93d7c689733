"""caching.py - OV-21: what the cache costs where it does not help, saves where it does, and never
answers.
SPDX-License-Identifier: MIT
"""
import json
import threading

from rig import (bars, bench, busy, cpu_ns, daemon, flat_out, least, models, most, ratio, row,
                 runs_of, serve, X)
from slipway import expect_eq

CACHED = b"limits: {deadline: 10s}\ncache: {ttl: 60s}\n"
PLAIN = b"limits: {deadline: 10s}\n"


def misses(d, quick):
    s, rounds, got = 2, 2 if quick else 4, {"plain": 0, "cached": 0}
    for _ in range(rounds):
        for name in got:
            got[name] += bench(d, [row(name, model=name, deadline=10000, concurrency=16,
                                       unique=True)], s)["goodput"]
    return least("all-miss-goodput", ratio(got["cached"], got["plain"]), 0.97, "%.0f/s with the "
                 "cache, %.0f/s without, no two requests alike" % (got["cached"] / rounds,
                                                                  got["plain"] / rounds))


def hits(d, quick):
    us = {}
    for name, unique in (("plain", True), ("cached", False)):
        before = cpu_ns(d.proc.pid)
        report = bench(d, [row(name, model=name, deadline=10000, concurrency=16, unique=unique)],
                       2 if quick else 4)
        us[name] = (cpu_ns(d.proc.pid) - before) / 1e3 / report["ok_count"]
        share = report["cached"] / report["due"]
    return [least("hit-over-run", ratio(us["plain"], us["cached"]), 5, "%.1f us of a core for a "
                  "run of a 200 us model, %.1f us for a hit" % (us["plain"], us["cached"])),
            least("hits", share, 0.99, "of equal requests said x-slipway-cache: hit")]


def hit_rate(d):
    """Equal requests to the echo engine, and to a model that takes 200 us and is kept."""
    s, rounds = 2, 4
    body = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}'
    models.serve(d, "echo", models.echo(X))
    rate, failed = {"echo": 0, "cached": 0}, 0
    for _ in range(rounds):
        for name in rate:
            got, share = flat_out(d, name, body, s, 16)
            rate[name] += got / rounds
            failed += share
    if failed:
        raise RuntimeError("not all were answered")
    return least("hit-rate-of-echo", ratio(rate["cached"], rate["echo"]), 0.8, "%.0f/s from the "
                 "cache, %.0f/s of the echo engine; wrk, 16 connections" % (rate["cached"],
                                                                           rate["echo"]))


def stampede(quick):
    n = 1000 if quick else 10000
    with daemon("--calls-max", "12000", "--connections-max", "12000") as d:
        files = models.echo([models.spec("x", shape=(-1, 4))], delay_us=1500000)
        files["slipway.yaml"] = CACHED
        serve(d, "m", files, "the cache")
        before = runs_of(d, "m")
        got = bench(d, [row("equal", deadline=10000, rate=n * 2, concurrency=n, for_s=0.5)], 1)
        ran = runs_of(d, "m") - before
    return [most("runs-of-equal-misses", ran, 1, "for %d equal requests within half a second, a "
                 "run takes 1.5 s" % got["due"]),
            most("stampede-failed", got["failed"], 0, "%s %s" % (got["failed_by_status"],
                                                                got["failed_by_code"]))]


def stale(d, quick):
    """Versions answer their own number; after the 2xx of a switch nobody may read the old one."""
    numbers, said, end = 6 if quick else 40, [], threading.Event()
    current, lock, asked, body = [1], threading.Lock(), [0], []

    def ask():
        with d.conn(60) as c:
            while not end.is_set():
                with lock:
                    floor = current[0]  # of a switch that was answered before this request
                reply = c.ask("POST", "/v2/models/v/infer", body[0])
                if reply.status != 200:
                    said.append(reply.status)
                    return
                value = reply.json()["outputs"][0]["data"][0]
                asked[0] += 1
                if value < floor:
                    said.append((value, floor))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for version in range(1, numbers + 1):
        files = models.linear([[0]], [version])
        files["slipway.yaml"] = CACHED
        expect_eq(serve(d, "v", files, "the cache"), version)
        with lock:
            current[0] = version
        if version == 1:
            meant = d.get("/v2/models/v").json()["inputs"][0]
            body.append(json.dumps({"inputs": [{"name": meant["name"], "shape": [1, 1], "data": [1],
                                                "datatype": meant["datatype"]}]}).encode())
            for each in threads:
                each.start()
    end.set()
    for each in threads:
        each.join()
    if asked[0] < numbers:  # nothing was looked at
        raise RuntimeError("%d answers over %d switches: %s" % (asked[0], numbers - 1, said[:3]))
    return most("stale-after-a-switch", len(said), 0, "of %d answers over %d switches, wrong: "
                "%s" % (asked[0], numbers - 1, said[:3]))


@bars("OV-21")
def cache(quick):
    with daemon() as d:
        serve(d, "cached", busy(200, yaml=CACHED), "the cache")
        models.serve(d, "plain", busy(200, yaml=PLAIN))
        made = [misses(d, quick)] + hits(d, quick) + [stale(d, quick)]
        made += [] if quick else [hit_rate(d)]
    return {"OV-21": made + stampede(quick)}
