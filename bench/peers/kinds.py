"""kinds.py - the servers that are compared: how each is installed, started and what it is asked.

Each stands under build/peers, with pinned versions: python/NAME.txt for a virtual environment,
rust/Cargo.toml, node/package-lock.json. A kind that cannot be installed says why and is left out.
SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "peers")
ORT = os.path.join(ROOT, "build", "deps", "onnxruntime", "onnxruntime", "capi",
                   "libonnxruntime.so.1.28.0")
sys.path[:0] = [os.path.join(ROOT, "test", "lib"), os.path.join(ROOT, "bench", "models")]
import make_models
from models import serve
from tenants import As, tenant
from slipway import Conn, Daemon, Failed, free_port, wait_for

CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]
# Debian's: Triton's backend is built for it and does not run with a newer standard library.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
ROWS = {"small": (16, 4), "big": (256, 16), "flood": (256, 16)}  # numbers in a row in, out


def model_file(model):
    if model == "small":
        return os.path.join(ROOT, "bench", "models", "mlp.onnx")
    path = os.path.join(BUILD, "big.onnx")
    if not os.path.exists(path):
        os.makedirs(BUILD, exist_ok=True)
        with open(path, "wb") as f:
            f.write(make_models.mlp([256, 1024, 1024, 1024, 16]))
    return path


def run(log, *command, **more):
    """A step of an installation; what it prints goes to build/peers/LOG.log."""
    path = os.path.join(BUILD, log + ".log")
    with open(path, "ab") as f:
        if subprocess.run(command, stdout=f, stderr=f, stdin=subprocess.DEVNULL,
                          timeout=900, **more).returncode:
            raise Failed("%s failed: build/peers/%s.log" % (" ".join(command[:3]), log))


def compiled(name):
    """A C program of this folder, with the project's library."""
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        libs = re.search(r"PKG_LIBS := (.*)", f.read())[1].split()
    run(name, "gcc", "-std=c17", "-O2", "-D_GNU_SOURCE", "-I" + os.path.join(ROOT, "src"),
        "-I/usr/share/include/llhttp", os.path.join(HERE, name + ".c"),
        os.path.join(ROOT, "build", "release", "libslipway.a"), "-o", os.path.join(BUILD, name),
        *libs, "-lpthread", "-ldl", "-lm", "-lstdc++")
    return os.path.join(BUILD, name)


def same(a, b):
    with open(a, "rb") as x:
        if not os.path.exists(b):
            return False
        with open(b, "rb") as y:
            return x.read() == y.read()


def favour(pid):
    """Puts a new session before all else that runs here, where we may: the machine is shared."""
    try:
        with open("/proc/%d/autogroup" % pid, "w") as f:
            f.write("-19")
    except OSError:
        pass


class Kind:
    """One server. bar: how many times its rate slipway's must be, on the small model; big: on the
    big one; one: how much more time one connection may take, as a ratio."""
    path = "/v2/models/mlp/infer"

    def __init__(self, name, label, bar=None, big=None, latency=None):
        self.name, self.label, self.bar, self.big, self.latency = name, label, bar, big, latency
        self.proc, self.err = {}, None
        self.port = {}

    def install(self):
        pass

    def command(self, port, model):
        raise NotImplementedError

    def env(self):
        return {}

    def start(self, model):
        port = self.port[model] = free_port()
        folder = os.path.join(BUILD, "run", self.name + "-" + model)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.err = os.path.join(folder, "log")
        with open(self.err, "wb") as log:
            proc = subprocess.Popen(["taskset", "-c", str(SERVER), *self.command(port, model)],
                                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
                                    env=dict(os.environ, **self.env()), start_new_session=True)
        self.proc[model] = proc
        favour(proc.pid)

    def ready(self, model, body, seconds=60):
        """The first good answer, as JSON."""
        def ask():
            if self.proc[model].poll() is not None:
                with open(self.err, errors="replace") as f:
                    raise Failed("it ended: " + f.read().strip()[-400:])
            try:
                with Conn("127.0.0.1", self.port[model], 5) as conn:
                    reply = conn.ask("POST", self.path, body, {"content-type": "application/json"})
                return reply if reply and reply.status == 200 else None
            except (OSError, Failed):
                return None
        answer = wait_for(ask, seconds, self.name).json()
        for pid in self.family(model):
            favour(pid)
        return answer

    def flood(self):
        """(model, key of who floods, key of the other): peers have no tenants."""
        return "big", "", ""

    def url(self, model):
        return "http://127.0.0.1:%d%s" % (self.port[model], self.path)

    def headers(self):
        return {"content-type": "application/json"}

    def family(self, model):
        """The process and all it started, whatever sessions those made for themselves."""
        found = [self.proc[model].pid]
        for pid in found:
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                        found += map(int, f.read().split())
            except OSError:
                pass
        return found

    def signal(self, model, number):
        for pid in self.family(model):
            try:
                os.kill(pid, number)
            except OSError:
                pass

    def sleep(self, model):
        self.signal(model, signal.SIGSTOP)

    def wake(self, model):
        self.signal(model, signal.SIGCONT)

    def stop(self):
        for model in list(self.proc):
            self.end(model)

    def end(self, model):
        family, proc = self.family(model), self.proc[model]
        self.signal(model, signal.SIGCONT)
        self.signal(model, signal.SIGTERM)
        try:
            proc.wait(5)
        except subprocess.TimeoutExpired:
            pass
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        proc.wait()
        del self.proc[model]

    def cpu_ns(self, model):
        """Time on a core of the whole family."""
        total = 0
        for pid in self.family(model):
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                        total += int(f.read().split()[0])
            except OSError:
                pass
        return total


class Slipway(Kind):
    def start(self, model):
        daemon = Daemon("--loops", "1", "--workers", "1", "--log-level", "warn",
                             wrap=["setsid", "taskset", "-c", str(SERVER)], seconds=30)
        daemon.start()
        self.proc[model], self.port[model] = daemon.proc, daemon.port
        self.err = daemon.err.name
        favour(daemon.proc.pid)
        with open(model_file(model), "rb") as f:
            files = {"model.onnx": f.read()}
        for who in [daemon] if model != "flood" else self.tenants(daemon):
            serve(who, "mlp", files)

    def tenants(self, daemon):
        self.keys = [tenant(daemon, name) for name in ("loud", "quiet")]
        return [As(daemon, key) for key in self.keys]

    def flood(self):
        if "flood" not in self.proc:
            self.start("flood")
        return "flood", "@" + self.keys[0], "@" + self.keys[1]


class Minimal(Kind):
    def install(self):
        compiled("minimal")

    def command(self, port, model):
        return [os.path.join(BUILD, "minimal"), str(port), model_file(model),
                *map(str, ROWS[model]), ORT]


class Rust(Kind):
    def install(self):
        if not shutil.which("cargo"):
            raise Failed("there is no cargo here")
        folder = os.path.join(BUILD, "rust")
        shutil.copytree(os.path.join(HERE, "rust"), folder, dirs_exist_ok=True)
        run(self.name, "cargo", "build", "--release", "--manifest-path",
            os.path.join(folder, "Cargo.toml"), "--target-dir", folder)

    def env(self):
        return {"ORT_DYLIB_PATH": ORT}

    def command(self, port, model):
        return [os.path.join(BUILD, "rust", "release", "peer"), str(port), model_file(model),
                *map(str, ROWS[model])]


class Node(Kind):
    def install(self):
        if not shutil.which("npm"):
            raise Failed("there is no npm here")
        lock = os.path.join(HERE, "node", "package-lock.json")
        if same(lock, os.path.join(BUILD, "node", "ready")):
            return
        os.makedirs(os.path.join(BUILD, "node"), exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, "node", name), os.path.join(BUILD, "node"))
        run(self.name, "npm", "--prefix", os.path.join(BUILD, "node"), "ci", "--no-audit",
            "--no-fund", "--ignore-scripts")
        shutil.copy(lock, os.path.join(BUILD, "node", "ready"))

    def env(self):
        return {"NODE_PATH": os.path.join(BUILD, "node", "node_modules")}

    def command(self, port, model):
        return ["node", os.path.join(HERE, "node", "server.js"), str(port), model_file(model),
                *map(str, ROWS[model])]


class Python(Kind):
    """python/NAME_peer.py in an environment of python/NAME.txt; set: more environment."""
    def __init__(self, name, label, bar=None, big=None, latency=None, of=None, **setting):
        super().__init__(name, label, bar, big, latency)
        self.of, self.setting = of or name, setting

    def install(self):
        wanted = os.path.join(HERE, "python", self.of + ".txt")
        folder = os.path.join(BUILD, self.of)
        if same(wanted, os.path.join(folder, "ready")):
            return
        shutil.rmtree(folder, ignore_errors=True)
        run(self.of, PYTHON, "-m", "venv", folder)
        run(self.of, os.path.join(folder, "bin", "pip"), "install", "--disable-pip-version-check",
            "--no-deps", "-r", wanted)
        shutil.copy(wanted, os.path.join(folder, "ready"))

    def env(self):
        return {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **self.setting}

    def command(self, port, model):
        return [os.path.join(BUILD, self.of, "bin", "python"),
                os.path.join(HERE, "python", self.of + "_peer.py"), str(port), model_file(model),
                *map(str, ROWS[model])]


class Triton(Python):
    """Its processes share locks that do not outlast a stop: it is ended and begun anew."""
    def ready(self, model, body, seconds=60):
        self.body = {**getattr(self, "body", {}), model: body}
        return super().ready(model, body, seconds)

    def sleep(self, model):
        self.end(model)

    def wake(self, model):
        if model not in self.proc:
            self.start(model)
            self.ready(model, self.body[model])


KINDS = [
    Slipway("slipway", "slipway"),
    Minimal("minimal", "minimal C, no features", bar=0.8),
    Rust("rust", "Rust: axum, ort", bar=1.15, big=2.5, latency=1.1),
    Node("node", "Node: http, onnxruntime-node", bar=2.5),
    Python("mosec", "mosec, no batching"),
    Python("mosec-16", "mosec, batches of 16", bar=1.5, big=1.5, of="mosec", BATCH="16",
           WAIT_MS="1"),
    Python("mosec-32", "mosec, batches of 32", bar=1.5, big=1.5, of="mosec", BATCH="32",
           WAIT_MS="1"),
    Python("fastapi", "FastAPI, uvicorn", bar=10),
    Python("mlserver", "MLServer", bar=10),
    Python("kserve", "KServe", bar=10),
    Python("bentoml", "BentoML", bar=10, BENTOML_DO_NOT_TRACK="True"),
    Python("litserve", "LitServe", bar=10),
    Triton("pytriton", "Triton's Python backend", BATCH="1"),
    Triton("pytriton-batch", "Triton's Python, batching", of="pytriton", BATCH="32"),
]
