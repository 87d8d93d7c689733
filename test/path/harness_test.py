#!/usr/bin/env python3
"""harness_test.py - the tests' own harness: a daemon starts, answers and stops, and nothing that
goes wrong with it passes unnoticed.
SPDX-License-Identifier: MIT
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Conn, Daemon, Failed, expect, expect_eq, expect_in, main, test  # noqa: E402


def fails(action, *words):
    try:
        action()
    except Failed as e:
        for word in words:
            expect_in(word, str(e))
        return
    raise Failed("nothing was noticed")


@test
def a_daemon_starts_answers_and_stops():
    with Daemon() as d:
        expect_eq(d.get("/healthz").status, 200)
        expect_eq(d.get("/readyz").status, 200)
        with d.conn() as c:  # two requests written at once, answered in order
            c.send(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n")
            expect_eq(c.reply().json()["name"], "slipway")
            second = c.reply()
            expect_eq((second.status, second.json()["code"]), (404, "NOT_FOUND"))
            expect("x-request-id" in second.headers)
        expect(all("event" in event for event in d.log()))
        pid = d.proc.pid
    expect_eq(os.path.exists("/proc/%d" % pid), False)
    expect_eq(os.path.exists(d.data), False)


@test
def a_daemon_that_does_not_start_is_noticed():
    def start():
        with Daemon("--no-such-flag"):
            pass
    fails(start, "the daemon ended with", "no-such-flag")


@test
def a_daemon_that_dies_is_noticed():
    def die():
        with Daemon() as d:
            d.kill(signal.SIGKILL)
    fails(die, "exit status of the daemon", "-9")


@test
def a_sanitizers_report_is_noticed():
    def report():
        with Daemon() as d:
            with open(d.err.name, "a") as f:
                f.write("==1==ERROR: AddressSanitizer: heap-use-after-free\n")
    fails(report, "AddressSanitizer")


@test
def a_closed_connection_is_told_from_an_answer():
    with Daemon() as d:
        with d.conn() as c:
            c.send(b"NOT HTTP\r\n\r\n")
            expect_eq(c.reply().status, 400)
            expect(c.closed())
        c = Conn(d.host, d.port)
        c.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        expect_eq(c.reply().status, 200)
        expect_eq(c.reply(), None)
        c.close()


@test
def the_command_line_finds_the_daemon():
    with Daemon() as d:
        done = d.cli("status", "--json")
        expect_eq((done.returncode, done.stderr), (0, ""))
        expect_eq(d.cli("predict", "no-such-model", input="{}").returncode, 4)


main()
