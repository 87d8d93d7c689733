#!/usr/bin/env python3
# run: early
"""release_people_test.py - what persons may say of a release, and what comes of it: abort, pause,
approve, freeze, a second release.
SPDX-License-Identifier: MIT
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import push, want  # noqa: E402
from releases import Load, begin, files, reaches, release, say, two, with_past  # noqa: E402
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402
from tenants import auth, key_add  # noqa: E402

CANARY = "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 60s}\nwarm_up: 0s\n"


def is_error(reply, status, code, field=None):
    expect_eq((reply.status, reply.json()["code"]), (status, code), reply)
    if field is not None:
        expect_eq(reply.json()["details"].get("field"), field)


def serving(d, model="m"):
    return d.get("/api/v1/models/%s" % model).json()["serving"]


@test
def argo_rollouts_1292_abort_is_legal_in_every_state_and_twice_is_fine():
    """[argo-rollouts#4898, #4973]"""
    with Daemon() as d:
        two(d)
        for before in ([], ["pause"], ["pause", "resume"], ["promote"]):
            begin(d, CANARY)
            reaches(d, "running")
            for word in before:
                expect(say(d, word).status in (200, 409), word)
            expect_eq(say(d, "abort", why="enough").status, 200)
            now = reaches(d, "aborted", "rolled_back")
            expect_eq(now["weight"], 0)
            expect(say(d, "abort").status in (200, 409))
            expect_eq(serving(d), 1)


@test
def argo_rollouts_3120_an_aborted_release_is_retried_as_a_new_one():
    with Daemon() as d:
        two(d)
        expect_eq(begin(d, CANARY)["release"], 1)
        say(d, "abort")
        reaches(d, "aborted")
        expect_eq(begin(d, CANARY)["release"], 2)
        rows = d.get("/api/v1/releases?model=m").json()["releases"]
        expect_eq([r["release"] for r in rows], [2, 1])
        expect_eq(rows[1]["state"], "aborted")


def written(d):
    """The ledger of m once it has the rollback."""
    events = d.get("/api/v1/models/m/history").json()["events"]
    return events if events[0].get("state") == "rolled_back" else None


@test
def ro_110_nothing_is_retried_by_itself():
    """What ended stays ended, over a crash as well: to try again is a person's deploy. Whoever asks
    after the crash how it ended is told."""
    with Daemon() as d:
        two(d, files(delay_us=30000))
        with Load(d) as load:
            with_past(load)
            begin(d, CANARY)
            reaches(d, "rolled_back", seconds=40)
            before = wait_for(lambda: written(d), 10, "the record")
            d.kill()
            d.start()
            began = time.monotonic()
            wait_for(lambda: time.monotonic() - began > 4, 10, "four pulses")
        now = release(d)
        expect_eq((now["release"], now["state"], now["version"]), (1, "rolled_back", 2))
        expect_eq((now["weight"], now["verdict"], now["why"]), (0, None, "gate"))
        expect_in("slipway release show m/1", now["warnings"][0])
        expect_eq(written(d), before)
        expect_eq(serving(d), 1)


@test
def a_second_release_is_refused_or_takes_the_place_of_the_first():
    """[RO-104]"""
    with Daemon() as d:
        two(d)
        begin(d, CANARY)
        reaches(d, "running")
        is_error(d.post("/api/v1/models/m/deploy", {"plan": CANARY}), 409, "CONFLICT")
        is_error(d.post("/api/v1/models/m/deploy", {"strategy": "now"}), 409, "CONFLICT")
        expect_eq(begin(d, CANARY, supersede=True)["release"], 2)
        rows = d.get("/api/v1/releases?model=m").json()["releases"]
        expect_eq(rows[1]["state"], "aborted")


@test
def in_an_emergency_one_command_ends_a_release_and_deploys_another_version():
    with Daemon() as d:
        two(d)
        push(d, "m", dict(files(), **{"notes.txt": b"the third"}))
        begin(d, CANARY, version=2)
        reaches(d, "running")
        done = d.cli("deploy", "m@3", "--strategy", "now", "--supersede", "--wait")
        expect_eq(done.returncode, 0, done.stdout, done.stderr)
        expect_eq(serving(d), 3)
        rows = d.get("/api/v1/releases?model=m").json()["releases"]
        expect_eq([(r["release"], r["state"]) for r in rows][1], (1, "aborted"))
        expect_eq(say(d, "abort").status, 200)  # its way back is warm
        expect_eq(serving(d), 1)


@test
def words_without_a_release_say_so():
    with Daemon() as d:
        two(d)
        for word in ("promote", "pause", "resume", "abort"):
            reply = say(d, word)
            expect(reply.status in (404, 409), word, reply)
        expect_eq(d.get("/api/v1/models/m/release").status, 404)
        done = d.cli("abort", "m")
        expect(done.returncode in (4, 6), done.returncode, done.stderr)


@test
def argo_cd_2180_words_are_audited_and_share_one_permission_check():
    """[argo-cd#17315] A viewer may look and no more; history says who, and why."""
    with Daemon() as d:
        two(d)
        keys = {}
        for role in ("viewer", "deployer", "approver"):
            keys[role] = auth(key_add(d, role)["key"])
        begin(d, CANARY, headers=keys["deployer"])
        reaches(d, "running")
        for word in ("promote", "pause", "resume", "approve", "reject", "abort"):
            is_error(say(d, word, headers=keys["viewer"]), 403, "DENIED")
        is_error(say(d, "approve", headers=keys["deployer"]), 403, "DENIED")
        expect_eq(say(d, "pause", headers=keys["deployer"], why="a look").status, 200)
        reaches(d, "paused")
        expect_eq(d.get("/api/v1/models/m/release", keys["viewer"]).status, 200)
        expect_in("a look", d.cli("history", "m").stdout)
        expect_eq(say(d, "abort", headers=keys["deployer"]).status, 200)


@test
def an_approval_is_another_person_s():
    with Daemon() as d:
        two(d)
        keys = {}
        for name in ("ann", "bob"):
            keys[name] = auth(key_add(d, "approver", name)["key"])
        with Load(d) as load:
            with_past(load)
            begin(d, "strategy: canary\nsteps:\n"
                     "  - canary: {traffic: 50%, for: 2s, approve: {count: 1, role: approver}}\n"
                     "on_inconclusive: ask\nwarm_up: 0s\n", headers=keys["ann"])
            reaches(d, "waiting", seconds=40)
            expect(say(d, "approve", headers=keys["ann"]).status in (403, 409))
            expect_eq(release(d)["state"], "waiting")
            expect_eq(say(d, "approve", headers=keys["bob"]).status, 200)
            reaches(d, "completed", "settled")


@test
def kargo_1422_a_freeze_holds_at_each_level_and_lifting_it_is_audited():
    with Daemon() as d:
        two(d)
        for body, query in (({"model": "m"}, "?model=m"), ({}, ""),
                            ({"scope": "system"}, "?scope=system")):
            want(d.post("/api/v1/freezes", dict(body, now=True, why="month end")), 200, "freeze")
            expect_eq(len(d.get("/api/v1/freezes").json()["freezes"]), 1)
            begin(d, CANARY)
            time.sleep(2)
            now = release(d)
            expect_eq((now["state"], now["frozen"], now["weight"]), ("pending", True, 0))
            want(d.ask("DELETE", "/api/v1/freezes" + query), 200, "lift")
            reaches(d, "running")
            say(d, "abort")
            reaches(d, "aborted")
        expect_eq(d.get("/api/v1/freezes").json()["freezes"], [])
        is_error(d.post("/api/v1/freezes", {"until": "2001-01-01"}), 400, "VALUE_OUT_OF_RANGE",
                 "until")
        is_error(d.post("/api/v1/freezes", {"weekly": "every second tuesday"}), 400,
                 "INVALID_ARGUMENT")
        done = d.cli("freeze", "m", "--weekly", "fri 16:00-mon 08:00 +01:00", "--why", "weekends")
        expect_eq(done.returncode, 0, done.stderr)
        expect_in("weekends", d.cli("freeze").stdout)


main()
