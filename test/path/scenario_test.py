#!/usr/bin/env python3
"""scenario_test.py - plays the scenarios of test/path/*.http against the running daemon.

A scenario is text: what is sent, byte for byte, and what must come back.

    == H1-101 two framings are one too many     a scenario begins; its name is the test's
    > POST /v2/models/echo/infer HTTP/1.1       a line to send; CRLF follows
    > Content-Length: auto                      becomes the length of what stands in >> lines
    >                                           the empty line
    >> {"inputs": []}                           body text; nothing follows it
    = shut                                      the client shuts its sending side
    = wait 0.2                                  nothing is sent for that long
    < 400 CONFLICTING_FRAMING                   the next answer: status, and its error code
    < header x-request-id                       that answer has the field
    < header connection: close                  ... with this value
    < no header content-encoding                ... has it not
    < body alive                                ... holds this text
    < field inputs[0].data                      ... names this place
    < closed                                    the connection ends, with nothing more on it
    < open                                      another request on it gets its own answer

Escapes: \\r \\n \\t \\0 \\\\ \\xNN, and {{x*1000}} for 1,000 times x. A `>` line that ends in a
single
backslash is sent without CRLF. Every answer is checked to be whole: errors are exactly one JSON
object
with text, code, id and details, and carry the id of their head.

Two models serve: `echo` (FP32 [-1,4]) and `pair` (a INT64 [-1], b BYTES [-1]);
`idle` is pushed only.
SPDX-License-Identifier: MIT
"""
import glob
import json
import os
import re
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from slipway import (TESTS, Daemon, expect, expect_eq, expect_in, main)  # noqa: E402

ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def unescape(text):
    out, i = b"", 0
    while i < len(text):
        many = re.match(r"\{\{(.+?)\*(\d+)\}\}", text[i:])
        if many:
            out += unescape(many.group(1)) * int(many.group(2))
            i += many.end()
        elif text[i] == "\\" and text[i + 1] == "x":
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        elif text[i] == "\\":
            out += ESCAPES[text[i + 1]]
            i += 2
        else:
            out += text[i].encode()
            i += 1
    return out


def line_bytes(text):
    if re.search(r"(^|[^\\])\\$", text):
        return unescape(text[:-1])
    return unescape(text) + b"\r\n"


class Play:
    def __init__(self, daemon):
        self.conn, self.pending, self.body, self.reply = daemon.conn(), b"", b"", None

    def flush(self):
        data = self.pending.replace(b": auto\r\n", b": %d\r\n" % len(self.body)) + self.body
        self.pending = self.body = b""
        if data:
            try:
                self.conn.send(data)
            except OSError:
                pass  # refused early; the answer says so

    def next_answer(self, words):
        self.flush()
        self.reply = reply = self.conn.reply(head_only=self.head_only)
        expect(reply is not None, "closed without an answer, expected %s" % words)
        expect_eq(reply.status, int(words[0]), reply)
        if reply.status >= 400 and reply.body:
            error = reply.json()
            expect_eq(reply.headers["content-type"], "application/json")
            expect_eq(set(error), {"error", "code", "request_id", "details"})
            expect(isinstance(error["error"], str) and error["error"])
            expect_eq(error["request_id"], reply.headers["x-request-id"])
            expect_eq(error["code"], words[1] if len(words) > 1 else error["code"])
        if reply.status in (429, 503):
            expect_in("retry-after", reply.headers)

    def check(self, line):
        words = line.split()
        if words[0].isdigit():
            self.next_answer(words)
        elif words[0] == "header":
            name, _, value = line[7:].partition(":")
            expect_in(name.strip().lower(), self.reply.headers)
            if value:
                expect_eq(self.reply.headers[name.strip().lower()], value.strip())
        elif words[:2] == ["no", "header"]:
            expect(words[2].lower() not in self.reply.headers, line)
        elif words[0] == "body":
            expect_in(unescape(line[5:]), self.reply.body)
        elif words[0] == "field":
            expect_eq(self.reply.json()["details"].get("field"), words[1])
        elif words[0] == "closed":
            self.flush()
            expect(self.conn.closed(), "the connection goes on")
        elif words[0] == "open":
            self.flush()
            reply = self.conn.ask("GET", "/healthz", headers={"x-request-id": "the-next-one"})
            expect(reply is not None, "the connection is closed")
            expect_eq((reply.status, reply.headers["x-request-id"]), (200, "the-next-one"))
        else:
            raise ValueError("no such check: %s" % line)

    def step(self, line):
        kind, rest = line[:2].strip(), line[2:]
        if kind == ">":
            self.head_only = rest.startswith("HEAD ") if not self.pending else self.head_only
            self.pending += line_bytes(rest)
        elif kind == ">>":
            self.body += unescape(rest.lstrip(" "))
        elif kind == "=" and rest.startswith("shut"):
            self.flush()
            self.conn.sock.shutdown(socket.SHUT_WR)
        elif kind == "=" and rest.startswith("wait"):
            self.flush()
            time.sleep(float(rest.split()[1]))
        elif kind == "<":
            self.check(rest)
        else:
            raise ValueError("not a step: %s" % line)


def scenarios(path):
    """Yields (name, [(line number, step)])."""
    name, steps = None, []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                if name:
                    yield name, steps
                name, steps = line[3:], []
            elif line and not line.startswith("#"):
                steps.append((number, line))
    if name:
        yield name, steps


DAEMON = None


def daemon():
    """One daemon for all scenarios: each must leave it as it was."""
    global DAEMON
    if DAEMON:
        return DAEMON
    DAEMON = Daemon("--head-timeout", "2s").start()
    specs = {"echo": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
             "pair": [{"name": "a", "datatype": "INT64", "shape": [-1]},
                      {"name": "b", "datatype": "BYTES", "shape": [-1]}],
             "idle": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]}
    for model, inputs in specs.items():
        sent = DAEMON.ask("PUT", "/api/v1/blobs",
                          json.dumps({"engine": "echo", "inputs": inputs}).encode())
        expect_eq(sent.status, 201, sent)
        made = DAEMON.post("/api/v1/models/%s/versions" % model,
                           {"files": [dict(sent.json(), name="model.json")]})
        expect_eq(made.status, 201, made)
        if model != "idle":
            up = DAEMON.post("/api/v1/models/%s/deploy" % model, {"wait": True, "strategy": "now"})
            expect_eq(up.status // 100, 2, up)
    return DAEMON


def add(path, name, steps):
    def play():
        d = daemon()
        pid = d.proc.pid
        p = Play(d)
        for number, step in steps:
            try:
                p.step(step)
            except Exception as e:
                raise AssertionError("%s:%d: %s" % (os.path.basename(path), number, e)) from e
        p.conn.close()
        expect(d.proc.poll() is None and d.proc.pid == pid, "the daemon has ended")
    play.__name__ = "%s[%s]" % (os.path.basename(path)[:-5], name)
    TESTS.append(play)


def nothing_is_left():
    daemon().stop()
    DAEMON.clean()


for found in sorted(glob.glob(os.path.join(HERE, "*.http"))):
    for one in scenarios(found):
        add(found, *one)
TESTS.append(nothing_is_left)
main()
