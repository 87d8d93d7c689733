"""killing.py - SIGKILL at the n-th call of a kind, by strace. Standard library only.

SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import tempfile
import time

from slipway import skip

CALLS = ["pwrite64", "write", "fdatasync", "fsync", "rename,renameat,renameat2", "ftruncate"]


def tracer(path):
    try:
        with open(path) as f:
            return int(re.search(r"TracerPid:\s+(\d+)", f.read()).group(1))
    except OSError:
        return 0


def trace(d, call, n):
    """Attaches strace, which will kill the daemon at the n-th call from now on (each thread counts
    its own)."""
    err = tempfile.NamedTemporaryFile(prefix="strace-", delete=False)
    spec = ["-e", "inject=%s:signal=KILL:when=%d" % (call, n)]
    # -e trace= keeps strace from stopping at anything else
    p = subprocess.Popen(["strace", "-f", "-e", "trace=" + call, *spec, "-o", "/dev/null", "-p",
                          str(d.proc.pid)],
                         stderr=err)
    want_threads = len(os.listdir("/proc/%d/task" % d.proc.pid))
    end = time.monotonic() + 10
    while True:
        traced = sum(tracer("/proc/%d/task/%s/status" % (d.proc.pid, t)) == p.pid
                     for t in os.listdir("/proc/%d/task" % d.proc.pid))
        if traced >= want_threads:
            return p
        if p.poll() is not None or time.monotonic() > end:
            with open(err.name) as f:
                skip("strace cannot attach here: %s" % f.read()[:200])
        time.sleep(0.002)
