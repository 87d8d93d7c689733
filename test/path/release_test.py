#!/usr/bin/env python3
# run: early
"""release_test.py - releases through the running daemon: plans refused and obeyed, verdicts told,
persons heard, way back. Tests named after a thread of another tool (argo_rollouts_1905_...) hold
what people asked for there; docs/release-complaints.md lists all of them.
SPDX-License-Identifier: MIT
"""
import hashlib
import json
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import damage, object_path, push, serve, upload, want  # noqa: E402
from releases import (BODY, Load, begin, broken, files, gate, reaches, release, say,  # noqa
                      two, with_past)
from slipway import (SLOW, Daemon, cases, expect, expect_eq, expect_in, main, test,  # noqa
                     wait_for)

CANARY = "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 60s}\nwarm_up: 0s\n"
SWITCH = ("strategy: bluegreen\nsteps:\n  - switch: {holdback: 1%, for: 1h}\nwarm_up: 0s\n"
          "gates: {latency: off, memory: off, prediction: off}\n")
QUICK = """strategy: canary
steps:
  - canary: {traffic: 20%, for: 2s}
  - canary: {traffic: 50%, for: 2s}
on_inconclusive: advance
warm_up: 0s
"""


def is_error(reply, status, code, field=None):
    expect_eq((reply.status, reply.json()["code"]), (status, code), reply)
    if field is not None:
        expect_eq(reply.json()["details"].get("field"), field)
    return reply.json()["error"]


def serving(d, model="m"):
    return d.get("/api/v1/models/%s" % model).json()["serving"]


# --- plans --------------------------------------------------------------------------------------

@cases([
    ("weights_over_100", "strategy: canary\nsteps:\n  - canary: {traffic: 150%}\n",
     "plan.steps[0].canary.traffic"),
    ("unknown_gate", "strategy: canary\ngates:\n  erorrs: {margin: 1.25}\n", "plan.gates.erorrs"),
    ("negative_time", "strategy: canary\nsteps:\n  - canary: {traffic: 5%, for: -10m}\n",
     "plan.steps[0].canary.for"),
    ("unknown_key", "strategy: canary\nstepz: []\n", "plan.stepz"),
])
def argo_rollouts_1832_a_wrong_plan_is_refused_with_its_place(plan, field):
    """[flagger#1581, kserve#4074, kserve#5335]"""
    with Daemon() as d:
        two(d)
        text = is_error(d.post("/api/v1/models/m/deploy", {"plan": plan}), 400, "BAD_CONFIG", field)
        expect(re.match(r"line \d+, column \d+: ", text), text)
        expect_eq(d.get("/api/v1/releases").json()["releases"], [])
        expect_eq(serving(d), 1)


@test
def targets_that_are_not_there_are_refused():
    with Daemon() as d:
        two(d)
        is_error(d.post("/api/v1/models/m/deploy", {"version": 9, "strategy": "canary"}), 404,
                 "VERSION_NOT_FOUND")
        is_error(d.post("/api/v1/models/none/deploy", {"strategy": "canary"}), 404,
                 "MODEL_NOT_FOUND")
        expect_eq(d.get("/api/v1/releases").json()["releases"], [])


@test
def hostile_input_is_refused_and_changes_nothing():
    deploy = "/api/v1/models/m/deploy"
    rows = [("POST", deploy, {"plan": "\u0001"}), ("POST", deploy, {"plan": "x" * 300000}),
            ("POST", deploy, {"plan": "[" * 5000}), ("POST", deploy, {"plan": None}),
            ("POST", deploy, {"plan": {"strategy": "canary", "steps": [[]] * 20}}),
            ("POST", deploy, {"supersede": "yes"}), ("POST", deploy, {"rehearse": "x" * 65}),
            ("POST", deploy, {"rehearse": "errors 200%"}), ("POST", deploy, {"plan": 1e99}),
            ("POST", "/api/v1/freezes", {"model": "m", "now": True, "why": "x" * 300}),
            ("POST", "/api/v1/freezes", {"model": "m", "now": True, "weekly": "\u2028"}),
            ("POST", "/api/v1/freezes", {"until": -1}),
            ("DELETE", "/api/v1/freezes?why=%ff", None), ("DELETE", "/api/v1/freezes?scope=%00", None),
            ("GET", "/api/v1/releases?model=%00", None), ("GET", "/api/v1/releases?before=x", None),
            ("GET", "/api/v1/releases/m/18446744073709551616", None),
            ("GET", "/api/v1/releases/m/1/looks?from=99999999999999999999", None),
            ("GET", "/api/v1/models/m/history?at=2026-02-30", None),
            ("POST", "/api/v1/models/m/release/abort", {"why": "y" * 2000}),
            ("POST", "/api/v1/models/m/release/approve", {"step": -1})]
    with Daemon() as d:
        two(d)
        before = d.get("/api/v1/models/m/history").json()["events"]
        for method, path, body in rows:
            reply = d.ask(method, path, body)
            expect_eq(reply.status // 100, 4, method, path, reply)
            expect(reply.json()["details"].get("field") or reply.status == 404 or
                   path.startswith("/api/v1/releases/m/1844"), path, reply)
        expect_eq(d.get("/api/v1/models/m/history").json()["events"], before)
        expect_eq((serving(d), d.get("/readyz").status), (1, 200))


@test
def a_plan_tells_before_launch_what_it_can_see():
    with Daemon() as d:
        two(d)
        begun = begin(d, CANARY)
        expect_eq((begun["release"], begun["version"], begun["stable"]), (1, 2, 1))
        expect_eq(len(begun["forecast"]), 1)
        expect(begun["warnings"], "no traffic: no step can decide, and nobody is told")
        expect_eq(say(d, "abort").status, 200)


@test
def argo_rollouts_3771_the_default_plan_has_gates_against_stable():
    """[argo-rollouts#1107]"""
    with Daemon() as d:
        two(d)
        plan = begin(d, strategy="canary")["plan"]
        expect_eq([list(s)[0] for s in plan["steps"]], ["canary"] * 3)
        expect_eq([s["canary"]["traffic"] for s in plan["steps"]], ["5%", "10%", "50%"])
        for name in ("errors", "latency"):
            expect_eq(plan["gates"][name]["margin"], 1.25)
        say(d, "abort")


# --- verdicts -----------------------------------------------------------------------------------

@test
def argo_rollouts_404_a_stop_says_why():
    """A slow candidate is sent to zero in seconds; gate, effect, counts and first bad second are
    told by status, ledger and command line, and a replay finds the same bits. [kayenta#521]
    """
    with Daemon() as d:
        two(d, files(delay_us=30000))
        with Load(d) as load:
            with_past(load)
            begin(d, CANARY)
            told = reaches(d, "rolled_back", seconds=40)
            load.settle()  # what was on its way to the candidate comes home
            candidate = load.count("candidate")
            load.wait(load.count() + 200)
            expect_eq(load.count("candidate"), candidate)
        expect_eq(load.count(status=200), load.count(), "requests failed", load.seen)
        latency = gate(told, "latency")
        expect_eq((told["why"], latency["state"], told["weight"]), ("gate", "harm", 0))
        expect(latency["first_bad_s"] is not None and latency["fired_s"] < 30, latency)
        expect(latency["effect"] is None or latency["effect"]["value"] > 1.25, latency)
        expect(latency["counts"]["candidate"][1] > 0, latency)
        spent_us, answers = gate(told, "cost")["counts"]["candidate"]
        expect(answers > 0 and spent_us / answers < 10000, "waiting 30 ms costs no core", spent_us, answers)
        expect_in("stable's", told["verdict"]["sentence"])
        status = d.cli("status", "m").stdout
        expect_in(told["verdict"]["sentence"][:40], status)
        shown = want(d.get("/api/v1/releases/m/1"), 200, "release")
        expect_eq((shown["state"], shown["version"], shown["stable"]), ("rolled_back", 2, 1))
        expect_eq((shown["verdict"], shown["sentence"]), ("harm", told["verdict"]["sentence"]))
        row = want(d.get("/api/v1/releases?model=m"), 200, "releases")["releases"][0]
        expect_eq((row["verdict"], row["sentence"]), ("harm", shown["sentence"]))
        expect_in(row["sentence"][:40], d.cli("release", "list", "m").stdout)
        expect_in("rolled_back", d.cli("release", "show", "m/1").stdout)
        expect_in("rolled_back", d.cli("history", "m").stdout)
        replay = d.cli("release", "replay", "m/1")
        expect_eq(replay.returncode, 0, replay.stdout, replay.stderr)
        expect_in("all the same, bit for bit", replay.stdout)
        lines = [json.dumps(e) for e in d.log() if e.get("state") == "rolled_back"]
        expect(any("stable's" in line for line in lines), lines)


@test
def a_replay_of_other_looks_says_so():
    """Looks are rows that somebody could change: then the verdicts do not come out again."""
    with Daemon() as d:
        two(d, files(delay_us=30000))
        with Load(d) as load:
            with_past(load)
            begin(d, CANARY)
            reaches(d, "rolled_back", seconds=40)
        expect_eq(d.cli("release", "replay", "m/1").returncode, 0)
        rows = d.cli("release", "looks", "m/1").stdout.splitlines()
        expect(len(rows) >= 2, rows)
        expect_eq([json.loads(r)["look"] for r in rows], list(range(len(rows))))
        d.stop()
        with sqlite3.connect(os.path.join(d.data, "ledger.db")) as db:
            last = db.execute("SELECT max(look) FROM looks").fetchone()[0]
            db.execute("UPDATE looks SET bytes = (SELECT bytes FROM looks WHERE look = ?)"
                       " WHERE look = ?", (last - 1, last))
        db.close()
        d.start()
        done = d.cli("release", "replay", "m/1")
        expect(done.returncode != 0, done.stdout)
        d.stop()
        with sqlite3.connect(os.path.join(d.data, "ledger.db")) as db:
            db.execute("DELETE FROM looks WHERE look = ?", (last,))
        db.close()
        d.start()
        done = d.cli("release", "replay", "m/1")
        expect_eq(done.returncode, 8, done.stdout, done.stderr)
        expect_in("WITHOUT LOOKS", done.stdout)


@test
def answers_that_break_the_contract_never_serve():
    with Daemon() as d:
        two(d, broken())
        plan = os.path.join(d.data, "plan.yaml")
        with open(plan, "w") as f:
            f.write(CANARY)
        done = d.cli("deploy", "m@2", "--plan", plan, "--wait")
        expect_eq(done.returncode, 8, done.stdout, done.stderr)
        expect_in("failed", done.stdout)
        expect_eq(serving(d), 1)


@test
def a_rehearsal_shows_how_fast_failures_are_found_and_changes_nothing():
    with Daemon() as d:
        serve(d, "m", files())
        with Load(d) as load:
            load.wait(100)
            began = time.monotonic()
            done = d.cli("deploy", "m", "--rehearse", "errors 50%", "--wait")
            expect(time.monotonic() - began < 40 * SLOW, "it took too long")
        expect_eq(done.returncode, 8, done.stdout, done.stderr)
        expect_in("rolled_back", done.stdout)
        expect_in("errors", done.stdout)
        expect_eq(serving(d), 1)
        expect_eq(d.get("/api/v1/releases").json()["releases"][0]["rehearse"], "errors 50%")


@test
def argo_rollouts_1905_idle_candidate_holds():
    """No traffic: neither promoted nor reverted, and it says so. [flagger#1035, #883, #1330,
    RO-102]"""
    with Daemon() as d:
        two(d)
        begin(d, QUICK)
        reaches(d, "running")
        time.sleep(5 * SLOW)
        now = release(d)
        expect_eq((now["state"], now["step"]), ("running", 0))
        expect_eq(gate(now, "errors")["state"], "no_data")
        expect_eq(gate(now, "errors")["reason"], "no_candidate_requests")
        expect_in("slipway_release_no_data{", d.get("/metrics").body.decode())
        expect_in("no_candidate_requests", d.cli("status", "m").stdout)
        expect_eq(serving(d), 1)


@test
def a_good_candidate_goes_all_the_way_and_back_in_one_step():
    """[argo-rollouts#3020] The version before is warm until the keep-warm time is over."""
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            with_past(load)
            plan = os.path.join(d.data, "plan.yaml")
            with open(plan, "w") as f:
                f.write(QUICK)
            done = d.cli("deploy", "m@2", "--plan", plan, "--wait")
            expect_eq(done.returncode, 0, done.stdout, done.stderr)
            expect_in("completed", done.stdout)
            expect_in("step 2 of 2", done.stderr)  # progress
            wait_for(lambda: serving(d) == 2, 10, "version 2 in charge")
            loads = [e for e in d.log() if e["event"] == "model_ready"]
            want(d.post("/api/v1/models/m/rollback", {"wait": True}), 200, "rollback")
            expect_eq(serving(d), 1)
            expect_eq([e for e in d.log() if e["event"] == "model_ready"], loads,
                      "going back loaded something")
            load.wait(load.count() + 50)
        expect_eq(load.count(status=200), load.count(), "requests failed", load.seen)
        moves = d.get("/api/v1/releases/m/1").json()["moves"]
        won = [m["at"] for m in moves if m["state"] == "completed"][0]
        then = json.loads(d.cli("history", "m", "--at", won, "--json").stdout)
        expect_eq((then["serving"], then["release"]["state"]), (2, "completed"))
        expect_in("answered by version 1", d.cli("history", "m", "--at", "2100-01-01").stdout)
        expect_in('slipway_release_moves_total{state="completed"} 1',
                  d.get("/metrics").body.decode())


@test
def bluegreen_switches_at_once_and_back_at_once():
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            with_past(load)
            begin(d, "strategy: bluegreen\nsteps:\n  - switch: {holdback: 10%, for: 2s}\n"
                     "on_inconclusive: advance\nwarm_up: 0s\n")
            before = load.count("candidate")
            load.wait(before + 100, "candidate")
            stable = load.count("stable")
            load.wait(load.count() + 200)
            expect(load.count("stable") - stable < 60, "no more than the holdback is stable's")
            reaches(d, "completed")
            want(d.post("/api/v1/models/m/rollback", {"wait": True}), 200, "rollback")
            load.settle()
            expect_eq(serving(d), 1)
        expect_eq(load.count(status=200), load.count(), "requests failed", load.seen)


@test
def ab_gives_each_arm_its_users():
    with Daemon() as d:
        two(d)
        begin(d, {"strategy": "ab", "sticky_by": "header:x-user-id",
                  "metric": {"name": "clicks", "cap": 1},
                  "ab": {"arms": [{"name": "candidate", "traffic": "30%"},
                                  {"name": "stable", "traffic": "70%"}]}})
        wait_for(lambda: release(d)["weight"] == 0.3, 20, "traffic for the candidate")
        with Load(d, headers=lambda crew, n: {"x-user-id": "%d-%d" % (crew, n % 300)}) as load:
            load.wait(1500)
        share = load.count("candidate") / load.count()
        expect(0.2 < share < 0.4, share)
        now = release(d)
        expect_eq((now["state"], now["strategy"]), ("running", "ab"))
        expect_eq(gate(now, "metric")["state"], "no_data")
        expect_in("30%", d.cli("status", "m").stdout)
        expect_eq(say(d, "abort").status, 200)


@test
def flagger_1801_harm_is_seen_while_a_person_is_awaited():
    with Daemon() as d:
        two(d, files(delay_us=30000))
        with Load(d) as load:
            with_past(load)
            begin(d, CANARY)
            reaches(d, "running")
            expect_eq(say(d, "pause", why="to look").status, 200)
            reaches(d, "paused", "rolled_back")
            reaches(d, "rolled_back", seconds=40)


@test
def argo_rollouts_2866_on_harm_pause_holds_and_dry_run_only_tells():
    gates = "gates: {latency: {%s}, cost: off, budget: {dry_run: true}}\n"
    with Daemon() as d:
        two(d, files(delay_us=30000))
        with Load(d) as load:
            with_past(load)
            begin(d, CANARY + gates % "on_harm: pause")
            now = reaches(d, "paused", seconds=40)
            expect_eq(gate(now, "latency")["state"], "harm")
            expect_eq(say(d, "abort").status, 200)
            reaches(d, "aborted")
            begin(d, CANARY + gates % "dry_run: true")
            wait_for(lambda: (release(d).get("verdict") or {}).get("gates") and
                     gate(release(d), "latency")["state"] == "harm", 40, "harm on the dry gate")
            expect_eq(release(d)["state"], "running")


@test
def kserve_5983_a_version_that_fails_its_golden_examples_gets_no_traffic():
    golden = json.dumps({"request": {"inputs": [
        {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]},
        "response": {"outputs": [
            {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [4, 3, 2, 1]}]}})
    with Daemon() as d:
        serve(d, "m", files())
        bad = [{"name": n, "sha256": upload(d, b)}
               for n, b in dict(files(), **{"golden.jsonl": golden.encode()}).items()]
        is_error(d.post("/api/v1/models/m/versions", {"files": bad}), 422, "GOLDEN_FAILED")
        push(d, "m", dict(files(), **{"note.txt": b"rots"}))  # what passed, and cannot be loaded
        damage(d, b"rots")
        with Load(d) as load:
            load.wait(50)
            begin(d, CANARY)
            reaches(d, "failed")
            expect_eq(load.count("candidate"), 0)
        expect_eq(serving(d), 1)


# --- who answers --------------------------------------------------------------------------------

@test
def argo_rollouts_4352_weight_and_arm_are_metrics_and_headers():
    """[hyperswitch-helm PR#308] Set by the daemon, never empty."""
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            load.wait(50)
            begin(d, CANARY)
            load.wait(50, "candidate")
            text = d.get("/metrics").body.decode()
            say(d, "abort")
        expect_in('slipway_release_weight{model="m",release="1"} 0.5', text)
        expect_in('slipway_release_state{model="m",release="1",state="running"} 1', text)
        for status, arm, version in load.seen:
            expect_eq((arm, version) in (("stable", "1"), ("candidate", "2")), True, arm, version)


@test
def argo_rollouts_1301_a_user_stays_on_one_version():
    with Daemon() as d:
        two(d)
        arms = {}
        begin(d, CANARY + "sticky_by: header:x-user-id\n")
        reaches(d, "running")
        wait_for(lambda: release(d)["weight"] > 0, 20, "traffic for the candidate")
        with d.conn() as c:
            for user in range(40):
                for _ in range(3):
                    reply = c.ask("POST", "/v2/models/m/infer", BODY, {"x-user-id": "u%d" % user})
                    arms.setdefault(user, set()).add(reply.headers["x-slipway-arm"])
        expect_eq({len(a) for a in arms.values()}, {1})
        expect(5 < sum("candidate" in a for a in arms.values()) < 35, arms)
        say(d, "abort")


@test
def seldon_core_4067_nothing_is_nothing():
    """A paused release at zero, or a shadow, answers no request."""
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            load.wait(50)
            begin(d, strategy="shadow")
            now = reaches(d, "running")
            wait_for(lambda: (release(d).get("shadow") or {}).get("pairs", 0) > 100, 30,
                     "pairs of the shadow")
            expect_eq(now["weight"], 0)
            expect_eq(load.count("candidate"), 0)
            say(d, "abort")


@test
def argo_rollouts_2086_a_header_may_choose_an_arm_and_is_no_evidence():
    with Daemon() as d:
        two(d)
        begin(d, CANARY + "choose_by: header:x-arm\n")
        reaches(d, "running")
        wait_for(lambda: release(d)["weight"] > 0, 20, "traffic for the candidate")
        with d.conn() as c:
            for arm in ("candidate", "stable") * 10:
                reply = c.ask("POST", "/v2/models/m/infer", BODY, {"x-arm": arm})
                expect_eq((reply.status, reply.headers["x-slipway-arm"]), (200, arm))
        time.sleep(3)
        now = release(d)
        expect_eq(gate(now, "errors")["reason"], "no_candidate_requests")
        expect_eq(now["verdict"]["step_requests"], 0)
        say(d, "abort")


@test
def argo_rollouts_563_a_shadow_never_delays_and_never_answers():
    """[flagger#244, #313; kserve#2978] [RO-109] A shadow 100 times as slow as stable."""
    with Daemon() as d:
        two(d, files(delay_us=50000))
        with Load(d) as load:
            load.wait(50)
            begin(d, strategy="shadow")
            reaches(d, "running")
            wait_for(lambda: (release(d).get("shadow") or {}).get("pairs", 0) > 20, 30, "pairs")
            before, began = load.count(), time.monotonic()
            load.wait(before + 200)
            expect(time.monotonic() - began < 5 * SLOW, "the shadow slowed requests down")
            expect_eq(load.count("candidate"), 0)
            say(d, "abort")
        expect_eq(load.count(status=200), load.count(), load.seen)


# --- crashes ------------------------------------------------------------------------------------

@test
def a_restart_goes_on_where_it_was():
    with Daemon() as d:
        two(d)
        with Load(d) as load:
            load.wait(50)
            begin(d, CANARY)
            load.wait(20, "candidate")
            number = release(d)["release"]
            d.kill()
            d.start()
            now = reaches(d, "running")
            expect_eq((now["release"], now["step"]), (number, 0))
            load.wait(load.count("candidate") + 20, "candidate")
        shown = d.get("/api/v1/releases/m/1").json()
        expect_eq(shown["state"], "running")


@test
def a_gradual_way_back_that_a_restart_cuts_off_ends():
    with Daemon() as d:
        two(d)
        begin(d, SWITCH + "rollback: gradual\n")
        reaches(d, "running")
        want(say(d, "promote"), 200, "promote")
        reaches(d, "completed")
        wait_for(lambda: serving(d) == 2, 10, "version 2")
        want(d.post("/api/v1/models/m/rollback", {}), 200, "rollback")
        expect_eq(release(d)["state"], "rolled_back")
        d.kill()
        d.start()
        wait_for(lambda: serving(d) == 1, 10, "version 1")
        begin(d, SWITCH, version=2)


def switched_from(d, first, more):
    """Version 1 is `first`, and version 2 has taken over."""
    serve(d, "m", first)
    push(d, "m", files())
    begin(d, SWITCH + more)
    reaches(d, "running")
    want(say(d, "promote"), 200, "promote")
    reaches(d, "completed")
    wait_for(lambda: serving(d) == 2, 10, "version 2")


def killed_and_robbed(d, content):
    """What the store has of these bytes is gone at the next start."""
    d.kill()
    os.unlink(object_path(d, hashlib.sha256(content).hexdigest()))
    d.start()


@test
def a_gradual_way_back_to_a_version_that_is_lost_leaves_a_way_out():
    """What is being taken out is all there is: it answers, a person is told, and every command that
    is named is one that works."""
    with Daemon() as d:
        first = files(delay_us=1)
        switched_from(d, first, "rollback: gradual\n")
        want(d.post("/api/v1/models/m/rollback", {}), 200, "rollback")
        expect_eq(release(d)["state"], "rolled_back")
        killed_and_robbed(d, first["model.json"])
        now = wait_for(lambda: release(d)["state"] == "paused" and release(d), 10, "the pause")
        expect_eq((now["why"], now["weight"], now["held_off"]), ("way_back", 1, False))
        expect_eq((serving(d), d.post("/v2/models/m/infer", BODY).status), (2, 200))
        refused = say(d, "abort")
        is_error(refused, 409, "CONFLICT")
        expect_in("slipway resume m", str(refused.json()))
        is_error(d.post("/api/v1/models/m/deploy", {"strategy": "now", "version": 2}), 409,
                 "CONFLICT")
        expect_eq(d.cli("resume", "m").returncode, 0)
        push(d, "m", first)
        expect_eq(d.cli("deploy", "m@3", "--strategy", "now", "--wait").returncode, 0)
        expect_eq(serving(d), 3)


@test
def time_does_not_go_back_to_a_version_that_is_not_there():
    with Daemon() as d:
        first = files(delay_us=1)
        switched_from(d, first, "pause_deadline: 1s\non_pause_deadline: abort\n")
        killed_and_robbed(d, first["model.json"])
        wait_for(lambda: release(d)["state"] == "paused", 10, "the pause")
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 3, 10, "its deadline")
        expect_eq((release(d)["state"], serving(d)), ("paused", 2))
        expect_eq(d.post("/v2/models/m/infer", BODY).status, 200)


main()
