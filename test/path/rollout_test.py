#!/usr/bin/env python3
"""rollout_test.py - releases against those who would fool or break them, named after the rows of
the robustness catalogue.
SPDX-License-Identifier: MIT
"""
import hashlib
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import check_error
from models import damage, echo, object_path, push, serve, spec, upload, want
from releases import BODY, Load, begin, files, reaches, release, say, two
from slipway import Daemon, cases, expect, expect_eq, expect_in, main, test, wait_for

CANARY = "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 60s}\nwarm_up: 0s\n"
RAMP = """strategy: canary
on_inconclusive: advance
sticky_by: header:x-user-id
steps:
  - canary: {traffic: 10%, for: 2s, deadline: 2s}
  - canary: {traffic: 40%, for: 8s, deadline: 8s}
  - canary: {traffic: 70%, for: 1h}
gates: {latency: off, memory: off, prediction: off, cost: off, sample_ratio: off}
warm_up: 0s
"""


def serving(d, model="m"):
    return want(d.get("/api/v1/models/" + model), 200, "model")["serving"]


def lose(d, data):
    os.unlink(object_path(d, hashlib.sha256(data).hexdigest()))


def cut(d, data):
    path = object_path(d, hashlib.sha256(data).hexdigest())
    os.chmod(path, 0o600)
    os.truncate(path, len(data) - 1)


@cases([("changed", damage), ("lost", lose), ("cut", cut)])
def RO_105_no_release_begins_whose_way_back_would_not_survive_a_restart(hurt):
    """Refused before anything changes, and it begins once the bytes are there again. A file that
    is hurt later stops nobody from going back: the version is in memory."""
    with Daemon() as d:
        first = files(delay_us=1)["model.json"]
        serve(d, "m", files(delay_us=1))
        push(d, "m", files())
        hurt(d, first)
        reply = d.post("/api/v1/models/m/deploy", {"plan": CANARY})
        check_error(reply, 503, "ARTIFACT_CORRUPT", ("version 1", "model.json"))
        expect_eq(d.get("/api/v1/models/m/release").status, 404)
        expect_eq((serving(d), d.post("/v2/models/m/infer", BODY).status), (1, 200))
        upload(d, first)
        begin(d, CANARY)
        reaches(d, "running")
        hurt(d, first)
        want(say(d, "abort"), 200, "abort")
        reaches(d, "aborted")
        expect_eq((serving(d), d.post("/v2/models/m/infer", BODY).status), (1, 200))


@test
def RO_106_only_users_of_the_changed_slice_move():
    """Over steps of 10, 40 and 70 %, and a crash between them."""
    users = ["u%d" % i for i in range(300)]

    def candidates(d):
        arms = {}
        with d.conn() as c:
            for user in users:
                reply = c.ask("POST", "/v2/models/m/infer", BODY, {"x-user-id": user})
                arms[user] = reply.headers["x-slipway-arm"]
        return {user for user in users if arms[user] == "candidate"}
    with Daemon() as d:
        two(d)
        begin(d, RAMP)
        reaches(d, "running", step=0)
        wait_for(lambda: release(d)["weight"] > 0, 10, "traffic for the candidate")
        seen = [candidates(d)]
        reaches(d, "running", step=1)
        wait_for(lambda: release(d)["weight"] == 0.4, 10, "two fifths")
        seen.append(candidates(d))
        d.kill(signal.SIGKILL)
        d.start()
        wait_for(lambda: release(d)["weight"] == 0.4, 20, "two fifths again")
        seen.append(candidates(d))
        reaches(d, "running", step=2)
        wait_for(lambda: release(d)["weight"] == 0.7, 10, "seven tenths")
        seen.append(candidates(d))
        counts = [len(s) for s in seen]
        expect(10 <= counts[0] <= 60 and 80 <= counts[1] <= 160 and 170 <= counts[3] <= 250,
               counts)
        expect(seen[0] <= seen[1], "who was in went out when the ramp rose")
        expect_eq(seen[1] ^ seen[2], set(), "a restart moved somebody")
        expect(seen[2] <= seen[3], "who was in went out when the ramp rose")


@test
def RO_108_what_clients_do_wrong_is_nobodys_harm():
    """Somebody sends the candidate nothing but nonsense and hangs up on it: it is not blamed."""
    with Daemon() as d:
        two(d)
        begin(d, "strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 1h}\nwarm_up: 0s\n"
              "choose_by: header:x-arm\n")
        reaches(d, "running")
        wait_for(lambda: release(d)["weight"] > 0, 10, "traffic for the candidate")
        with Load(d, rate=150) as load, d.conn() as c:
            began = time.monotonic()
            statuses = set()
            while time.monotonic() - began < 4:
                for body in (b"{", b'{"inputs": []}', BODY.replace(b"FP32", b"INT8")):
                    statuses.add(c.ask("POST", "/v2/models/m/infer", body).status)
                with d.conn() as gone:
                    gone.send(b"POST /v2/models/m/infer HTTP/1.1\r\nhost: a\r\n"
                              b"content-length: 500\r\n\r\n{")
            load.wait(200, "candidate")
        expect_eq(statuses, {400})
        now = release(d)
        expect_eq((now["state"], now["weight"]), ("running", 0.5))
        errors = [g for g in now["verdict"]["gates"] if g["gate"] == "errors"][0]
        expect(errors["state"] != "harm", errors)


@test
def RO_112_a_release_goes_by_the_plan_it_began_with():
    """Whatever becomes of the file, of the default and of the settings meanwhile."""
    with Daemon() as d:
        two(d)
        plan = os.path.join(d.data, "plan.yaml")
        with open(plan, "w") as f:
            f.write(CANARY)
        expect_eq(d.cli("deploy", "m@2", "--plan", plan).returncode, 0)
        before = reaches(d, "running")
        with open(plan, "w") as f:
            f.write(CANARY.replace("50%", "1%"))
        other = d.post("/api/v1/models/m/deploy", {"plan": CANARY.replace("50%", "1%")})
        check_error(other, 409, "CONFLICT")
        d.proc.send_signal(signal.SIGHUP)
        d.kill()
        d.start()
        now = wait_for(lambda: release(d)["weight"] == 0.5 and release(d), 20, "its weight")
        expect_eq((now["plan"], now["spec_hash"]), (before["plan"], before["spec_hash"]))


@test
def RO_113_promote_and_abort_together_are_one_after_the_other():
    """Who comes second sees what the first did: a promoted release can be gone back from, an
    aborted one is over."""
    with Daemon() as d:
        two(d)
        for _ in range(8):
            number = begin(d, CANARY, version=2)["release"]
            reaches(d, "running")
            said, both = {}, threading.Barrier(2)

            def word(word):
                with d.conn() as c:
                    both.wait()
                    said[word] = c.ask("POST", "/api/v1/models/m/release/" + word, {})
            crew = [threading.Thread(target=word, args=(w,)) for w in ("promote", "abort")]
            for t in crew:
                t.start()
            for t in crew:
                t.join()
            expect_eq(said["abort"].status, 200, "abort is never refused")
            expect(said["promote"].status in (200, 409), said)
            now = wait_for(lambda: release(d)["weight"] == 0 and release(d), 10, "nobody on it")
            expect_eq((now["release"], serving(d)), (number, 1))
            expect_in(now["state"], ("aborted",) if said["promote"].status == 409
                      else ("rolled_back", "aborted"))
            wait_for(lambda: release(d)["state"] in ("aborted", "rolled_back"), 10, "its end")


@cases([("another output", [spec("x")], [spec("other")]),
        ("another datatype", [spec("x")], [spec("x", "INT32")]),
        ("another shape", [spec("x")], [spec("x", shape=(-1, 5))]),
        ("an input more", [spec("x"), spec("y")], [spec("x")])])
def RO_115_another_contract_never_meets_a_request(inputs, outputs):
    with Daemon() as d:
        serve(d, "m", files())
        with Load(d, rate=100) as load:
            push(d, "m", echo(inputs, outputs))
            begin(d, CANARY)
            wait_for(lambda: release(d)["state"] == "failed", 10, "the refusal")
            load.wait(load.count() + 50)
        now = release(d)
        expect_eq((now["why"], now["weight"], serving(d)), ("load", 0, 1))
        expect_eq((load.count("candidate"), load.count(status=200)), (0, load.count()))
        refusal = want(d.get("/api/v1/models/m/history"), 200, "history")["events"][0]
        expect_in("contract", str(refusal) + str(now))


main()
