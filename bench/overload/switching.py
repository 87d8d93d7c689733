"""switching.py - OV-22 to OV-24: versions, the process and clients that change under load.
SPDX-License-Identifier: MIT
"""
import os
import random
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

from rig import (DEADLINE_MS, bars, bench_end, bench_start, busy, capacity, daemon, metric, models,
                 most, ratio, row)
from slipway import SLOW, Daemon, expect_eq, request


# A server that has less of a core than when its capacity was measured says these, switched or not.
OF_LOAD = {"OVERLOADED", "DEADLINE_UNREACHABLE", "DEADLINE_EXCEEDED", "NO_CAPACITY"}


def failed_by_switch(of):
    """Answers that no lack of time explains: unsent requests are the generator's own."""
    by = of["failed_by_status"]
    refused = sum(n for status, n in by.items() if status.isdigit())
    load = sum(n for code, n in of["failed_by_code"].items() if code in OF_LOAD)
    return refused - load + by.get("lost", 0)


@bars("OV-22")
def switches(quick):
    n, part = (24, 3) if quick else (200, 5)
    rounds = 2 if quick else 4
    with daemon() as d:
        models.serve(d, "m", busy())
        models.push(d, "m", busy(yaml=b"limits: {deadline: 101ms}\n"))
        cap = capacity(d, 2 if quick else 4)
        rows = []
        for k in range(rounds):
            for j, name in enumerate(("quiet", "switching")):
                rows.append(row("%s%d" % (name, k), 0.8 * cap, from_s=(2 * k + j) * part,
                                for_s=part))
        load, began, done = bench_start(d, rows, 2 * rounds * part), time.monotonic(), 0
        time.sleep(0.2)
        for k in range(rounds):
            at = began + 0.2 + (2 * k + 1) * part
            while done < n * (k + 1) // rounds and time.monotonic() < at + part:
                time.sleep(max(0, at + part * ((done - n * k // rounds) * rounds / n)
                               - time.monotonic()))
                expect_eq(models.deploy(d, "m", 2 - done % 2).status, 200)
                done += 1
        by = bench_end(load)["by"]
    quiet = sum(by["quiet%d" % k]["ok"]["p99_us"] for k in range(rounds)) / rounds
    moved = sum(by["switching%d" % k]["ok"]["p99_us"] for k in range(rounds)) / rounds
    failed = sum(by["switching%d" % k]["failed"] for k in range(rounds))
    failed_quiet = sum(by["quiet%d" % k]["failed"] for k in range(rounds))
    moving = [by["switching%d" % k] for k in range(rounds)]
    return {"OV-22": [
        most("failed-by-a-switch", sum(map(failed_by_switch, moving)), 0, "%s" %
             [dict(m["failed_by_code"], **m["failed_by_status"]) for m in moving]),
        most("failed", failed, 0, "%d switches under 80 %% load; %d failed in the quiet stretches" %
             (done, failed_quiet)),
        most("p99-while-switching", ratio(moved, quiet), 1.15, "%.2f ms with switches, %.2f ms "
             "without, in turns" % (moved / 1e3, quiet / 1e3))]}


# --- SIGTERM ------------------------------------------------------------------------------------

BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
ASK = request("POST", "/v2/models/m/infer", BODY)


class Asker(threading.Thread):
    """Asks, one request after the other, until nobody is there. lost: it had been sent on a
    connection that was open, and the connection ended without an answer. An idle connection that
    the server closed before the request was sent is none."""

    def __init__(self, port, pause):
        super().__init__()
        self.port, self.pause, self.lost, self.done = port, pause, 0, 0

    def run(self):
        while True:
            try:
                sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock:
                while self.ask(sock):
                    time.sleep(self.pause)

    def ask(self, sock):
        """False: the connection is at its end."""
        try:
            sock.setblocking(False)
            ended = sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        finally:
            sock.settimeout(30)
        if ended:
            return False
        got = b""
        try:
            sock.sendall(ASK)
            while b"\r\n\r\n" not in got:
                piece = sock.recv(65536)
                if not piece:
                    break
                got += piece
        except OSError:
            pass
        if b"\r\n\r\n" not in got:
            self.lost += 1
            return False
        self.done += 1
        return b"connection: close" not in got.lower()


@bars("OV-23", own_target=True)
def terms(quick):
    n = int(os.environ.get("TIMES", "20" if quick else "1000"))
    data, lost, done, bad, slowest = tempfile.mkdtemp(prefix="slipway-terms-"), 0, 0, [], 0
    chance = random.Random(7)
    try:
        with daemon(data=data) as d:
            models.serve(d, "m", busy())
            per_core = capacity(d, 2)
        for _ in range(n):
            d = daemon(data=data).start()
            askers = [Asker(d.port, max(0, 16 / (0.8 * per_core) - 0.001)) for _ in range(16)]
            for each in askers:
                each.start()
            time.sleep(chance.uniform(0.05, 0.4))
            began = time.monotonic()
            rc = d.kill(signal.SIGTERM)
            slowest = max(slowest, time.monotonic() - began)
            for each in askers:
                each.join()
            if rc:
                bad.append(rc)
            lost += sum(a.lost for a in askers)
            done += sum(a.done for a in askers)
            d.check()
            d.clean()
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return {"OV-23": [
        most("accepted-and-lost", lost, 0, "%d requests over %d ends" % (done, n)),
        most("bad-exits", len(bad), 0, "statuses %s" % sorted(set(bad))),
        most("slowest-end-s", slowest, 30, "the limit for what is in flight is 30 s")]}


# --- cancels ------------------------------------------------------------------------------------

class Canceller(threading.Thread):
    """Sends requests of its own numbers and hangs up at a random moment; every other answer is
    waited for and must be of the numbers that were asked."""

    def __init__(self, port, times, seed):
        super().__init__()
        self.port, self.times, self.chance = port, times, random.Random(seed)
        self.wrong, self.cancels, self.answers, self.errors = 0, 0, 0, {}

    def run(self):
        from slipway import Conn
        conn = None
        for _ in range(self.times):
            conn = conn or Conn("127.0.0.1", self.port, 60)
            data = [self.chance.randrange(1 << 20) for _ in range(4)]
            raw = struct.pack("<4f", *data)
            body, head = models.infer_body([("x", "FP32", [1, 4], raw)])
            conn.send(request("POST", "/v2/models/m/infer", body, head))
            if self.chance.random() < 0.8:
                time.sleep(self.chance.expovariate(1 / 0.003))
                if self.chance.random() < 0.5:  # RST, not FIN
                    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
                conn.close()
                conn = None
                self.cancels += 1
                continue
            reply = conn.reply()
            self.answers += 1
            if reply.status == 200:
                self.wrong += bytes(models.outputs_of(reply)["x"][2]) != raw
            else:
                self.errors[reply.status] = self.errors.get(reply.status, 0) + 1
        if conn:
            conn.close()


@bars("OV-24", own_target=True)
def cancels(quick):
    n, crew = int(os.environ.get("TIMES", "2000" if quick else "100000")), 16
    with Daemon("--loops", "2", "--workers", "2", seconds=60) as d:
        models.serve(d, "m", busy(2000, yaml=b"limits: {deadline: 10s}\n"))
        expect_eq(d.ask("PATCH", "/api/v1/tenants/default",
                        {"quotas": {"requests_in_flight": 10000}}).status, 200)
        all_ = [Canceller(d.port, max(1, int(n / 0.8 / crew)), seed) for seed in range(crew)]
        for each in all_:
            each.start()
        for each in all_:
            each.join()
        end = time.monotonic() + 10 * SLOW
        left = None
        while left != 0 and time.monotonic() < end:  # a run keeps its seat until it is over
            left = in_work(d)
            time.sleep(0.2)
        expect_eq(d.post("/v2/models/m/infer", BODY).status, 200)
        d.check()  # a sanitizer's report
    cut = sum(a.cancels for a in all_)
    return {"OV-24": [
        most("answers-of-another", sum(a.wrong for a in all_), 0, "of %d answers beside %d hang-ups"
             % (sum(a.answers for a in all_), cut)),
        most("left-in-flight", left, 0, "requests in work after the last client left")]}


def in_work(d):
    """Requests in work, by the tenant's own meter, which counts once it has a limit."""
    used = metric(d, "slipway_quota_used", 'limit="requests_in_flight"')
    if used is None:
        raise RuntimeError("no slipway_quota_used for requests_in_flight")
    return used
