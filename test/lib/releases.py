"""releases.py - what tests of releases share: models that differ in one thing, traffic, waiting for
a state. Standard library only.
SPDX-License-Identifier: MIT
"""
import collections
import json
import threading
import time

from models import echo, push, serve, spec, want
from slipway import Failed, wait_for

def body(*row):
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4],
                                   "data": row}]}).encode()


BODY = body(1, 2, 3, 4)
FINAL = ("completed", "settled", "rolled_back", "aborted", "failed")


def files(**more):
    """An echo of x; delay_us=20000 makes it slow."""
    return echo([spec("x")], **more)


def broken():
    """Answers break the contract, which it declares as files() does: server failures."""
    return echo([spec("x")], [spec("x", shape=(-1, 5))])


class Load:
    """Requests at a steady rate until stop(), each with inputs of its own (a shadow compares equal
    ones once a minute); seen counts (status, arm, version)."""

    def __init__(self, d, model="m", rate=250, crew=2, headers=None):
        self.d, self.path = d, "/v2/models/%s/infer" % model
        self.pause, self.headers = crew / rate, headers
        self.seen, self.lock = collections.Counter(), threading.Lock()
        self.over, self.last_candidate = threading.Event(), 0
        self.crew = [threading.Thread(target=self.run, args=(i,)) for i in range(crew)]

    def __enter__(self):
        for t in self.crew:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.over.set()
        for t in self.crew:
            t.join()

    def run(self, number):
        conn, n, due = None, 0, time.monotonic()
        while not self.over.is_set():
            due = max(due + self.pause, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
            n += 1
            headers = self.headers(number, n) if self.headers else None
            try:
                conn = conn or self.d.conn()
                reply = conn.ask("POST", self.path, body(number, n, 0, 1), headers)
                row = (reply.status, reply.headers.get("x-slipway-arm"),
                       reply.headers.get("x-slipway-version"))
            except (OSError, AttributeError, Failed):
                conn, row = None, ("closed", None, None)
            with self.lock:
                self.seen[row] += 1
                if row[1] == "candidate":
                    self.last_candidate = time.monotonic()

    def count(self, arm=None, status=None):
        with self.lock:
            return sum(n for row, n in self.seen.items()
                       if (arm is None or row[1] == arm) and (status is None or row[0] == status))

    def settle(self):
        """Waits until requests of the candidate that were on their way have been answered."""
        wait_for(lambda: time.monotonic() - self.last_candidate > 1, 30, "the last candidate answer")

    def wait(self, n, arm=None, seconds=30):
        wait_for(lambda: self.count(arm) >= n, seconds, "%d answers of %s" % (n, arm or "any arm"))


def with_past(load):
    """Stable's past is kept in blocks of ten seconds: latency is judged once there is one, and for
    p50, p90 and p99 it must hold a thousand requests."""
    load.wait(200)
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 11 and load.count() > 2000, 30, "a past")


def two(d, second=None, model="m"):
    """Version 1 serves, version 2 is pushed; gives 2. Unless said otherwise they do the same."""
    serve(d, model, files())
    return push(d, model, second or dict(files(), **{"notes.txt": b"the second"}))


def begin(d, plan=None, model="m", status=202, headers=None, **more):
    """The answer to a deploy with this plan (YAML text or dict)."""
    body = dict(more)
    if plan is not None:
        body["plan"] = plan
    reply = d.ask("POST", "/api/v1/models/%s/deploy" % model, body, headers)
    return want(reply, status, "deploy")


def release(d, model="m"):
    reply = d.get("/api/v1/models/%s/release" % model)
    return want(reply, 200, "release")


def reaches(d, *states, model="m", seconds=60, step=None):
    """Waits until the release is in one of the states (and step); gives it."""
    def there():
        now = release(d, model)
        if now["state"] in FINAL and now["state"] not in states:
            verdict = now.get("verdict") or {}
            raise Failed("the release ended as %s (%s): %s, not %s"
                         % (now["state"], now["why"], verdict.get("sentence"), states))
        return now if now["state"] in states and step in (None, now["step"]) else None
    return wait_for(there, seconds, "state %s" % "/".join(states))


def say(d, word, model="m", headers=None, **body):
    return d.ask("POST", "/api/v1/models/%s/release/%s" % (model, word), body, headers)


def gate(release, name):
    return [g for g in release["verdict"]["gates"] if g["gate"] == name][0]
