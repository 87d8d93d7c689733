#!/usr/bin/env python3
"""over_http.py - requests per second next to nginx, resident memory, start to ready.

    make bench    (bench/over_http.py WORD... picks rows; environment: SECONDS_PER_RUN=3 RUNS=5)

The server is pinned to one core, the load generator (wrk) to another; nginx runs with one worker on
the same core, in turns with slipway, and each row is the median of RUNS runs. nginx answers a GET
with a body of the same size from memory (`return 200`), or reads and drops an upload of the same
size. What is promised stands in the last column; --check makes a broken promise the exit status.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
from hostile import rss
from models import echo, infer_body, serve, spec
from slipway import Daemon, Failed, free_port, wait_for

SECONDS = float(os.environ.get("SECONDS_PER_RUN", "3"))
RUNS = int(os.environ.get("RUNS", "5"))
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]
MIB = 1 << 20


class Nginx:
    """One worker on the server's core: / answers `size` bytes, /up reads a body and drops it."""

    def __init__(self, size):
        self.port, self.dir = free_port(), tempfile.mkdtemp(prefix="slipway-nginx-")
        body = "x" * size
        conf = """
worker_processes 1; daemon off; pid %(dir)s/pid; error_log %(dir)s/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path %(dir)s/a; proxy_temp_path %(dir)s/b; fastcgi_temp_path %(dir)s/c;
  uwsgi_temp_path %(dir)s/d; scgi_temp_path %(dir)s/e;
  server {
    listen 127.0.0.1:%(port)d; client_max_body_size 0; client_body_buffer_size 2m;
    location = / { return 200 '%(body)s'; }
    location = /up { return 200 'ok'; }
  }
}""" % {"dir": self.dir, "port": self.port, "body": body}
        with open(os.path.join(self.dir, "conf"), "w") as f:
            f.write(conf)
        self.proc = subprocess.Popen(["taskset", "-c", str(SERVER), "nginx", "-c",
                                      os.path.join(self.dir, "conf"),
                                      "-p", self.dir], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

    def url(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Script:
    """A wrk script that posts one body."""

    def __init__(self, body, headers=None):
        self.dir = tempfile.mkdtemp(prefix="slipway-wrk-")
        with open(os.path.join(self.dir, "body"), "wb") as f:
            f.write(body)
        lines = ['wrk.method = "POST"', 'local f = io.open("%s/body", "rb")' % self.dir,
                 "wrk.body = f:read('*a')", "f:close()"]
        for name, value in (headers or {"content-type": "application/json"}).items():
            lines.append('wrk.headers["%s"] = "%s"' % (name, value))
        self.path = os.path.join(self.dir, "post.lua")
        with open(self.path, "w") as f:
            f.write("\n".join(lines) + "\n")


def cpu_ns(pid):
    """Time on a core of all threads of a process and of its children (nginx's worker)."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
        with open("/proc/%d/task/%s/children" % (pid, task)) as f:
            total += sum(cpu_ns(int(child)) for child in f.read().split())
    return total


def wrk(server, url, connections, script=None):
    """(requests per second, p50 us, p99 us, us on a core per request)"""
    command = ["taskset", "-c", str(CLIENT), "wrk", "-t1", "-c%d" % connections,
               "-d%gs" % max(1, SECONDS),
               "--latency", "--timeout", "10s"]
    if script:
        command += ["-s", script.path]
    before = cpu_ns(server.proc.pid)
    out = subprocess.run(command + [url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, timeout=120).stdout
    used = cpu_ns(server.proc.pid) - before
    if re.search(r"Non-2xx|Socket errors", out):
        raise Failed("%s: %s" % (url, out))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    quantile = {q: time_us(v) for q, v in re.findall(r"^\s+(50|99)%\s+(\S+)", out, re.M)}
    count = int(re.search(r"(\d+) requests in", out).group(1))
    return rate, quantile["50"], quantile["99"], used / 1000 / count


def time_us(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def turns(rows):
    """rows: {name: fn() -> wrk()'s tuple}; medians of RUNS rounds, in turns."""
    got = {name: [] for name in rows}
    for _ in range(RUNS):
        for name, fn in rows.items():
            got[name].append(fn())
    return {name: [statistics.median(v) for v in zip(*runs)] for name, runs in got.items()}


def example(name):
    folder = os.path.join(ROOT, "examples", name, "model")
    files = {}
    for entry in sorted(os.listdir(folder)):
        with open(os.path.join(folder, entry), "rb") as f:
            files[entry] = f.read()
    return files


def daemon(**kw):
    return Daemon("--loops", "1", "--workers", "1", "--log-level", "warn",
                  wrap=["taskset", "-c", str(SERVER)], seconds=30, **kw)


TABLE = []


def row(what, value, promise="", kept=None):
    TABLE.append((what, value, promise, kept))
    print("%-58s %22s   %s%s" % (what, value, promise, "" if kept is None else "  ok"
                                 if kept else "  MISSED"), flush=True)


def compare(title, ours, nginx, least):
    ratio = ours[0] / nginx[0]
    row(title, "%.2f of nginx" % ratio, "at least %.2f" % least, ratio >= least)
    for name, (rate, p50, p99, cpu) in (("slipway", ours), ("nginx", nginx)):
        row("  " + name, "%.0f/s" % rate,
            "p50 %.0f us, p99 %.0f us, %.1f us on its core" % (p50, p99, cpu))


def json_rates(d):
    with open(os.path.join(ROOT, "bench", "models", "mlp.onnx"), "rb") as f:
        mlp = f.read()
    serve(d, "mlp", {"model.onnx": mlp})
    serve(d, "echo", echo([spec("x", "FP32", (-1, 16))]))
    values = [round(0.1 * i - 0.7, 3) for i in range(16)]

    def script_for(model):
        name = d.get("/v2/models/" + model).json()["inputs"][0]["name"]
        body = json.dumps({"inputs": [{"name": name, "shape": [1, 16], "datatype": "FP32",
                                       "data": values}]}).encode()
        path = "/v2/models/%s/infer" % model
        reply = d.post(path, body)
        if reply.status != 200:
            raise Failed("%s: %r" % (model, reply))
        return d.url(path), Script(body), len(reply.body)
    url, script, size = script_for("mlp")
    echo_url, echo_script, echo_size = script_for("echo")
    nginx, nginx_echo = Nginx(size), Nginx(echo_size)
    try:
        wait_for(lambda: ready(nginx) and ready(nginx_echo), 10, "nginx")
        for warm in (url, echo_url):
            wrk(d, warm, 16, script if warm == url else echo_script)
        got = turns({"nginx-1": lambda: wrk(nginx, nginx.url(), 1),
                     "mlp-1": lambda: wrk(d, url, 1, script),
                     "nginx-16": lambda: wrk(nginx, nginx.url(), 16),
                     "mlp-16": lambda: wrk(d, url, 16, script),
                     "nginx-echo-16": lambda: wrk(nginx_echo, nginx_echo.url(), 16),
                     "echo-16": lambda: wrk(d, echo_url, 16, echo_script)})
    finally:
        nginx.stop()
        nginx_echo.stop()
    compare("V2 JSON, MLP 16-64-64-4, 1 connection", got["mlp-1"], got["nginx-1"], 0.70)
    compare("V2 JSON, MLP 16-64-64-4, 16 connections", got["mlp-16"], got["nginx-16"], 0.45)
    compare("V2 JSON, echo, 16 connections", got["echo-16"], got["nginx-echo-16"], 0.60)


def ready(nginx):
    try:
        import urllib.request
        return urllib.request.urlopen(nginx.url(), timeout=1).status == 200
    except OSError:
        return False


def uploads(d):
    """1 MiB of tensor in, a few bytes out."""
    n = MIB // 4
    serve(d, "sink", echo([spec("small", "INT32", (1,)), spec("large", "FP32", (n,))],
                          [spec("small", "INT32", (1,))]))
    body, headers = infer_body([("small", "INT32", [1], b"\0" * 4),
                                ("large", "FP32", [n], bytes(MIB))])
    path = "/v2/models/sink/infer"
    reply = d.post(path, body, headers)
    if reply.status != 200:
        raise Failed("sink: %r" % reply)
    script, plain = Script(body, headers), Script(bytes(len(body)),
                                                  {"content-type": "application/octet-stream"})
    nginx = Nginx(10)
    try:
        wait_for(lambda: ready(nginx), 10, "nginx")
        wrk(d, d.url(path), 4, script)
        got = turns({"nginx": lambda: wrk(nginx, nginx.url("/up"), 4, plain),
                     "sink": lambda: wrk(d, d.url(path), 4, script)})
    finally:
        nginx.stop()
    compare("1 MiB binary tensor in, 4 connections", got["sink"], got["nginx"], 0.60)
    row("  slipway", "%.2f GB/s" % (got["sink"][0] * len(body) / 1e9))


def idle():
    with daemon() as d:
        bare = rss(d.proc.pid)
        serve(d, "wine", example("wine"))
        time.sleep(1)
        own = rss(d.proc.pid)
        serve(d, "digits", example("digits"))
        time.sleep(1)
        both = rss(d.proc.pid)
        libs = mapped(d.proc.pid, "onnxruntime")
    row("resident, idle, no models", "%.1f MiB" % (bare / MIB))
    row("resident, idle, the model of the linear engine", "%.1f MiB" % (own / MIB), "below 60 MiB",
        own < 60 * MIB)
    row("resident, idle, both demo models", "%.1f MiB" % (both / MIB),
        "of it mapped from libonnxruntime: %.1f MiB" % (libs / MIB))
    row("  so ONNX Runtime and its model take", "%.1f MiB" % ((both - own) / MIB))


def mapped(pid, word):
    """Resident bytes of the mappings whose file name holds word."""
    total, counts = 0, False
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                counts = word in line
            elif counts and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def start_seconds(**kw):
    """From exec to the first 200 of /readyz."""
    d = Daemon(wrap=["taskset", "-c", str(SERVER)], ready=False, **kw)
    try:
        began = time.monotonic()
        d.start()
        while not d.is_ready():
            time.sleep(0.001)
        return time.monotonic() - began
    finally:
        d.proc.terminate()
        d.proc.wait(30)
        d.clean()


def starts():
    data = tempfile.mkdtemp(prefix="slipway-bench-")
    empty = statistics.median(start_seconds() for _ in range(RUNS))
    row("from start to ready, no models", "%.0f ms" % (empty * 1000), "below 150 ms", empty < 0.15)
    try:
        with Daemon(data=data, seconds=30) as d:
            serve(d, "wine", example("wine"))
            serve(d, "digits", example("digits"))
        both = statistics.median(start_seconds(data=data) for _ in range(RUNS))
        row("from start to ready, both demo models", "%.0f ms" % (both * 1000))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    for tool in ("wrk", "nginx", "taskset"):
        if not shutil.which(tool):
            print("SKIP: no %s here (make deps-bench)" % tool)
            return 0
    if len(CORES) < 2:
        print("one core only: server and generator share it, the ratios mean little")
    print("server on core %d, wrk on core %d, medians of %d runs of %g s" % (SERVER, CLIENT, RUNS,
                                                                             SECONDS))

    def wanted(name):
        return not words or any(w in name for w in words)
    if wanted("json") or wanted("upload"):
        with daemon() as d:
            if wanted("json"):
                json_rates(d)
            if wanted("upload"):
                uploads(d)
    if wanted("memory"):
        idle()
    if wanted("start"):
        starts()
    missed = [t[0] for t in TABLE if t[3] is False]
    print("%d promises kept, %d missed" % (sum(t[3] is True for t in TABLE), len(missed)))
    return 1 if missed and "--check" in sys.argv else 0


sys.exit(main())
