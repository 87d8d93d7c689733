#!/usr/bin/env python3
"""readme_test.py - what README.md and docs/ tell people to type works: every shell block of the
README that talks to a running daemon is run as it stands, against one on a port of its own.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import BIN, ROOT, SANITIZED, Daemon, expect, expect_eq, expect_in, main, skip, test

README = os.path.join(ROOT, "README.md")


def blocks():
    """The shell blocks, in order."""
    with open(README) as f:
        return re.findall(r"^```sh\n(.*?)^```", f.read(), re.M | re.S)


def block_with(text):
    found = [b for b in blocks() if text in b]
    expect(found, "README.md has no shell block with %r" % text)
    return found[0]


def shell(script, d, cwd):
    """Runs a block with ./slipway and the port as the README has them."""
    port = str(d.port)
    script = "set -eu; set -o pipefail\n" + script.replace("localhost:8080", "127.0.0.1:" + port)
    env = dict(os.environ, SLIPWAY_URL="http://127.0.0.1:" + port, HOME=cwd)
    return subprocess.run(["bash", "-c", script], cwd=cwd, env=env, text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def surroundings():
    """A folder that looks like the checkout after `make`."""
    cwd = tempfile.mkdtemp(prefix="slipway-readme-")
    os.symlink(BIN, os.path.join(cwd, "slipway"))
    os.symlink(os.path.join(ROOT, "examples"), os.path.join(cwd, "examples"))
    return cwd


@test
def the_first_prediction_by_hand():
    if not shutil.which("curl"):
        skip("no curl here")
    lines = [l for l in block_with("./slipway push").splitlines() if l.strip()]
    expect_eq(lines[0], "make", "the block begins with the build")
    expect(lines[1].startswith("./slipway serve &"), "and then starts a daemon: " + lines[1])
    cwd = surroundings()
    try:
        with Daemon() as d:
            done = shell("\n".join(lines[2:]), d, cwd)
            expect_eq(done.returncode, 0, done.stderr + done.stdout)
            expect(re.search(r"\d", done.stdout), "a prediction is printed: %r" % done.stdout)
            curls = block_with("/v2/models/digits/infer")
            done = shell(curls, d, cwd)
            expect_eq(done.returncode, 0, done.stderr + done.stdout)
            answers, _ = done.stdout, None
            first, end = json.JSONDecoder().raw_decode(answers)
            expect_eq(first["model_name"], "digits")
            outputs = {o["name"]: o for o in first["outputs"]}
            shown = [o for o in outputs.values() if o["datatype"] == "INT64"]
            expect(shown and shown[0]["data"] == [0], "the curl example is a zero: %r" % first)
            meta, end = json.JSONDecoder().raw_decode(answers[end:].lstrip())
            expect_eq(meta["inputs"][0]["name"], "pixels")
            expect_in("slipway_request", answers)
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


@test
def a_model_of_ones_own():
    block = block_with("./slipway push tiny")
    cwd = surroundings()
    try:
        with Daemon() as d:
            done = shell(block.replace("/tmp/tiny", cwd + "/tiny"), d, cwd)
            expect_eq(done.returncode, 0, done.stderr + done.stdout)
            probabilities = [float(x) for x in re.findall(r"0\.\d+", done.stdout)]
            expect(any(abs(x - 0.982) < 0.001 for x in probabilities),
                   "softmax of (5, 1) is 0.982 and 0.018: %r" % done.stdout)
            expect_in("rolled_back", done.stdout)
            r = d.post("/v2/models/tiny/infer", {"inputs": [
                {"name": "xy", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})
            expect_eq((r.status, r.headers["x-slipway-version"]), (200, "1"))
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


@test
def flags_and_feedback():
    if not shutil.which("curl"):
        skip("no curl here")
    block = block_with("./slipway flag set")
    tiny = block_with("./slipway push tiny").split("./slipway push tiny")[0]
    cwd = surroundings()
    try:
        with Daemon() as d:
            script = (tiny + "./slipway push tiny /tmp/tiny\n./slipway deploy tiny --wait\n"
                      + block).replace("/tmp/tiny", cwd + "/tiny")
            done = shell(script, d, cwd)
            expect_eq(done.returncode, 0, done.stderr + done.stdout)
            expect_in('"variant":"on"', done.stdout)
            expect_in("1 outcome told: 1 pending", done.stdout)
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


@test
def the_plan_it_shows_is_the_example():
    with open(README) as f:
        shown = re.search(r"^```yaml\n(.*?)^```", f.read(), re.M | re.S).group(1)
    with open(os.path.join(ROOT, "examples", "digits", "plan.yaml")) as f:
        example = f.read()

    def bare(text):
        return [l.split("#")[0].split() for l in text.splitlines() if l.split("#")[0].strip()]
    expect_eq(bare(shown), bare(example))


@test
def the_commands_it_lists_exist():
    listed = set(re.findall(r"slipway ([a-z]+)\b", block_with("slipway status [MODEL]")))
    expect({"serve", "push", "deploy", "rollback", "predict", "status", "history", "logs", "doctor",
            "help"} <= listed, listed)
    for command in sorted(listed - {"help"}):
        done = subprocess.run([BIN, "help", command], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        expect_eq(done.returncode, 0, "help %s: %s" % (command, done.stderr))
        expect_in(command, done.stdout)


@test
def the_make_targets_it_names_exist():
    with open(README) as f:
        named = set(re.findall(r"`?\bmake ([a-z][a-z-]*)\b", f.read()))
    with open(os.path.join(ROOT, "Makefile")) as f:
        text = f.read()
    for target in named:
        expect(re.search(r"^([a-z -]* )?%s\b[a-z -]*:" % re.escape(target), text, re.M),
               "make %s is no target" % target)


@test
def make_demo_tells_its_story_and_ends():
    """What `make demo` runs, without a terminal."""
    if SANITIZED:
        skip("the release build runs this")
    cwd = surroundings()
    try:
        done = subprocess.run([BIN, "demo"], cwd=ROOT, env=dict(os.environ, HOME=cwd), text=True,
                              timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        expect_eq(done.returncode, 0, done.stdout[-2000:])
        for word in ("digits", "wine", "curl"):
            expect_in(word, done.stdout)
        shares = [float(x) for x in re.findall(r"accuracy (0\.\d+)", done.stdout)]
        expect(len(shares) == 2 and all(0.9 < s <= 1 for s in shares),
               "an accuracy is printed: %s" % done.stdout[-1500:])
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


@test
def tenants_as_the_readme_makes_them():
    script = block_with("slipway tenant add").replace("slipway ", "./slipway ")
    cwd = surroundings()
    try:
        with Daemon() as d:
            done = shell(script, d, cwd)
            expect_eq(done.returncode, 0, done.stderr + done.stdout)
            expect_in("fraud team", done.stdout)
            expect_in("tenant acme is removed", done.stdout)
            for name in ("acme", "ci"):
                with open(os.path.join(cwd, name + ".key")) as f:
                    expect(f.read().startswith("slw_"), name)
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


main()
