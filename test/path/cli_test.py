#!/usr/bin/env python3
"""cli_test.py - what the commands print, word for word, and what they send.

test/golden/cli/NAME.txt holds a session: a line `$ slipway ...` is a command, the lines below are
its stdout, with `! ` its stderr, `= N` its exit code unless 0. The server behind it answers from
ANSWERS, so that sessions tell about the command line alone. UPDATE=1 writes the files anew; read
the difference before you keep it.
SPDX-License-Identifier: MIT
"""
import hashlib
import http.server
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import (BIN, ROOT, Daemon, expect, expect_eq, expect_in,  # noqa: E402
                     main, test, wait_for)

KEY = "slw_0123456789ab_%s_65f2b367" % bytes(range(32)).hex()
GOLDEN = os.path.join(ROOT, "test", "golden", "cli")


def err(status, code, text, field=None):
    details = {"field": field} if field else {}
    return status, {"error": text, "code": code, "request_id": "r", "details": details}


DIGITS = {"name": "digits", "state": "READY", "reason": "", "serving": 2, "previous": 1,
          "loading": None, "newest": 3, "versions": 3, "engine": "onnx", "memory_bytes": 1300000,
          "refused": {"version": 3, "reason": "golden example 2 differs"}, "requests": 1204,
          "failures": 3, "latency_us": {"p50": 210, "p95": 500, "p99": 1800}}
FRESH = {"name": "fresh", "state": "STORED", "reason": "", "serving": None, "previous": None,
         "loading": None, "newest": 1, "versions": 1, "engine": "", "memory_bytes": 0,
         "requests": 0, "failures": 0}
EVIL = dict(FRESH, name="evil", state="FAILED", reason="\x1b[31mred\r\nnext\u0085line\u202e")
SERVER = {"version": "9.9.9", "ready": True, "draining": False, "uptime_s": 3725, "world": 7,
          "loading": 0, "waiting": 0, "requests": 1300, "resident_bytes": 62000000}
VERSIONS = [
    {"version": 3, "state": "FAILED", "reason": "golden example 2 differs", "engine": "onnx",
     "note": "", "digest": "ab", "bytes": 1000, "pushed_at": "2026-01-31T23:59:59.123Z"},
    {"version": 2, "state": "READY", "reason": "", "engine": "onnx", "note": "größer", "digest": "cd",
     "bytes": 2000000, "pushed_at": "2026-01-30T10:00:00.000Z", "memory_bytes": 1300000}]
EVENTS = {"model": "digits", "before": 4, "events": [
    {"seq": 6, "at": "2026-01-31T23:59:59.123Z", "what": "version_deployed", "who": "anonymous",
     "model": "digits", "version": 2, "hash": "00"},
    {"seq": 4, "at": "2026-01-30T10:00:00.000Z", "what": "version_pushed", "who": "anonymous",
     "model": "digits", "version": 2, "note": "größer", "hash": "00"}]}
METADATA = {"name": "iris", "versions": ["1"], "platform": "linear",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []}
TWO = {"name": "two", "versions": ["1"], "platform": "linear",
       "inputs": [{"name": "a", "datatype": "INT64", "shape": [-1]},
                  {"name": "b", "datatype": "BYTES", "shape": [-1, 1]}], "outputs": []}
PREDICTED = {"model_name": "iris", "model_version": "1", "outputs": [
    {"name": "label", "datatype": "INT64", "shape": [2], "data": [0, 2]},
    {"name": "p", "datatype": "FP32", "shape": [2, 3],
     "data": [0.1, 0.7, 1e-05, 0.33333334, "NaN", 1]}]}
ONE_ROW = {"model_name": "iris", "model_version": "1", "outputs": [
    {"name": "p", "datatype": "FP32", "shape": [1, 20], "data": [i / 4 for i in range(20)]}]}
DOCTOR = {"limits": [
    {"name": "calls per loop", "value": 1024, "unit": "", "memory_bytes": 67108864,
     "option": "--calls"},
    {"name": "body", "value": 67108864, "unit": "bytes", "memory_bytes": 0, "option": None},
    {"name": "request head", "value": 10000, "unit": "ms", "memory_bytes": 0, "option": None}],
    "limits_memory_bytes": 67108864, "resident_bytes": 50000000, "checks": [
        {"name": "ready", "ok": True, "text": "every model that should serve does"},
        {"name": "disk", "ok": False, "text": "3 MiB free in the data directory"}]}
LOGS = {"next": 99, "lines": [
    {"ts": "2026-01-31T23:59:59.123Z", "level": "info", "event": "version_ready",
     "model": "digits", "version": "2"},
    {"ts": "2026-01-31T23:59:59.999Z", "level": "warn", "event": "x\x1b[2J", "n": 3}]}

GATES = [
    {"gate": "errors", "state": "inconclusive", "act": "rollback", "lane": "restarted",
     "log_e": 2.9, "bar": 7.2, "pass": {"log_e": 1.5, "bar": 3.0}, "reason": None,
     "decides_in_s": 240, "missing": "non_inferior needs log_e 3.0, has 1.5: about 240 s",
     "text": "errors 1.1x stable's [0.6, 1.9]"},
    {"gate": "latency", "state": "non_inferior", "act": "rollback", "lane": "restarted",
     "log_e": -1.25, "bar": 7.2, "pass": {"log_e": 4.1, "bar": 3.0}, "reason": None,
     "decides_in_s": None, "missing": None, "text": "p99 1.0x stable's [0.8, 1.2]"},
    {"gate": "metric", "state": "no_data", "act": "rollback", "lane": None, "log_e": None,
     "bar": None, "pass": None, "reason": "outcomes_immature", "decides_in_s": None,
     "missing": None, "text": None},
    {"gate": "disagreement", "state": "idle"}]
PLAN = {"strategy": "canary", "steps": [
    {"shadow": {"traffic": "100%", "for": "1d", "requests_min": 1000, "deadline": "1d",
                "approve": {"count": 2, "role": "approver"}}},
    {"canary": {"traffic": "5%", "for": "10m", "requests_min": 2000, "users_min": 0,
                "deadline": "10m", "approve": {"count": 0, "role": "approver"}}},
    {"switch": {"holdback": "1%", "for": "10m", "requests_min": 0}}], "keep_previous_warm": "1h"}
RUNNING = {"model": "fraud", "release": 17, "version": 3, "stable": 2, "strategy": "canary",
           "state": "running", "why": "passed", "step": 1, "steps": 3, "weight": 0.05, "copied": 0,
           "frozen": False, "held_off": False, "state_s": 380, "submitter": "ann", "person": None,
           "approvals": {"want": 0, "role": None, "have": []}, "proposal": None,
           "plan": PLAN, "warnings": [],
           "verdict": {"verdict": "undecided", "look": 379, "gates": GATES, "sentence": "",
                       "needs": [
                           {"what": "gates", "have": 1, "want": 2, "met": False},
                           {"what": "milliseconds", "have": 380000, "want": 600000, "met": False},
                           {"what": "requests", "have": 1204, "want": 2000, "met": False},
                           {"what": "users", "have": 1190, "want": 0, "met": True}]},
           "shadow": {"pairs": 90000, "disagreements": 270, "dropped": 3, "errors": 0, "flips": [
               {"stable": "ham", "candidate": "spam", "pairs": 12},
               {"stable": "spam", "candidate": "ham", "pairs": 258}],
               "worst": [{"apart": 1.0, "request_id": "r-1\x1b", "answers": "ham | spam"}]}}
HARM = [dict(GATES[0], state="harm", log_e=7.31, text="errors 4.1x stable's [2.2, 7.5]")]
SENTENCE = "rolled back: errors 4.1x stable's [2.2, 7.5] (log_e 7.3 over 7.2 by restarted)"
LOST = dict(RUNNING, state="rolled_back", why="gate", weight=0, state_s=2, shadow=None,
            verdict={"verdict": "harm", "look": 412, "gates": HARM, "sentence": SENTENCE})
WAITING = dict(RUNNING, model="wait", state="waiting", step=0,
               approvals={"want": 2, "role": "approver", "have": ["bob"]})
FRAUD = dict(DIGITS, name="fraud", refused=None, release={
    "release": 17, "step": 1, "version": 3, "weight": 0.05, "copied": 0.0})
ROWS = [{"model": "fraud", "release": 17, "version": 3, "stable": 2, "strategy": "canary",
         "state": "rolled_back", "why": "gate", "step": 1, "verdict": "harm", "sentence": SENTENCE,
         "started_at": "2026-01-31T22:00:00.000Z"},
        {"model": "fraud", "release": 16, "version": 2, "stable": 1, "strategy": "shadow",
         "state": "completed", "why": "passed", "step": 1, "verdict": None, "sentence": None,
         "started_at": "2026-01-30T22:00:00.000Z"}]
TOLD = dict(ROWS[0], started_by="ann", seed="fraud/17", plan=PLAN,
            approvals=[{"at": "2026-01-31T22:10:00.000Z", "who": "bob", "step": 0}],
            moves=[{"seq": 9, "at": "2026-01-31T22:10:01.000Z", "who": "slipway",
                    "state": "running", "step": 1, "why": "approved", "verdict": None},
                   {"seq": 12, "at": "2026-01-31T22:20:00.000Z", "who": "slipway",
                    "state": "rolled_back", "step": 1, "why": "gate",
                    "verdict": {"verdict": "harm", "look": 412, "sentence": SENTENCE,
                                "gates": HARM}}])
FORECAST = [{"step": 0, "kind": "canary", "requests_expected": 60, "hopeless": True, "gates": [
    {"gate": "errors", "row": "errors", "smallest_ratio": 3.4, "delay_2x_s": None,
     "delay_10x_s": 21.5, "hopeless": False},
    {"gate": "latency", "row": "p99", "smallest_ratio": None, "delay_2x_s": 900.2,
     "delay_10x_s": 62, "hopeless": True}]}]
BEGUN = {"model": "fraud", "release": 17, "version": 3, "stable": 2, "strategy": "canary",
         "state": "pending", "seq": 9, "spec_hash": "ab", "plan": PLAN, "forecast": FORECAST,
         "warnings": ["step 1: latency p99 cannot decide in 10m at 2 requests/s"]}
FREEZES = {"freezes": [
    {"scope": "model", "model": "fraud", "from": "2026-01-31T22:00:00.000Z",
     "until": "2026-02-02T08:00:00.000Z", "weekly": None, "why": "month end", "who": "ann"},
    {"scope": "tenant", "model": None, "from": "2026-01-31T22:00:00.000Z", "until": None,
     "weekly": "fri 16:00-mon 08:00 +01:00", "why": "", "who": "bob"}]}

ANSWERS = {
    ("GET", "/api/v1/status?model=fraud"): (200, {"server": SERVER, "models": [
        dict(FRAUD, release=RUNNING)]}),
    ("GET", "/api/v1/models/fraud"): (200, dict(FRAUD, newest_versions=[])),
    ("GET", "/api/v1/models/fraud/release"): (200, RUNNING),
    ("GET", "/api/v1/models/wait/release"): (200, WAITING),
    ("POST", "/api/v1/models/fraud/deploy"): (202, BEGUN),
    ("POST", "/api/v1/models/lost/deploy"): (202, dict(BEGUN, model="lost")),
    ("GET", "/api/v1/models/lost/release"): (200, dict(LOST, model="lost")),
    ("POST", "/api/v1/models/won/deploy"): (202, dict(BEGUN, model="won", warnings=[])),
    ("GET", "/api/v1/models/won/release"): (200, dict(
        RUNNING, model="won", state="completed", step=3, weight=1, verdict=None, shadow=None)),
    ("POST", "/api/v1/models/impossible/deploy"): err(
        400, "BAD_CONFIG", "line 3, column 14: 'erorrs' is not a gate; did you mean 'errors'?",
        "plan.gates.erorrs"),
    ("POST", "/api/v1/models/fraud/release/pause"): (200, {"model": "fraud", "release": 17,
                                                           "word": "pause", "seq": 10}),
    ("POST", "/api/v1/models/wait/release/approve"): (200, {"model": "wait", "release": 17,
                                                            "word": "approve", "seq": 10}),
    ("POST", "/api/v1/models/none/release/abort"): err(409, "CONFLICT", "no release is running"),
    ("GET", "/api/v1/releases?limit=20"): (200, {"releases": ROWS, "before": None}),
    ("GET", "/api/v1/releases?model=none&limit=20"): (200, {"releases": [], "before": None}),
    ("GET", "/api/v1/releases?model=fraud&limit=1&state=rolled_back"): (
        200, {"releases": ROWS[:1], "before": 7}),
    ("GET", "/api/v1/releases/fraud/17"): (200, TOLD),
    ("GET", "/api/v1/freezes"): (200, FREEZES),
    ("POST", "/api/v1/freezes"): (200, {"scope": "tenant", "model": None, "from": None,
                                        "until": None, "lifted": False, "seq": 4}),
    ("DELETE", "/api/v1/freezes?model=fraud&why=done%20with%20it"): (
        200, {"scope": "model", "model": "fraud", "from": None, "until": None, "lifted": True,
              "seq": 5}),
    ("GET", "/api/v1/status"): (200, {"server": SERVER, "models": [DIGITS, FRESH, EVIL]}),
    ("GET", "/api/v1/status?model=digits"): (200, {"server": SERVER, "models": [DIGITS]}),
    ("GET", "/api/v1/models/digits"): (200, dict(DIGITS, newest_versions=VERSIONS)),
    ("GET", "/api/v1/status?model=nope"): err(404, "MODEL_NOT_FOUND", "model 'nope' is not known"),
    ("GET", "/api/v1/models/digits/history?limit=100"): (200, EVENTS),
    ("GET", "/api/v1/models/digits/history?limit=2&before=9"): (200, EVENTS),
    ("GET", "/api/v1/models/digits/history?at=2026-01-31T18%3A00"): (200, {
        "model": "digits", "at": "2026-01-31T18:00:00.000Z", "serving": 2, "who": "slipway",
        "since": "2026-01-31T17:59:00.000Z", "what": "release_moved", "why": "", "seq": 5,
        "release": {"release": 17, "state": "running", "step": 1, "candidate": 3, "stable": 2,
                    "traffic": "5%"}}),
    ("GET", "/api/v1/doctor"): (200, DOCTOR),
    ("GET", "/api/v1/logs"): (200, LOGS),
    ("GET", "/api/v1/logs?model=digits"): (200, LOGS),
    ("POST", "/api/v1/models/digits/deploy"): (200, {"model": "digits", "version": 3,
                                                     "state": "READY", "seq": 9}),
    ("POST", "/api/v1/models/slow/deploy"): (202, {"model": "slow", "version": 1,
                                                   "state": "LOADING", "seq": 9}),
    ("POST", "/api/v1/models/bad/deploy"): err(422, "MODEL_LOAD_FAILED", "node 7: no such operator"),
    ("POST", "/api/v1/models/busy/deploy"): err(409, "CONFLICT", "another deploy is running"),
    ("POST", "/api/v1/models/newer/deploy"): err(429, "A_CODE_OF_TOMORROW", "come back later"),
    ("POST", "/api/v1/models/digits/rollback"): (200, {"model": "digits", "version": 1,
                                                       "state": "READY", "seq": 10}),
    ("POST", "/v2/repository/models/digits/unload"): (200, {"name": "digits", "unload": True}),
    ("POST", "/v2/repository/models/nope/unload"): err(404, "MODEL_NOT_FOUND",
                                                       "model 'nope' is not known"),
    ("GET", "/v2/models/iris"): (200, METADATA),
    ("GET", "/v2/models/iris/versions/1"): (200, METADATA),
    ("GET", "/v2/models/two"): (200, TWO),
    ("POST", "/v2/models/iris/infer"): (200, PREDICTED),
    ("POST", "/v2/models/iris/versions/1/infer"): (200, ONE_ROW),
    ("POST", "/v2/models/two/infer"): err(400, "WRONG_TYPE", "input 'a': element 0 is not a number",
                                          "inputs[0].data[0]"),
    ("POST", "/api/v1/models/digits/versions"): (201, {"model": "digits", "version": 4,
                                                       "digest": "ef", "seq": 8}),
    ("GET", "/v2/models/html"): (200, b"<html>hello</html>"),
    ("GET", "/v2/models/moved"): (301, b""),
}


class Fake(http.server.ThreadingHTTPServer):
    """Answers from ANSWERS; keeps what came."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.command == "PUT" and self.path.startswith("/api/v1/blobs"):
            status, answer = 201, {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
        else:
            status, answer = ANSWERS.get((self.command, self.path),
                                         err(404, "NOT_FOUND", "there is nothing here"))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 301:
            self.send_header("Location", "/v2/models/iris")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


def run(words, url, stdin="", **env):
    full = dict(dict(os.environ, SLIPWAY_URL=url, NO_COLOR="1", COLUMNS=""), **env)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        full[name] = "http://127.0.0.1:1"  # nobody there: loopback must not go through it
    return subprocess.run([BIN] + words, input=stdin, capture_output=True, text=True, env=full,
                          timeout=60)


def session(name):
    """Runs the commands of a golden file and compares."""
    path = os.path.join(GOLDEN, name + ".txt")
    with open(path) as f:
        want = f.read()
    got = []
    with tempfile.TemporaryDirectory() as folder, Fake() as fake:
        model = os.path.join(folder, "model")
        os.makedirs(os.path.join(folder, "nested", "inner"))
        os.mkdir(os.path.join(folder, "empty"))
        os.mkdir(model)
        with open(os.path.join(folder, "plan.yaml"), "w") as f:
            f.write("strategy: canary\nharm_budget: 50\n")
        for file, text in (("model.onnx", "onnx"), ("slipway.yaml", "a: 1\n"), (".hidden", "x")):
            with open(os.path.join(model, file), "w") as f:
                f.write(text)
        for line in want.splitlines():
            if not line.startswith("$ "):
                continue
            command, _, stdin = line[2:].partition(" <<< ")
            words = [w.replace("DIR", folder) for w in shlex.split(command)[1:]]
            url = "http://127.0.0.1:1" if name == "alone" else fake.url
            done = run(words, url, shlex.split(stdin)[0] if stdin else "")
            got.append(line)
            got += done.stdout.splitlines()
            got += ["! " + l for l in done.stderr.splitlines()]
            if done.returncode:
                got.append("= %d" % done.returncode)
        text = "\n".join(got).replace(fake.url, "URL").replace(folder, "DIR") + "\n"
    if os.environ.get("UPDATE"):
        with open(path, "w") as f:
            f.write(text)
    expect_eq(text.splitlines(), want.splitlines())


@test
def help_and_mistakes_need_no_server():
    session("alone")


@test
def a_file_that_is_not_there_ends_every_command_alike():
    with Daemon() as d, tempfile.TemporaryDirectory() as folder:
        none = os.path.join(folder, "none")
        for words in (["push", "m", none], ["check", none], ["predict", "m", "--input", none],
                      ["deploy", "m", "--plan", none], ["flag", "set", "--file", none], ["plan", none],
                      ["apply", none], ["simulate", "--plan", none]):
            done = d.cli(*words)
            expect_eq(done.returncode, 4, words, done.stdout, done.stderr)
            expect_in("none'", done.stderr)


@test
def logs_of_a_model_that_is_not_there_say_so():
    with Daemon() as d:
        done = d.cli("logs", "nobody")
        expect_eq(done.returncode, 4, done.stdout, done.stderr)
        expect_in("is not known", done.stderr)
        expect_eq(d.cli("logs").returncode, 0)
        expect_eq(d.post("/api/v1/models", {"name": "quiet"}).status, 201)
        expect_eq(d.cli("logs", "quiet").returncode, 0)


@test
def answers_of_a_server_are_told():
    session("served")


@test
def releases_are_told():
    session("release")


@test
def wide_tables_are_folded_to_the_line():
    with Fake() as fake:
        whole = run(["release", "list"], fake.url).stdout
        folded = run(["release", "list"], fake.url, COLUMNS="120").stdout
    expect(max(len(l) for l in whole.splitlines()) > 120, "the table is too narrow for this test")
    expect(max(len(l) for l in folded.splitlines()) <= 120, folded)
    expect_eq(sorted(folded.split()), sorted(whole.split()))


@test
def a_push_sends_each_file_and_names_them():
    with Fake() as fake, tempfile.TemporaryDirectory() as folder:
        for name, text in (("b.bin", b"\0" * 300000), ("a.txt", b"a")):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(text)
        done = run(["push", "digits", folder, "--note", "größer", "--engine", "onnx"], fake.url)
        expect_eq(done.returncode, 0, done.stderr)
        puts = [r for r in fake.seen if r[0] == "PUT"]
        expect_eq([len(r[3]) for r in puts], [1, 300000])
        for r in puts:
            expect_eq(r[1], "/api/v1/blobs?sha256=" + hashlib.sha256(r[3]).hexdigest())
        expect_eq(json.loads(fake.seen[-1][3]), {
            "files": [{"name": "a.txt", "sha256": hashlib.sha256(b"a").hexdigest(), "bytes": 1},
                      {"name": "b.bin", "sha256": hashlib.sha256(b"\0" * 300000).hexdigest(),
                       "bytes": 300000}],
            "note": "größer", "engine": "onnx"})


@test
def a_key_goes_along_and_is_never_shown():
    with Fake() as fake:
        done = run(["status", "nope"], fake.url, SLIPWAY_KEY=KEY)
        expect_eq(done.returncode, 4)
        expect_eq(fake.seen[0][2]["Authorization"], "Bearer " + KEY)
        expect(KEY not in done.stdout + done.stderr)
        for bad in ("two\r\nlines: x", "slw_secret", KEY[:-1], KEY + "0"):
            done = run(["status"], fake.url, SLIPWAY_KEY=bad)
            expect_eq((done.returncode, bad in done.stdout + done.stderr), (2, False))


@test
def values_become_requests_of_the_model_s_shape():
    rows = [
        ("iris", "[1,2,3,4]", [("x", "FP32", [1, 4], [1, 2, 3, 4])]),
        ("iris", "[1,2,3,4,5,6,7,8]", [("x", "FP32", [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])]),
        ("iris", "[[1,2,3,4]]", [("x", "FP32", [1, 4], [[1, 2, 3, 4]])]),
        ("iris", "[]", [("x", "FP32", [0, 4], [])]),
        ("two", '{"b":[["x"]],"a":[7]}', [("b", "BYTES", [1, 1], [["x"]]), ("a", "INT64", [1], [7])]),
        ("two", '{"a":7}', [("a", "INT64", [1], [7])]),
    ]
    with Fake() as fake:
        for model, text, inputs in rows:
            fake.seen.clear()
            run(["predict", model], fake.url, text)
            sent = json.loads(fake.seen[-1][3])
            expect_eq([(i["name"], i["datatype"], i["shape"], i["data"]) for i in sent["inputs"]],
                      inputs, text)
        fake.seen.clear()
        run(["predict", "iris"], fake.url, "[0.10000000149011612, 16777217, 1e-400, 3]")
        expect_in(b'"data":[0.10000000149011612, 16777217, 1e-400, 3]', fake.seen[-1][3])
        fake.seen.clear()
        run(["predict", "iris"], fake.url, ' {"inputs": [] , "id":"7"}')
        expect_eq(fake.seen[-1][3], b' {"inputs": [] , "id":"7"}')  # a request goes out as it is
        expect_eq(len(fake.seen), 1)


@test
def an_endless_file_is_too_long_and_no_endless_wait():
    with Fake() as fake:
        for words in (["flag", "set", "--file"], ["deploy", "iris", "--plan"],
                      ["predict", "iris", "--input"], ["bench", "iris", "--input"]):
            done = run(words + ["/dev/zero"], fake.url)
            expect_in("/dev/zero" if words[0] != "predict" else "the input is over", done.stderr)
            expect(done.returncode, words)


@test
def logs_follow_until_the_server_is_gone():
    with Fake() as fake:
        child = subprocess.Popen([BIN, "logs", "-f"], env=dict(os.environ, SLIPWAY_URL=fake.url),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect_in("version_ready", child.stdout.readline())
        wait_for(lambda: any(r[1] == "/api/v1/logs?after=99" for r in fake.seen), 10,
                 "a question for more")
        child.terminate()
        child.communicate(timeout=10)


@test
def json_errors_are_one_object_on_stderr():
    with Fake() as fake:
        done = run(["predict", "two", "--json"], fake.url, '{"a":["x"]}')
        expect_eq(done.returncode, 2)
        expect_eq(done.stdout, "")
        expect_eq(json.loads(done.stderr), {"error": "input 'a': element 0 is not a number",
                                            "code": "WRONG_TYPE",
                                            "details": {"field": "inputs[0].data[0]"}})


main()
