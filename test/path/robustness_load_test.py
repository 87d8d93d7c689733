#!/usr/bin/env python3
# run: early release
"""robustness_load_test.py - the rows H1-108 to H1-112, H1-118 and H1-119 of the robustness
catalogue: clients that send too much, too slowly, or go away. SLIPWAY_FULL=1 runs the sizes of the
catalogue.
SPDX-License-Identifier: MIT
"""
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import (BODY, CHUNKED, FULL, INFER, MIB, Bystander, Room, Vitals, check_error,
                     check_vitals, cpu_seconds, fds, good, infer_json, own_answer, post, rss,
                     send_all)
from models import echo, infer_body, outputs_of, serve, spec
from slipway import (SANITIZED, SLOW, Conn, Daemon, Failed, expect, expect_eq, main, request, skip,
                     test, wait_for)


def prepare(d):
    serve(d, "slow", echo([spec("x", "FP32", (-1, -1))], delay_us=60000))


room = Room(prepare)


def one_byte_chunks(d, count):
    """The reply to a body of so many chunks of one byte."""
    block = b"1\r\n \r\n" * 8192
    with d.conn(60) as c:
        c.send(post(CHUNKED))
        for _ in range(0, count, 8192):
            if not send_all(c, block):
                break
        else:
            send_all(c, b"0\r\n\r\n")
        return c.reply()


@room.row
def H1_108_one_byte_chunks(d):
    check_error(one_byte_chunks(d, 3 * MIB), 413, "BODY_TOO_LARGE")


@test
def H1_108_on_a_small_stack():
    """The stacks of all threads are 256 KiB: 100 MB of one-byte chunks, and JSON 100,000 deep."""
    if SANITIZED:
        skip("a sanitizer needs larger stacks; the release build runs this")
    with Daemon(wrap=["sh", "-c", 'ulimit -s 256; exec "$0" "$@"']) as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        before = Vitals(d)
        check_error(one_byte_chunks(d, 100 * MIB if FULL else 8 * MIB), 413, "BODY_TOO_LARGE")
        for deep in (b'{"a":' + b"[" * 100000, b'{"a":' * 100000):
            check_error(d.post(INFER, deep), 400, "JSON_TOO_DEEP")
        expect_eq(good(d), 200)
        check_vitals(d, before)


@room.row
def H1_109_a_terabyte_declared(d):
    before = rss(d.proc.pid)
    for n in (64 * MIB + 1, 10**12, 10**17):
        with d.conn() as c:
            c.send(post("content-length: %d" % n))
            check_error(c.reply(), 413, "BODY_TOO_LARGE")
            expect(c.closed(), "the body still counts")
    expect(rss(d.proc.pid) < before + 8 * MIB, "memory was taken for a body that was refused")


@room.row
def H1_109_the_refusal_can_be_read_while_sending(d):
    """Lingering close: no RST may eat the answer of a client that is still sending."""
    for _ in range(5):
        with d.conn() as c:
            send_all(c, post("content-length: %d" % 10**12, body=b"x" * (2 * MIB)))
            check_error(c.reply(), 413, "BODY_TOO_LARGE")


@room.row
def H1_109_chunks_past_the_limit(d):
    block = b"100000\r\n" + b" " * MIB + b"\r\n"
    with d.conn(60) as c:
        c.send(post(CHUNKED))
        for _ in range(70):
            if not send_all(c, block):
                break
        check_error(c.reply(), 413, "BODY_TOO_LARGE")


@test
def H1_110_slowloris():
    """Many connections that send a byte of a head now and then: each gets 408 when the time for a
    whole head is over, whatever it sent meanwhile; others do not notice."""
    n, head, pause = (10000, 10, 9) if FULL else (500, 3, 0.7)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    n = min(n, hard * 2 // 5)  # half of them are for connections; a loop may get more than others
    if n < 500:
        skip("needs 1,250 descriptors, the hard limit is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Daemon("--head-timeout", "%ds" % head, "--connections-max", str(2 * n)) as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        expect_eq(good(d), 200)
        before = Vitals(d)
        with Bystander(d) as other:
            began = time.monotonic()
            conns = [Conn(d.host, d.port, 3 * head) for _ in range(n)]
            for c in conns:
                c.send(b"GET /healthz HTTP/1.1\r\nhost: h\r\n")
            sent = time.monotonic() - began
            while time.monotonic() - began < head - pause:
                time.sleep(pause)
                for c in conns:
                    send_all(c, b"a")
            got = [c.reply() for c in conns]
            took = time.monotonic() - began
            for r in got:
                check_error(r, 408, "REQUEST_TIMEOUT")
            expect(took < (head + sent + 4) * SLOW, "the last one was cut after %.1f s" % took)
            for c in conns:
                c.close()
        other.check()
        check_vitals(d, before)


@test
def H1_110_a_body_that_drips():
    """After ten seconds a body must have brought 1 KiB/s."""
    with Daemon() as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        before = Vitals(d)
        with Bystander(d) as other, d.conn(60) as c:
            c.send(post("content-length: 100000"))
            began = time.monotonic()
            while time.monotonic() - began < 40 and not c.rest:
                if not send_all(c, b" "):
                    break
                c.sock.settimeout(0.5)
                try:
                    c._more()
                except socket.timeout:
                    pass
            c.sock.settimeout(30)
            check_error(c.reply(), 408, "REQUEST_TIMEOUT")
            expect(8 < time.monotonic() - began < 40,
                   "cut after %.1f s" % (time.monotonic() - began))
        other.check()
        check_vitals(d, before)


@test
def H1_111_slow_reader():
    """Large answers nobody reads: dropped after the write timeout, memory given back."""
    size = (64 if FULL else 16) * MIB - 4096
    with Daemon("--write-timeout", "2s") as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        expect_eq(good(d), 200)
        before = Vitals(d)
        body, headers = infer_body([("x", "FP32", [1, size // 4], bytes(size))])
        with Bystander(d) as other:
            socks = []
            for _ in range(4):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                s.settimeout(30)
                s.connect((d.host, d.port))
                s.sendall(request("POST", INFER, body, headers))
                socks.append(s)
            wait_for(lambda: fds(d.proc.pid) <= before.fds + 1, 10,
                     "the slow readers' end, from %d descriptors back to %d" %
                     (fds(d.proc.pid), before.fds))
            for s in socks:
                s.close()
        other.check()
        check_vitals(d, before, seconds=20)


@room.row
def H1_111_a_reader_that_is_only_slow(d):
    """A reader that makes progress gets all of it."""
    size = MIB
    body, headers = infer_body([("x", "FP32", [1, size // 4], bytes(range(256)) * (size // 256))])
    with d.conn(30) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        c.send(request("POST", INFER, body, headers))
        for _ in range(20):
            c.rest += c.sock.recv(8192)
            time.sleep(0.02)
        reply = c.reply()
        expect_eq(reply.status, 200)
        expect_eq(outputs_of(reply)["x"][2], bytes(range(256)) * (size // 256))
        own_answer(c)


@room.row
def H1_112_a_thousand_requests_in_one_packet(d):
    parts = [request("POST", INFER, infer_json([i, i + 1], id="n%d" % i)) for i in range(1000)]
    with d.conn(30) as c:
        sender = threading.Thread(target=send_all, args=(c, b"".join(parts)))
        sender.start()
        for i in range(1000):
            reply = c.reply()
            expect_eq((reply.status, reply.json()["id"], reply.json()["outputs"][0]["data"]),
                      (200, "n%d" % i, [i, i + 1]))
        sender.join()
        own_answer(c)


@room.row
def H1_112_pipelined_between_room_and_room(d):
    """Answers of the loop, of a desk and of a worker, one connection: still in order."""
    asked, parts = [], []
    for i in range(100):
        kind = random.Random(i).choice(["infer", "desk", "loop", "none"])
        asked.append(kind)
        parts.append({"infer": request("POST", INFER, infer_json(id=str(i))),
                      "desk": request("GET", "/v2/models/echo"),
                      "loop": request("GET", "/v2/health/live"),
                      "none": request("GET", "/v2/models/nobody-%d" % i)}[kind])
    with d.conn(30) as c:
        sender = threading.Thread(target=send_all, args=(c, b"".join(parts)))
        sender.start()
        for i, kind in enumerate(asked):
            reply = c.reply()
            expect(reply is not None, "closed at answer %d" % i)
            if kind == "infer":
                expect_eq(reply.json().get("id"), str(i), "answer %d" % i)
            elif kind == "desk":
                expect_eq(reply.json().get("name"), "echo", "answer %d" % i)
            elif kind == "loop":
                expect_eq(reply.json(), {"live": True}, "answer %d" % i)
            else:
                expect_eq(reply.status, 404, "answer %d" % i)
                expect("nobody-%d" % i in reply.json()["error"], "answer %d: %r" % (i, reply.body))
        sender.join()


@room.row
def H1_118_disconnects(d):
    slow = request("POST", "/v2/models/slow/infer", infer_json())
    size = 8 * MIB
    large, headers = infer_body([("x", "FP32", [1, size // 4], bytes(size))])
    rounds = 30 if FULL else 8
    with Bystander(d) as other:
        for how in ("fin", "rst"):
            for i in range(rounds):
                socks = []
                for data in (b"", b"POST ", request("POST", INFER, BODY)[:-len(BODY)],
                             # before the body
                             request("POST", INFER, BODY)[:-5], slow,
                             # in it; in the run
                             request("POST", INFER, large, headers),
                             # in the answer
                             request("GET", "/v2/models/echo"), slow + slow + slow):
                    s = socket.create_connection((d.host, d.port), timeout=10)
                    s.sendall(data)
                    socks.append(s)
                time.sleep(0.02)
                for s in socks:
                    if how == "rst":
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
    other.check(p99=1)


@room.row
def H1_118_half_closed_clients_get_their_answer(d):
    with d.conn() as c:
        c.send(request("POST", "/v2/models/slow/infer", infer_json(id="half")))
        c.sock.shutdown(socket.SHUT_WR)
        reply = c.reply()
        if reply and reply.status == 100:  # whether it is still there (src/net/left.c)
            reply = c.reply()
        expect(reply is None or (reply.status == 200 and reply.json()["id"] == "half"), reply)


@room.row
def H1_119_connect_and_reset(d):
    began, n, seconds = time.monotonic(), 0, 10 if FULL else 2
    with Bystander(d) as other:
        while time.monotonic() - began < seconds:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.connect((d.host, d.port))
            s.close()
            n += 1
    other.check(p99=1)
    expect(n > 100, "only %d connections" % n)


@test
def H1_119_out_of_descriptors():
    """With no descriptor left in accept: no spin, who is connected is served, and it passes."""
    limit = 160
    wrap = ["sh", "-c", 'ulimit -n %d; exec "$0" "$@"' % limit]
    with Daemon("--connections-max", "1000", wrap=wrap) as d:
        serve(d, "echo", echo([spec("x", "FP32", (-1, -1))]))
        before = Vitals(d)
        with d.conn() as kept:
            expect_eq(kept.ask("GET", "/healthz").status, 200)
            conns = []
            for _ in range(2 * limit):
                try:
                    conns.append(Conn(d.host, d.port, 2))
                except OSError:
                    break
            time.sleep(0.3)
            cpu = cpu_seconds(d.proc.pid)
            time.sleep(1)
            cpu = cpu_seconds(d.proc.pid) - cpu
            expect(cpu < 0.5 * SLOW, "the daemon spins: %.2f s of CPU in a second" % cpu)
            expect_eq(kept.ask("GET", "/healthz").status, 200, "who is connected is served")
            kept.send(request("POST", INFER, infer_json()))
            expect_eq(kept.reply().status, 200)
            for c in conns:
                c.close()
        wait_for(lambda: answers(d), 10, "an answer afterwards")
        check_vitals(d, before)


def answers(d):
    try:
        return d.get("/healthz").status == 200
    except (OSError, Failed):
        return False


@test
def the_daemon_ends_in_good_order():
    room.end()


main()
