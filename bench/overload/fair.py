"""fair.py - OV-07 to OV-10 and OV-15: what one feels of the others.
SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys
import threading
import time

from rig import (CLIENT, CORES, DEADLINE_MS, ROOT, Bar, bars, bench, bench_end, bench_start, busy,
                 capacity, daemon, least, metric, metrics, models, most, ratio, row)
from slipway import Failed, expect_eq
from tenants import As, auth, operator, tenant

# A share is counted in whole batches: one row each, so that ten seconds hold enough of them.
LONG = b"limits: {deadline: 30s}\nbatch: {rows_max: 1}\n"


@bars("OV-07")
def quota(quick):
    """bench/quota.py measures it; here its lines are read."""
    done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "quota.py"), "--seconds",
                           "12" if quick else "30"], stdout=subprocess.PIPE, text=True)
    made, sides = [], " | ".join(done.stdout.splitlines()[:2])
    for name, value, bar in re.findall(r"^OV-07 (.+?)  +([\d.]+)  (\S+)", done.stdout, re.M):
        low, _, high = bar.rpartition("..")
        made.append(Bar(name.replace(" ", "-"), float(value), bar,
                        lambda v, a=float(low or 0), b=float(high): a <= v <= b, sides))
    return {"OV-07": made}


def costs_of(d, keys):
    """{tenant: (measured seconds of its runs, how many of its requests wait)}, all of one moment:
    sums come once a second, so they are read behind the first one's change and before its next."""
    first = next(iter(keys))

    def one(who):
        found = metrics(As(d, keys[who]))
        return tuple(sum(found.get(name, {}).values())
                     for name in ("slipway_infer_duration_seconds_sum", "slipway_inflight"))
    for _ in range(4):
        before = one(first)[0]
        while one(first)[0] == before:
            time.sleep(0.01)
        got = {who: one(who) for who in keys}
        if one(first)[0] == got[first][0]:
            return got
    raise Failed("the sums of %d tenants took longer to read than a second" % len(keys))


@bars("OV-08")
def weights(quick):
    """Costs are what the daemon measured, between two moments while all of them wait: what is
    answered after the load has ended would be nobody's share."""
    n, s = (12, 5) if quick else (100, 10)
    weight_of, keys = {}, {}
    with daemon("--keys-only", "--calls-max", "2048") as d:
        top, rows = As(d, operator(d)), []
        for i in range(n):
            name = "t%d" % i
            weight_of[name] = (1, 2, 4)[i % 3]
            key = keys[name] = tenant(d, name)
            models.serve(As(d, key), "m", busy(yaml=LONG))
            reply = top.ask("PATCH", "/api/v1/tenants/" + name,
                            {"quotas": {"weight": weight_of[name]}})
            if reply.status != 200:
                raise Failed("weight of a tenant: %r" % reply)
            rows.append(row(name, key=key, deadline=None, concurrency=8))
        load = bench_start(d, rows, s + 6)
        time.sleep(2)
        was = costs_of(d, keys)
        time.sleep(s - 0.5)
        now = costs_of(d, keys)
        got = bench_end(load)
    done = {t: now[t][0] - was[t][0] for t in keys}
    waiting = [w for _, w in list(was.values()) + list(now.values())]
    total, shares = sum(done.values()), sum(weight_of.values())
    each = [done[t] / weight_of[t] for t in weight_of]
    jain = ratio(sum(each) ** 2, len(each) * sum(x * x for x in each))
    off = {t: ratio(done[t], total) / (weight_of[t] / shares) - 1 for t in weight_of}
    worst = max(off, key=lambda t: abs(off[t]))
    runs = {w: sum(done[t] for t in done if weight_of[t] == w) for w in (1, 2, 4)}
    sides = ("%d tenants, %.2f s of cost in %d s, by weight: %s; worst: weight %d with %.1f ms of "
             "%.1f ms; the least that waited: %d; failed: %d" % (
                 n, total, s, {w: round(c, 3) for w, c in runs.items()}, weight_of[worst],
                 1e3 * done[worst], 1e3 * total * weight_of[worst] / shares, min(waiting),
                 got["failed"]))
    return {"OV-08": [most("worst-share", abs(off[worst]), 0.05, sides),
                      least("jain-index", jain, 0.99, sides)]}


@bars("OV-09")
def alone(quick):
    s = 3 if quick else 6
    with daemon("--keys-only") as d:
        key = tenant(d, "busy")
        for i in range(20):
            tenant(d, "idle%d" % i)
        models.serve(As(d, key), "m", busy())
        cap = capacity(d, s, key=key)
        got = bench(d, [row("above-its-share", 3 * cap, key=key)], s + 2)
        cap = max(cap, capacity(d, s, key=key))
    g, _ = got["goodput"], None
    return {"OV-09": [least("used-of-capacity", ratio(g, cap), 0.95, "%.0f/s of %.0f/s, 20 other "
                            "tenants idle" % (g, cap))]}


@bars("OV-10")
def heavy_and_light(quick):
    s = 4 if quick else 10
    with daemon("--workers", "2", cores=",".join(map(str, CORES))) as d:
        models.serve(d, "light", busy(1000))
        models.serve(d, "heavy", busy(100000, yaml=b"limits: {deadline: 2s}\n"))
        rows = []
        for k in range(2):
            at = 2 * k * s
            rows += [row("solo%d" % k, 50, model="light", from_s=at, for_s=s),
                     row("beside%d" % k, 50, model="light", from_s=at + s, for_s=s - 1),
                     row("heavy%d" % k, 100, model="heavy", deadline=2000, from_s=at + s,
                         for_s=s - 2, timeout_ms=3000)]
        by = bench(d, rows, 4 * s, pinned=False)["by"]
    solo = sum(by["solo%d" % k]["ok"]["p99_us"] for k in range(2)) / 2
    beside = sum(by["beside%d" % k]["ok"]["p99_us"] for k in range(2)) / 2
    failed = sum(by["beside%d" % k]["failed"] for k in range(2))
    return {"OV-10": [
        most("light-p99", ratio(beside, solo), 2, "%.2f ms beside a 100 ms model at 10x one "
             "worker's capacity, %.2f ms alone; two workers, the generator on the same cores" %
             (beside / 1e3, solo / 1e3)),
        most("light-failed", failed, 0, "of %d" % sum(by["beside%d" % k]["due"]
                                                     for k in range(2)))]}


@bars("OV-15")
def fifty_loads(quick):
    n, quiet_s, rounds = 50, 4, 1 if quick else 2
    with daemon() as d:
        models.serve(d, "m", busy())
        for i in range(n):
            models.push(d, "load%d" % i, models.linear([[0.5] * 1000] * 50, [0] * 50))
        cap = capacity(d, 2)
        load = bench_start(d, [row("half", 0.5 * cap)], rounds * (2 * quiet_s) + 4)
        time.sleep(1)
        began, spans, most_loading, end = time.monotonic() - 1, [], [0], threading.Event()

        def watch():
            stand_aside()
            while not end.is_set():
                most_loading[0] = max(most_loading[0], metric(d, "slipway_models_loading") or 0)
                time.sleep(0.1)
        thread = threading.Thread(target=watch)
        thread.start()
        for k in range(rounds):
            time.sleep(quiet_s)
            at = time.monotonic() - began
            crew = [threading.Thread(target=deploy_some, args=(d, range(t, n, 10)))
                    for t in range(10)]
            for each in crew:
                each.start()
            for each in crew:
                each.join()
            spans.append((at, time.monotonic() - began))
            for i in range(n):
                models.unload(d, "load%d" % i)
        end.set()
        thread.join()
        got = bench_end(load)["by"]["half"]
    touched = {s for a, b in spans for s in range(int(a), int(b) + 1)}
    p99 = {True: [], False: []}
    for s in got["seconds"]:
        if 0 < s["second"] < rounds * 2 * quiet_s + 3:
            p99[s["second"] in touched].append(s["p99_us"])
    means = {k: sorted(v)[len(v) // 2] if v else 0 for k, v in p99.items()}
    return {"OV-15": [
        most("p99-while-50-load", ratio(means[True], means[False]), 1.15,
             "%.2f ms in seconds with loads, %.2f ms without (medians of each second's p99); the "
             "loads took %s s" % (means[True] / 1e3, means[False] / 1e3,
                                  ["%.1f" % (b - a) for a, b in spans])),
        most("failed", got["failed"], 0, "of %d" % got["due"]),
        most("loads-at-once", most_loading[0], 50, "of slipway_models_loading, which counts those "
             "that wait, too")]}


def stand_aside():
    """What asks for loads has the generator's core when that does not want it, and never the
    server's: it is the loads that are measured, not who asks for them."""
    os.sched_setaffinity(0, {CLIENT})
    os.nice(19)  # of this thread alone


def deploy_some(d, numbers):
    stand_aside()
    for i in numbers:
        expect_eq(models.deploy(d, "load%d" % i, 1).status, 200)
