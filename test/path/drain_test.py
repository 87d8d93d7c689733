#!/usr/bin/env python3
"""drain_test.py - SIGTERM under load: nobody who was let in is let down.

SPDX-License-Identifier: MIT
"""
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import SLOW, Daemon, expect, expect_eq, main, request, test, wait_for  # noqa: E402

SPEC = {"engine": "echo", "delay_us": 20000,
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]}
ROW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


def serve(d, spec=SPEC):
    sent = d.ask("PUT", "/api/v1/blobs", json.dumps(spec).encode())
    made = d.post("/api/v1/models/echo/versions", {"files": [dict(sent.json(), name="model.json")]})
    expect_eq(made.status, 201, made)
    expect_eq(d.post("/api/v1/models/echo/deploy", {"wait": True}).status // 100, 2)


class Caller(threading.Thread):
    """Asks over one kept connection until told that it was the last answer, or cut off."""
    def __init__(self, d):
        super().__init__()
        self.conn, self.answers, self.last, self.trouble = d.conn(20), 0, False, None

    def run(self):
        try:
            while not self.last:
                self.conn.send(request("POST", "/v2/models/echo/infer", ROW))
                reply = self.conn.reply()
                if reply is None:  # closed while idle: the request was never taken
                    break
                if reply.status != 200:
                    self.trouble = repr(reply)
                    break
                self.answers += 1
                self.last = reply.headers.get("connection") == "close"
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed between two requests
        except Exception as e:  # noqa
            self.trouble = repr(e)


def drained(*args):
    with Daemon(*args) as d:
        serve(d)
        callers = [Caller(d) for _ in range(8)]
        for c in callers:
            c.start()
        wait_for(lambda: all(c.answers >= 3 for c in callers), what="load")
        began = time.monotonic()
        d.proc.send_signal(signal.SIGTERM)
        for c in callers:
            c.join(30)
        expect_eq(d.proc.wait(30), 0)
        took = time.monotonic() - began
        expect_eq([c.trouble for c in callers if c.trouble], [])
        expect(sum(c.last for c in callers) >= 4, "most were told that it was their last answer")
        return took, sum(c.answers for c in callers)


@test
def requests_in_flight_are_finished():
    took, _ = drained()
    expect(took < 5 * SLOW, "draining took %.1f s" % took)


@test
def with_a_delay_new_requests_are_served_until_the_door_closes():
    took, _ = drained("--drain-delay", "1s")
    expect(took >= 0.9, "the door closed after %.1f s" % took)


@test
def readiness_goes_first():
    with Daemon("--drain-delay", "2s") as d:
        serve(d)
        with d.conn() as c:
            expect_eq(c.ask("GET", "/readyz").status, 200)
            d.proc.send_signal(signal.SIGTERM)
            wait_for(lambda: c.ask("GET", "/readyz").status == 503, 1, "readiness gone")
            reply = c.ask("POST", "/v2/models/echo/infer", ROW)
            expect_eq(reply.status, 200, reply)
            expect_eq(d.get("/healthz").status, 200)  # a new connection is still let in
        expect_eq(d.proc.wait(30), 0)


main()
