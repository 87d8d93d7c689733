#!/usr/bin/env python3
# run: early
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
from tenants import As, tenant  # noqa: E402


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
def a_stall_of_the_server_is_in_everybodys_time():
    with Daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x")]))
        env = dict(os.environ, SLIPWAY_URL=d.url())
        load = subprocess.Popen([BIN, "bench", "echo", "--rate", "200", "--for", "4", "--json",
                                 "--each-second", "--deadline", "100"], env=env,
                                stdout=subprocess.PIPE, text=True)
        time.sleep(1.5)
        d.proc.send_signal(signal.SIGSTOP)
        time.sleep(1)
        d.proc.send_signal(signal.SIGCONT)
        got = json.loads(load.communicate(timeout=20)[0])
        # 800 were due, 200 of them in the stall: told with what they waited, none left out
        expect_eq(got["due"], 800)
        expect(got["ok"]["p90_us"] > 300000 or got["failed"] > 80, got["ok"])
        expect(120 < got["due"] - got["good"] < 400, got["good"])
        expect_eq(sum(s["due"] for s in got["sources"][0]["seconds"]), 800)


@test
def a_mix_has_sources_with_keys_times_and_models_of_their_own():
    with Daemon("--keys-only") as d, tempfile.NamedTemporaryFile("w") as mix:
        rows = []
        for name, rate in (("acme", 100), ("zeta", 50)):
            key = tenant(d, name)
            models.serve(As(d, key), "m", models.echo([models.spec("x", shape=(-1, 4))]))
            rows.append({"name": name, "model": "m", "key": key, "rate": rate, "binary": True,
                         "unique": True, "rows": 3})
        rows[1].update({"from_s": 0.5, "for_s": 1, "poisson": True, "model": "m@1"})
        rows.append(dict(rows[0], name="none", key=key, model="m", rate=10,
                         head={"x-slipway-deadline-ms": "nonsense"}))
        json.dump(rows, mix)
        mix.flush()
        got = bench(d, "--mix", mix.name, "--for", "2", code=7)
        acme, zeta, none = got["sources"]
        expect_eq((acme["due"], acme["failed"]), (200, 0))
        expect(30 < zeta["due"] < 70 and zeta["failed"] == 0, zeta)
        expect_eq((none["due"], none["failed_by_status"]), (20, {"400": 20}))
        expect_eq(none["failed_by_code"], {"INVALID_ARGUMENT": 20})
        expect_eq(got["due"], sum(s["due"] for s in got["sources"]))
        for wrong, words in (("[{\"model\":\"m\",\"rat\":1}]", "did you mean 'rate'?"),
                             ("[{\"model\":\"m\",\"rate\":-1}]", "at least 0.001"),
                             ("[{\"rate\":1}]", "no 'model'"), ("{}", "not a JSON array"),
                             ("[{\"model\":\"m\",\"head\":{\"a\":\"b\\r\\nc\"}}]", "cannot be sent"),
                             ("[{", "line 1"), ("[{\"model\":\"m\",\"key\":\"slw_x\"}]", "not a key")):
            with tempfile.NamedTemporaryFile("w") as f:
                f.write(wrong)
                f.flush()
                expect_in(words, bench(d, "--mix", f.name, code=2)["error"])


@test
def clients_that_try_again_are_counted_apart():
    with Daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x")]))
        with tempfile.NamedTemporaryFile("w") as bad:
            bad.write("not json\n")
            bad.flush()
            got = bench(d, "echo", "--rate", "50", "--for", "1", "--retries", "3", "--input",
                        bad.name, code=7)
        expect_eq((got["due"], got["retried"]), (50, 150))
        expect_eq(got["failed_by_status"], {"400": 50})


@test
def nobody_there_is_told_in_every_request():
    with Daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x")], delay_us=3000000))
        got = bench(d, "echo", "--rate", "20", "--for", "1", "--deadline", "50", code=7)
        expect_eq(got["due"], 20)
        expect_eq(got["ok_count"], 0)
        expect(all(c in ("DEADLINE_EXCEEDED", "DEADLINE_UNREACHABLE", "OVERLOADED")
                   for c in got["failed_by_code"]), got)


@test
def a_check_under_load_finds_the_knee_on_a_server_of_its_own():
    with tempfile.TemporaryDirectory() as folder:
        for name, data in models.echo([models.spec("x", shape=(-1, 4))], busy_us=2000).items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        env = dict(os.environ, SLIPWAY_URL="http://127.0.0.1:1", SLIPWAY_KEY="slw_nonsense",
                   HOME=folder)

        def check(*flags):
            return subprocess.run([BIN, "check", folder, "--load", "--try", "1", *flags], env=env,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=300)
        done = check("--objective", "200", "--json")
        expect_eq(done.returncode, 0, done.stderr)
        expect_in("on a server of its own", done.stderr)
        load = json.loads(done.stdout)["load"]
        # 2 ms of a core each, on as many workers as there are cores
        expect(20 < load["capacity"] < 520 * (os.cpu_count() or 1), load)
        expect(0.05 * load["capacity"] < load["knee"] < 1.2 * load["capacity"], load)
        met = [t["rate"] for t in load["tries"] if t["met"]]
        expect_eq(max(met), load["knee"])
        expect(0 < load["memory"]["idle_bytes"] <= load["memory"]["most_bytes"], load["memory"])
        done = check("--objective", "1")
        expect_eq(done.returncode, 8, done.stdout)
        expect_in("no knee", done.stdout)
    with Daemon() as d:
        models.serve(d, "m", models.echo([models.spec("x", shape=(-1, 4))]))
        done = d.cli("check", "m@1", "--load", "--try", "1", "--objective", "1000")
        expect_eq(done.returncode, 0, done.stderr)
        expect_in("on the server at http://", done.stderr)
        expect_in("knee ", done.stdout)
        files = models.echo([models.spec("x", shape=(-1, 4))])
        models.serve(d, "kept", dict(files, **{"slipway.yaml": b"cache: {ttl: 60s}\n"}))
        done = d.cli("check", "kept@1", "--load", "--try", "1", "--objective", "5000")
        expect_eq(done.returncode, 0, done.stderr)
        hits = [line for line in d.get("/metrics").body.decode().splitlines()
                if line.startswith("slipway_cache_hits{model=\"kept\"")]
        expect(not hits or hits[0].endswith(" 0"), hits)


@test
def mistakes_are_named():
    with Daemon() as d:
        expect_in("not known", bench(d, "nope", code=4)["error"])
        models.serve(d, "echo", models.echo([models.spec("x")]))
        expect_in("at most 10000", bench(d, "echo", "--concurrency", "20000", code=2)["error"])
        expect_in("cannot be read", bench(d, "echo", "--input", "/nowhere", code=4)["error"])
        expect_in("100ms to 24h", bench(d, "echo", "--for", "long", code=2)["error"])
        expect_in("say which model", bench(d, code=2)["error"])
        expect_in("not both", bench(d, "echo", "--mix", "f", code=2)["error"])
        models.serve(d, "bytes", models.echo([models.spec("x", "INT64")]))
        expect_in("FP32", bench(d, "bytes", "--unique", code=2)["error"])
        for flags, words in ((("echo", "--poisson"), "say --rate"),
                             (("--mix", "f", "--rows", "2"), "--rows is of one model")):
            expect_in(words, bench(d, *flags, code=2)["error"])
        done = d.cli("bench", "echo", "--each-second")
        expect_eq((done.returncode, "say --json" in done.stderr), (2, True), done.stderr)
        expect_in("no version 9", bench(d, "echo@9", "--for", "1", code=4)["error"])
        with tempfile.NamedTemporaryFile("w") as mix:
            json.dump([{"model": "echo", "rate": 1}, {"name": "late", "model": "echo",
                                                      "from_s": 5}], mix)
            mix.flush()
            expect_in("'late' begins after 5 s", bench(d, "--mix", mix.name, "--for", "1",
                                                       code=2)["error"])
        with tempfile.NamedTemporaryFile("w") as bodies:
            bodies.write("hello\n")
            bodies.flush()
            done = d.cli("bench", "echo", "--for", "1", "--input", bodies.name)
            expect_in("  the first BAD_JSON: ", done.stdout)
        done = d.cli("check", "echo@1", "--objective", "5")
        expect_eq((done.returncode, "say --load" in done.stderr), (2, True), done.stderr)


if __name__ == "__main__":
    sys.exit(main())
