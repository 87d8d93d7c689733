#!/usr/bin/env python3
"""io_error_test.py - ENOSPC and EIO at every n-th write and sync of changes: each answer says
whether it was done, what was acknowledged is there after a restart, and an fsync that failed ends
the process before anything else is acknowledged.

SPDX-License-Identifier: MIT
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from killing import tracer
from models import linear, serve
from slipway import SANITIZED, Daemon, Failed, cases, expect, expect_eq, main, skip

N_MAX, CHANGES = 60, 4
FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def inject(d, call, error, n):
    """From now on the n-th such call of each thread fails. A full disk stays full: those after
    it fail, too (a single one is tried again, and nobody notices)."""
    full = "+" if (call, error) == ("pwrite64", "ENOSPC") else ""
    p = subprocess.Popen(["strace", "-f", "-e", "trace=" + call, "-e",
                          "inject=%s:error=%s:when=%d%s" % (call, error, n, full), "-o", "/dev/null", "-p",
                          str(d.proc.pid)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    tasks = "/proc/%d/task" % d.proc.pid
    while not all(tracer("%s/%s/status" % (tasks, t)) == p.pid for t in os.listdir(tasks)):
        if p.poll() is not None or time.monotonic() > end:
            skip("strace cannot attach here")
        time.sleep(0.002)
    return p


def change(d, i):
    """200, another status, or None where nobody answered."""
    try:
        return d.ask("PUT", "/api/v1/flags/f%d" % i, FLAG).status
    except (OSError, Failed, AttributeError):
        return None


def once(call, error, n):
    data = tempfile.mkdtemp(prefix="slipway-io-")
    d = Daemon(data=data, seconds=20)
    try:
        d.start()
        serve(d, "m", linear([[0]], [1]))
        tracing = inject(d, call, error, n)
        said = {i: change(d, i) for i in range(CHANGES)}
        for i, status in said.items():
            expect(status in (200, 503, 507, None), "change %d was answered %s" % (i, status))
        ended = None in said.values()
        if ended:
            expect_eq(d.proc.wait(10), 70, d.stderr()[-500:])
            expect_eq([s for s in said.values() if s is not None],
                      [200] * list(said.values()).index(None), "after the error somebody was told")
        elif d.proc.poll() is None:
            expect_eq(d.post("/v2/models/m/infer", {"inputs": [
                {"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}).status, 200)
            d.kill()
        tracing.wait(10)
        d.start()
        for i, status in said.items():
            got = d.get("/api/v1/flags/f%d" % i).status
            expect(got in (200, 404), got)
            if status == 200:
                expect_eq(got, 200, "change %d was acknowledged" % i)
            if status in (503, 507):
                expect_eq(got, 404, "change %d was refused" % i)
        expect_eq(change(d, 99), 200)
        d.stop()
        return ended or any(s in (503, 507) for s in said.values())
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


@cases([("%s-%s" % (call, error), call, error)
        for call in ("pwrite64", "fdatasync") for error in ("ENOSPC", "EIO")])
def every_nth_call_fails(call, error):
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    felt = 0
    for n in range(1, N_MAX, 3 if call == "pwrite64" else 1):
        try:
            hurt = once(call, error, n)
        except Failed as e:
            raise Failed("%s at %s number %d: %s" % (error, call, n, e))
        felt += hurt
        if not hurt and n > CHANGES * (8 if call == "pwrite64" else 2):
            break
    expect(felt > 0, "no call was one of a change's")


main()
