"""rig.py - what the overload bars share: daemons on one core, `slipway bench` on another, ratios
inside one run, lines that say what was measured.
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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [os.path.join(ROOT, "test", "lib"), os.path.join(ROOT, "bench", "models")]
import models  # noqa: E402
from slipway import BIN, Daemon, Failed  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]
DEADLINE_MS = 100
X = [models.spec("x", shape=(-1, 4))]
YAML = b"limits: {deadline: %dms}\n" % DEADLINE_MS


class NotBuilt(Exception):
    """What the bar is about is not there yet; says what."""


# --- what is served -----------------------------------------------------------------------------

def busy(us=1000, yaml=YAML, inputs=None):
    """The default model: so many microseconds of a core for each row, not asleep."""
    files = models.echo(inputs or X, busy_us=us)
    if yaml:
        files["slipway.yaml"] = yaml
    return files


def daemon(*args, cores=None, **kw):
    """One loop, one worker, on the server's core."""
    how = ["--loops", "1", "--workers", "1", "--log-level", "warn"] + list(args)
    cores = str(SERVER) if cores is None else cores
    return Daemon(*how, wrap=["taskset", "-c", cores], seconds=30, **kw)


def serve(d, model, files, what):
    """Serves it; NotBuilt where the daemon does not know what its slipway.yaml asks for."""
    try:
        return models.serve(d, model, files)
    except Failed as e:
        if "slipway.yaml" in str(e) or "BAD_CONFIG" in str(e):
            raise NotBuilt(what + " (slipway.yaml is refused)")
        raise


def cpu_ns(pid):
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total


def metrics(d):
    """{name: {labels: value}}"""
    found = {}
    for line in d.get("/metrics").body.decode().splitlines():
        got = re.match(r"([a-z_A-Z0-9]+)(?:\{(.*)\})? (\S+)$", line)
        if got:
            found.setdefault(got.group(1), {})[got.group(2) or ""] = float(got.group(3))
    return found


def metric(d, name, *parts):
    """The sum over series whose labels hold the parts; None: there is none of that name."""
    rows = metrics(d).get(name)
    if rows is None:
        return None
    return sum(v for labels, v in rows.items() if all(p in labels for p in parts))


def runs_of(d, model):
    """How often the engine ran."""
    time.sleep(1.2)  # what loops count comes once a second
    return metric(d, "nv_inference_exec_count", 'model="%s"' % model) or 0


# --- load ---------------------------------------------------------------------------------------

COMMANDS, LATE = [], []  # LATE: the generator's own p99 from due to sent, ms


def bench_start(d, rows, seconds, pinned=True):
    """Starts a load of these sources."""
    mix = tempfile.NamedTemporaryFile("w", suffix=".json")
    json.dump(rows, mix)
    mix.flush()
    command = [BIN, "bench", "--mix", mix.name, "--for", "%gs" % seconds if seconds == int(seconds)
               else "%dms" % int(seconds * 1000), "--json", "--each-second"]
    shown = [{k: v for k, v in r.items() if k != "key"} for r in rows]
    text = json.dumps(shown if len(shown) <= 6 else shown[:3] + ["... %d more" % (len(shown) - 3)])
    COMMANDS.append("slipway bench --mix <(echo '%s') --for %g" % (text, seconds))
    if pinned:
        command = ["taskset", "-c", str(CLIENT)] + command
    env = dict(os.environ, SLIPWAY_URL=d.url(), HOME=d.data)
    load = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)
    load.mix = mix  # lives as long
    return load


def bench_end(load):
    out, err = load.communicate(timeout=600)
    load.mix.close()
    if load.returncode not in (0, 7) or not out:
        raise Failed("slipway bench ended with %d: %s" % (load.returncode, err[-500:]))
    got = json.loads(out)
    got["by"] = {s["name"]: s for s in got["sources"]}
    LATE.append(got["late"]["p99_us"] / 1e3)
    return got


def bench(d, rows, seconds, pinned=True):
    return bench_end(bench_start(d, rows, seconds, pinned))


def row(name, rate=None, model="m", deadline=DEADLINE_MS, **more):
    """A source: Poisson at that rate, or a closed loop."""
    made = dict({"name": name, "model": model}, **more)
    if deadline:
        made["deadline_ms"] = deadline
    if rate:
        made.update({"rate": round(rate, 3), "poisson": True})
        made.setdefault("concurrency", 4096)  # as many clients as come, no queue in front of them
    return made


def capacity(d, seconds, model="m", concurrency=16, deadline=DEADLINE_MS, **more):
    """The goodput of a closed loop."""
    got = bench(d, [row("capacity", model=model, deadline=deadline, concurrency=concurrency,
                        **more)], seconds)
    return got["goodput"]


def good(source, since, until):
    """Goodput over whole seconds of a report."""
    rows = [s["good"] for s in source["seconds"] if since <= s["second"] < until]
    return sum(rows) / max(1, until - since), min(rows, default=0)


def flat_out(d, model, body, seconds, connections, key=None):
    """(answers/s, the share that was not 2xx), by wrk: where `slipway bench`, which looks at every
    answer, would be what is measured."""
    if not shutil.which("wrk"):
        raise NotBuilt("wrk is not installed (make deps-bench)")
    heads = {"content-type": "application/json"}
    if key:
        heads["authorization"] = "Bearer " + key
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("wrk.method = 'POST'\nwrk.body = %s\n" % json.dumps(body))
        script.writelines("wrk.headers['%s'] = '%s'\n" % pair for pair in heads.items())
        script.flush()
        command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "-s", script.name,
                   d.url() + "/v2/models/%s/infer" % model]
        out = subprocess.run(["taskset", "-c", str(CLIENT)] + command, capture_output=True,
                             text=True, timeout=seconds + 60).stdout
    COMMANDS.append(" ".join(command[:4]) + " " + command[-1])
    asked = int(re.search(r"(\d+) requests in", out)[1])
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", out) or [0, 0])[1])
    return asked / seconds, refused / max(1, asked)


# --- bars ---------------------------------------------------------------------------------------

class Bar:
    """One line. holds: value -> bool; sides: the two numbers of the ratio, in words."""

    def __init__(self, name, value, bar, holds, sides):
        self.name, self.value, self.bar, self.holds, self.sides = name, value, bar, holds, sides


def least(name, value, bar, sides):
    return Bar(name, value, ">= %g" % bar, lambda v: v >= bar, sides)


def most(name, value, bar, sides):
    return Bar(name, value, "<= %g" % bar, lambda v: v <= bar, sides)


def ratio(a, b):
    return a / b if b else float("inf")


GROUPS = []


def bars(*ids, own_target=False):
    """A function of (quick) that measures these bars once: {id: [Bar, ...]}."""
    def add(fn):
        GROUPS.append((ids, fn, own_target))
        return fn
    return add


def measure(ids, fn, quick, runs):
    """Medians over runs: {id: [Bar]}; a string instead: why there are none."""
    got = {}
    try:
        for _ in range(runs):
            for key, made in fn(quick).items():
                got.setdefault(key, []).append(made)
    except NotBuilt as e:
        return {key: "not built: %s" % e for key in ids}
    for key, rounds in got.items():
        kept = []
        for i, first in enumerate(rounds[0]):
            values = sorted((each[i] for each in rounds), key=lambda b: b.value)
            middle = values[len(values) // 2]
            first.value = statistics.median(b.value for b in values)
            first.sides = middle.sides + ("; all: " + " ".join("%.3g" % b.value for b in values)
                                          if len(values) > 1 else "")
            kept.append(first)
        got[key] = kept
    return {key: got.get(key, "nothing was measured") for key in ids}


def show(key, made):
    """Prints the bars of one id; True: all hold."""
    if isinstance(made, str):
        print("%s - - - FAIL (%s)" % (key, made), flush=True)
        return False
    held = True
    for b in made:
        ok = b.holds(b.value)
        held = held and ok
        print("%s %s %.4g %s %s" % (key, b.name, b.value, b.bar, "PASS" if ok else "FAIL"))
        print("      %s" % b.sides, flush=True)
    return held
