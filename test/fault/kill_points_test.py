#!/usr/bin/env python3
"""kill_points_test.py - SIGKILL at every write, sync and rename of a push and of a deploy.

strace kills the daemon at its n-th call of a kind (each thread counts its own), for each n until
all passes unharmed. After each: it starts again and is ready within 2 s; everything that had been
acknowledged is there; what had not is there whole or not at all; and the same can be done again.
SPDX-License-Identifier: MIT
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import FULL
from killing import CALLS, trace
from models import linear, want
from slipway import SANITIZED, Conn, Daemon, Failed, cases, expect, expect_eq, main, skip, test

BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
N_MAX = 400


def model(value):
    return linear([[0]], [value])


class Acknowledged:
    """What the daemon has said 2xx to, in order."""

    def __init__(self):
        self.versions, self.serving = [], None


def push_and_deploy(d, said, value):
    """One push and one deploy; every answer is noted at once. Raises when the connection breaks."""
    data = model(value)["model.json"]
    sha = want(d.ask("PUT", "/api/v1/blobs", data), 201, "upload")["sha256"]
    version = want(d.post("/api/v1/models/m/versions",
                          {"files": [{"name": "model.json", "sha256": sha}]}), 201,
                   "push")["version"]
    said.versions.append((version, value))
    want(d.post("/api/v1/models/m/deploy", {"version": version, "strategy": "now",
                                                "wait": True}), 200, "deploy")
    said.serving = version


def value_served(d):
    r = d.post("/v2/models/m/infer", BODY)
    if r.status != 200:
        return None, r
    return int(r.headers["x-slipway-version"]), r.json()["outputs"][0]["data"][0]


def check_recovered(data, said, tried):
    """Starts on what is left and compares."""
    began = time.monotonic()
    with Daemon(data=data) as d:
        took = time.monotonic() - began
        expect(took < 2, "ready only after %.2f s" % took)
        reply = d.get("/api/v1/models/m/versions?limit=1000")
        have = {}
        if reply.status == 200:
            have = {v["version"]: v for v in reply.json()["versions"]}
        for version, value in said.versions:
            expect(version in have,
                   "version %d was acknowledged and is lost; there are %s" % (version,
                                                                              sorted(have)))
        extra = set(have) - {v for v, _ in said.versions}
        expect(len(extra) <= 1, "versions nobody pushed: %s" % extra)
        expect_eq(sorted(have), list(range(1, len(have) + 1)), "numbers without a gap")
        if said.serving:
            version, value = value_served(d)
            allowed = {said.serving} | ({tried} if tried in have else set())
            expect(version in allowed,
                   "version %s answers, %s had been acknowledged: %r" % (version, said.serving,
                                                                         value))
        # nothing half visible: whatever is listed can be loaded, and answers its own number
        for v in sorted(have)[-2:]:
            want(d.post("/api/v1/models/m/deploy", {"version": v, "strategy": "now",
                                                        "wait": True}), 200,
                 "deploy of %d" % v)
            version, value = value_served(d)
            expect_eq((version, value), (v, v * 1.0))
        leftovers = os.listdir(os.path.join(data, "staging"))
        expect(not leftovers, "staging is not swept: %s" % leftovers)
        # and the interrupted thing can be done again
        again = Acknowledged()
        push_and_deploy(d, again, len(have) + 1)
        expect_eq(again.serving, len(have) + 1)
        expect_eq(value_served(d)[1], again.serving * 1.0)


def sweep(call, prepared):
    """Kills at the 1st, 2nd ... call until push and deploy pass unharmed; how often it killed."""
    kills, n = 0, 1
    while n < N_MAX:
        data = tempfile.mkdtemp(prefix="slipway-kill-")
        shutil.rmtree(data)
        shutil.copytree(prepared, data)
        d = Daemon(data=data, seconds=20)
        try:
            d.start()
            said = Acknowledged()
            said.versions, said.serving = [(1, 1)], 1
            tracing = trace(d, call, n)
            try:
                push_and_deploy(d, said, 2)
                killed = False
            except (OSError, Failed, AttributeError, ValueError):
                killed = True
            if not killed:
                # the last write may come after the answer
                time.sleep(0.1)
                killed = d.proc.poll() is not None
            if killed:
                try:
                    d.proc.wait(10)
                except subprocess.TimeoutExpired:
                    raise Failed("%s %d: a request failed and the daemon lives: %s" %
                                 (call, n, d.stderr()[-1000:]))
                expect_eq(d.proc.returncode, -signal.SIGKILL, "%s %d" % (call, n))
                kills += 1
            else:
                d.proc.kill()
                d.proc.wait()
            tracing.wait(10)
            try:
                check_recovered(data, said, 2)
            except Failed as e:
                raise Failed("killed at %s number %d: %s" % (call, n, e))
        finally:
            if d.proc and d.proc.poll() is None:
                d.proc.kill()
                d.proc.wait()
            d.clean()
            shutil.rmtree(data, ignore_errors=True)
        if not killed:
            return kills, n
        n += 1
    raise Failed("%s: still killed at call %d" % (call, n))


def prepared():
    """A data folder with one version that serves, made once."""
    if not hasattr(prepared, "data"):
        prepared.data = tempfile.mkdtemp(prefix="slipway-prepared-")
        with Daemon(data=prepared.data) as d:
            push_and_deploy(d, Acknowledged(), 1)
        import atexit
        atexit.register(shutil.rmtree, prepared.data, True)
    return prepared.data


@cases([(c.split(",")[0], c) for c in CALLS])
def killed_at_every(call):
    """[ST-101] [ME-102]: a kill is a kill, whoever sends it; ready again within 2 s."""
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    kills, n = sweep(call, prepared())
    print("  %s: killed at %d of %d calls" % (call, kills, n - 1))
    if call in ("pwrite64", "write", "fdatasync"):
        expect(kills >= 1 and n > 1, "never killed: %s is not what a push does" % call)


@test
def killed_while_an_upload_streams():
    data = tempfile.mkdtemp(prefix="slipway-kill-")
    try:
        d = Daemon(data=data)
        d.start()
        c = Conn(d.host, d.port)
        c.send("PUT /api/v1/blobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000\r\n\r\n")
        c.send(b"x" * 5000000)
        time.sleep(0.1)
        d.kill()
        c.close()
        d.clean()
        with Daemon(data=data) as d:
            staged = os.listdir(os.path.join(data, "staging"))
            expect(not staged, "left over: %s" % staged)
            expect(not any(files for _, _, files in os.walk(os.path.join(data, "objects"))),
                   "half a file is visible")
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def killed_a_hundred_times_in_a_row():
    """kill -9 at any moment of a series of pushes and deploys, again and again on one folder."""
    import random
    import threading
    rnd, said = random.Random(5), Acknowledged()
    data = tempfile.mkdtemp(prefix="slipway-kill-")
    try:
        for i in range(100 if FULL else 12):
            d = Daemon(data=data)
            try:
                d.start()
                listed = json.loads(d.get("/api/v1/models/m/versions?limit=1000").body)
                have = {v["version"] for v in listed.get("versions", [])}
                for version, _ in said.versions:
                    expect(version in have, "version %d is lost at round %d" % (version, i))
                if said.serving:
                    version, value = value_served(d)
                    expect(version is not None and version >= said.serving,
                           "%r at round %d" % (value, i))
                    expect_eq(value, float(version))
                killer = threading.Timer(rnd.uniform(0.005, 0.15), d.proc.kill)
                killer.start()
                count = len(have)
                try:
                    while True:
                        count += 1
                        push_and_deploy(d, said, count)
                except (OSError, Failed, AttributeError, ValueError):
                    pass
                d.proc.wait(10)
                expect_eq(d.proc.returncode, -signal.SIGKILL)
            finally:
                d.clean()
        expect(len(said.versions) > 3, "nothing was pushed: %s" % said.versions)
    finally:
        shutil.rmtree(data, ignore_errors=True)


main()
