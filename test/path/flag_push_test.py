#!/usr/bin/env python3
"""flag_push_test.py - changes of feature flags, pushed to clients by the running daemon; who may
hear of them.

SPDX-License-Identifier: MIT
"""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from flags import ON_OFF, bulk, flag, put  # noqa: E402
from slipway import (Daemon, Failed, SLOW, expect, expect_eq, expect_in, main,  # noqa: E402
                     request, test, wait_for)
from tenants import auth, key_add, operator  # noqa: E402


class Stream:
    """An open event stream. event() is the next (id, data), None at its end."""
    def __init__(self, d, headers=None, path="/ofrep/v1/events"):
        self.conn = d.conn(5)
        self.conn.send(request("GET", path, None, headers))
        head = self.conn._until(b"\r\n\r\n").decode()
        self.status, self.head = int(head.split()[1]), head.lower()

    def event(self, seconds=5):
        self.conn.sock.settimeout(seconds * SLOW)
        while True:
            try:
                block = self.conn._until(b"\n\n").decode()
            except Failed:
                return None
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if fields:
                expect_eq((fields["event"], set(fields)), ("message", {"id", "event", "data"}))
                return int(fields["id"]), json.loads(fields["data"])

    def quiet(self, seconds=0.3):
        try:
            got = self.event(seconds)
        except socket.timeout:
            return True
        raise Failed("there is an event: %r" % (got,))


REFETCH = {"type": "refetchEvaluation"}


@test
def protocol_62_a_change_is_told_within_a_second():
    with Daemon() as d:
        seq = put(d, "a", ON_OFF)["seq"]
        stream = Stream(d, {"Last-Event-ID": str(seq)})
        expect_eq(stream.status, 200)
        expect_in("content-type: text/event-stream", stream.head)
        expect_in("cache-control: no-cache", stream.head)
        expect(stream.quiet())
        for change in (lambda: put(d, "a", flag(defaultVariant="on"))["seq"],
                       lambda: d.ask("DELETE", "/api/v1/flags/a").json()["seq"]):
            began, seq = time.monotonic(), change()
            expect_eq(stream.event(), (seq, REFETCH))
            expect(time.monotonic() - began < 1 * SLOW, time.monotonic() - began)
        put(d, "b", ON_OFF)
        stream.event()
        put(d, "b", ON_OFF)  # the same: no change
        expect(stream.quiet())


@test
def who_comes_back_with_an_old_id_gets_one_refetch():
    with Daemon() as d:
        first = put(d, "a", ON_OFF)["seq"]
        put(d, "b", ON_OFF)
        last = put(d, "c", ON_OFF)["seq"]
        for id in (str(first), "0", "nonsense", "99999999999999999999999"):
            stream = Stream(d, {"Last-Event-ID": id})
            expect_eq(stream.event(), (last, REFETCH), id)
            expect(stream.quiet(), id)
        expect(Stream(d, {"Last-Event-ID": str(last)}).quiet())
        expect_eq(Stream(d).event(), (last, REFETCH), "a change just now may have been missed")
        d.stop()
        d.start()
        expect_eq(Stream(d, {"Last-Event-ID": str(first)}).event(), (last, REFETCH))


@test
def streams_end_with_the_server_and_leave_nothing_behind():
    with Daemon() as d:
        fds = "/proc/%d/fd" % d.proc.pid
        before = len(os.listdir(fds))
        streams = [Stream(d) for _ in range(200)]
        expect(len(os.listdir(fds)) >= before + 190)
        for stream in streams[:150]:
            stream.conn.close()
        wait_for(lambda: len(os.listdir(fds)) <= before + 60, 5, "what is hung up is freed")
        streams[199].conn.send(b"GET /healthz HTTP/1.1\r\n\r\n")  # not a request there
        seq = put(d, "a", ON_OFF)["seq"]
        expect_eq([s.event() for s in streams[150:]], [(seq, REFETCH)] * 50)
        began = time.monotonic()
        d.stop()
        expect(time.monotonic() - began < 5 * SLOW)
        expect_eq(streams[150].event(), None)


def with_key(d, role):
    made = key_add(d, role)
    return auth(operator(d)), made["id"], {"X-API-Key": made["key"]}


@test
def where_keys_are_needed_a_browser_opens_its_stream_with_a_ticket():
    with Daemon("--keys-only") as d:
        admin, id, key = with_key(d, "invoker")
        expect_eq(bulk(d).status, 401)
        expect_eq(Stream(d).status, 401)
        first = bulk(d, headers=key)
        uri = first.json()["eventStreams"][0]["endpoint"]["requestUri"]
        expect(uri.startswith("/ofrep/v1/events?ticket=" + id + "."), uri)
        expect(key["X-API-Key"].split("_")[2] not in uri, "no secret in a URL")
        expect_eq(bulk(d, headers=dict(key, **{"If-None-Match": first.headers["etag"]})).status, 304)
        stream, other = Stream(d, path=uri), Stream(d, key)
        expect_eq((stream.status, other.status), (200, 200))
        body = json.dumps(ON_OFF).encode()
        seq = d.ask("PUT", "/api/v1/flags/a", body, admin).json()["seq"]
        expect_eq((stream.event(), other.event()), ((seq, REFETCH), (seq, REFETCH)))
        id_, until, signature = uri.split("=")[1].split(".")
        for bad in ("", "x", id, "%s.%s." % (id, until), "%s.%s.%s" % (id, until, "0" * 32),
                    "%s.%d.%s" % (id, int(until) + 1, signature),
                    "%s.%s.%s" % (id[::-1], until, signature), uri.split("=")[1] + "0"):
            expect_eq(Stream(d, path="/ofrep/v1/events?ticket=" + bad).status, 401, bad)
        expect_eq(d.ask("POST", "/ofrep/v1/evaluate/flags?" + uri.split("?")[1], b"{}").status, 401)
        expect_eq(d.ask("DELETE", "/api/v1/keys/" + id, None, admin).status, 200)
        expect_eq(stream.event(), None)
        expect_eq(Stream(d, path=uri).status, 401)


@test
def who_may_read_may_not_evaluate_and_who_may_evaluate_may_not_set():
    with Daemon("--keys-only") as d:
        admin, _, viewer = with_key(d, "viewer")
        _, _, invoker = with_key(d, "invoker")
        body = json.dumps(ON_OFF).encode()
        expect_eq(d.ask("PUT", "/api/v1/flags/a", body, admin).status, 200)
        expect_eq(d.ask("PUT", "/api/v1/flags/a", body, invoker).status, 403)
        expect_eq(d.ask("POST", "/ofrep/v1/evaluate/flags/a", b"{}", invoker).status, 200)
        expect_eq(d.ask("POST", "/ofrep/v1/evaluate/flags/a", b"{}", viewer).status, 403)
        expect_eq(d.get("/api/v1/flags/a", viewer).status, 200)


@test
def a_stream_is_got_and_nothing_else():
    with Daemon() as d:
        expect_eq(d.ask("POST", "/ofrep/v1/events", b"").status, 405)
        with d.conn() as c:
            reply = c.ask("HEAD", "/ofrep/v1/events")
            expect_eq((reply.status, reply.headers["content-type"]), (200, "text/event-stream"))
            expect(c.closed())
        with d.conn() as c:
            c.send(b"GET /ofrep/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            expect_in(b"text/event-stream", c._until(b"\r\n\r\n").lower())


if __name__ == "__main__":
    main()
