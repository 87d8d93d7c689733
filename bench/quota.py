#!/usr/bin/env python3
"""quota.py - what quotas promise (OV-07): a tenant that asks a hundred times its rate gets its
rate, and twenty others at half of theirs notice nothing.

    bench/quota.py [--check] [--seconds N] [--rate R]

One daemon, 21 tenants with a model of 1 ms each, R requests a second allowed to each (default 50).
Load is open-loop: requests have their times, and a late one is late from then on. Slices with and
without the offender alternate; in the quiet ones it floods another daemon beside, so that both
kinds have the same machine. Two quiet ones are compared, too: so far do equal slices differ.
--check fails where a promise is broken.
SPDX-License-Identifier: MIT
"""
import argparse
import heapq
import multiprocessing
import os
import random
import selectors
import socket
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "lib"))
from slipway import Daemon, expect_eq, request  # noqa: E402
import models  # noqa: E402
from tenants import As, auth, operator, tenant  # noqa: E402

OTHERS, SLICE, CONNS, BURST = 20, 1.0, 20, 5
BODY = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
MODEL = dict(models.echo([models.spec("x", shape=(-1, 1))], delay_us=1000),
             **{"slipway.yaml": b"limits: {instances: 4}\n"})


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


class Answers:
    """Splits a connection's bytes into answers: (status, length of all of it)."""

    def __init__(self):
        self.rest = b""

    def take(self, data):
        self.rest += data
        while True:
            end = self.rest.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.rest[:end].lower()
            at = head.find(b"content-length: ")
            size = end + 4 + int(head[at + 16:].split(b"\r\n", 1)[0])
            if len(self.rest) < size:
                return
            self.rest = self.rest[size:]
            yield int(head[9:12])


def others(port, keys, rate, begin, slices, out):
    """The twenty: one connection each, rate requests a second. Gives (time sent, latency, status).
    """
    poll, due, got = selectors.DefaultSelector(), [], []
    for i, key in enumerate(keys):
        sock = connect(port)
        ask = request("POST", "/v2/models/m/infer", BODY, auth(key))
        state = {"sock": sock, "ask": ask, "out": [], "answers": Answers()}
        poll.register(sock, selectors.EVENT_READ, state)
        heapq.heappush(due, (begin + (i + random.random()) / (rate * len(keys)), i, state))
    end = begin + slices * SLICE
    while time.monotonic() < end + 1:
        now = time.monotonic()
        while due and due[0][0] <= now:
            at, i, state = heapq.heappop(due)
            state["sock"].send(state["ask"])
            state["out"].append(at)
            if at + 1 / rate < end:
                heapq.heappush(due, (at + 1 / rate, i, state))
        wait = max(0, due[0][0] - time.monotonic()) if due else 0.05
        for event, _ in poll.select(wait):
            state = event.data
            for status in state["answers"].take(state["sock"].recv(65536)):
                at = state["out"].pop(0)
                got.append((at - begin, time.monotonic() - at, status))
    out.put(got)


def offender(doors, rate, begin, loud, out):
    """rate requests a second, spread over connections: to the first door in the slices that are
    loud, else to the second. Gives the times of its 200s there, and how many it sent and was
    refused."""
    asks = [request("POST", "/v2/models/m/infer", BODY, auth(key))
            for _, key in doors]
    socks = [[connect(port) for _ in range(CONNS)] for port, _ in doors]
    poll, served, sent, refused = selectors.DefaultSelector(), [], 0, 0
    for door in range(len(doors)):
        for sock in socks[door]:
            poll.register(sock, selectors.EVENT_READ, (door, Answers()))
    for n, is_loud in enumerate(loud):
        at, end = begin + n * SLICE, begin + (n + 1) * SLICE
        while time.monotonic() < end + (1 if n + 1 == len(loud) else 0):
            now = time.monotonic()
            door = 0 if is_loud else 1
            while at <= now and at < end:
                socks[door][int(at * rate) % CONNS].send(asks[door])
                sent += door == 0
                at += 1 / rate
            for event, _ in poll.select(0.0005):
                from_door, answers = event.data
                for status in answers.take(event.fileobj.recv(1 << 18)):
                    if from_door == 0 and status == 200:
                        served.append(time.monotonic() - begin)
                    refused += from_door == 0 and status == 429
    out.put((served, sent, refused))


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else 0


def tenants(d, rate):
    top, keys = As(d, operator(d)), []
    for i in range(OTHERS + 1):
        keys.append(tenant(d, "t%d" % i))
        models.serve(As(d, keys[-1]), "m", MODEL)
        reply = top.ask("PATCH", "/api/v1/tenants/t%d" % i,
                        {"quotas": {"requests_per_second": rate, "requests_burst": BURST}})
        expect_eq(reply.status, 200, reply)
    return keys


def run(seconds, rate):
    """Loud slices, and two kinds of quiet ones: (offender's share of its quota, refusals of the
    others, p99 loud over quiet, p99 quiet over quiet, and the two p99s)."""
    loud = [n % 2 == 1 for n in range(2 * max(4, int(seconds / SLICE / 2)))]
    how = ["--keys-only", "--loops", "1", "--workers", "4"]
    with Daemon(*how) as d, Daemon(*how) as decoy:
        keys, out_a, out_b = tenants(d, rate), multiprocessing.Queue(), multiprocessing.Queue()
        doors = [(d.port, keys[0]), (decoy.port, tenants(decoy, rate)[0])]
        begin = time.monotonic() + 0.5
        crew = [multiprocessing.Process(target=others, args=(d.port, keys[1:], rate / 2, begin,
                                                             len(loud), out_a)),
                multiprocessing.Process(target=offender, args=(doors, 100 * rate, begin, loud,
                                                               out_b))]
        for process in crew:
            process.start()
        got, (served, sent, refused) = out_a.get(), out_b.get()
        for process in crew:
            process.join()
    by = {True: [], False: [], "even": [], "odd": []}
    for at, latency, status in got:
        n = min(len(loud) - 1, max(0, int(at / SLICE)))
        if status == 200 and at % SLICE > 0.05:  # what the slice before left is not this one's
            by[loud[n]].append(latency)
            if not loud[n]:
                by["even" if n % 4 == 0 else "odd"].append(latency)
    # Each loud slice begins with a full bucket; the last token of its second comes with its end.
    allowed = sum(loud) * (BURST + rate * SLICE - 1)
    return {"share": len(served) / allowed, "sent": sent, "refused": refused,
            "served": len(served), "allowed": allowed,
            "others_refused": sum(s != 200 for _, _, s in got), "others": len(got),
            "p99_quiet": quantile(by[False], 0.99), "p99_loud": quantile(by[True], 0.99),
            "p50_quiet": quantile(by[False], 0.5), "p50_loud": quantile(by[True], 0.5),
            "even": quantile(by["even"], 0.99), "odd": quantile(by["odd"], 0.99)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=50)
    args = parser.parse_args()
    r = run(args.seconds, args.rate)
    noise = max(r["even"], r["odd"]) / min(r["even"], r["odd"])
    ratio = r["p99_loud"] / r["p99_quiet"]
    print("offender: %d sent, %d served of %d allowed, %d refused" % (
        r["sent"], r["served"], r["allowed"], r["refused"]))
    print("others:   %d requests, p50 %.2f -> %.2f ms, p99 %.2f -> %.2f ms" % (
        r["others"], r["p50_quiet"] * 1e3, r["p50_loud"] * 1e3, r["p99_quiet"] * 1e3,
        r["p99_loud"] * 1e3))
    rows = [("OV-07 offender's share of its quota", r["share"], "0.95..1.05",
             0.95 <= r["share"] <= 1.05),
            ("OV-07 refusals and errors of others", r["others_refused"], "0",
             r["others_refused"] == 0),
            ("OV-07 p99 of others, loud / quiet", ratio, "1.10", ratio <= 1.10),
            ("      p99 of others, quiet / quiet", noise, "", True)]
    for name, value, bar, good in rows:
        print("%-38s %8.3f  %-10s %s" % (name, value, bar, "PASS" if good else "FAIL"))
    sys.exit(args.check and not all(row[3] for row in rows))


if __name__ == "__main__":
    main()
