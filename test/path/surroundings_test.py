#!/usr/bin/env python3
# run: release
"""surroundings_test.py - what the machine around the daemon is like: clients whose power went off,
memory that is not lent on trust, pages of one size, sizes of requests that come and go.
SPDX-License-Identifier: MIT
"""
import ctypes
import os
import random
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import FULL, MIB, good, infer_json, rss
from models import echo, infer_body, linear, push, serve, spec
from slipway import SANITIZED, Daemon, cases, expect, expect_eq, main, skip, test, wait_for

PIDFD_GETFD, PR_SET_THP_DISABLE = 438, 41
libc = ctypes.CDLL(None, use_errno=True)


def sockets_of(d):
    """The daemon's own stream sockets with a peer, as sockets here."""
    pidfd, found = os.pidfd_open(d.proc.pid), []
    for name in os.listdir("/proc/%d/fd" % d.proc.pid):
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0 and ctypes.get_errno() == 1:
            skip("a process's descriptors may not be looked at here")
        if fd < 0:
            continue
        try:
            sock = socket.socket(fileno=fd)
            sock.getpeername()
            found.append(sock)
        except OSError:
            pass
    os.close(pidfd)
    return found


@test
def NW_107_a_client_whose_power_went_off_is_noticed():
    """By the kernel, within 90 s: every connection that the daemon took has these timers."""
    with Daemon() as d:
        crew = [d.conn() for _ in range(5)]
        for c in crew:
            expect_eq(c.ask("GET", "/healthz").status, 200)
        taken = [s for s in sockets_of(d) if s.family == socket.AF_INET]
        expect(len(taken) >= 5, "%d connections" % len(taken))
        for s in taken:
            expect(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), "no keep-alive")
            idle, step, n = (s.getsockopt(socket.IPPROTO_TCP, o) for o in
                             (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT))
            expect(idle + step * n <= 90, "noticed after %d s" % (idle + step * n))
            s.close()
        for c in crew:
            c.close()


def lives(d):
    serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
    serve(d, "m", linear([[1, 2]], [3]))
    expect_eq(good(d), 200)
    expect_eq(push(d, "m", linear([[1, 2]], [4])), 2)
    d.kill()
    d.start()
    expect_eq(good(d), 200)


@cases([("address space", lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))),
        ("written memory", lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))),
        ("no huge pages", lambda: libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))])
def ME_106_memory_is_lent_strictly_and_in_small_pages(strict):
    """What a kernel that never overcommits would count is bounded: it starts, serves and starts
    again. Settings of the whole machine are not touched."""
    if SANITIZED:
        skip("a sanitizer reserves terabytes of addresses")
    pid = os.fork()
    if pid == 0:  # limits are taken over by who is started
        try:
            strict()
            with Daemon() as d:
                lives(d)
            os._exit(0)
        except BaseException as e:  # noqa: told by the status
            print(e, flush=True)
            os._exit(1)
    expect_eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)


@test
def ME_103_sizes_that_come_and_go_leave_no_memory():
    """Rounds of requests from a byte to 4 MiB in random order: after the warm-up no round leaves
    more than the one before. SLIPWAY_FULL=1: an hour."""
    with Daemon() as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        chance, seen = random.Random(7), []
        began = time.monotonic()
        while len(seen) < 40 or (FULL and time.monotonic() - began < 3600):
            for _ in range(60):
                n = int(4 ** chance.uniform(0, 10))
                body, headers = infer_body([("x", "FP32", (1, n), bytes(4 * n))])
                expect_eq(d.post("/v2/models/echo/infer", body, headers).status, 200)
                expect_eq(d.post("/v2/models/echo/infer", infer_json([1] * min(n, 3000))).status,
                          200)
            seen.append(rss(d.proc.pid))
        part = len(seen) // 4
        before, after = max(seen[2 * part:3 * part]), max(seen[3 * part:])
        slack = (64 if SANITIZED else 2) * MIB
        expect(after <= before + slack, "RSS in MiB: %s" % [s // MIB for s in seen])


main()
