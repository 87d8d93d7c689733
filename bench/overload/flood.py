"""flood.py - OV-01 to OV-06, OV-12 and OV-14: more than there is room for.
SPDX-License-Identifier: MIT
"""
import os
import signal
import subprocess
import sys
import time

from rig import (CLIENT, DEADLINE_MS, NotBuilt, bars, bench, bench_end, bench_start, busy, capacity,
                 daemon, good, least, metric, models, most, ratio, row)
from hostile import rss

MIB = 1 << 20


def step(d, cap, factor, calm_s, over_s, after_s=0):
    """80 % of capacity, then factor times it, then 80 % again; the first three seconds of each are
    apart: the bars begin after them."""
    rows, at = [row("calm", 0.8 * cap, for_s=calm_s)], calm_s
    rows += [row("step", factor * cap, from_s=at, for_s=3),
             row("over", factor * cap, from_s=at + 3, for_s=over_s - 3)]
    at += over_s
    if after_s:
        rows += [row("settling", 0.8 * cap, from_s=at, for_s=5),
                 row("after", 0.8 * cap, from_s=at + 5, for_s=after_s - 5)]
        at += after_s
    return bench(d, rows, at)


def goodput_of(got, name="over"):
    return got["by"][name]["goodput"]


def overloaded(quick, factor, least_share):
    with daemon() as d:
        models.serve(d, "m", busy())
        cap = capacity(d, 2 if quick else 4)
        limit = metric(d, "slipway_limit")
        before = rss(d.proc.pid)
        got = step(d, cap, factor, 4 if quick else 10, 7 if quick else 20, 10 if quick else 15)
        grown, pid = rss(d.proc.pid), d.proc.poll()
        peak = max(cap, capacity(d, 2 if quick else 4))
        limit_after = metric(d, "slipway_limit")
        budget = before + sum(x["memory_bytes"] for x in d.get("/api/v1/doctor").json()["limits"])
    calm, over, after = (got["by"][n] for n in ("calm", "over", "after"))
    name = "goodput-at-%dx" % factor
    first = [least(name, ratio(goodput_of(got), peak), least_share,
                   "%.0f/s of %.0f/s, the best closed loop; refusals took p99 %.1f ms" %
                   (goodput_of(got), peak, over["other"]["p99_us"] / 1e3))]
    p99s = [c["ok"]["p99_us"] / 1e3 for c in (calm, over, after)]
    admitted = [most("p99-of-admitted", ratio(p99s[1], p99s[0]), 2, "%.1f ms at %dx over %.1f ms "
                     "at 0.8x" % (p99s[1], factor, p99s[0])),
                most("p99-of-admitted-ms", p99s[1], DEADLINE_MS, "the deadline is %d ms" %
                     DEADLINE_MS)]
    back = [most("p99-after-5s", ratio(p99s[2], p99s[0]), 1.1, "%.1f ms after %dx over %.1f ms "
                 "before" % (p99s[2], factor, p99s[0])),
            most("failed-after-5s", after["failed"], 0, "%d of %d failed: %s" % (
                after["failed"], after["due"], after["failed_by_code"]))]
    if limit is not None and limit_after is not None:
        back.append(most("limit-moved", abs(ratio(limit_after, limit) - 1), 0.1,
                         "limit %g before, %g after" % (limit, limit_after)))
    memory = [most("rss", ratio(grown, budget), 1, "%.0f MiB of %.0f MiB, idle and all limits" % (
        grown / MIB, budget / MIB)),
        most("restarts", int(pid is not None), 0, "the same process")]
    return first, admitted, back, memory


@bars("OV-01", "OV-02", "OV-05")
def five_times(quick):
    first, admitted, back, _ = overloaded(quick, 5, 0.95)
    return {"OV-01": first, "OV-02": admitted, "OV-05": back}


@bars("OV-03")
def twenty_times(quick):
    first, _, _, memory = overloaded(quick, 20, 0.85)
    return {"OV-03": first + memory}


@bars("OV-04")
def batch_class(quick):
    with daemon() as d:
        models.serve(d, "m", busy())
        cap, s = capacity(d, 2 if quick else 4), 5 if quick else 12
        rows, head = [], {"x-slipway-class": "batch"}
        for n in range(4):  # in turns: alone, beside the flood; what a flood left is nobody's
            at = n * (s + 2)
            rows.append(row("alone%d" % n if n % 2 == 0 else "beside%d" % n, 0.5 * cap,
                            from_s=at, for_s=s))
            if n % 2:
                rows.append(row("batch%d" % n, 12 * cap, from_s=at, for_s=s, head=head,
                                deadline=1000))
        by = bench(d, rows, 4 * (s + 2))["by"]
    alone = sum(by["alone%d" % n]["ok"]["p99_us"] for n in (0, 2)) / 2
    beside = sum(by["beside%d" % n]["ok"]["p99_us"] for n in (1, 3)) / 2
    due = sum(by["beside%d" % n]["due"] for n in (1, 3))
    fine = sum(by["beside%d" % n]["good"] for n in (1, 3))
    return {"OV-04": [
        least("interactive-success", ratio(fine, due), 0.999, "%d of %d" % (fine, due)),
        most("interactive-p99", ratio(beside, alone), 1.15, "%.2f ms beside 12x of class batch, "
             "%.2f ms alone, both at half load" % (beside / 1e3, alone / 1e3))]}


@bars("OV-06")
def retry_storm(quick):
    calm, stall, after = 4, 4 if quick else 10, 12
    with daemon() as d:
        models.serve(d, "m", busy())
        cap = capacity(d, 2 if quick else 4)
        load = bench_start(d, [row("storm", 1.2 * cap, retries=3)], calm + stall + after)
        time.sleep(calm + 0.2)
        d.proc.send_signal(signal.SIGSTOP)
        time.sleep(stall)
        d.proc.send_signal(signal.SIGCONT)
        got = bench_end(load)["by"]["storm"]
    before, _ = good(got, 1, calm)
    seconds = {s["second"]: s["good"] for s in got["seconds"]}
    begin = calm + stall + 1
    well = [n for n in range(begin, calm + stall + after - 1)
            if seconds.get(n, 0) >= 0.95 * before and seconds.get(n + 1, 0) >= 0.95 * before]
    took = (well[0] - begin + 1) if well else 99
    return {"OV-06": [most("seconds-to-recover", took, 10, "goodput %.0f/s before a stall of %d s; "
                           "after it %s" % (before, stall, [seconds.get(n, 0) for n in range(
                               begin, calm + stall + after)]))]}


class Slow:
    """So many connections that send a byte now and then."""

    def __init__(self, port, n):
        self.proc = subprocess.Popen(
            ["taskset", "-c", str(CLIENT), "nice", sys.executable,
             os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow.py"), str(port),
             str(n)], stdout=subprocess.PIPE, text=True)
        self.proc.stdout.readline()  # all are open

    def stop(self):
        self.proc.terminate()
        self.proc.wait()


@bars("OV-12")
def slow_connections(quick):
    n = 2000 if quick else 10000
    with daemon() as d:
        models.serve(d, "m", busy())
        cap = capacity(d, 2 if quick else 4)
        slow = Slow(d.port, n)
        try:
            got = step(d, cap, 5, 4 if quick else 10, 7 if quick else 20)
        finally:
            slow.stop()
        peak = max(cap, capacity(d, 2 if quick else 4))
    p99s = [got["by"][x]["ok"]["p99_us"] / 1e3 for x in ("calm", "over")]
    return {"OV-12": [
        least("goodput-beside-%d-slow" % n, ratio(goodput_of(got), peak), 0.95,
              "%.0f/s of %.0f/s without them" % (goodput_of(got), peak)),
        most("p99-of-admitted", ratio(p99s[1], p99s[0]), 2, "%.1f ms at 5x over %.1f ms at 0.8x" %
             (p99s[1], p99s[0]))]}


class HalfCpu:
    """A control group with half a core; NotBuilt where this machine has none to give."""

    def __init__(self, pid):
        for base, quota, text in (("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "50000"),
                                  ("/sys/fs/cgroup", "cpu.max", "50000 100000")):
            self.dir = os.path.join(base, "slipway-bench-%d" % pid)
            try:
                os.mkdir(self.dir)
                with open(os.path.join(self.dir, quota), "w") as f:
                    f.write(text)
            except OSError:
                continue
            self.base, self.pid = base, pid
            return
        raise NotBuilt("no control group for the CPU may be made here; run as root")

    def move(self, inside):
        where = self.dir if inside else self.base
        with open(os.path.join(where, "cgroup.procs"), "w") as f:
            f.write(str(self.pid))

    def end(self):
        os.rmdir(self.dir)


@bars("OV-14")
def half_a_core(quick):
    s = 8 if quick else 30
    with daemon() as d:
        models.serve(d, "m", busy())
        cap, half = capacity(d, 2 if quick else 4), HalfCpu(d.proc.pid)
        try:
            load = bench_start(d, [row("whole", 0.9 * cap, for_s=4),
                                   row("halved", 0.9 * cap, from_s=6, for_s=s - 2)], s + 4)
            time.sleep(4)
            half.move(True)
            got = bench_end(load)["by"]
            closed = capacity(d, 4 if quick else 8)
            peak = max(closed, cap / 2)
            limit = metric(d, "slipway_limit")
        finally:
            half.move(False)
            half.end()
    made = [least("goodput-with-half-a-core", ratio(got["halved"]["goodput"], peak), 0.9,
                  "%.0f/s from 2 s after, of %.0f/s: half of a whole core's, or the best closed "
                  "loop on half a core, %.0f/s (%.0f/s on a whole one)" %
                  (got["halved"]["goodput"], peak, closed, got["whole"]["goodput"]))]
    if limit is None:
        raise NotBuilt("a limit that finds itself (no slipway_limit in /metrics)")
    return {"OV-14": made}
