#!/usr/bin/env python3
# run: release
"""inspect_test.py - models looked at before they are versions, through the running daemon: what
hostile ones cost, what the process that looks can reach, and what is left when it or the daemon
ends. Files called probe.txt make the process misbehave (src/jobs/inspect/probe.h).
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models  # noqa: E402
from hostile import Bystander, check_error, infer_json, threads  # noqa: E402
from slipway import (BIN, ROOT, SANITIZED, SLOW, Daemon, cases, expect, expect_eq,  # noqa: E402
                     expect_in, main, skip, test, wait_for)
from tenants import As, auth, tenant  # noqa: E402

MODEL = models.echo([models.spec("x", shape=(-1, 2))])
PROBE = {"SLIPWAY_DEBUG": "probe"}
CLEAN = {"SLIPWAY_DEBUG": ""}


def daemon(*args, **more):
    return Daemon("--inspect-timeout", "2s", "--inspect-memory", "64MiB", *args, env=PROBE, **more)


shared = models.Shared("--inspect-timeout", "2s", "--inspect-memory", "64MiB", env=PROBE)


def push(d, files, model="m", headers=None, seconds=60):
    listed = [{"name": n, "sha256": models.upload(As(d, headers), b)} for n, b in files.items()]
    with d.conn(seconds) as c:
        return c.ask("POST", "/api/v1/models/%s/versions" % model, {"files": listed}, headers)


def probe(d, word, **more):
    return push(d, dict(MODEL, **{"probe.txt": word.encode()}), **more)


def children(pid):
    """Processes that a process has started and not buried, with their state."""
    found = {}
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % int(name)) as f:
                state, parent = f.read().rsplit(")", 1)[1].split()[:2]
            if int(parent) == pid:
                found[int(name)] = state
        except (OSError, ValueError):
            pass
    return found


def looking(d):
    """The process that looks, once it is behind its walls."""
    def one():
        for pid in children(d.proc.pid):
            try:
                with open("/proc/%d/status" % pid) as f:
                    text = f.read()
                if re.search(r"^Seccomp:\s2", text, re.M):
                    return pid, text
            except OSError:
                pass
        return None
    return wait_for(one, 10, "a process that looks")


def in_background(work, *args, **more):
    got = []
    thread = threading.Thread(target=lambda: got.append(work(*args, **more)))
    thread.start()
    return thread, got


# --- what hostile models cost -------------------------------------------------------------------

CRASHES = [("segv", "SIGSEGV while it was read"), ("segv walks", "while its graph"),
           ("segv opens", "while it was loaded"), ("segv examples", "golden"),
           ("segv warms", "first runs"), ("abort", "SIGABRT"), ("exec", "tried"),
           ("ptrace", "tried"), ("lie", "what it should not"), ("quit", "ended"),
           ("hog", "more than 64 MiB"), ("loop", "more than 2 s"), ("sleep", "more than 2 s")]


@cases([(word, word, says) for word, says in CRASHES])
def a_crash_costs_a_422_and_nothing_else(word, says):
    if SANITIZED and word.split()[0] in ("segv", "abort", "hog"):
        says = ""  # the sanitizer's runtime ends such a process in its own way
    if SANITIZED and word == "hog":
        skip("a sanitizer's allocator has no limit to hit")
    d = shared()
    pid = d.proc.pid
    body = check_error(probe(d, word, model="evil"), 422, "MODEL_LOAD_FAILED")
    expect_in(says, body["error"])
    expect_eq((d.proc.poll(), d.proc.pid, children(pid)), (None, pid, {}))
    expect_eq(d.get("/api/v1/models/evil").status, 404)
    expect_eq(d.get("/healthz").status, 200)


@test
def nothing_is_reached_from_inside():
    """Each deed would end the process in a way of its own if it worked."""
    d = shared()
    for word in ("read", "self", "write", "stat", "connect", "unix", "clone", "fork", "kill",
                 "kill-all", "code", "limit", "fds"):
        reply = probe(d, word, model="tries")
        expect_eq(reply.status, 201, "%s: %r" % (word, reply))
    for path in ("/tmp/slipway-probe", "/tmp/slipway-probe-dir"):
        expect(not os.path.exists(path), path)


@test
def without_the_word_of_who_runs_it_a_probe_is_a_file():
    with Daemon(env=CLEAN) as d:
        expect_eq(probe(d, "segv").status, 201)


@test
def many_crashes_leave_nothing():
    d = shared()
    for word in ("segv", "lie", "exec", "read"):
        probe(d, word, model="evil")
    before = (len(os.listdir("/proc/%d/fd" % d.proc.pid)), threads(d.proc.pid))
    for i in range(60):
        probe(d, ("segv", "lie", "exec", "read")[i % 4] if i % 4 < 3 else "quit", model="evil")
    expect_eq(children(d.proc.pid), {})
    fds, n = len(os.listdir("/proc/%d/fd" % d.proc.pid)), threads(d.proc.pid)
    expect(fds <= before[0] and n == before[1], (fds, n), before)  # a connection may have ended


@test
def others_are_served_all_the_while():
    with daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x", "FP32", (-1, -1))]))
        with Bystander(d) as other:
            for word in ("loop", "hog", "segv", "loop"):
                check_error(probe(d, word, model="evil"), 422, "MODEL_LOAD_FAILED")
        other.check()


# --- what the process is ------------------------------------------------------------------------

@test
def ST_115_it_holds_what_it_was_handed_and_no_more():
    if os.getuid() != 0:
        skip("another user's descriptors cannot be looked at")
    with daemon() as d:
        models.serve(d, "echo", models.echo([models.spec("x", "FP32", (-1, -1))]))
        d.get("/api/v1/models/echo/history")
        with d.conn():  # a socket that is open meanwhile
            thread, got = in_background(probe, d, "sleep", model="evil")
            pid, status = looking(d)
            fds = {int(n): os.readlink("/proc/%d/fd/%s" % (pid, n))
                   for n in os.listdir("/proc/%d/fd" % pid)}
            with open("/proc/%d/environ" % pid) as f:
                names = {v.split("=")[0] for v in f.read().split("\0") if v}
            with open("/proc/%d/limits" % pid) as f:
                limits = f.read()
            thread.join()
        check_error(got[0], 422, "MODEL_LOAD_FAILED")
    expect(fds[0].startswith("/memfd:request"), fds)
    expect_eq((fds[1], fds[2]), ("/dev/null", "/dev/null"))
    expect(fds[3].startswith("pipe:"), fds)
    objects = [t for n, t in fds.items() if n in (4, 5)]
    expect(all("/objects/" in t for t in objects) and len(objects) == 2, fds)
    rest = [t for n, t in fds.items() if n > 5]
    expect(all(re.search(r"/proc/\d+/(statm|status)$", t) for t in rest), rest)
    expect(not any(t.startswith("socket:") or "sqlite" in t or ".db" in t for t in fds.values()),
           fds)
    expect(names <= {"SLIPWAY_DEBUG", "SLIPWAY_ORT", "LD_LIBRARY_PATH", "ORT_DISABLE_TELEMETRY",
                     "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}, names)
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000",
                 "CapPrm:\t0000000000000000"):
        expect_in(line, status)
    for name, value in (("Max core file size", "0"), ("Max file size", "0"),
                        ("Max open files", "0")):
        expect(re.search("%s +%s +%s" % (name, value, value), limits), limits)


@test
def no_byte_of_a_model_is_read_before_the_walls():
    if SANITIZED:
        skip("strace and a sanitizer do not go together")
    if not shutil.which("strace"):
        skip("no strace here")
    with tempfile.TemporaryDirectory() as tmp:
        trace = os.path.join(tmp, "trace")
        wrap = ["strace", "-D", "-ff", "-qq", "-yy", "-e",
                "trace=read,pread64,mmap,seccomp,landlock_restrict_self,execveat", "-o", trace]
        with Daemon(wrap=wrap, seconds=30, env=CLEAN) as d:
            expect_eq(push(d, MODEL).status, 201)
        looked = 0
        for name in os.listdir(tmp):
            with open(os.path.join(tmp, name), errors="replace") as f:
                calls = f.read()
            walls = calls.find("SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC|")
            if "execveat" not in calls or "/objects/" not in calls:
                continue
            looked += 1
            expect(0 < calls.find("landlock_restrict_self") < walls, "the walls are not there")
            expect(calls.find("/objects/") > walls, "a file is touched before the walls")
    expect_eq(looked, 1)


# --- ends ---------------------------------------------------------------------------------------

@test
def it_dies_with_the_daemon():
    with daemon() as d:
        thread, got = in_background(lambda: Failing(probe, d, "sleep"))
        pid, _ = looking(d)
        d.kill()
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), 2, "the end of what it started")
        thread.join()
        d.start()
        expect_eq(d.get("/api/v1/models/m").status, 404)
        expect_eq(push(d, MODEL).status, 201)


class Failing:
    """What work gives, or how it failed."""

    def __init__(self, work, *args):
        self.reply = None
        try:
            self.reply = work(*args)
        except Exception as e:  # the connection goes with the daemon
            self.error = e


@test
def a_stop_does_not_wait_for_it():
    with Daemon("--inspect-timeout", "60s", env=PROBE) as d:
        thread, got = in_background(probe, d, "sleep")
        looking(d)
        began = time.monotonic()
        d.stop(10)
        expect(time.monotonic() - began < 3 * SLOW, "it took %.1f s" % (time.monotonic() - began))
        thread.join()
        check_error(got[0], 503, "DRAINING")


@test
def who_pushes_what_takes_long_keeps_nobody_else_waiting():
    with Daemon("--keys-only", "--inspect-timeout", "5s", env=PROBE) as d:
        keys = [auth(tenant(d, name)) for name in ("slow", "quick")]
        jobs = [in_background(probe, d, "sleep", model="m%d" % i, headers=keys[0])
                for i in range(2)]
        looking(d)
        began = time.monotonic()
        expect_eq(push(d, MODEL, headers=keys[1]).status, 201)
        expect(time.monotonic() - began < 2 * SLOW, "it waited for another tenant's")
        for thread, got in jobs:
            thread.join()
            check_error(got[0], 422, "MODEL_LOAD_FAILED")


# --- where it runs ------------------------------------------------------------------------------

def doctor(d, name="sandbox"):
    return next(c for c in d.get("/api/v1/doctor").json()["checks"] if c["name"] == name)


@test
def doctor_leans_on_the_walls():
    d = shared()
    check = doctor(d)
    expect(check["ok"], check)
    expect_in("seccomp yes", check["text"])
    expect_in("privileges dropped", check["text"])
    expect_in("memory not limited" if SANITIZED else "memory limited", check["text"])


NO_WALLS = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
            "trace=seccomp,prctl,landlock_create_ruleset",
            "-e", "inject=seccomp,landlock_create_ruleset:error=ENOSYS",
            "-e", "inject=prctl:error=EINVAL"]


@test
def without_walls_it_says_so_and_goes_on():
    """An old kernel, played by strace: a process of its own is what is left."""
    if SANITIZED or not shutil.which("strace"):
        skip("no strace here, or not with it")
    with Daemon("--inspect-timeout", "20s", env=PROBE, wrap=NO_WALLS, seconds=30) as d:
        check = doctor(d)
        expect(not check["ok"], check)
        expect_in("without walls", check["text"])
        expect_eq(push(d, MODEL).status, 201)
        check_error(probe(d, "segv"), 422, "MODEL_LOAD_FAILED")


@test
def without_walls_it_does_not_start_where_they_are_required():
    if SANITIZED or not shutil.which("strace"):
        skip("no strace here, or not with it")
    with tempfile.TemporaryDirectory() as data:
        serve = [BIN, "serve", "--data", data, "--listen", "127.0.0.1:0", "--require-sandbox"]
        done = subprocess.run(NO_WALLS[:1] + NO_WALLS[2:] + serve, capture_output=True, text=True,
                              timeout=60, env=dict(os.environ, HOME=data))
    expect(done.returncode != 0, done)
    expect_in("--require-sandbox", done.stderr)


@test
def walls_that_are_required_and_there_are_enough():
    with Daemon("--require-sandbox", env=CLEAN) as d:
        expect_eq(push(d, MODEL).status, 201)


@test
def an_ordinary_user_has_the_same_walls():
    if os.getuid() != 0:
        skip("this is one")
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        data = os.path.join(top, "data")
        program = os.path.join(top, "slipway")  # the tree may be closed to others
        shutil.copy(BIN, program)
        os.mkdir(data)
        os.chown(data, 65534, 65534)
        with Daemon(data=data, env=PROBE, wrap=["python3", "-c", (
                "import os, sys\nos.setgid(65534)\nos.setuid(65534)\n"
                "os.execv(%r, [%r] + sys.argv[2:])" % (program, program))]) as d:
            expect(doctor(d)["ok"], doctor(d))
            expect_eq(push(d, MODEL).status, 201)
            check_error(probe(d, "segv"), 422, "MODEL_LOAD_FAILED")
            for word in ("read", "connect", "kill", "fork", "write"):
                expect_eq(probe(d, word, model="tries").status, 201, word)


@test
def a_bare_folder_as_root_will_do():
    """No /proc, no /etc, nothing but the program, its libraries and /dev/null."""
    if os.getuid() != 0 or SANITIZED:
        skip("only root changes its root; sanitizers want a /proc")
    top = tempfile.mkdtemp(prefix="slipway-bare-")
    try:
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(
            ["ldd", BIN], capture_output=True, text=True, check=True).stdout)
        for path in libraries:
            to = top + os.path.realpath(os.path.dirname(path))
            os.makedirs(to, exist_ok=True)
            shutil.copy(path, os.path.join(to, os.path.basename(path)))
        for name in ("lib", "lib64"):
            if not os.path.lexists(os.path.join(top, name)):
                os.symlink("usr/" + name, os.path.join(top, name))
        os.makedirs(os.path.join(top, "dev"))
        os.makedirs(os.path.join(top, "data"))
        subprocess.run(["mknod", "-m", "666", top + "/dev/null", "c", "1", "3"], check=True)
        shutil.copy(BIN, os.path.join(top, "slipway"))
        script = ("import os, sys\nos.chroot(%r)\nos.chdir('/')\n"
                  "a = sys.argv[2:]\na[a.index('--data') + 1] = '/data'\n"
                  "os.execv('/slipway', ['/slipway'] + a)" % top)
        with Daemon(data=os.path.join(top, "data"), env=PROBE,
                    wrap=["python3", "-c", script]) as d:
            check = doctor(d)
            expect(check["ok"], check)
            reply = push(d, MODEL)
            expect_eq(reply.status, 201, reply)
            check_error(probe(d, "segv"), 422, "MODEL_LOAD_FAILED")
    finally:
        shutil.rmtree(top, ignore_errors=True)


# --- what it finds ------------------------------------------------------------------------------

def onnx(name):
    with open(os.path.join(ROOT, "test", "data", "onnx", name), "rb") as f:
        return f.read()


@test
def what_was_found_stays_with_the_version():
    with Daemon(env=CLEAN) as d:
        reply = push(d, MODEL)
        expect_eq(reply.status, 201, reply)
        found = reply.json()["inspected"]
        expect_eq(found["engine"], "echo")
        facts = d.get("/api/v1/models/m/history").json()["events"][0]
        expect_in("inspected", json.dumps(facts))
        expect_in(str(found["memory_peak_bytes"]), json.dumps(facts))
        models.want(models.deploy(d, "m", 1), 200, "deploy")
        d.stop()
        d.start()
        wait_for(lambda: d.post("/v2/models/m/infer", infer_json()).status == 200, 10, "an answer")
        looks = [e for e in d.log() if e["event"] == "model_inspected"]
        expect_eq(len(looks), 1, "a look at each start: %s" % looks)


@test
def the_same_files_are_looked_at_once():
    d = shared()
    looked = lambda: sum(e["event"] == "model_inspected" for e in d.log())  # noqa: E731
    files = dict(MODEL, **{"once.txt": os.urandom(8)})
    before = looked()
    for _ in range(3):
        expect_eq(push(d, files, model="again").status, 201)
    wait_for(lambda: looked() > before, 5, "the log")
    expect_eq(looked() - before, 1)


@test
def check_makes_no_version():
    with Daemon(env=PROBE) as d, tempfile.TemporaryDirectory() as tmp:
        for name, data in MODEL.items():
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(data)
        done = d.cli("check", tmp)
        expect_eq(done.returncode, 0, done)
        expect_in("good: engine echo", done.stdout)
        expect_eq(d.get("/api/v1/models").json()["models"], [])
        with open(os.path.join(tmp, "probe.txt"), "w") as f:
            f.write("segv opens")
        done = d.cli("check", tmp)
        expect_eq((done.returncode, done.stdout), (8, ""))
        expect_in("the model", done.stderr)
        expect_eq(push(d, MODEL).status, 201)
        for word in ("m", "m@1"):
            expect_eq(json.loads(d.cli("check", word, "--json").stdout)["ok"], True)
        expect_eq(d.cli("check", "m@2").returncode, 4)
        expect_eq(d.cli("check", "nobody").returncode, 4)
        check_error(d.post("/api/v1/check", {"files": []}), 400, "INVALID_ARGUMENT")
        check_error(d.post("/api/v1/check", {"files": [], "x": 1}), 400,
                    ("INVALID_ARGUMENT", "UNKNOWN_FIELD"))


@test
def MF_117_threads_are_clamped():
    """A model that asks for many is looked at on one thread, and serves on those it may have."""
    with Daemon(env=CLEAN) as d:
        files = {"model.onnx": onnx("doubles.onnx"), "slipway.yaml": b"limits: {threads: 64}\n"}
        reply = push(d, files)
        if reply.status == 503:
            skip(reply.json()["error"])
        expect_eq(reply.status, 201, reply)
        check_error(push(d, dict(files, **{"slipway.yaml": b"limits: {threads: 1000000}\n"})),
                    400, "BAD_CONFIG")


@test
def the_shared_daemon_ends_in_good_order():
    shared.end()


main()
