#!/usr/bin/env python3
# run: alone
"""gather_test.py - a loop that mostly refuses lets arrivals gather, for a millisecond at most and
only while a run goes on that they would interrupt (src/net/gather.h, ADR 51).

Wake-ups are counted by the kernel: a loop that waits gives its core away, once each time.
SPDX-License-Identifier: MIT
"""
import multiprocessing
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models  # noqa: E402
from slipway import SLOW, Conn, Daemon, expect, expect_eq, main, request, test  # noqa: E402
from tenants import As, auth, operator, tenant  # noqa: E402

GATHER_S = 0.001
CLIENTS, BURSTS, ASKED = 64, 40 // SLOW, 200 // SLOW
FEW = 24  # clients whose requests are soon refused: what is measured is the wait and not that
X = [models.spec("x", shape=(1, 1))]
BODY = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}


def infer(model, key, **head):
    return request("POST", "/v2/models/%s/infer" % model, BODY, auth(key, **head))


def hopeless(key):
    """A request that is refused for want of time: a run takes longer than it has."""
    return infer("m", key, **{"x-slipway-deadline-ms": "2"})


class House:
    """One loop; a tenant with a slow and a quick model, and one whose requests are refused: 503,
    or, past a quota, 429."""

    def __init__(self):
        self.d = Daemon("--loops", "1", "--workers", "2", "--keys-only", "--log-level", "warn")

    def __enter__(self):
        d = self.d.__enter__()
        self.key, self.other = tenant(d, "acme"), tenant(d, "refused")
        models.serve(As(d, self.key), "slow", models.echo(X, delay_us=1500000))
        models.serve(As(d, self.key), "quick", models.echo(X))
        models.serve(As(d, self.other), "m", models.echo(X, delay_us=30000))
        self.conns = [d.conn() for _ in range(CLIENTS)]
        for _ in range(5):  # what a run takes is known then
            expect_eq(As(d, self.other).post("/v2/models/m/infer", BODY).status, 200)
        return self

    def limit(self):
        quotas = {"quotas": {"requests_per_second": 1, "requests_burst": 1}}
        reply = As(self.d, operator(self.d)).ask("PATCH", "/api/v1/tenants/refused", quotas)
        expect_eq(reply.status, 200)

    def __exit__(self, *why):
        for conn in self.conns:
            conn.close()
        return self.d.__exit__(*why)

    def wakes(self):
        tasks = "/proc/%d/task" % self.d.proc.pid
        for task in os.listdir(tasks):
            with open("%s/%s/status" % (tasks, task)) as f:
                text = f.read()
            if text.startswith("Name:\tloop"):
                return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        raise RuntimeError("no thread is called loop")

    def burst(self, status=503, clients=CLIENTS):
        """One request of each client, and their answers."""
        text, conns = hopeless(self.other), self.conns[:clients]
        for conn in conns:
            conn.send(text)
        return [conn.reply().status for conn in conns].count(status)

    def bursts(self, n, status=503):
        return sum(self.burst(status) for _ in range(n))

    def times(self, text, status=200):
        """The median of requests that follow each other."""
        took = []
        with Conn(self.d.host, self.d.port) as conn:
            for _ in range(ASKED):
                began = time.monotonic()
                conn.send(text)
                # Now and then one is let in, to see whether the model is quick again: a 504.
                if conn.reply().status == status:
                    took.append(time.monotonic() - began)
        expect(len(took) > 0.9 * ASKED, "%d of %d were %d" % (len(took), ASKED, status))
        return sorted(took)[len(took) // 2]


class Run:
    """A run of some seconds that goes on inside of the block."""

    def __init__(self, house):
        self.house = house
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        with Conn(self.house.d.host, self.house.d.port, 60) as conn:
            conn.send(infer("slow", self.house.key))
            self.status = conn.reply().status

    def __enter__(self):
        self.thread.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        went_on = self.thread.is_alive()
        self.thread.join()
        expect_eq(self.status, 200)
        expect(went_on, "the run was over before what was to be seen beside it")


@test
def refusals_share_wake_ups_while_a_run_goes_on():
    with House() as house:
        with Run(house):
            house.bursts(2)
            before = house.wakes()
            refused = house.bursts(BURSTS)
            woken = house.wakes() - before
        expect(refused >= 8 * woken, "%d wake-ups for %d refusals" % (woken, refused))


@test
def a_refusal_that_interrupts_nobody_is_not_held_back():
    with House() as house:
        house.bursts(4)
        with Run(house):
            house.bursts(2)
            beside = house.times(hopeless(house.other), 503)
        house.bursts(4)
        alone = house.times(hopeless(house.other), 503)
        expect(beside <= 2 * GATHER_S + 2 * alone * SLOW, "%.2f ms beside a run, %.2f ms without" % (
            beside * 1e3, alone * 1e3))
        if SLOW == 1:
            expect(alone < 0.6 * beside, "%.2f ms with nothing in work, %.2f beside a run" % (
                alone * 1e3, beside * 1e3))


@test
def who_is_over_limits_of_its_own_holds_up_nobody():
    with House() as house:
        house.limit()
        house.bursts(2, 429)  # the quota's own two are gone
        with Run(house):
            house.bursts(2, 429)
            beside = house.times(hopeless(house.other), 429)
        alone = house.times(hopeless(house.other), 429)
        expect(beside < alone + GATHER_S / 2 * SLOW, "%.2f ms beside a run, %.2f without" % (
            beside * 1e3, alone * 1e3))


def flood(house, over):
    os.nice(10)
    while not over.is_set():
        house.burst(clients=FEW)


@test
def a_neighbour_waits_for_what_gathers_and_no_longer():
    with House() as house:
        quiet = house.times(infer("quick", house.key))
        over = multiprocessing.get_context("fork").Event()
        client = multiprocessing.get_context("fork").Process(target=flood, args=(house, over))
        with Run(house):
            client.start()
            time.sleep(0.3)
            beside = house.times(infer("quick", house.key))
            over.set()
            client.join()
        expect_eq(client.exitcode, 0)
        # The other's clients take a core of two as well: half a millisecond, each way.
        expect(beside <= quiet + GATHER_S + 0.001 * SLOW, "%.2f ms beside the flood, %.2f before" % (
            beside * 1e3, quiet * 1e3))


@test
def nothing_gathers_where_nothing_is_refused():
    with House() as house:
        alone = house.times(infer("quick", house.key))
        with Run(house):
            beside = house.times(infer("quick", house.key))
        expect(beside < alone + GATHER_S / 2 * SLOW, "%.2f ms beside a run, %.2f alone" % (
            beside * 1e3, alone * 1e3))


main()
