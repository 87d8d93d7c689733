#!/usr/bin/env python3
# run: release
"""pressure_test.py - a daemon short of memory or descriptors, level by level, up and down: what is
given up, and that health and the control plane stay. Readings are a file's (src/pressure.h).
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from hostile import infer_json
from receiver import Receiver
from slipway import SANITIZED, Daemon, Failed, expect, expect_eq, expect_in, main, request, skip, \
    test, wait_for

ACTIONS = {80: ["alert", "no_load"], 85: ["no_shadow", "half_cache"],
           90: ["no_batch", "unload_idle"], 92: ["no_keep_alive"], 95: ["refuse"], 97: ["reset"]}


class Pressed(Daemon):
    def __init__(self, *args, **kw):
        self.readings = tempfile.NamedTemporaryFile("w", suffix=".pressure", delete=False)
        self.say(memory=10)
        super().__init__(*args, env={"SLIPWAY_DEBUG": "pressure=" + self.readings.name}, **kw)

    def say(self, **percent):
        fresh = self.readings.name + ".new"
        with open(fresh, "w") as f:
            f.write("".join("%s %d\n" % row for row in percent.items()))
        os.replace(fresh, self.readings.name)

    def press(self, **percent):
        """Until it is known and every loop has heard of it."""
        self.say(**percent)
        for source, value in percent.items():
            wait_for(lambda: metric(self, "slipway_pressure", "source", source) == value,
                     what="%s at %d" % (source, value))
        time.sleep(0.2)

    def __exit__(self, *why):
        super().__exit__(*why)
        os.unlink(self.readings.name)


def metric(d, name, label, value):
    text = d.get("/metrics").body.decode()
    found = re.search(r'^%s\{%s="%s"\} (\S+)$' % (name, label, value), text, re.M)
    expect(found, name)
    return float(found.group(1))


def in_force(d):
    text = d.get("/metrics").body.decode()
    return set(re.findall(r'^slipway_pressure_action\{action="(\w+)"\} 1$', text, re.M))


def fill(d, n):
    for i in range(n):
        models.serve(d, "m%d" % i, models.echo([models.spec("x", "FP32", (-1, -1))]))


def ask(d, headers=None, name="m0"):
    return d.post("/v2/models/%s/infer" % name, infer_json(), headers)


def upright(d):
    """What is never given up."""
    for path in ("/healthz", "/livez", "/readyz", "/api/v1/status", "/v2/health/ready"):
        reply = d.get(path)
        expect(reply.status in (200, 404), path, reply)
    expect_eq(d.get("/healthz").status, 200)
    expect_eq(d.get("/api/v1/status").status, 200)


@test
def all_levels_up_and_down():
    with Pressed("--loops", "2") as d:
        fill(d, 1)
        expect_eq(in_force(d), set())
        so_far = set()
        levels = sorted(ACTIONS)
        for level in levels:
            d.press(memory=level)
            so_far |= set(ACTIONS[level])
            expect_eq(in_force(d), so_far, level)
            upright(d)
            expect_eq(ask(d).status, 503 if level >= 95 else 200, level)
            batch = ask(d, {"x-slipway-class": "batch"})
            expect_eq(batch.status, 503 if level >= 90 else 200, level)
            if level >= 90:
                expect_eq(batch.json()["code"], "OVERLOADED")
                expect_in("retry-after", batch.headers)
            with d.conn() as c:
                kept = c.ask("GET", "/healthz").headers.get("connection") != "close"
            expect_eq(kept, level < 92, level)
        for level in reversed(levels):
            d.press(memory=level - 5)  # within the five points: still in force
            expect_eq(in_force(d), so_far, level)
            d.press(memory=level - 6)
            so_far -= set(ACTIONS[level])
            expect_eq(in_force(d), so_far, level)
            upright(d)
        expect_eq(ask(d).status, 200)
        expect_eq(ask(d, {"x-slipway-class": "batch"}).status, 200)
        told = [(e["event"], e["action"]) for e in d.log() if "action" in e and "what" in e]
        expect_in(("memory_high", "alert"), told)
        expect_in(("pressure_eased", "refuse"), told)
        expect_eq(len(told), 18)


@test
def webhooks_hear_once_that_memory_is_high_and_once_that_it_is_over():
    """Also where something else was said before; what is not memory's is not told."""
    with Receiver() as hook:
        with Pressed("--loops", "1", "--webhook", hook.url, "--webhook-private") as d:
            d.press(lag=85)
            d.press(lag=85, memory=81)
            d.press(lag=85, memory=96)
            d.press(lag=85, memory=76)  # within the five points
            d.press(lag=85, memory=74)
            wait_for(lambda: len(hook.seen) >= 2, what="two messages")
            told = [json.loads(body) for _, _, body, _ in hook.seen]
            expect_eq([m["type"] for m in told], ["server.memory_high", "server.memory_eased"])
            expect_in("the server: memory_high: 81 %", told[0]["text"])
            expect_eq((told[0]["data"]["tenant"], told[0]["data"]["model"]), (None, None))
            in_log = [e["event"] for e in d.log() if e["event"].startswith("memory_")]
            expect_eq(in_log, ["memory_high", "memory_eased"])


@test
def by_priority_and_by_header_batch_is_batch():
    with Pressed("--loops", "1") as d:
        fill(d, 1)
        d.press(lag=90)
        expect_eq(in_force(d), {"alert", "no_shadow", "no_batch"})
        expect_eq(ask(d).status, 200)
        body = dict(infer_json(), parameters={"priority": 2})
        expect_eq(d.post("/v2/models/m0/infer", body).json()["code"], "OVERLOADED")
        d.press(lag=10)
        expect_eq(d.post("/v2/models/m0/infer", body).status, 200)


@test
def short_of_descriptors_no_connection_is_kept():
    with Pressed("--loops", "1") as d:
        fill(d, 1)
        d.press(files=92)
        expect_eq(in_force(d), {"alert", "no_shadow", "no_batch", "no_keep_alive"})
        with d.conn() as c:
            c.send(request("POST", "/v2/models/m0/infer", infer_json()))
            reply = c.reply()
            expect_eq(reply.status, 200)
            expect_eq(reply.headers.get("connection"), "close")
            expect(c.closed())


@test
def nothing_new_is_loaded_unless_something_leaves():
    with Pressed("--loops", "1") as d:
        fill(d, 1)
        d.press(memory=80)
        version = models.push(d, "new", models.linear([[0] * 512] * 512, [0] * 512))
        reply = models.deploy(d, "new", version)
        expect_eq(reply.status, 507, reply.body[:300])
        expect_eq(reply.json()["code"], "MODELS_MEMORY_FULL")
        expect_eq(ask(d).status, 200)
        d.press(memory=10)
        models.want(models.deploy(d, "new", version), 200, "deploy")


@test
def the_heaviest_are_reset_and_the_light_stay():
    with Pressed("--loops", "1") as d:
        fill(d, 1)
        heavy = socket.create_connection((d.host, d.port))
        light = d.conn()
        half = 4 << 20
        heavy.sendall(b"POST /v2/models/m0/infer HTTP/1.1\r\nhost: localhost\r\n"
                      b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % (2 * half))
        heavy.sendall(b" " * half)
        light.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
        d.say(memory=97)  # and no page of metrics is asked for, which might be heavy, too
        heavy.settimeout(30)
        try:
            got = heavy.recv(1)
            raise Failed("the heavy one got %r" % got)
        except ConnectionResetError:
            pass
        light.send(b"\r\n")
        expect_eq(light.reply().status, 200)
        expect_eq(len([e for e in d.log() if e["event"] == "connection_reset"]), 1)
        light.close()


@test
def what_is_measured_is_believed_without_a_file():
    """A budget below what it takes already: memory is high from the start, by its own reading."""
    if SANITIZED:
        skip("a sanitizer's memory is measured, too")
    with Daemon("--loops", "1", "--memory-budget", "1GiB") as d:
        wait_for(lambda: metric(d, "slipway_pressure", "source", "memory") > 0, what="a reading")
        expect_eq(in_force(d) - {"alert", "no_shadow", "no_batch"}, set())
        resident = metric_plain(d, "process_resident_memory_bytes")
    with Daemon("--loops", "1", "--memory-budget", str(int(resident * 0.9))) as d:
        wait_for(lambda: "refuse" in in_force(d), what="refusals")
        expect_eq(d.get("/healthz").status, 200)
        told = d.cli("doctor")
        expect_in("no_keep_alive", told.stdout)


class Boxed(Daemon):
    """In a mount namespace whose /sys/fs/cgroup has a version 2 group of so many bytes."""
    SCRIPT = ("mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && echo %d >memory.max && "
              "echo %d >memory.current && echo inactive_file 0 >memory.stat && cd - >&2 && "
              'exec "$@"')

    def __init__(self, limit, used, *args):
        unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
        tried = subprocess.run(unshare + ["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"],
                               stderr=subprocess.PIPE)
        if tried.returncode:
            skip("no mount namespace with a cgroup of our own: %s" % tried.stderr.decode().strip())
        super().__init__(*args, wrap=unshare + ["sh", "-c", self.SCRIPT % (limit, used), "sh"])

    def write(self, name, text):
        with open(os.path.join("/proc", str(self.proc.pid), "root", "sys/fs/cgroup", name), "w") as f:
            f.write(text)

    def memory(self):
        return self.get("/api/v1/status").json()["server"].get("memory", {})


@test
def the_budget_is_the_cgroups_limit_less_a_sixteenth():
    """Nothing was said: the group counts, by its memory.current and not by what is resident."""
    mib = 1 << 20
    with Boxed(512 * mib, 100 * mib, "--loops", "1") as d:
        wait_for(lambda: d.memory().get("used_bytes") == 100 * mib, what="a reading")
        expect_eq(d.memory(), {"used_bytes": 100 * mib, "budget_bytes": 480 * mib,
                               "from": "cgroup"})
        expect_in("of 480 MiB (cgroup)", d.cli("status").stdout)
        expect_in("by the cgroup's limit", d.cli("doctor").stdout)
        d.write("memory.current", "%d\n" % (480 * mib * 96 // 100))
        wait_for(lambda: "refuse" in in_force(d), what="refusals")
        upright(d)
        d.write("memory.stat", "inactive_file %d\n" % (240 * mib))  # the kernel's to take back
        wait_for(lambda: in_force(d) == set(), what="nothing in force")
        for hostile in ("", "-1\n", "9" * 40, "\0\0", "max\n"):
            d.write("memory.max", hostile)
            wait_for(lambda: d.memory()["from"] == "machine", what="no limit: %r" % hostile)
            d.write("memory.max", "%d\n" % (512 * mib))
            wait_for(lambda: d.memory()["from"] == "cgroup", what="the limit again")
        upright(d)
    with Boxed(512 * mib, 500 * mib, "--loops", "1", "--memory-budget", "64GiB") as d:
        wait_for(lambda: d.memory().get("from") == "option", what="a reading")
        expect_eq((d.memory()["budget_bytes"], in_force(d)), (64 << 30, set()))
        expect_in("memory_budget_above_cgroup", [e["event"] for e in d.log()])


def metric_plain(d, name):
    return float(re.search(r"^%s (\S+)$" % name, d.get("/metrics").body.decode(), re.M).group(1))


main()
