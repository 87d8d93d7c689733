#!/usr/bin/env python3
"""release_kill_test.py - SIGKILL in the middle of releases: at each change of each strategy's
state, and at writes and syncs while all of them run. Each time the daemon is ready again, the split
is the step's or nobody meets the candidate, there is no candidate before a look, and the release
goes the way that it goes without a kill: same states, in the same order, each once.

Also harm that is found while nothing can be written: no traffic at once, the record later.
SPDX-License-Identifier: MIT
"""
import atexit
import concurrent.futures
import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import push, serve, want
from releases import Load, begin, body, broken, files, reaches, release, say
from slipway import (SANITIZED, SLOW, Daemon, Failed, expect, expect_eq, expect_in, main, skip,
                     test, wait_for)
from tenants import auth, key_add

# Times of microseconds on a busy machine are no matter of this test.
REST = """on_inconclusive: advance
warm_up: 0s
unjudged_max: 1000000
gates: {latency: off, memory: off, cost: off, prediction: off, sample_ratio: off}
"""
CANARY = ("strategy: canary\nsteps:\n  - canary: {traffic: 20%, for: 1s}\n"
          "  - canary: {traffic: 50%, for: 1s, approve: {count: 1}}\n" + REST)
LONG = "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 10m}\n" + REST
AB = """strategy: ab
metric: {name: clicks, cap: 1, maturity: 1s, users_expected: 2000}
steps: [{ab: {for: 1s, users_min: 0}}]
ab: {arms: [{name: candidate, traffic: 50%}, {name: stable, traffic: 50%}],
     users_min: 1, weeks_min: 0}
""" + REST
MANY = AB.replace("[{name: candidate, traffic: 50%}, {name: stable, traffic: 50%}]",
                  "[{traffic: 30%}, {traffic: 40%}, {version: 2, traffic: 30%}]")
# name: plan, and a person's words at (state, step)
PLANS = {
    "canary": (CANARY, {}),
    "shadow": ("strategy: shadow\nsteps: [{shadow: {traffic: 100%, for: 1s, requests_min: 1, "
               "approve: false}}]\n" + REST, {}),
    "bluegreen": ("strategy: bluegreen\nsteps: [{switch: {holdback: 20%, for: 1s}}]\n" + REST, {}),
    "ab": (AB, {}),
    "many": (MANY, {}),
    "paused": (LONG, {("running", 0): "pause", ("paused", 0): "promote"}),
    "promoted": (LONG, {("running", 0): "promote"}),
    "aborted": (LONG, {("running", 0): "abort"}),
    "back": (LONG, {("running", 0): "promote", ("completed", 1): "abort"}),
}
ENDS = {"aborted": "aborted", "back": "rolled_back"}  # the others: completed
LOOK_S = 0.7  # less than the first second after a start, which ends with the first look
BATCH = 150


def key_of(now):
    return now["state"], now["step"]


# --- a folder with all models, made once --------------------------------------------------------

PEOPLE = {}


def prepared():
    if not hasattr(prepared, "data"):
        prepared.data = tempfile.mkdtemp(prefix="slipway-prepared-")
        atexit.register(shutil.rmtree, prepared.data, True)
        with Daemon(data=prepared.data) as d:
            for name in ("ann", "bob"):
                PEOPLE[name] = auth(key_add(d, "approver", name)["key"])
            for model in [*PLANS, "now", "harm"]:
                serve(d, model, files())
                second = broken() if model == "harm" else files()
                push(d, model, dict(second, **{"notes.txt": b"the second"}))
                if model == "many":  # two candidates; people choose the second version
                    push(d, model, dict(files(), **{"notes.txt": b"the third"}))
    return prepared.data


@contextlib.contextmanager
def a_daemon():
    data = tempfile.mkdtemp(prefix="slipway-kill-")
    shutil.rmtree(data)
    shutil.copytree(prepared(), data)
    d = Daemon(data=data, seconds=20)
    try:
        yield d.start()
        d.check()
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


def restart(d):
    """Kills it, if it lives, and starts it again; when the new process began."""
    if d.proc.poll() is None:
        d.kill()
    began = time.monotonic()
    d.start()
    took = time.monotonic() - began
    expect(took < 5 * SLOW, "ready only after %.2f s" % took)
    return began


# --- what a client sees -------------------------------------------------------------------------

def meet(d, model, n=BATCH):
    """How many of n requests a candidate answered, and when the first of them was."""
    met, first = 0, None
    with d.conn() as c:
        for i in range(n):
            reply = c.ask("POST", "/v2/models/%s/infer" % model, body(i, time.time() % 1e5, 0, 1),
                          {"x-request-id": "r-%d-%d" % (time.monotonic_ns(), i)})
            expect(reply.status == 200 or model == "harm", model, reply)
            version = reply.headers.get("x-slipway-version")
            expect(version in ("1", "2", "3"), model, reply, reply.headers)
            if version != "1":
                met += 1
                first = first or time.monotonic()
    return met, first


def is_share(met, n, weight):
    """Within five standard deviations, and two requests for a world on its way."""
    return abs(met - n * weight) <= 5 * math.sqrt(n * weight * (1 - weight)) + 2


def look(d, model, began=None):
    """The split of a batch is the one that is shown, if that did not change meanwhile."""
    before = release(d, model)
    met, first = meet(d, model)
    after = release(d, model)
    if first and began and before["held_off"]:
        expect(first - began > LOOK_S,
               "%s: the candidate answered %.2f s after the start" % (model, first - began))
    shown = [(r["state"], r["step"], r["weight"], r["held_off"]) for r in (before, after)]
    if shown[0] == shown[1]:
        expect(is_share(met, BATCH, after["weight"]),
               "%s: %d of %d met the candidate: %s" % (model, met, BATCH, shown[0]))
        expect(not (after["held_off"] and met),
               "%s: %d met the candidate before a look: %s" % (model, met, shown[0]))
    return after


def way(d, model):
    """The states it went through, by the ledger."""
    events = d.get("/api/v1/models/%s/history?limit=100" % model).json()["events"]
    moves = [(e["state"], int(e["step"])) for e in events if e["what"] == "release_moved"]
    expect_eq(sum(e["what"] == "release_started" for e in events), 1, model)
    return moves[::-1]


def is_over(model, now):
    return now["state"] == ENDS.get(model, "completed") and not now["held_off"]


def say_due(d, model, now):
    """What a person says here. It may be refused: while it is held off, or said before."""
    word = PLANS[model][1].get(key_of(now)) if model in PLANS else None
    if now["state"] == "waiting" and not now["approvals"]["have"]:
        word = "approve"
    if not word:
        return
    chosen = {"arm": "candidate-2"} if model == "many" and word == "approve" else {}
    reply = say(d, word, model, PEOPLE["bob"], **chosen)
    expect(reply.status in (200, 409), model, word, reply)


def unharmed(model):
    """The way of this release when nothing is killed; found once."""
    if model not in unharmed.known:
        with a_daemon() as d, Load(d, model, rate=60, crew=1):
            begin(d, PLANS[model][0], model, headers=PEOPLE["ann"])
            end = time.monotonic() + 40 * SLOW
            now = release(d, model)
            while not is_over(model, now):
                expect(time.monotonic() < end, "%s does not end: %s" % (model, key_of(now)))
                say_due(d, model, now)
                time.sleep(0.05)
                now = look(d, model)
            unharmed.known[model] = way(d, model)
    return unharmed.known[model]


unharmed.known = {}


def at_once(fn, args, crew=4):
    """fn of each of them, some at a time: they mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(crew) as pool:
        return list(pool.map(fn, args))


# --- at each change -----------------------------------------------------------------------------

def cut_at_each_change(model):
    """One release; killed whenever it is seen in a state it was not seen in before."""
    wanted = unharmed(model)
    cuts = []
    with a_daemon() as d, Load(d, model, rate=60, crew=1):
        begin(d, PLANS[model][0], model, headers=PEOPLE["ann"])
        end, began = time.monotonic() + 60 * SLOW, None
        now = release(d, model)
        while not is_over(model, now) or key_of(now) not in cuts:
            expect(time.monotonic() < end, "%s does not end: %s after cuts at %s"
                   % (model, now, cuts))
            if key_of(now) not in cuts:
                cuts.append(key_of(now))
                began = restart(d)
            else:
                say_due(d, model, now)
            if d.get("/api/v1/models/%s/release" % model).status == 404:
                break  # it had ended for good before the kill
            now = look(d, model, began)
            time.sleep(0.03)
        expect_eq(way(d, model), wanted, "%s, cut at %s" % (model, cuts))
        met, _ = meet(d, model)
        expect_eq(met, BATCH if ENDS.get(model, "completed") == "completed" else 0, model)
        expect(set(cuts) & set(wanted), "%s was never cut" % model)
    return len(cuts)


@test
def killed_at_every_change_of_every_strategy():
    prepared()
    n = at_once(cut_at_each_change, PLANS)
    print("  %d cuts in %d releases" % (sum(n), len(PLANS)))


@test
def promoted_before_any_look_and_killed_it_comes_back():
    prepared()
    with a_daemon() as d, Load(d, "paused", rate=60, crew=1):
        begin(d, LONG, "paused")
        reaches(d, "running", model="paused")
        want(say(d, "promote", "paused"), 200, "promote")
        expect_eq(way(d, "paused")[-1], ("completed", 1))
        began = restart(d)
        while look(d, "paused", began)["held_off"]:
            expect(time.monotonic() - began < 20 * SLOW, "it is held off for ever")
        expect_eq(meet(d, "paused")[0], BATCH)


# --- at writes ----------------------------------------------------------------------------------

def need_strace():
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")


@contextlib.contextmanager
def traced(d, call, inject):
    """strace at all threads of the daemon while the block runs; each counts its own calls."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as err:
        p = subprocess.Popen(["strace", "-f", "-e", "trace=" + call, "-e",
                              "inject=%s:%s" % (call, inject), "-o", "/dev/null", "-p",
                              str(d.proc.pid)], stderr=err)
        try:
            folder, end = "/proc/%d/task" % d.proc.pid, time.monotonic() + 10
            while not all(tracer("%s/%s/status" % (folder, t)) == p.pid
                          for t in os.listdir(folder)):
                if p.poll() is not None or time.monotonic() > end:
                    skip("strace cannot attach here: %s" % open(err.name).read()[:200])
                time.sleep(0.002)
            yield
        finally:
            if p.poll() is None:
                p.send_signal(signal.SIGINT)
            p.wait(20)


def tracer(path):
    try:
        with open(path) as f:
            return int(f.read().split("TracerPid:")[1].split()[0])
    except OSError:
        return 0


STRATEGIES = ["canary", "shadow", "bluegreen", "ab"]


def begin_all(d):
    """Begins those that have not begun, and the switch of `now`."""
    for model in STRATEGIES:
        if d.get("/api/v1/models/%s/release" % model).status == 404:
            begin(d, PLANS[model][0], model, headers=PEOPLE["ann"])
    want(d.post("/api/v1/models/now/deploy", {"version": 2, "strategy": "now", "wait": True}), 200,
         "now")


def follow(d, looks=True, seconds=40, began=None):
    """All releases to their end, with what persons say."""
    end, left = time.monotonic() + seconds * SLOW, list(STRATEGIES)
    while left:
        for model in list(left):
            now = look(d, model, began) if looks else release(d, model)
            say_due(d, model, now)
            expect(time.monotonic() < end, "%s does not end: %s" % (model, now))
            if is_over(model, now):
                left.remove(model)
        time.sleep(0.02)


def cut_at_write(point):
    call, n = point
    with a_daemon() as d:
        loads = [Load(d, model, rate=40, crew=1) for model in STRATEGIES]
        with contextlib.ExitStack() as stack:
            for load in loads:
                stack.enter_context(load)
            with traced(d, call, "signal=KILL:when=%d" % n):
                try:
                    begin_all(d)
                    follow(d, looks=False)
                except (OSError, Failed, AttributeError, ValueError):
                    wait_for(lambda: d.proc.poll() is not None, 5, "%s %d: the kill" % point)
            killed = d.proc.poll() is not None
            began = restart(d)
            met, _ = meet(d, "now")
            expect(met in (0, BATCH), "%s %d: a third split of a switch: %d" % (call, n, met))
            begin_all(d)
            follow(d, began=began)
        for model in STRATEGIES:
            expect_eq(way(d, model), unharmed.known[model], "%s, killed at %s %d"
                      % (model, call, n))
            expect_eq(meet(d, model)[0], BATCH, model)
        expect_eq(meet(d, "now")[0], BATCH)
    return killed


@test
def killed_at_writes_while_every_strategy_runs():
    need_strace()
    prepared()
    at_once(unharmed, STRATEGIES)
    points = [("pwrite64", n) for n in (1, 3, 6, 11, 17, 24, 36)]
    points += [("fdatasync", n) for n in (1, 2, 4, 6, 9)]
    killed = at_once(cut_at_write, points)
    print("  killed at %d of %d points" % (sum(killed), len(points)))
    expect(sum(killed) >= len(points) / 2, "the points are beyond what a release writes: %s"
           % list(zip(points, killed)))


# --- harm ---------------------------------------------------------------------------------------

HARM = ("strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 10m}\nwarm_up: 0s\n"
        "contract: {changed: true}\n")


NO_ROOM = 20  # writes that fail; some are tried each second


@contextlib.contextmanager
def harm_begins():
    """A release of a candidate that fails, with its first answers given."""
    need_strace()
    prepared()
    with a_daemon() as d, Load(d, "harm", rate=200) as load:
        begin(d, HARM, "harm", headers=PEOPLE["ann"])
        load.wait(1, "candidate")
        yield d


def harm_is_stopped(d):
    """Found, and nobody meets the candidate any more, while nothing can be written."""
    now = reaches(d, "rolled_back", model="harm", seconds=20)
    expect_eq(now["weight"], 0)
    expect_eq(meet(d, "harm")[0], 0, "the candidate answers after its harm was found")
    expect_in("ledger", " ".join(now["warnings"]))
    expect_eq(way(d, "harm"), [("running", 0)])


@test
def killed_between_publish_and_record_the_candidate_stays_out():
    """[release-features 11.4]"""
    with harm_begins() as d:
        with traced(d, "fdatasync", "delay_enter=15000000"):
            harm_is_stopped(d)
            d.kill()
        began = restart(d)
        now = release(d, "harm")  # it was not written: nothing before a look, then the step's
        expect(not now["held_off"] or now["weight"] == 0, now)
        expect(time.monotonic() - began > LOOK_S or now["held_off"], now)
        while look(d, "harm", began)["state"] != "rolled_back":
            expect(time.monotonic() - began < 30 * SLOW, "harm is not found again")
        expect_eq(meet(d, "harm")[0], 0)
        wait_for(lambda: len(way(d, "harm")) > 1, 10, "the record")
        expect_eq(way(d, "harm"), [("running", 0), ("rolled_back", 0)])


@test
def harm_is_recorded_whole_once_the_full_disk_has_room():
    with harm_begins() as d:
        # strace stays until there is room: a call that it leaves half way is not a full disk
        with traced(d, "pwrite64", "error=ENOSPC:when=1..%d" % NO_ROOM):
            harm_is_stopped(d)
            wait_for(lambda: len(way(d, "harm")) > 1, 60, "the record")
        expect_eq(way(d, "harm"), [("running", 0), ("rolled_back", 0)])
        expect_eq(meet(d, "harm")[0], 0)
        wait_for(lambda: d.cli("release", "replay", "harm/1").returncode == 0, 10, "its looks")
        restart(d)
        expect_eq(meet(d, "harm")[0], 0)
        shown = d.get("/api/v1/releases/harm/1").json()
        expect_eq(shown["state"], "rolled_back")
        expect(shown["why"] in ("gate", "killed"), shown["why"])
        done = d.cli("release", "replay", "harm/1")
        expect_eq(done.returncode, 0, done.stdout, done.stderr)


main()
