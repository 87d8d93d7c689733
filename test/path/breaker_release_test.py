#!/usr/bin/env python3
"""breaker_release_test.py - a candidate whose breaker opens: its release goes back and says why,
webhooks are told, and stable stands in for it.
SPDX-License-Identifier: MIT
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
import releases
from receiver import Receiver
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for

CANARY = """strategy: canary
steps:
  - canary: {traffic: 50%, for: 60s}
warm_up: 0s
contract: {changed: true}
"""
PAUSES = CANARY + "gates: {errors: {on_harm: pause}}\n"
GOOD, BAD = 4, 3  # columns; four is what every version promises
X = models.spec("x", "FP32", (-1, -1))


def fragile():
    """Answers what it got: an answer of other than four columns is not what it declares."""
    return models.echo([X], [models.spec("y", "FP32", (-1, GOOD))])


def ask(d, columns=GOOD, version=None, headers=None):
    path = "/v2/models/m%s/infer" % ("/versions/%d" % version if version else "")
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, columns],
                        "data": [1] * columns}]}
    return d.post(path, body, headers)


def broken(d, yaml=b"limits: {}\n"):
    """Breaks its promise on whatever it is asked."""
    return models.push(d, "m", dict(releases.broken(), **{"slipway.yaml": yaml}))


def counted(d):
    """Requests of each arm."""
    return [a["requests"] for a in releases.release(d)["arms"]]


def state(d, version):
    text = d.get("/metrics").body.decode()
    found = re.search(r'^slipway_breaker_state\{[^}]*version="%d"[^}]*\} (\d)$' % version, text, re.M)
    return int(found.group(1)) if found else None


@test
def a_candidate_whose_breaker_opens_is_rolled_back_and_says_why():
    """Eight loops see a few failures each: no loop's kill rule has its twenty, the breaker has."""
    with Receiver() as hook:
        with Daemon("--loops", "8", "--workers", "1", "--webhook", hook.url,
                    "--webhook-private") as d:
            models.serve(d, "m", releases.files())
            broken(d)
            releases.begin(d, CANARY)
            releases.reaches(d, "running")
            # A connection of its own for each: any loop's.
            seen = [(r.status, r.headers.get("x-slipway-arm")) for r in (ask(d) for _ in range(90))]
            now = releases.reaches(d, "rolled_back")
            failed = seen.count((502, "candidate"))
            print("%d of %d answers failed before: %s; %s"
                  % (failed, len(seen), now["why"], now["verdict"]["sentence"]))
            expect_eq(now["why"], "killed")
            expect_in("circuit breaker acted", now["verdict"]["sentence"])
            expect(20 <= failed < 160, failed)
            expect_eq([row for row in seen if row[0] != 200 and row[1] != "candidate"], [])
            told = hook.told("version.breaker_open")["data"]
            expect_eq((told["model"], told["version"]), ("m", 2))
            expect_in("most of its calls failed", told["sentence"])
            expect_eq(hook.told("release.rolled_back")["data"]["why"], "killed")
            for _ in range(10):
                expect_eq(ask(d).status, 200)


@test
def webhooks_hear_of_it_as_it_opens_and_as_it_closes():
    with Receiver() as hook:
        with Daemon("--loops", "1", "--webhook", hook.url, "--webhook-private") as d:
            models.serve(d, "m", fragile())
            for _ in range(24):
                ask(d, BAD)
            message = hook.told("version.breaker_open")
            expect_eq((message["data"]["model"], message["data"]["version"]), ("m", 1))
            expect_in("probed in", message["data"]["sentence"])
            wait_for(lambda: state(d, 1) == 1, 20, "a half open breaker")
            for _ in range(5):
                expect_eq(ask(d).status, 200)
            message = hook.told("version.breaker_closed")
            expect_in("it answers again", message["data"]["sentence"])
            kinds = [m["type"] for m in hook.messages() if m["type"].startswith("version.breaker")]
            expect_eq(kinds, ["version.breaker_open", "version.breaker_closed"])


@test
def stable_stands_in_and_that_is_evidence_of_neither():
    """The plan pauses instead of going back, so the candidate keeps its share of the draws. Who
    names it is refused, unless its slipway.yaml says fallback: stable."""
    for yaml, status in ((b"limits: {fallback: stable}\n", 200), (b"limits: {}\n", 503)):
        with Daemon("--loops", "8", "--workers", "1") as d:
            models.serve(d, "m", releases.files())
            broken(d, yaml)
            releases.begin(d, PAUSES)
            releases.reaches(d, "running")
            for _ in range(90):
                ask(d)
            now = releases.reaches(d, "paused")
            expect_eq((now["weight"], state(d, 2)), (0.5, 2))
            time.sleep(1.1)  # a pulse: what was answered before is counted
            before = counted(d)
            reply = ask(d, version=2)
            seen = [(r.status, r.headers["x-slipway-version"]) for r in (ask(d) for _ in range(60))]
            expect_eq(state(d, 2), 2, "the breaker meanwhile")
            expect_eq(seen, [(200, "1")] * 60)
            expect_eq(reply.status, status, reply.body[:300])
            if status == 200:  # and it says so
                expect_eq((reply.headers["x-slipway-version"], reply.json()["model_version"]),
                          ("1", "1"))
            else:
                expect_eq(reply.json()["code"], "BREAKER_OPEN")
            time.sleep(2)
            after = counted(d)
            print("evidence: %s, and after 60 more answers %s" % (before, after))
            expect(after[0] == before[0] and after[1] - before[1] < 60, before, after)
            added = after[1] - before[1]
            expect(15 <= added <= 45, "half of the draws were stable's own: %d" % added)


main()
