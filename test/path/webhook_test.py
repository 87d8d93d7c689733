#!/usr/bin/env python3
# run: early
"""webhook_test.py - what a receiver of messages gets from the running daemon, and what it does not.

SPDX-License-Identifier: MIT
"""
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, SLOW, Daemon, expect, expect_eq, expect_in, main, test,  # noqa: E402
                     wait_for)
import models  # noqa: E402
import releases  # noqa: E402
from receiver import Receiver  # noqa: E402

SECRET = bytes(range(32))
STOPPED = """strategy: canary
steps:
  - canary: {traffic: 50%%, for: 60s}
warm_up: 0s
notify: [%s]
"""


def secret_file(folder, mode=0o600):
    path = os.path.join(folder, "webhook.secret")
    with open(path, "w") as f:
        f.write("whsec_%s\n" % base64.b64encode(SECRET).decode())
    os.chmod(path, mode)
    return path


def serve(d, name="m"):
    models.serve(d, name, models.linear([[1.0]], [0.0]))


def verified(headers, body):
    head = {k.lower(): v for k, v in headers.items()}
    text = ("%s.%s." % (head["webhook-id"], head["webhook-timestamp"])).encode() + body
    want = base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()
    expect_eq(head["webhook-signature"], "v1," + want)
    expect(abs(int(head["webhook-timestamp"]) - time.time()) < 60)
    return head["webhook-id"]


@test
def what_happens_is_told_signed_and_in_slacks_words_too():
    with Receiver() as r, tempfile.TemporaryDirectory() as folder:
        with Daemon("--webhook", r.url + "/hook?a=1", "--webhook-private",
                    "--webhook-secret-file", secret_file(folder)) as d:
            serve(d)
            path, headers, body, _ = r.wait(1)[0]
            expect_eq(path, "/hook?a=1")
            verified(headers, body)
            message = json.loads(body)
            expect_eq(message["type"], "release.deployed")
            expect_eq(message["text"], "default/m: version 1 deployed")
            data = message["data"]
            expect_eq((data["tenant"], data["model"], data["version"], data["actor"]),
                      ("default", "m", 1, "anonymous"))
            expect_eq((data["release"], data["evidence"], data["why"]), (None, None, None))
            expect("routing_key" not in message)
            sick = models.linear([[2.0]], [0.0])
            version = models.push(d, "m", sick)
            digest = hashlib.sha256(sick["model.json"]).hexdigest()
            rotten = os.path.join(d.data, "objects", digest[:2], digest)
            os.chmod(rotten, 0o600)
            with open(rotten, "r+b") as f:
                f.write(b"X")
            models.deploy(d, "m", version)
            message = json.loads(r.wait(2)[1][2])
            expect_eq((message["type"], message["data"]["state"]), ("release.refused", "refused"))
            expect_in("version 2 refused", message["text"])
            expect(message["data"]["why"] and message["data"]["sentence"])


@test
def a_receiver_that_fails_is_asked_again_with_the_same_id():
    with Receiver(500, 503, 204) as r, tempfile.TemporaryDirectory() as folder:
        with Daemon("--webhook", r.url, "--webhook-private",
                    "--webhook-secret-file", secret_file(folder)) as d:
            serve(d)
            seen = r.wait(3)
            ids = {verified(headers, body) for _, headers, body, _ in seen}
            expect_eq(len(ids), 1)
            expect(seen[1][3] - seen[0][3] >= 0.45, "the first pause is half a second at least")
            expect(seen[2][3] - seen[1][3] >= 0.9, "and the next twice that")
            time.sleep(0.5)
            expect_eq(len(r.seen), 3)


@test
def a_redirect_is_refused_and_a_private_address_by_default():
    with Receiver(302) as r:
        with Daemon("--webhook", r.url, "--webhook-private") as d:
            serve(d)
            r.wait(1)
            wait_for(lambda: any(e["event"] == "webhook_given_up" for e in d.log()))
            expect_eq(len(r.seen), 1)
        with Daemon("--webhook", "%s,http://localhost:%d/x" % (r.url, r.server.server_port)) as d:
            serve(d)
            wait_for(lambda: len([e for e in d.log() if e["event"] == "webhook_given_up"]) == 2)
            for e in d.log():
                if e["event"] == "webhook_given_up":
                    expect_in("not public", e["reason"])
            expect_eq(len(r.seen), 1)


@test
def pagerduty_is_told_what_is_bad_and_what_ended_well():
    with Receiver() as r:
        with Daemon("--webhook", r.url + "/v2/enqueue#R0UTING", "--webhook-private") as d:
            serve(d)
            path, _, body, _ = r.wait(1)[0]
            message = json.loads(body)
            expect_eq((path, message["routing_key"], message["event_action"]),
                      ("/v2/enqueue", "R0UTING", "resolve"))
            expect_eq(message["dedup_key"], "slipway/default/m")
            for member in ("summary", "source", "severity"):
                expect(message["payload"][member])


@test
def a_stopped_release_is_told_with_its_evidence_and_ends_a_pagers_silence():
    plan = STOPPED % "https://127.0.0.1:1/never"
    with Receiver() as chat, Receiver() as pager, tempfile.TemporaryDirectory() as folder:
        with Daemon("--webhook", "%s,%s/v2/enqueue#R0UTING" % (chat.url, pager.url),
                    "--webhook-private", "--webhook-secret-file", secret_file(folder)) as d:
            releases.two(d, releases.files(delay_us=30000))
            with releases.Load(d) as load:
                releases.with_past(load)
                releases.begin(d, plan)
                releases.reaches(d, "rolled_back", seconds=40)
            wait_for(lambda: any(json.loads(b)["type"] == "release.rolled_back"
                                 for _, _, b, _ in chat.seen))
            types = [json.loads(b)["type"] for _, _, b, _ in chat.seen]
            expect_in("release.started", types)
            expect_eq(types.count("release.rolled_back"), 1)
            _, headers, body, _ = chat.seen[types.index("release.rolled_back")]
            verified(headers, body)
            message = json.loads(body)
            data = message["data"]
            expect_eq((data["release"], data["version"], data["why"]), (1, 2, "gate"))
            expect(data["sentence"] and data["sentence"] in message["text"], message)
            gates = {g["gate"]: g for g in data["evidence"]["gates"]}
            expect_eq(gates["latency"]["state"], "harm")
            expect(data["evidence"]["sample_request_ids"])
            trigger = [json.loads(b) for _, _, b, _ in pager.wait(1)
                       if json.loads(b)["event_action"] == "trigger"]
            expect_eq([t["dedup_key"] for t in trigger], ["slipway/default/m/1"])
            expect_in("rolled_back", trigger[0]["payload"]["summary"])
            # a plan's own URL is at a private address: never, whatever the configuration may
            wait_for(lambda: any(e["event"] == "webhook_given_up" and "not public" in e["reason"]
                                 for e in d.log()))


@test
def a_dead_receiver_keeps_nobody_from_loading_models():
    with Receiver(pause=60) as dead, Receiver() as good:
        with Daemon("--webhook", dead.url + "," + good.url, "--webhook-private") as d:
            began = time.monotonic()
            for i in range(6):
                serve(d, "m%d" % i)
            expect(time.monotonic() - began < 20, time.monotonic() - began)
            good.wait(6, 5)
            expect(len(dead.seen) <= 2)
            stopping = time.monotonic()
        expect(time.monotonic() - stopping < 10)


@test
def a_kill_in_the_middle_of_a_delivery_loses_no_change():
    with Receiver(pause=3) as r, tempfile.TemporaryDirectory() as data:
        d = Daemon("--webhook", r.url, "--webhook-private", data=data)
        with d:
            serve(d)
            r.wait(1)
            d.kill(signal.SIGKILL)
            d.start()
            expect_eq(d.get("/v2/models/m/ready").status, 200)
            before = len(r.seen)
            serve(d, "n")
            seen = r.wait(before + 1)
            expect_eq(json.loads(seen[before][2])["data"]["model"], "n")


def ids(r, kind=None):
    """The ids of what came, in order; of one type."""
    return [h.get("webhook-id") for h, b in ((dict((k.lower(), v) for k, v in headers.items()), b)
                                             for _, headers, b, _ in r.seen)
            if not kind or json.loads(b)["type"] == kind]


@test
def what_nobody_took_before_a_kill_is_told_after_it_under_the_same_id():
    with Receiver(500) as r, tempfile.TemporaryDirectory() as data:
        d = Daemon("--webhook", r.url, "--webhook-private", data=data)
        with d:
            serve(d)
            serve(d, "n")
            r.wait(3)
            before = set(ids(r))
            expect_eq(len(before), 2)
            d.kill(signal.SIGKILL)
            r.answers, r.seen[:] = (204,), []
            d.start()
            r.wait(2)
            expect_eq(set(ids(r)), before)
            time.sleep(1.5)
            expect_eq(len(r.seen), 2, "each once")
            d.kill(signal.SIGKILL)  # taken: owed no more
            d.start()
            wait_for(d.is_ready)
            time.sleep(1.5)
            expect_eq(len(r.seen), 2, "none after it was taken")


@test
def a_rollback_is_told_after_a_kill_with_its_evidence():
    """Told before it is written, then not taken, then the process is killed."""
    with Receiver(503) as r, tempfile.TemporaryDirectory() as data:
        d = Daemon("--webhook", r.url, "--webhook-private", data=data)
        with d:
            releases.two(d, releases.files(delay_us=30000))
            with releases.Load(d) as load:
                releases.with_past(load)
                releases.begin(d, STOPPED % "")
                releases.reaches(d, "rolled_back", seconds=40)
            wait_for(lambda: ids(r, "release.rolled_back"), 20)
            first = ids(r, "release.rolled_back")[0]
            wait_for(lambda: d.get("/api/v1/releases/m/1").json().get("state") == "rolled_back"
                     if d.get("/api/v1/releases/m/1").status == 200 else False)
            d.kill(signal.SIGKILL)
            r.answers, r.seen[:] = (204,), []
            d.start()
            wait_for(lambda: ids(r, "release.rolled_back"), 20)
            expect_eq(ids(r, "release.rolled_back"), [first])
            body = next(b for _, _, b, _ in r.seen if b"release.rolled_back" in b)
            data_ = json.loads(body)["data"]
            expect(data_["sentence"] and data_["state"] == "rolled_back", data_)


@test
def kill_9_at_any_moment_loses_no_message():
    """Every deploy that was acknowledged is told, each at least once, over kills at any moment."""
    with Receiver() as r, tempfile.TemporaryDirectory() as data:
        d = Daemon("--webhook", r.url, "--webhook-private", data=data)
        with d:
            for i in range(8):
                serve(d, "m%d" % i)
                time.sleep(0.003 * i)
                d.kill(signal.SIGKILL)
                d.start()
            wait_for(lambda: {json.loads(b)["data"]["model"] for _, _, b, _ in r.seen} ==
                     {"m%d" % i for i in range(8)}, 20, "all of them: %r" % r.seen)
            by_id = {}
            for _, headers, body, _ in r.seen:
                by_id.setdefault({k.lower(): v for k, v in headers.items()}["webhook-id"],
                                 set()).add(body)
            expect_eq((len(by_id), {len(v) for v in by_id.values()}), (8, {1}))


@test
def a_graceful_stop_leaves_what_was_not_taken_for_the_next_start():
    with Receiver(500) as r, tempfile.TemporaryDirectory() as data:
        d = Daemon("--webhook", r.url, "--webhook-private", data=data)
        with d:
            serve(d)
            r.wait(1)
            d.stop()
            before = set(ids(r))
            r.answers, r.seen[:] = (204,), []
            d.start()
            r.wait(1)
            expect_eq(set(ids(r)), before)


@test
def a_url_that_is_configured_no_more_is_told_nothing():
    with Receiver(500) as r, tempfile.TemporaryDirectory() as data:
        with Daemon("--webhook", r.url + "/old", "--webhook-private", data=data) as d:
            serve(d)
            r.wait(1)
            d.kill(signal.SIGKILL)
            d.start()
            r.wait(2)
        r.seen[:] = []
        with Daemon("--webhook", r.url + "/new", "--webhook-private", data=data) as d:
            wait_for(lambda: any(e["event"] == "webhook_given_up" and
                                 "configured no more" in e["reason"] for e in d.log()))
            time.sleep(1)
            expect_eq([p for p, _, _, _ in r.seen], [])


class Hole:
    """Takes connections and never answers; or answers for ever."""
    def __init__(self, flood=False):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/" % self.sock.getsockname()[1]
        self.flood, self.sent, self.over = flood, 0, False
        self.conns = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.over:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.append(conn)
            if self.flood:
                threading.Thread(target=self.pour, args=(conn,), daemon=True).start()

    def pour(self, conn):
        try:
            conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n")
            while not self.over:
                self.sent += conn.send(b"x" * 65536)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        self.sock.close()
        for conn in self.conns:
            conn.close()


@test
def nw_111_no_receiver_blocks_the_controller():
    """A black hole, ten gigabytes of answer, a redirect loop and an address inside: a release that
    does harm is at zero as fast as without them, changes are acknowledged, the good one is told."""
    with Hole() as hole, Hole(flood=True) as flood, Receiver(301) as loop, Receiver() as good:
        with Daemon("--webhook", ",".join((hole.url, flood.url, loop.url, good.url)),
                    "--webhook-private") as d:
            releases.two(d, releases.files(delay_us=30000))
            with releases.Load(d) as load:
                releases.with_past(load)
                began = time.monotonic()
                releases.begin(d, STOPPED % "http://169.254.169.254/latest/meta-data")
                releases.reaches(d, "rolled_back", seconds=20)
                expect(time.monotonic() - began < 10 * SLOW, time.monotonic() - began)
                for i in range(5):
                    began = time.monotonic()
                    serve(d, "n%d" % i)
                    expect(time.monotonic() - began < 2 * SLOW, time.monotonic() - began)
            wait_for(lambda: ids(good, "release.rolled_back"), 10)
            expect_eq(len([1 for p, _, _, _ in loop.seen if p == "/elsewhere"]), 0)
            expect(flood.sent < 64 << 20, flood.sent)
            wait_for(lambda: any(e["event"] == "webhook_given_up" and "not public" in e["reason"]
                                 for e in d.log()))


@test
def a_bad_configuration_is_refused_and_a_good_one_is_not_printed():
    with tempfile.TemporaryDirectory() as folder:
        loose = secret_file(folder, 0o644)
        good = ["--listen", "127.0.0.1:0", "--data", folder + "/data"]
        for flags, word in ((["--webhook", "ftp://x/"], "webhook"),
                            (["--webhook", "http://user:pass@example.com/"], "user"),
                            (["--webhook", "nonsense"], "webhook"),
                            (["--webhook-secret-file", loose], "chmod 600"),
                            (["--webhook-secret-file", folder + "/none"], "no file")):
            for more in ([], ["--check"]):
                done = subprocess.run([BIN, "serve"] + good + flags + more, capture_output=True,
                                      text=True, timeout=30)
                expect(done.returncode in (2, 3, 4), flags, done)
                expect_in(word, done.stderr)
                expect("pass@" not in done.stderr)
        done = subprocess.run([BIN, "serve", "--print-config", "--webhook",
                               "https://hooks.example.com/T0/SECRET"], capture_output=True, text=True)
        expect("SECRET" not in done.stdout and 'webhook: "***"' in done.stdout)


main()
