#!/usr/bin/env python3
"""short_io_test.py - system calls that do a part of what was asked, or are interrupted: everything
goes its way as if they had not been.
SPDX-License-Identifier: MIT
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import CUT, READ, WAIT, WRITE, Faulty
from models import echo, infer_body, linear, serve, spec, want
from slipway import BIN, cases, expect, expect_eq, main, wait_for

FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
WEIGHTS = [[float(i * j % 7) for i in range(300)] for j in range(20)]
ASKED = {"inputs": [{"name": "input", "shape": [1, 300], "datatype": "FP32", "data": [1] * 300}]}
ANSWER = [sum(row) + 1 for row in WEIGHTS]


def answered(d):
    r = want(d.post("/v2/models/m/infer", ASKED), 200, "infer")
    expect_eq(r["outputs"][0]["data"], ANSWER)


def work(d):
    """A bit of everything that reads and writes."""
    serve(d, "m", linear(WEIGHTS, [1] * 20))
    serve(d, "wide", echo([spec("x", "FP32", (-1, -1))]))
    for i in range(20):
        expect_eq(d.ask("PUT", "/api/v1/flags/f%d" % i, FLAG).status, 200)
    answered(d)
    megabyte = os.urandom(1 << 20)
    body, headers = infer_body([("x", "FP32", (1, 1 << 18), megabyte)])
    r = d.post("/v2/models/wide/infer", body, headers)
    expect_eq(r.status, 200, r)
    expect(r.body.endswith(megabyte), "an answer of a MiB is not what was sent")
    r = d.post("/api/v1/uploads?sha256=" + hashlib.sha256(megabyte).hexdigest(), megabyte)
    expect_eq(r.status, 201, r)
    want(d.post("/api/v1/storage/scrub"), 200, "scrub")

    def scrubbed():
        now = want(d.get("/api/v1/storage"), 200, "storage")["scrub"]
        return now if now["ended_at"] and not now["running"] else None
    now = wait_for(scrubbed, 10, "the scrub")
    expect(now["objects"] >= 3 and now["rotten"] == 0, now)


def backed_up(d, where):
    """A backup and what it restores, by processes with the same faults."""
    env = dict(os.environ, **d.env)
    env["FAULTS_ROOT"] = os.path.realpath(os.path.dirname(d.data))
    for words in (["backup", where + ".tar", "--data", d.data],
                  ["restore", where + ".tar", "--data", where]):
        done = subprocess.run([BIN, *words], env=env, text=True, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE)
        expect_eq(done.returncode, 0, done.stderr)


@cases([("short", {"halve": READ | WRITE}),
        ("interrupted", {"interrupt": READ | WRITE | CUT | WAIT}),
        ("both", {"halve": READ | WRITE, "interrupt": READ | WRITE | CUT | WAIT})])
def ST_104_short_and_interrupted_calls_are_made_again(faults):
    """From the first start on; over a crash, a stop, a backup, and a start without faults."""
    top = tempfile.mkdtemp(prefix="slipway-short-")
    data, again = os.path.join(top, "data"), os.path.join(top, "again")
    os.mkdir(data)
    d = Faulty("--audit-checkpoint", os.path.join(data, "checkpoints"), data=data, faults=faults,
               seconds=30)
    try:
        d.start()
        work(d)
        expect(d.count("done") > 200, "only %d faults" % d.count("done"))
        d.kill()
        d.start()
        answered(d)
        d.stop()
        d.start()
        backed_up(d, again)
        d.stop()
        for word in ("head_unreadable", "head_not_written", "snapshot_unusable", "_lost", "error"):
            expect('"%s' % word not in d.stderr(), word, d.stderr()[-3000:])
        d.set()
        d.env = {}
        for d.data in (data, again):
            d.start()
            answered(d)
            expect_eq(d.get("/api/v1/flags/f19").status, 200)
            d.stop()
    finally:
        d.clean()
        shutil.rmtree(top, ignore_errors=True)


main()
