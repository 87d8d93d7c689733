"""refuse.py - OV-11 and OV-13: what cannot be answered is refused at once, and cheaply.
SPDX-License-Identifier: MIT
"""
from rig import (bars, bench, busy, cpu_ns, daemon, flat_out, least, models, most, ratio, row,
                 runs_of, X)
from tenants import As, operator, tenant


ONE_ROW = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}'


@bars("OV-11")
def hopeless(quick):
    s = 4 if quick else 10
    with daemon() as d:
        files = models.echo(X, delay_us=500000)
        files["slipway.yaml"] = b"limits: {deadline: 10s}\n"
        models.serve(d, "m", files)
        bench(d, [row("warm", deadline=None, concurrency=1)], 2)  # its run time is known
        before = runs_of(d, "m")
        got = bench(d, [row("queue", deadline=10000, concurrency=3),
                        row("hopeless", 50, deadline=50, from_s=1, for_s=s - 1)], s)["by"]
        ran = runs_of(d, "m") - before
    hopeless_, queue = got["hopeless"], got["queue"]
    sides = "%d requests with 50 ms into a queue of 500 ms and more: %s" % (
        hopeless_["due"], hopeless_["failed_by_code"])
    return {"OV-11": [
        most("p99-of-refusals-ms", hopeless_["other"]["p99_us"] / 1e3, 5, sides),
        most("answered-200", hopeless_["ok_count"], 0, sides),
        most("run-after-their-deadline", max(0, ran - queue["due"]), 0,
             "%d runs for %d requests that could be answered" % (ran, queue["due"]))]}


def cost(d, rows, seconds):
    """(CPU microseconds of the server for each request, the report)"""
    before = cpu_ns(d.proc.pid)
    got = bench(d, rows, seconds)
    return (cpu_ns(d.proc.pid) - before) / 1e3 / max(1, got["due"]), got


@bars("OV-13")
def refusals(quick):
    s = 3 if quick else 6
    with daemon("--keys-only") as d:
        top, key, other = As(d, operator(d)), tenant(d, "served"), tenant(d, "refused")
        models.serve(As(d, key), "m", busy())
        models.serve(As(d, other), "m", busy())
        reply = top.ask("PATCH", "/api/v1/tenants/refused",
                        {"quotas": {"requests_per_second": 1, "requests_burst": 1}})
        if reply.status != 200:
            raise RuntimeError(repr(reply))
        served_us, _ = cost(d, [row("served", key=key, concurrency=4)], s)
        refused_us, _ = cost(d, [row("refused", key=other, concurrency=64)], s)
        rate, share = (0, 0) if quick else flat_out(d, "m", ONE_ROW, s, 64, other)
    made = [most("cpu-of-a-refusal", ratio(refused_us, served_us), 0.05, "%.1f us for a 429, %.1f "
                 "us for an answer of a 1 ms model" % (refused_us, served_us))]
    if not quick:
        made.append(least("refusals-per-second", rate * share, 50000, "wrk, 64 connections, the "
                          "server on one core: %.3f %% of %.0f/s" % (100 * share, rate)))
    return {"OV-13": made}
