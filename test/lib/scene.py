"""scene.py - a release of a real model under an open-loop load. Each scene starts a daemon of its
own and a load of `slipway bench` at RATE requests a second on real rows, and waits for the history
that thresholds come from. Times are told beside their bars.
SPDX-License-Identifier: MIT
"""
import csv
import datetime
import json
import os
import random
import signal
import subprocess
import tempfile
import time

from slipway import BIN, ROOT, SLOW, Daemon, Failed, expect_eq, wait_for

DIGITS = os.path.join(ROOT, "examples", "digits")
RATE = 1000
HISTORY_S = 12
CANARY = """strategy: canary
steps: [{canary: {traffic: 5%, for: 10m}}]
harm_budget: 100000
unjudged_max: 100000
warm_up: 1s
"""


def bodies(path):
    """Rows of the examples with a little noise, so that no two of a minute are the same."""
    rng = random.Random(1)
    with open(os.path.join(DIGITS, "held-out.csv")) as f, open(path, "w") as out:
        rows = [[float(v) for v in r[:64]] for r in list(csv.reader(f))[1:]]
        for _ in range(4000):
            row = list(rng.choice(rows))
            for i in rng.sample(range(64), 2):
                row[i] = round(row[i] + rng.random() / 2, 3)
            out.write(json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32",
                                              "shape": [1, 64], "data": row}],
                                  "outputs": [{"name": "digit"}]}) + "\n")


class Scene:
    """A daemon with digits version 1, under load. leave() ends the load and gives what it saw."""

    def __init__(self, seconds, stable="better", history_s=HISTORY_S):
        self.d = Daemon().__enter__()
        self.dir = tempfile.TemporaryDirectory()
        self.push(stable)
        self.say("deploy", "digits", "--strategy", "now", "--wait")
        path = os.path.join(self.dir.name, "bodies")
        bodies(path)
        env = dict(os.environ, SLIPWAY_URL=self.d.url())
        self.load = subprocess.Popen(
            [BIN, "bench", "digits", "--rate", str(RATE), "--for", str(seconds), "--concurrency",
             "32", "--input", path, "--json"], env=env, stdout=subprocess.PIPE, text=True)
        self.began = time.time()
        time.sleep(history_s)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.load.poll() is None:
            self.load.terminate()
            self.load.wait()
        self.dir.cleanup()
        return self.d.__exit__(*what)

    def say(self, *words, code=0):
        done = self.d.cli(*words)
        expect_eq(done.returncode, code, done.stdout, done.stderr)
        return done.stdout

    def push(self, folder):
        return self.say("push", "digits", os.path.join(DIGITS, folder))

    def plan(self, text):
        path = os.path.join(self.dir.name, "plan.yaml")
        with open(path, "w") as f:
            f.write(text)
        return path

    def release(self):
        return self.d.get("/api/v1/models/digits/release").json()

    def until(self, states, seconds):
        """Waits for one of the states; gives the release."""
        end = time.time() + seconds * SLOW
        while time.time() < end:
            release = self.release()
            if release["state"] in states:
                return release
            time.sleep(0.1)
        raise Failed("the release is %s after %g s: %s" % (release["state"], seconds, release))

    def moved_at(self, state):
        """Unix time of the event that the release came into that state."""
        def moved():
            events = self.d.get("/api/v1/models/digits/history").json()["events"]
            return [e for e in events
                    if e["what"] == "release_moved" and state in json.dumps(e)]
        # The state is control's, the event is read where the disk has it.
        event = wait_for(moved, what="an event that says " + state)[0]
        return datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()

    def leave(self):
        self.load.send_signal(signal.SIGINT)
        out = self.load.communicate(timeout=30 * SLOW)[0]
        got = json.loads(out)
        return got, got["versions"]
