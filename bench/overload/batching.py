"""batching.py - OV-17 to OV-20: what batches bring, and what they may not cost.
SPDX-License-Identifier: MIT
"""
import random
import struct
import threading

import make_models as onnx
from rig import (bars, bench, capacity, daemon, least, metrics, models, most, ratio, row,
                 serve)

SLO_MS = 50


def wide_mlp():
    """256-1024-1024-1024-16."""
    return onnx.mlp([256, 1024, 1024, 1024, 16])


def mlp_files(batch):
    return {"model.onnx": wide_mlp(),
            "slipway.yaml": b"limits: {deadline: 100ms}\nbatch: {%s}\n" % batch.encode()}


def pair(d):
    """The same network, batched and not."""
    for name, batch in (("batched", "rows_max: 32, delay_us_max: auto"), ("single", "rows_max: 1")):
        serve(d, name, mlp_files(batch), "batching")


@bars("OV-17")
def goodput(quick):
    s = 3 if quick else 6
    with daemon() as d:
        pair(d)
        single = capacity(d, s, "single")
        rows = []
        for k, name in enumerate(("single", "batched", "single", "batched")):
            rows.append(row("%s%d" % (name, k), 6 * single, model=name,
                            from_s=k * (s + 1), for_s=s))
        by = bench(d, rows, 4 * (s + 1))["by"]
    one, many = (sum(by["%s%d" % (n, k)]["goodput"] for k in ks) / 2
                 for n, ks in (("single", (0, 2)), ("batched", (1, 3))))
    one = max(one, single)
    return {"OV-17": [least("goodput-batched", ratio(many, one), 3, "%.0f/s batched, %.0f/s with "
                            "rows_max 1 (the better of closed loop and open), at %.0f/s asked" %
                            (many, one, 6 * single))]}


@bars("OV-18")
def one_at_a_time(quick):
    s = 1 if quick else 2
    with daemon() as d:
        pair(d)
        p50 = {"single": [], "batched": []}
        for _ in range(3 if quick else 5):
            for name in p50:
                got = bench(d, [row(name, model=name, concurrency=1)], s)
                p50[name].append(got["ok"]["p50_us"])
    one, many = (sorted(p50[n])[len(p50[n]) // 2] for n in ("single", "batched"))
    return {"OV-18": [most("p50-at-concurrency-1", ratio(many, one), 1.05,
                           "%d us batched, %d us with rows_max 1" % (many, one))]}


@bars("OV-19")
def shapes(quick):
    total, crew, wrong, mixed = 4000 if quick else 100000, 8, [], []
    with daemon("--loops", "1") as d:
        files = models.echo([models.spec("x", shape=(-1, -1))], busy_us=20)
        files["slipway.yaml"] = b"batch: {rows_max: 16, delay_us_max: auto}\n"
        serve(d, "m", files, "batching")

        def ask(seed):
            chance = random.Random(seed)
            with d.conn(60) as c:
                for _ in range(total // crew):
                    rows, columns = chance.choice(((1, 4), (1, 9), (2, 4), (3, 9)))
                    data = [chance.randrange(1 << 20) for _ in range(rows * columns)]
                    raw = struct.pack("<%df" % len(data), *data)
                    body, head = models.infer_body([("x", "FP32", [rows, columns], raw)])
                    reply = c.ask("POST", "/v2/models/m/infer", body, head)
                    if reply.status != 200:
                        wrong.append(reply.status)
                        continue
                    _, shape, got = models.outputs_of(reply)["x"]
                    if shape != [rows, columns] or bytes(got) != raw:
                        mixed.append((shape, rows, columns))
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(crew)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        counted = metrics(d).get("slipway_batch_mixed_total")
    if len(wrong) == total:
        raise RuntimeError("nothing was answered: %s" % sorted(set(wrong)))
    made = [most("answers-of-another", len(mixed), 0, "of %d, four shapes of two signatures by "
                 "turns; each answer is its request's own bytes" % total),
            most("not-answered", len(wrong), 0, "statuses %s" % sorted(set(wrong)))]
    if counted is not None:
        made.append(most("mixed-batches", sum(counted.values()), 0, "slipway_batch_mixed_total"))
    return {"OV-19": made}


@bars("OV-20")
def delay(quick):
    s, fixed = (4, (0, 2000)) if quick else (20, (0, 200, 1000, 5000))
    with daemon() as d:
        serve(d, "auto", mlp_files("rows_max: 32, delay_us_max: auto"), "batching")
        for us in fixed:
            serve(d, "fixed%d" % us, mlp_files("rows_max: 32, delay_us_max: %d" % us), "batching")
        cap = capacity(d, 3, "auto", concurrency=64)
        best, best_us = 0, 0
        for us in fixed:
            g = bench(d, [row("f", 0.9 * cap, model="fixed%d" % us)], max(3, s / 4))["goodput"]
            best, best_us = max((best, best_us), (g, us))
        rows = [row("low", 0.1 * cap, model="auto", for_s=s),
                row("high", 0.9 * cap, model="auto", from_s=s, for_s=s),
                row("low-again", 0.1 * cap, model="auto", from_s=2 * s, for_s=s)]
        got = bench(d, rows, 3 * s)
    windows = [w for source in got["sources"] for w in source["seconds"] if w["ok"]]
    held = sum(w["p99_us"] <= SLO_MS * 1000 for w in windows)
    high = got["by"]["high"]["goodput"]
    return {"OV-20": [
        least("seconds-within-slo", ratio(held, len(windows)), 0.99, "%d of %d seconds with p99 "
              "within %d ms" % (held, len(windows), SLO_MS)),
        least("goodput-of-best-fixed", ratio(high, best), 0.9, "%.0f/s by itself, %.0f/s with %d "
              "us, the best of %s, all at 90 %% of %.0f/s" % (high, best, best_us, fixed, cap))]}
