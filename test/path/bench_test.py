#!/usr/bin/env python3
"""bench_test.py - `slipway bench` against a running daemon: rates are kept, versions told apart,
stalls seen, mistakes named.
SPDX-License-Identifier: MIT
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import BIN, Daemon, expect, expect_eq, expect_in, main, test  # noqa: E402
import models  # noqa: E402


def bench(daemon, *args, code=0):
    got = daemon.cli("bench", *args, "--json")
    expect_eq(got.returncode, code, got.stderr)
    return json.loads(got.stdout or got.stderr)


@test
def a_rate_is_kept_and_versions_are_told_apart():
    with Daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x")]))
        got = bench(d, "echo", "--rate", "200", "--for", "2")
        expect(380 <= got["answers"] <= 400, got)
        expect_eq(got["failed"], 0)
        expect_eq([v["version"] for v in got["versions"]], [1])
        expect(0 < got["versions"][0]["p50_us"] <= got["versions"][0]["p999_us"], got)
        got = bench(d, "echo@1", "--concurrency", "2", "--for", "1")
        expect(got["answers"] > 100, got)


@test
def a_stall_counts_for_all_who_were_due_in_it():
    with Daemon() as d:
        models.serve(d, "slow", models.echo([models.spec("x")], delay_us=50000))
        got = bench(d, "slow", "--rate", "40", "--concurrency", "1", "--for", "2")
        # 20 a second are answered of 40: the last were due a second before their answer
        expect(got["versions"][0]["p99_us"] > 300000, got)


@test
def bodies_come_from_a_file_and_bad_ones_count_as_failed():
    with Daemon() as d, tempfile.NamedTemporaryFile("w") as bodies:
        models.serve(d, "echo", models.echo([models.spec("x")]))
        good = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4],
                            "data": [1, 2, 3, 4]}]}
        bodies.write(json.dumps(good) + "\nnot json\n")
        bodies.flush()
        got = bench(d, "echo", "--rate", "100", "--for", "1", "--input", bodies.name, code=7)
        expect(abs(got["failed"] * 2 - got["answers"]) <= 2, got)
        expect_eq(got["failed_by_status"], {"400": got["failed"]})


@test
def an_interrupt_ends_the_load_and_not_the_telling():
    with Daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x")]))
        env = dict(os.environ, SLIPWAY_URL=d.url())
        load = subprocess.Popen([BIN, "bench", "echo", "--rate", "100", "--for", "600", "--json"],
                                env=env, stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        load.send_signal(signal.SIGINT)
        got = json.loads(load.communicate(timeout=20)[0])
        expect_eq(load.returncode, 0)
        expect(50 < got["answers"] < 400 and 50 < got["rate"] < 150, got)


@test
def mistakes_are_named():
    with Daemon() as d:
        expect_in("not known", bench(d, "nope", code=4)["error"])
        models.serve(d, "echo", models.echo([models.spec("x")]))
        expect_in("at most 256", bench(d, "echo", "--concurrency", "1000", code=2)["error"])
        expect_in("cannot be read", bench(d, "echo", "--input", "/nowhere", code=4)["error"])


if __name__ == "__main__":
    sys.exit(main())
