#!/usr/bin/env python3
# run: early
"""commands_kill_test.py - SIGKILL at every write, sync, rename and truncate of each command that
changes something. Afterwards the server is there again within 2 s, with the command done or not
done and nothing between, done if it was acknowledged; and it can be given again.

A new command is one row. SLIPWAY_TEST_FULL=1 kills at each call, else writes are sampled.
SPDX-License-Identifier: MIT
"""
import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import FULL
from killing import CALLS, trace
from models import linear, push, serve, want
from slipway import SANITIZED, Daemon, Failed, cases, expect, expect_eq, main, skip, wait_for

START_S, N_MAX = 2, 200
FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def get(path, *members):
    """What a command shows: members of an answer, or its status where there is none."""
    def look(d):
        reply = d.get("/api/v1/" + path)
        if reply.status != 200:
            return reply.status
        tree = reply.json()
        return [tree.get(m) for m in members] if members else len(json.dumps(tree)) and tree
    return look


def keys_of(d):
    return sorted((k["person"], k["state"]) for k in d.get("/api/v1/keys").json()["keys"])


def freezes_of(d):
    return [(f["scope"], f["model"]) for f in d.get("/api/v1/freezes").json()["freezes"]]


def tenants_of(d):
    return sorted(t["name"] for t in d.get("/api/v1/tenants").json()["tenants"])


def aliases_of(d):
    return [(a["alias"], a["version"]) for a in d.get("/api/v1/models/m/aliases").json()["aliases"]]


def quota_of(path):
    return lambda d: [q["limit"] for q in d.get("/api/v1/" + path).json()["quotas"].values()]


def state_of(d):
    """All of what is declared is there, or nothing of it."""
    model = d.get("/api/v1/models/m").json()
    parts = [model.get("description") == "declared", model["aliases"].get("best") == 1,
             d.get("/api/v1/models/n").status == 200, d.get("/api/v1/flags/a").status == 200]
    expect(all(parts) or not any(parts), "half a state: %s" % parts)
    return all(parts)


def declared():
    """A declaration's file, and a model's beside it."""
    if not hasattr(declared, "path"):
        folder = tempfile.mkdtemp(prefix="slipway-state-")
        atexit.register(shutil.rmtree, folder, True)
        declared.path = os.path.join(folder, "state.yaml")
        with open(os.path.join(folder, "model.json"), "wb") as f:
            f.write(linear([[0]], [7])["model.json"])
        with open(declared.path, "w") as f:
            json.dump({"models": {"m": {"version": 1, "description": "declared",
                                        "aliases": ["best"], "deploy": "none"},
                                  "n": {"path": "model.json"}}, "flags": {"a": FLAG}}, f)
    return declared.path


# the command, what it shows, and what comes before it beside model m with two versions
ROWS = {
    "flag set": (["flag", "set", "a", "on"], get("flags/a", "defaultVariant"), None),
    "flag remove": (["flag", "remove", "b"], get("flags/b", "defaultVariant"), None),
    "key add": (["key", "add", "--role", "viewer", "--person", "ann"], keys_of, None),
    "freeze": (["freeze", "m", "--now"], freezes_of, None),
    "freeze --lift": (["freeze", "m", "--lift"], freezes_of, ["freeze", "m", "--now"]),
    "rollback": (["rollback", "m"], get("models/m", "serving"), None),
    "deploy": (["deploy", "m@1", "--strategy", "now", "--wait"], get("models/m", "serving"), None),
    "apply": (["apply", declared()], state_of, None),
    "tenant add": (["tenant", "add", "acme"], tenants_of, None),
    "model set": (["model", "set", "m", "--tags", "a=b"], get("models/m", "tags"), None),
    "model set of a version": (["model", "set", "m@1", "--description", "d"],
                               get("models/m/versions/1", "description"), None),
    "model remove": (["model", "remove", "n"], get("models/n", "name"), ["model", "add", "n"]),
    "version remove": (["model", "remove", "r@1"], get("models/r/versions/1", "version"), None),
    "model unload": (["model", "unload", "m"], get("models/m", "serving"), None),
    "model clear": (["model", "clear", "q@1"], get("models/q/versions/1", "state"), None),
    "alias set": (["alias", "set", "m@1", "champion"], aliases_of, None),
    "alias remove": (["alias", "remove", "m", "champion"], aliases_of,
                     ["alias", "set", "m@1", "champion"]),
    "quota": (["quota", "m", "--requests-per-second", "5"], quota_of("models/m/quotas"), None),
    "tenant set": (["tenant", "set", "default", "--models", "50"], quota_of("quotas"), None),
    "key rotate": (["key", "rotate", "KEY"], keys_of, ["key", "add", "--role", "viewer",
                                                       "--person", "ann"]),
    "tenant remove": (["tenant", "remove", "acme"], tenants_of, ["tenant", "add", "acme"]),
}


def prepared():
    if not hasattr(prepared, "data"):
        prepared.data = tempfile.mkdtemp(prefix="slipway-prepared-")
        atexit.register(shutil.rmtree, prepared.data, True)
        with Daemon(data=prepared.data) as d:
            serve(d, "m", linear([[0]], [1]))
            serve(d, "m", linear([[0]], [2]))
            serve(d, "q", linear([[0]], [1]))
            push(d, "r", linear([[0]], [3]))
            want(d.ask("PUT", "/api/v1/flags/b", FLAG), 200, "flag")
        with open(os.path.join(prepared.data, "crashes"), "w") as f:
            f.writelines("%d default q 1\n" % (time.time() * 1000) for _ in range(3))
        with Daemon(data=prepared.data) as d:
            wait_for(lambda: d.get("/api/v1/models/q/versions/1").json()["state"] == "QUARANTINED")
    return prepared.data


def run(d, command):
    return d.cli(*command).returncode


def named(d, command):
    """The command with the id of ann's newest key for KEY."""
    if "KEY" not in command:
        return command
    ids = [k["id"] for k in d.get("/api/v1/keys").json()["keys"] if k["person"] == "ann"]
    return [ids[-1] if word == "KEY" else word for word in command]


def killed_once(command, look, first, call, n):
    """True when the n-th call was reached: all is looked at then."""
    data = tempfile.mkdtemp(prefix="slipway-kill-")
    shutil.rmtree(data)
    shutil.copytree(prepared(), data)
    d = Daemon(data=data, seconds=20)
    try:
        d.start()
        if first:
            expect_eq(run(d, first), 0, first)
        before = look(d)
        once = named(d, command)
        tracing = trace(d, call, n)
        acknowledged = run(d, once) == 0
        if acknowledged:
            time.sleep(0.05)  # the last write may come after the answer
        killed = d.proc.poll() is not None or not acknowledged
        if killed:
            expect_eq(d.proc.wait(10), -signal.SIGKILL, d.stderr()[-500:])
        else:
            d.kill()
        tracing.wait(10)
        began = time.monotonic()
        d.start()
        took = time.monotonic() - began
        expect(took < START_S, "ready only after %.2f s" % took)
        after = look(d)
        if acknowledged:
            expect(after != before, "acknowledged, and not there: %s" % (after,))
        done = after != before
        rc = run(d, named(d, command))
        expect(rc in (0, 4, 6), "given again it said %d" % rc)
        last = look(d)
        expect(last != before, "given again it did nothing: %s" % (last,))
        if done and command[0] != "key":
            expect_eq(last, after, "done twice")
        d.stop()
        return killed
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


@cases([(name.replace(" ", "_") + "-" + call.split(",")[0], name, call)
        for name in ROWS for call in CALLS])
def killed_at_every(name, call):
    """[ST-101]"""
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    command, look, first = ROWS[name]
    n, kills = 1, 0
    while n < N_MAX:
        try:
            killed = killed_once(command, look, first, call, n)
        except Failed as e:
            raise Failed("killed at %s number %d: %s" % (call, n, e))
        if not killed:
            break
        kills += 1
        n += 1 if FULL or call != "pwrite64" else 3
    expect(n < N_MAX, "still killed at call %d" % n)
    if call in ("fdatasync", "pwrite64"):
        expect(kills > 0, "never killed: %s is not what '%s' does" % (call, name))


def rot(data):
    """A byte of version r@1's file is not what was pushed; the file is no longer young."""
    for root, _, names in os.walk(os.path.join(data, "objects")):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "r+b") as f:
                if b"[3]" in f.read():
                    f.seek(0)
                    f.write(b" ")


def corrupt(d):
    return d.get("/api/v1/models/r/versions/1").json().get("corrupt")


def scrub_killed_once(call, n):
    data = tempfile.mkdtemp(prefix="slipway-kill-")
    shutil.rmtree(data)
    shutil.copytree(prepared(), data)
    rot(data)
    d = Daemon(data=data, seconds=20)
    try:
        d.start()
        tracing = trace(d, call, n)
        d.cli("scrub", "--now", "--collect")
        end = time.monotonic() + 10
        while d.proc.poll() is None and time.monotonic() < end:
            try:
                if corrupt(d):
                    time.sleep(0.05)
                    break
            except (OSError, AttributeError, ValueError, Failed):  # killed under its hands
                pass
            time.sleep(0.01)
        killed = d.proc.poll() is not None
        expect(killed or corrupt(d), "neither killed nor told")
        if not killed:
            d.kill()
        tracing.wait(10)
        began = time.monotonic()
        d.start()
        expect(time.monotonic() - began < START_S, "started late")
        expect(d.cli("scrub", "--now", "--collect").returncode in (0, 8))  # 8: something rots
        wait_for(lambda: corrupt(d))
        expect_eq(d.get("/v2/models/m/ready").status, 200)
        d.stop()
        return killed
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


@cases([("scrub-" + call.split(",")[0], call) for call in CALLS + ["unlinkat"]])
def scrub_killed_at_every(call):
    """What rots is told, however often the telling is cut off."""
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    n = 1
    while n < N_MAX and scrub_killed_once(call, n):
        n += 1 if FULL or call != "pwrite64" else 3
    expect(n < N_MAX, "still killed at call %d" % n)
    if call in ("fdatasync", "pwrite64"):
        expect(n > 1, "never killed")


main()
