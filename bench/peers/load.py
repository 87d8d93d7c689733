"""load.py - asks one server: as fast as connections allow (wrk), or at a rate that does not wait.
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import subprocess
import tempfile

from kinds import BUILD, CLIENT, ROWS, Failed, favour


def body_of(model):
    """One row, the same for all."""
    n = ROWS[model][0]
    data = [round(((i * 37) % 101) / 50 - 1, 3) for i in range(n)]
    return json.dumps({"inputs": [{"name": "x", "shape": [1, n], "datatype": "FP32",
                                   "data": data}]}).encode()


class Script:
    """A wrk script that posts one body."""
    def __init__(self, body, headers):
        self.dir = tempfile.TemporaryDirectory(prefix="slipway-wrk-")
        self.path = os.path.join(self.dir.name, "post.lua")
        with open(os.path.join(self.dir.name, "body"), "wb") as f:
            f.write(body)
        lines = ['wrk.method = "POST"', 'local f = io.open("%s/body", "rb")' % self.dir.name,
                 "wrk.body = f:read('*a')", "f:close()"]
        lines += ['wrk.headers["%s"] = "%s"' % pair for pair in headers.items()]
        with open(self.path, "w") as f:
            f.write("\n".join(lines) + "\n")


def time_us(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def pinned(*command):
    """The output of a generator on the client's core."""
    proc = subprocess.Popen(["taskset", "-c", str(CLIENT), *command], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)
    favour(proc.pid)
    out = proc.communicate(timeout=120)[0]
    if proc.returncode:
        raise Failed("%s: %s" % (command[0], out[-400:]))
    return out


def flat_out(kind, model, connections, seconds):
    """rate: answers/s, refusals left out; p50, p99: us; cpu: us of the server's core a request."""
    script = Script(body_of(model), kind.headers())
    before = kind.cpu_ns(model)
    out = pinned("wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", "--timeout",
                 "20s", "-s", script.path, kind.url(model))
    used = kind.cpu_ns(model) - before
    if "Socket errors" in out:
        raise Failed("%s: %s" % (kind.name, out[-300:]))
    asked = int(re.search(r"(\d+) requests in", out).group(1))
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", out) or [0, 0])[1])
    if refused:
        print("%s: %d of %d requests refused, by %d connections" % (kind.name, refused, asked,
                                                                   connections), flush=True)
    quantile = {q: time_us(v) for q, v in re.findall(r"^\s+(50|99)%\s+(\S+)", out, re.M)}
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return {"rate": rate * (asked - refused) / asked, "p50": quantile["50"],
            "p99": quantile["99"], "cpu": used / 1000 / asked}


def paced(kind, model, seconds, *sources):
    """Of each source ("r200": requests a second at drawn distances, "c64": connections):
    good, bad; p50, p99 in us, from when a request was due."""
    path = os.path.join(BUILD, "body-" + model)
    with open(path, "wb") as f:
        f.write(body_of(model))
    base, at = kind.url(model).split("/v2/")
    out = pinned(os.path.join(BUILD, "pace"), base, "/v2/" + at, path, str(seconds), *sources)
    rows = [[int(word) for word in line.split()] for line in out.strip().splitlines()]
    return [dict(zip(("good", "bad", "p50", "p99", "p999"), row)) for row in rows]
