#!/usr/bin/env python3
# run: early
"""cancel_test.py - clients that hang up: what they asked for is not run, what runs for nobody is
stopped, and the seat is the next one's. SLIPWAY_FULL=1 runs ten times the cancels.
SPDX-License-Identifier: MIT
"""
import os
import random
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import models
from hostile import FULL, infer_json
from slipway import Daemon, expect, expect_eq, main, request, test, wait_for

RUN_S = 3.0  # what is compared with it: nearly two seconds


def metric(d, name):
    text = d.get("/metrics").body.decode()
    found = re.search(r"^%s(?:\{[^}]*\})? (\S+)$" % re.escape(name), text, re.M)
    expect(found, "no " + name)
    return float(found.group(1))


def pending(d):
    return metric(d, "nv_inference_pending_request_count")


def slow(d, name="slow", seconds=RUN_S):
    models.serve(d, name, models.echo([models.spec("x", "FP32", (-1, 2))],
                                      delay_us=int(seconds * 1e6)))


def infer(name="slow", **more):
    return request("POST", "/v2/models/%s/infer" % name, infer_json(**more))


def hang_up(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def leaves(d, how, n=1, pause=0.2, ahead=b""):
    """n clients that ask for a run each and hang up while the first one's is in work. ahead: what
    they sent behind that."""
    socks = []
    for _ in range(n):
        s = socket.create_connection((d.host, d.port))
        s.sendall(infer() + ahead)
        socks.append(s)
    time.sleep(pause)
    for s in socks:
        hang_up(s, how)


def one_who_left_frees_the_seat(how, ahead=b""):
    with Daemon("--workers", "1", "--loops", "1") as d:
        slow(d)
        began = time.monotonic()
        expect_eq(d.post("/v2/models/slow/infer", infer_json()).status, 200)
        alone = time.monotonic() - began
        leaves(d, how, n=5, ahead=ahead)
        began = time.monotonic()
        reply = d.post("/v2/models/slow/infer", infer_json(id="mine"))
        took = time.monotonic() - began
        expect_eq(reply.status, 200, reply.body[:300])
        expect_eq(reply.json()["id"], "mine")
        # Of the five before it none runs on: with one of them it were twice as long, or nearly.
        expect(took < 1.6 * alone, "%.2f s behind five who left, %.2f s alone" % (took, alone))
        wait_for(lambda: pending(d) == 0, what="nothing in flight")
        # A client's own leaving is no failure of the model.
        expect_eq(d.post("/v2/models/slow/infer", infer_json()).status, 200)


@test
def who_closed_while_it_ran_frees_the_seat():
    one_who_left_frees_the_seat("close")


@test
def who_reset_while_it_ran_frees_the_seat():
    one_who_left_frees_the_seat("reset")


@test
def who_closed_with_more_sent_ahead_frees_the_seat():
    one_who_left_frees_the_seat("close", infer(id="next"))


@test
def who_only_shut_its_side_gets_all_its_answers():
    with Daemon("--workers", "1", "--loops", "1") as d:
        slow(d, seconds=0.2)
        with d.conn() as c:
            c.send(b"".join(infer(id="r%d" % i) for i in range(3)))
            c.sock.shutdown(socket.SHUT_WR)
            replies = [c.reply() for _ in range(4)]
            expect_eq([r.status for r in replies], [100, 200, 200, 200])
            expect_eq([r.json()["id"] for r in replies[1:]], ["r0", "r1", "r2"])


@test
def who_only_shut_its_side_gets_its_answer():
    with Daemon("--workers", "1", "--loops", "1") as d:
        slow(d, seconds=0.5)
        with d.conn() as c:
            c.send(infer(id="half"))
            c.sock.shutdown(socket.SHUT_WR)
            reply = c.reply()
            if reply.status == 100:
                reply = c.reply()
            expect_eq(reply.status, 200)
            expect_eq(reply.json()["id"], "half")


def random_cancels(d, n, seed, wrong):
    chance = random.Random(seed)
    for i in range(n):
        mine, name = "r%d-%d" % (seed, i), chance.choice(("fast", "brief", "gone"))
        how = chance.choice(("close", "reset", "half a request", "stays"))
        s = socket.create_connection((d.host, d.port), timeout=30)
        data = infer(name, id=mine)
        try:
            if how == "half a request":
                s.sendall(data[:chance.randrange(1, len(data))])
                how = chance.choice(("close", "reset"))
            else:
                s.sendall(data)
            if how == "stays":
                got = b""
                while b"\r\n\r\n" not in got or mine.encode() not in got:
                    more = s.recv(65536)
                    if not more:
                        break
                    got += more
                if not got.startswith(b"HTTP/1.1 200") or mine.encode() not in got:
                    wrong.append((mine, got[:300]))
                s.close()
                continue
            if chance.random() < 0.7:
                time.sleep(chance.random() * 0.004)
            hang_up(s, how)
        except OSError as e:
            wrong.append((mine, repr(e)))
            s.close()


@test
def random_cancels_leave_nothing_in_flight():
    total, threads, wrong = (100000 if FULL else 10000), 8, []
    with Daemon("--workers", "1", "--loops", "1") as d:
        slow(d, "fast", 0)
        slow(d, "brief", 0.0005)
        slow(d, "gone", 0.002)
        each = [threading.Thread(target=random_cancels, args=(d, total // threads, i, wrong))
                for i in range(threads)]
        for t in each:
            t.start()
        for t in each:
            t.join()
        expect_eq(wrong[:3], [], "%d survivors without their own answer" % len(wrong))
        wait_for(lambda: pending(d) == 0, seconds=20, what="nothing in flight")
        for name in ("fast", "brief", "gone"):
            reply = d.post("/v2/models/%s/infer" % name, infer_json(id="last"))
            expect_eq(reply.status, 200, reply.body[:300])
            expect_eq(reply.json()["id"], "last")


main()
